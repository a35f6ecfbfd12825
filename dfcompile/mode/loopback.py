"""A network compiled for the loopback engine: run it, measure it, save it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.device.resources import Resources
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
from dfcompile.mode.dataflow import as_results, check_engine, save
from dfcompile.mode.report_data import plain
from dfcompile.streamline.host import HostSide, checked_codes
from dfcompile.streamline.value import Shape3

LATENCY = 20
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


@dataclass(frozen=True, eq=False)
class LoopbackAccelerator:
    """An integer graph with the engine it is compiled for; the same methods as `Accelerator`.

    graph:   the integer graph
    batch:   frames of a run
    family:  device family the resources are estimated for
    """

    graph: Graph
    host: HostSide
    config: EngineConfig
    batch: int = 1
    report: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    family: str = "xc7"

    @property
    def name(self) -> str:
        return self.graph.name

    @cached_property
    def streams(self) -> dict[str, tuple[Shape3, IntType]]:
        """Shape and type of the codes of each input and output."""
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

    def run(self, x: Array | Mapping[str, Array]) -> Any:
        """Real numbers in and out: x (n, *shape) in the model's ONNX layout; one array, or a dict where there are several."""
        return self.simulate(x, "python")

    def simulate(self, x: Array | Mapping[str, Array], engine: str = "python") -> Any:
        """As `run`, on the Python engine, the compiled HLS C++ or the RTL under Verilator. CompileError for a wrong input."""
        check_engine(engine)
        return as_results(self.host.decode(self.run_codes(self.host.encode(self.host.checked(x)), engine)))

    def run_codes(self, codes: Mapping[str, Array], engine: str = "python") -> dict[str, Array]:
        """Integer codes in and out, by stream: (n, h, w, c)."""
        check_engine(engine)
        codes = checked_codes({t: self.streams[t] for t in self.graph.inputs}, codes)
        if engine == "python":
            return run_program(self.program, codes)
        from dfcompile.run.loopback import run_loopback

        return run_loopback(self.program, codes, engine).outputs

    def save(self, out: str | Path) -> None:
        """Write the build folder, whole or not at all; an older build in its place is replaced, what the user has put there stays."""
        save(self, out)

    def write(self, folder: Path) -> None:
        """Write the files of the build into a folder."""
        from dfcompile.emit.loopback import write_loopback_project
        from dfcompile.report.loopback_page import render_loopback

        parts = {"graph": self.graph, "host": self.host, "config": dataclasses.asdict(self.config), "batch": self.batch}
        serialize.write(folder, mode="loopback", **parts, options=self.options, family=self.family)
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")
        (folder / "report.html").write_text(render_loopback(self), encoding="utf-8")
        frames = {t: random_codes(self.graph, t, self.batch) for t in self.graph.inputs}
        write_loopback_project(self.program, self.host, self.streams, frames, target_of(self.options), self.name, folder)


def _stream(graph: Graph, tensor: str) -> tuple[Shape3, IntType]:
    """Shape and type of a tensor's codes."""
    t = graph.tensors[tensor]
    h, w, c = t.shape
    lo, hi = t.range
    return (h, w, c), t.dtype or IntType.holding(int(np.min(lo)), int(np.max(hi)))


def random_codes(graph: Graph, tensor: str, count: int) -> Array:
    """Frames of random codes, the same in every build."""
    t = graph.tensors[tensor]
    lo, hi = t.range
    codes = np.random.default_rng(0).integers(int(np.min(lo)), int(np.max(hi)) + 1, (count, *t.shape))
    return np.where(codes == 0, 1, codes) if t.codes.bipolar else codes


def from_parts(parts: dict[str, Any], report: dict[str, Any]) -> LoopbackAccelerator:
    """A saved build, from what `serialize.read` gives. ValueError for an engine or a batch that there is not."""
    rest = {k: v for k, v in parts.items() if k != "config"}
    names = {f.name for f in dataclasses.fields(EngineConfig)}
    if set(parts["config"]) != names:
        raise ValueError(f"config: its parameters are not {', '.join(sorted(names))}")
    if not 1 <= parts["batch"] <= MOST_BATCH:
        raise ValueError(f"batch: {parts['batch']} frames, not from 1 to {MOST_BATCH}")
    return LoopbackAccelerator(config=EngineConfig(**parts["config"]), report=report, **rest)
