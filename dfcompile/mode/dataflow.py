"""A network as a pipeline of units, each for one layer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import unit_resources
from dfcompile.dataflow.tap import ahead, tapped
from dfcompile.device.area import sum_of
from dfcompile.device.boards import Board
from dfcompile.device.copies import copies_cycles
from dfcompile.device.resources import Resources
from dfcompile.emit.golden import Golden, default_frames, golden, random_inputs
from dfcompile.emit.interface import Interface
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.mode import serialize
from dfcompile.mode.accelerator import Accelerator, Progress
from dfcompile.mode.energy import FRAMES, Activity, bit_operations, dataflow_parts, energy_report, frames_of, stream_activity
from dfcompile.mode.trace import Seen
from dfcompile.streamline.layout import Shape3
from dfcompile.synthesis.part import Part
from dfcompile.timing.solve import Timing, solve
from dfcompile.units.base import unit_of

if TYPE_CHECKING:
    from markupsafe import Markup

CHUNK_ELEMENTS = 2**21
"""Elements of the largest stream that one chunk of a batch may have: the working set of a thread stays in cache."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DataflowAccelerator(Accelerator):
    """A folded design with the host's side of it.

    solved: its timing, where that is known already
    """

    mode: ClassVar[str] = "dataflow"
    design: Design
    solved: Timing | None = None

    @property
    def graph(self) -> Graph:
        return self.design.graph

    @property
    def codes(self) -> Mapping[str, tuple[Shape3, IntType]]:
        streams = self.design.streams()
        return {t: (streams[t].shape, streams[t].dtype) for t in (*self.graph.inputs, *self.graph.outputs)}

    @cached_property
    def timing(self) -> Timing:
        """Interval, latency and FIFO occupancy, in cycles."""
        return self.solved or solve(self.design)

    @cached_property
    def resources(self) -> Resources:
        """Estimated area of all units and FIFOs."""
        units = unit_resources(self.design, self.family).values()
        return sum_of((*units, *(f.resources(self.family) for f in self.design.fifos().values())))

    @cached_property
    def frame_bytes(self) -> tuple[list[int], list[int]]:
        """Bytes of a frame at each input and at each output, as a board's memory or serial line carries them."""
        interface = Interface.of(self.design)
        return [p.frame_bytes for p in interface.inputs], [p.frame_bytes for p in interface.outputs]

    def frame_cycles(self, board: Board | None) -> float:
        """Cycles between frames on a board: those of all copies together, or what the board's memory takes to move a frame."""
        interval = float(self.timing.interval_cycles)
        return copies_cycles(board, *self.frame_bytes, float(self.options["clock"]), interval, self.copies) if board else interval

    def _decoded(self, feeds: Mapping[str, Array], engine: str) -> Mapping[str, Array]:
        if engine != "python":
            return super()._decoded(feeds, engine)
        return self._in_chunks(feeds, lambda part, states: self.host.decode(self._executed(self.host.encode(part), states)))

    def _run(self, codes: Mapping[str, Array], engine: str) -> dict[str, Array]:
        if engine == "python":
            return self._in_chunks(codes, self._executed)
        from dfcompile.run.engine import run_engine

        return dict(zip(self.host_outputs, run_engine(self.design, self.design.frames(codes), engine), strict=True))

    @property
    def host_outputs(self) -> tuple[str, ...]:
        """Names of the output streams as the host knows them, in the design's order."""
        return tuple(dict.fromkeys(p.stream for p in self.host.outputs))

    def _executed(self, codes: Mapping[str, Array], states: dict[str, Array]) -> dict[str, Array]:
        made = self.graph.execute(codes, states=states)
        return dict(zip(self.host_outputs, (made[t] for t in self.graph.outputs), strict=True))

    def _in_chunks(
        self, feeds: Mapping[str, Array], run: Callable[[Mapping[str, Array], dict[str, Array]], dict[str, Array]]
    ) -> dict[str, Array]:
        """A batch in chunks, one thread for each core; matrix products stay single-threaded inside.

        run: chunk and the states of loops before it, which it changes -> results. Chunks of a streaming design go one after the other.
        """
        n = len(next(iter(feeds.values())))
        largest = max(s.elements for s in self.design.streams().values())
        workers = os.cpu_count() or 1
        size = max(1, min(CHUNK_ELEMENTS // largest, -(-n // workers)))
        parts = [{k: v[i : i + size] for k, v in feeds.items()} for i in range(0, n, size)]
        states: dict[str, Array] = {}
        if len(parts) == 1 or self.graph.streaming:
            results = [run(part, states) for part in parts]
        else:
            with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
                results = list(pool.map(lambda part: run(part, {}), parts))
        return {k: np.concatenate([r[k] for r in results]) for k in results[0]}

    def _traced(self, codes: Mapping[str, Array], engine: str) -> list[Seen]:
        graph, streams = self.graph, self.design.streams()
        if engine == "python":
            values = graph.execute(codes, keep=graph.producers())
        else:
            from dfcompile.run.engine import run_engine

            design, shown = tapped(self.design)
            values = dict(zip(shown, run_engine(design, self.design.frames(codes), engine), strict=True))
            early = ahead(graph)
            for n in (n for n in graph.nodes if n.name in early):
                values.update(zip(n.outputs, n.op.execute(*(values[t] for t in n.inputs)), strict=True))
        known = dict(zip(graph.outputs, self.host_outputs, strict=True))
        found = []
        for n in graph.nodes:
            for i, t in enumerate(n.outputs):
                name = n.name if len(n.outputs) == 1 else f"{n.name}:{i}"
                found.append(Seen(name, n.op.kind, n.source, known.get(t, t), values[t].reshape(-1, *streams[t].shape)))
        return found

    def energy_of(self, board: Board | None, codes: Mapping[str, Array] | None = None) -> dict[str, Any]:
        design = self.design
        rates = self._begun[2] if codes is None else stream_activity(design, design.frames(codes))
        parts = dataflow_parts(design, self.family, rates)
        if self.copies > 1:  # a frame passes one, and the clock runs in all of them
            parts = [replace(p, area=p.area._replace(ff=p.area.ff * self.copies)) for p in parts]
        moved = sum(n for t, n in zip(self.graph.inputs, self.frame_bytes[0], strict=True) if t in self.graph.fixed)
        found = energy_report(parts, self.family, board, self.frame_cycles(board), float(self.options["clock"]), moved, frames_of(codes))
        return {**found, "bit_operations": bit_operations(map(unit_of, design.nodes))}

    @cached_property
    def _begun(self) -> tuple[Golden, tuple[Array, ...], dict[str, float], dict[str, Array]]:
        """Of the golden frames the first ones, which the activity is of, the inputs of the others, the activity, and the states left."""
        inputs = random_inputs(self.design, default_frames(self.design))
        first, seen, states = [x[:FRAMES] for x in inputs], Activity(self.design.streams()), dict[str, Array]()
        seen.see(self.graph.inputs, first)
        return golden(self.design, first, see=seen.see, states=states), tuple(x[FRAMES:] for x in inputs), seen.rates, states

    def golden_frames(self, progress: Callable[[str], None] = lambda text: None) -> Golden:
        """Golden frames for the test benches. progress: as they are made."""
        begun, rest, _, states = self._begun
        return begun + golden(self.design, rest, progress, states=dict(states))

    def _verify(self, engines: Sequence[str], frames: int | None, stalls: float, progress: Progress, folder: Path | None) -> dict[str, Any]:
        from dfcompile.mode.verify_dataflow import verify_dataflow

        return verify_dataflow(self.design, engines, frames, stalls, progress, folder, self.family)

    def parts(self, family: str, library: Path) -> list[Part]:
        from dfcompile.synthesis.design import parts_of_design

        return parts_of_design(self.design, family, library)

    def page(self) -> str:
        from dfcompile.report.page import render_report

        return render_report(self)

    def drawings(self) -> Mapping[str, Callable[[], Markup]]:
        from dfcompile.report.page import drawings

        return drawings(self)

    def write(self, folder: Path, progress: Progress = lambda text: None) -> None:
        from dfcompile.emit.project import write_project

        parts = {"host": self.host, "options": self.options, "family": self.family, "meanings": self.meanings}
        serialize.write(folder, design=self.design, **parts)
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")
        (folder / "report.html").write_text(self.page(), encoding="utf-8")
        write_project(self, folder, progress)
