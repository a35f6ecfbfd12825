"""A network compiled for the loopback engine: run it, measure it, save it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile import serialize
from dfcompile.accelerator import ENGINES
from dfcompile.boards import Board
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntConv
from dfcompile.loopback.area import resources
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.heatmap import heatmap
from dfcompile.loopback.mode import Roofline, roofline
from dfcompile.loopback.predict import Prediction, predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.sweep import sweep, weight_bits
from dfcompile.loopback.traffic import layer_traffic
from dfcompile.streamline.host import HostSide
from dfcompile.units.base import Resources

LATENCY = 20
LARGE_MACS = 4_000_000_000


@dataclass(frozen=True)
class LoopbackTiming:
    """Cycles of one run of the program, by the replay of its queues.

    interval_cycles: cycles per frame: of a run over the batch; latency_cycles: of a run
    ideal_interval_cycles: array steps per frame; bottleneck: the layer with the most cycles
    """

    interval_cycles: float
    latency_cycles: int
    ideal_interval_cycles: float
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
        return LoopbackTiming(self.prediction.cycles / self.batch, self.prediction.cycles, steps / self.batch, slowest.name)

    @cached_property
    def resources(self) -> Resources:
        """Estimated area of the engine."""
        return resources(self.config, self.family)

    def run(self, x: Array | Mapping[str, Array]) -> Any:
        """Real numbers in and out: x (n, *shape) in the model's ONNX layout; one array, or a dict where there are several."""
        return self.simulate(x, "python")

    def simulate(self, x: Array | Mapping[str, Array], engine: str = "python") -> Any:
        """As `run`, on the Python engine, the compiled HLS C++ or the RTL under Verilator."""
        shapes = self.host.input_shapes
        feeds = dict(x) if isinstance(x, Mapping) else {next(iter(shapes)): np.asarray(x)}
        outputs = self.host.decode(self.run_codes(self.host.encode(feeds), engine))
        results = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in outputs.items()}
        return next(iter(results.values())) if len(results) == 1 else results

    def run_codes(self, codes: Mapping[str, Array], engine: str = "python") -> dict[str, Array]:
        """Integer codes in and out, by stream: (n, h, w, c)."""
        if engine not in ENGINES:
            raise CompileError(Problem("bad-option", f"there is no engine '{engine}'", help=f"engines: {', '.join(ENGINES)}"))
        if engine == "python":
            return run_program(self.program, codes)
        from dfcompile.backend.run_loopback import run_loopback

        return run_loopback(self.program, codes, engine).outputs

    def save(self, out: str | Path) -> None:
        """Write the build folder, whole or not at all; an older build in its place is replaced."""
        target = Path(out)
        if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "design.json").exists())):
            raise CompileError(Problem("bad-output", f"'{target.name}' exists and is not a build folder", help="choose another -o OUT"))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".dfcompile-") as scratch:
            folder = Path(scratch) / "out"
            folder.mkdir()
            self._write(folder)
            if target.exists():
                shutil.rmtree(target)
            folder.rename(target)

    def _write(self, folder: Path) -> None:
        from dfcompile.backend.run_loopback import emit_hls_engine, emit_rtl_engine, emit_sim

        parts = {"graph": self.graph, "host": self.host, "config": dataclasses.asdict(self.config), "batch": self.batch}
        serialize.write(folder, mode="loopback", **parts, options=self.options, family=self.family)
        (folder / "report.json").write_text(json.dumps(self.report, indent=1) + "\n")
        emit_rtl_engine(self.config, folder / "rtl")
        emit_hls_engine(self.config, folder / "hls")
        frames = {t: random_codes(self.graph, t, self.batch) for t in self.graph.inputs}
        emit_sim(self.program, frames, folder / "sim")
        driver = folder / "driver"
        driver.mkdir()
        self.program.image().tofile(driver / "memory.bin")
        (driver / "memory.json").write_text(json.dumps(self.memory_map(), indent=1) + "\n")

    def memory_map(self) -> dict[str, Any]:
        """Where the driver finds things in memory.bin: byte addresses, and how a frame is laid out."""
        p = self.program

        def ports(found: tuple[Any, ...]) -> list[dict[str, Any]]:
            names = ("height", "width", "start", "row", "col", "plane", "planes", "shift")
            return [
                {"name": x.name, "address": x.address, "image_bytes": x.image_bytes, "slots": x.storage.slots.tolist()}
                | {n: getattr(x.storage, n) for n in names}
                | {"columns": dataclasses.asdict(x.columns) if x.columns else None}
                for x in found
            ]

        return {
            "program": {"address": p.program_address, "bytes": len(p.code)},
            "size": p.size, "batch": p.batch, "word_bytes": p.config.simd, "inputs": ports(p.inputs), "outputs": ports(p.outputs),
        }  # fmt: skip


def random_codes(graph: Graph, tensor: str, count: int) -> Array:
    """Frames of random codes, the same in every build."""
    t = graph.tensors[tensor]
    assert t.lo is not None and t.hi is not None and t.dtype is not None
    codes = np.random.default_rng(0).integers(int(np.min(t.lo)), int(np.max(t.hi)) + 1, (count, *t.shape))
    return np.where(codes == 0, 1, codes) if t.dtype.bipolar else codes


