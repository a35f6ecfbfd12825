"""A compiled network: run it, measure it, save it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import unit_resources
from dfcompile.device.area import sum_of
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array
from dfcompile.mode import serialize
from dfcompile.store.files import writing
from dfcompile.store.output import BUILD_FILES, new_folder
from dfcompile.streamline.host import HostSide, checked_codes
from dfcompile.timing.solve import Timing, solve

ENGINES = ("python", "hls", "rtl")
CHUNK_ELEMENTS = 2**21
"""Elements of the largest stream that one chunk of a batch may have: the working set of a thread stays in cache."""


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A folded design with the host's side of it.

    host:    ports, preprocessing and what is left to do behind the accelerator
    report:  what report.json holds
    options: every build option in effect
    family:  device family the resources are estimated for
    interval: cycles per frame, where sizing its FIFOs has proved them
    """

    design: Design
    host: HostSide
    report: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    family: str = "xc7"
    interval: Fraction | None = None

    @property
    def name(self) -> str:
        return self.design.name

    @cached_property
    def timing(self) -> Timing:
        """Interval, latency and FIFO occupancy, in cycles."""
        return solve(self.design, interval=self.interval)

    @cached_property
    def resources(self) -> Resources:
        """Estimated area of all units and FIFOs."""
        units = unit_resources(self.design, self.family).values()
        return sum_of((*units, *(f.resources(self.family) for f in self.design.fifos().values())))

    def run(self, x: Array | Mapping[str, Array]) -> Any:
        """Real numbers in and out: x (n, *shape) in the model's ONNX layout; one array, or a dict where there are several."""
        return self.simulate(x, "python")

    def simulate(self, x: Array | Mapping[str, Array], engine: str = "python") -> Any:
        """As `run`, on the Python engine, the compiled HLS C++ or the RTL under Verilator. CompileError for a wrong input."""
        check_engine(engine)
        feeds = self.host.checked(x)
        if engine == "python":
            outputs = self._in_chunks(feeds, lambda part: self.host.decode(self._codes(self.host.encode(part))))
        else:
            outputs = self.host.decode(self.run_codes(self.host.encode(feeds), engine))
        return as_results(outputs)

    def run_codes(self, codes: Mapping[str, Array], engine: str = "python") -> dict[str, Array]:
        """Integer codes in and out, by stream: (n, h, w, c)."""
        check_engine(engine)
        streams = self.design.streams()
        codes = checked_codes({t: (streams[t].shape, streams[t].dtype) for t in self.design.graph.inputs}, codes)
        if engine == "python":
            return self._in_chunks(codes, self._codes)
        from dfcompile.run.engine import run_engine

        inputs = [np.asarray(codes[t]) for t in self.design.graph.inputs]
        return dict(zip(self.host_outputs, run_engine(self.design, inputs, engine), strict=True))

    @property
    def host_outputs(self) -> tuple[str, ...]:
        """Names of the output streams as the host knows them, in the design's order."""
        return tuple(dict.fromkeys(p.stream for p in self.host.outputs))

    def _codes(self, codes: Mapping[str, Array]) -> dict[str, Array]:
        made = self.design.graph.execute(codes)
        return dict(zip(self.host_outputs, (made[t] for t in self.design.graph.outputs), strict=True))

    def _in_chunks(self, feeds: Mapping[str, Array], run: Callable[[Mapping[str, Array]], dict[str, Array]]) -> dict[str, Array]:
        """A batch in chunks, one thread for each core; matrix products stay single-threaded inside."""
        n = len(next(iter(feeds.values())))
        largest = max(s.elements for s in self.design.streams().values())
        workers = os.cpu_count() or 1
        size = max(1, min(CHUNK_ELEMENTS // largest, -(-n // workers)))
        parts = [{k: v[i : i + size] for k, v in feeds.items()} for i in range(0, n, size)]
        if len(parts) == 1:
            return run(parts[0])
        with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(run, parts))
        return {k: np.concatenate([r[k] for r in results]) for k in results[0]}

    def save(self, out: str | Path) -> None:
        """Write the build folder, whole or not at all; an older build in its place is replaced, what the user has put there stays."""
        save(self, out)

    def write(self, folder: Path) -> None:
        """Write the files of the build into a folder."""
        from dfcompile.emit.project import write_project
        from dfcompile.report.page import render_report

        serialize.write(folder, design=self.design, host=self.host, options=self.options, family=self.family)
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")
        (folder / "report.html").write_text(render_report(self), encoding="utf-8")
        write_project(self, folder)


class Writable(Protocol):
    """A build that can be written into a folder."""

    def write(self, folder: Path) -> None:
        """Write the files of the build into a folder."""


def save(build: Writable, out: str | Path) -> None:
    """Make `out` the build's folder. CompileError where that cannot be done without loss (see `new_folder`)."""
    with new_folder(out, BUILD_FILES) as folder, writing(out):
        build.write(folder)


def check_engine(engine: str) -> None:
    """CompileError for an engine that there is not."""
    if engine not in ENGINES:
        raise CompileError(Problem("bad-option", f"there is no engine '{engine}'", help=f"engines: {', '.join(ENGINES)}"))


def as_results(outputs: Mapping[str, Array]) -> Any:
    """Real outputs as float32: one array, or a dict where there are several."""
    results = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in outputs.items()}
    return next(iter(results.values())) if len(results) == 1 else results
