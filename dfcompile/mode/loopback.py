"""A network as a program for the loopback engine, which runs it layer by layer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dfcompile.device.boards import Board
from dfcompile.device.copies import engines_cycles
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.emit.engine import LATENCY, TOP
from dfcompile.emit.golden import random_frames
from dfcompile.emit.project import target_of
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.loopback.area import resources
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import Prediction, predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.traffic import layer_traffic
from dfcompile.mode import serialize
from dfcompile.mode.accelerator import GENERATED, Accelerator, Progress, check_engines
from dfcompile.mode.energy import FRAMES, energy_report, frames_of, integer_bit_operations, loopback_part
from dfcompile.mode.figures import plain
from dfcompile.mode.trace import Seen
from dfcompile.streamline.layout import Shape3
from dfcompile.synthesis.part import Part

if TYPE_CHECKING:
    from markupsafe import Markup

FEWEST_FRAMES = 3
"""Of a `verify`: a random one, the least and the largest codes."""
MOST_BATCH = 255


@dataclass(frozen=True)
class LoopbackTiming:
    """Cycles of one run of the program, by the replay of its queues.

    interval_cycles: cycles per frame: of a run over the batch; latency_cycles: of a run
    ideal_interval_cycles: array steps per frame; bottleneck: the layer with the most cycles
    """

    interval_cycles: int | float
    latency_cycles: int
    ideal_interval_cycles: int | float
    bottleneck: str


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LoopbackAccelerator(Accelerator):
    """An integer graph with the engine it is compiled for.

    network: the integer graph
    batch:   frames of a run
    """

    mode: ClassVar[str] = "loopback"
    network: Graph
    config: EngineConfig
    batch: int = 1

    @property
    def graph(self) -> Graph:
        return self.network

    @cached_property
    def codes(self) -> dict[str, tuple[Shape3, IntType]]:
        return {t: _stream(self.graph, t) for t in (*self.graph.inputs, *self.graph.outputs)}

    @cached_property
    def program(self) -> Program:
        """Descriptors and memory image. CompileError when the engine cannot run the network."""
        return compile_program(self.graph, self.config, self.batch)

    @cached_property
    def prediction(self) -> Prediction:
        return predict(self.program, LATENCY)

    @cached_property
    def timing(self) -> LoopbackTiming:
        """Interval and latency, in cycles, with an external memory of 20 cycles latency."""
        layers = layer_traffic(self.program, self.prediction)
        slowest = max(layers, key=lambda x: x.cycles)
        steps = sum(x.steps for x in layers)
        cycles = self.prediction.cycles
        return LoopbackTiming(plain(Fraction(cycles, self.batch)), cycles, plain(Fraction(steps, self.batch)), slowest.name)

    @cached_property
    def resources(self) -> Resources:
        """Estimated area of the engine."""
        return resources(self.config, self.family)

    def _run(self, codes: Mapping[str, Array], engine: str) -> dict[str, Array]:
        if engine == "python":
            return run_program(self.program, codes)
        from dfcompile.run.loopback import run_loopback

        return run_loopback(self.program, codes, engine).outputs

    def _traced(self, codes: Mapping[str, Array], engine: str) -> list[Seen]:
        layers = {x.dst: x for x in self.program.layers if x.dst in self.graph.tensors}
        ends = tuple(dict.fromkeys((*self.graph.outputs, *layers)))
        whole = compile_program(self.graph.replace(outputs=ends), self.config, self.batch)
        if engine == "python":
            values = run_program(whole, codes)
        else:
            from dfcompile.run.loopback import run_loopback

            values = run_loopback(whole, codes, engine).outputs
        made = {t: tuple(dict.fromkeys(s for n in x.source for s in self.graph.node(n).source)) for t, x in layers.items()}
        shapes = {t: _stream(self.graph, t)[0] for t in layers}
        return [Seen(x.name, "loopback_layer", made[t], t, values[t].reshape(-1, *shapes[t])) for t, x in layers.items()]

    @property
    def frame_bytes(self) -> float:
        """Bytes of external memory that a frame moves."""
        return sum(x.constant_bytes + x.act_bytes for x in layer_traffic(self.program, self.prediction)) / self.batch

    def frame_cycles(self, board: Board | None) -> float:
        """Cycles between frames on a board: of all engines together, or what the board's memory takes where it keeps no bus busy."""
        interval = float(self.timing.interval_cycles)
        return engines_cycles(board, self.frame_bytes, float(self.options["clock"]), interval, self.copies) if board else interval

    def energy_of(self, board: Board | None, codes: Mapping[str, Array] | None = None) -> dict[str, Any]:
        layers = layer_traffic(self.program, self.prediction)
        part = loopback_part(self.program, self.graph, codes or self.frames(FRAMES), self.resources, layers)
        part = dataclasses.replace(part, area=part.area._replace(ff=part.area.ff * self.copies))  # a frame is in one, the clock in all
        clock = float(self.options["clock"])
        found = energy_report([part], self.family, board, self.frame_cycles(board), clock, int(self.frame_bytes), frames_of(codes))
        return {**found, "bit_operations": integer_bit_operations(self.graph)}

    def _verify(self, engines: Sequence[str], frames: int | None, stalls: float, progress: Progress, folder: Path | None) -> dict[str, Any]:
        from dfcompile.mode.verify_loopback import verify_loopback

        check_engines(engines, GENERATED)  # the engine's netlist is not simulated
        codes = self.frames(frames or max(self.batch, FEWEST_FRAMES))
        return verify_loopback(self.program, self.graph, codes, engines, stalls, progress, folder)

    def frames(self, count: int) -> dict[str, Array]:
        """Frames of random and extreme codes of each input, the same in every build."""
        rng, tensors = np.random.default_rng(0), self.graph.tensors
        return {t: random_frames(tensors[t], self.codes[t][1], self.codes[t][0], count, rng) for t in self.graph.inputs}

    def parts(self, family: str, library: Path) -> list[Part]:
        from dfcompile.synthesis.design import parts_of_engine

        return parts_of_engine(self.config, family, library)

    def page(self) -> str:
        from dfcompile.report.loopback_page import render_loopback

        return render_loopback(self)

    def drawings(self) -> Mapping[str, Callable[[], Markup]]:
        from dfcompile.report.loopback_page import drawings

        return drawings(self)

    def write(self, folder: Path, progress: Progress = lambda text: None) -> None:
        from dfcompile.emit.loopback import write_loopback_project
        from dfcompile.emit.vivado import emit_vivado

        parts = {"graph": self.graph, "host": self.host, "config": dataclasses.asdict(self.config), "batch": self.batch}
        parts["meanings"] = self.meanings
        serialize.write(folder, mode=self.mode, **parts, options=self.options, family=self.family)
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")
        (folder / "report.html").write_text(self.page(), encoding="utf-8")
        carry, whole, target = FAMILIES[self.family].carry, bool(self.options.get("vivado")), target_of(self.options)
        program, frames = self.program, self.frames(self.batch)
        write_loopback_project(program, self.host, self.codes, frames, target, self.name, folder, carry, whole, self.copies)
        if whole:
            emit_vivado(TOP, self.options, folder / "rtl", folder / "vivado")


def _stream(graph: Graph, tensor: str) -> tuple[Shape3, IntType]:
    """Shape and type of a tensor's codes."""
    t = graph.tensors[tensor]
    h, w, c = t.shape
    lo, hi = t.range
    return (h, w, c), t.dtype or IntType.holding(int(np.min(lo)), int(np.max(hi)))


def from_parts(parts: dict[str, Any], report: dict[str, Any]) -> LoopbackAccelerator:
    """A saved build, from what `serialize.read` gives. ValueError for an engine or a batch that there is not."""
    rest = {k: v for k, v in parts.items() if k not in ("config", "graph")}
    names = {f.name for f in dataclasses.fields(EngineConfig)}
    if set(parts["config"]) != names:
        raise ValueError(f"config: its parameters are not {', '.join(sorted(names))}")
    if not 1 <= parts["batch"] <= MOST_BATCH:
        raise ValueError(f"batch: {parts['batch']} frames, not from 1 to {MOST_BATCH}")
    if parts["batch"] > 1 and parts["graph"].streaming:
        raise ValueError("batch: frames of one run cannot go on from one another")
    return LoopbackAccelerator(network=parts["graph"], config=EngineConfig(**parts["config"]), report=report, **rest)