def from_parts(parts: dict[str, Any], report: dict[str, Any]) -> LoopbackAccelerator:
    """A saved build, from what `serialize.read` gives."""
    rest = {k: v for k, v in parts.items() if k not in ("mode", "config")}
    return LoopbackAccelerator(config=EngineConfig(**parts["config"]), report=report, **rest)


def _macs(graph: Graph) -> int:
    """Multiplications of a frame."""
    convs = [n for n in graph.nodes if isinstance(n.op, IntConv)]
    return sum(int(graph.constants[n.inputs[1]].size) * int(np.prod(graph.tensors[n.outputs[0]].shape[:2])) for n in convs)


def make_report(acc: LoopbackAccelerator, model: Graph, board: Board | None) -> dict[str, Any]:
    """What report.json holds of a loopback build; `units` are the layers of the program."""
    timing, layers = acc.timing, layer_traffic(acc.program, acc.prediction)
    clock = float(acc.options["clock"])
    rows = [
        {
            "name": x.name, "kind": "loopback_layer", "source": list(x.source), "folding": {}, "cycles": x.cycles, "resources": {},
            "macs": x.macs, "steps": x.steps, "constant_bytes": x.constant_bytes, "act_bytes": x.act_bytes,
            "utilisation": round(x.utilisation, 4),
        }
        for x in layers
    ]  # fmt: skip
    params = sum(int(acc.graph.constants[n.inputs[1]].size) for n in acc.graph.nodes if isinstance(n.op, IntConv))
    return {
        "model": {"name": model.name, "macs": _macs(acc.graph), "params": params},
        "mode": "loopback",
        "clock_mhz": clock,
        "timing": dataclasses.asdict(timing) | {"fps": clock * 1e6 / timing.interval_cycles},
        "units": rows,
        "fifos": [],
        "engine": dataclasses.asdict(acc.config) | {"batch": acc.batch},
        "roofline": {
            "macs_per_cycle": acc.config.lanes,
            "bytes_per_cycle": acc.config.bus_bytes,
            "macs": sum(x.macs for x in layers),
            "bytes": sum(x.constant_bytes + x.act_bytes for x in layers),
            "spilled": list(acc.program.spilled),
        },
        "resources": dataclasses.asdict(acc.resources),
        "budget": {"board": board.name, **board.budget} if board else {},
        "folding": {"optimal": False, "bound": None, "gap": None},
        "verification": {"streamline": "exact", "simulator": "skipped"},
        "seconds": {},
    }


def check_program(acc: LoopbackAccelerator, codes: Mapping[str, Array]) -> None:
    """CompileError unless the Python engine gives what the integer graph gives on these codes."""
    wanted, found = acc.graph.execute(codes), run_program(acc.program, codes)
    wrong = [t for t in acc.graph.outputs if not np.array_equal(wanted[t], found[t])]
    if wrong:
        raise CompileError(Problem("bug", "the loopback program differs from the integer graph", where=", ".join(wrong)))


def build_loopback(
    graph: Graph, host: HostSide, model: Graph, options: dict[str, Any], board: Board | None, batch: int = 1, most: int = 8
) -> LoopbackAccelerator:
    """The engine that suits the network best on the board (the default engine without one), with its report.

    most: engines that are replayed to find it, fewer for networks of billions of multiplications
    CompileError when the engine cannot run the network or none fits the board.
    """
    family = board.family if board else "xc7"
    plain = EngineConfig(weight_bits=weight_bits([graph]))
    most = int(max(1, min(most, LARGE_MACS // max(1, _macs(graph)))))
    config = sweep([graph], board, float(options["clock"]), most).best.config if board else plain
    acc = LoopbackAccelerator(graph, host, config, batch, {}, options, family)
    acc.report.update(make_report(acc, model, board))
    return acc


def loopback_roofline(acc: LoopbackAccelerator) -> Roofline:
    """Where the build sits under its roofs."""
    layers = layer_traffic(acc.program, acc.prediction)
    return roofline(layers, acc.config, acc.prediction.cycles, acc.batch, float(acc.options["clock"]))


def explore_loopback(
    graphs: Sequence[Graph], board: Board, clock: float, out: Path | None = None, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """The sweep of array shapes for a set of networks: numbers, and explore.json and explore.svg (heat maps) in folder `out`."""
    found = sweep(graphs, board, clock, progress=progress)
    points = [p.row() for p in found.points]
    result = {
        "mode": "loopback", "board": board.name, "clock_mhz": clock, "networks": [g.name for g in graphs],
        "points": points, "best": found.best.row(), "gap": found.gap,
    }  # fmt: skip
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "explore.json").write_text(json.dumps(result, indent=1) + "\n")
        title = f"{', '.join(g.name for g in graphs)} on {board.name} at {clock:g} MHz, a frame of each"
        (out / "explore.svg").write_text(heatmap(title, found))
    return result
