"""A compiled network, in either mode: run it, measure it, hold its generated code equal to it, draw it, save it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from dfcompile.device.boards import Board, boards
from dfcompile.device.family import DEFAULT
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError, Problem, did_you_mean
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.types import IntType
from dfcompile.mode.summary import one_line_of, table_of
from dfcompile.mode.trace import Seen, Traced, traced
from dfcompile.store.files import writing
from dfcompile.store.output import BUILD_FILES, new_folder
from dfcompile.streamline.host import HostSide, checked_codes
from dfcompile.streamline.layout import Shape3
from dfcompile.streamline.value import Meaning
from dfcompile.synthesis.part import Part

if TYPE_CHECKING:
    from markupsafe import Markup

    from dfcompile.report.picture import Picture

ENGINES = ("python", "hls", "rtl")
GENERATED = ENGINES[1:]
"""Engines that run generated code: what `verify` holds equal to the Python engine."""
VERIFIED = (*GENERATED, "netlist")
"""What `verify` can hold equal to it: the netlist too that synthesis for the device makes of the RTL."""
Progress = Callable[[str], None]


class Cycles(Protocol):
    """What is known of the cycles of a design in either mode.

    interval_cycles: cycles per frame in the steady state; latency_cycles: from the first input to the end of the first frame
    """

    @property
    def interval_cycles(self) -> int | float | Fraction: ...
    @property
    def latency_cycles(self) -> int: ...


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Accelerator(ABC):
    """A compiled network with the host's side of it.

    host:    ports, preprocessing and what is left to do behind the accelerator
    report:  what report.json holds
    options: every build option in effect
    family:  device family the resources are estimated for
    meanings: what streams inside of it stand for in the model
    """

    host: HostSide
    report: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    family: str = DEFAULT
    meanings: tuple[Meaning, ...] = ()

    mode: ClassVar[str]

    @property
    @abstractmethod
    def graph(self) -> Graph:
        """The graph whose inputs and outputs are the accelerator's."""

    @property
    @abstractmethod
    def codes(self) -> Mapping[str, tuple[Shape3, IntType]]:
        """Shape and type of the codes of each input and output, by tensor of `graph`."""

    @property
    @abstractmethod
    def timing(self) -> Cycles:
        """Interval and latency, in cycles."""

    @property
    @abstractmethod
    def resources(self) -> Resources:
        """Estimated area."""

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def copies(self) -> int:
        """Of the design or the engine on its board."""
        return int(self.options.get("copies") or 1)

    def run(self, x: Array | Mapping[str, Array]) -> Any:
        """Real numbers in and out: x (n, *shape) in the model's ONNX layout; one array, or a dict where there are several."""
        return self.simulate(x, "python")

    def simulate(self, x: Array | Mapping[str, Array], engine: str = "python") -> Any:
        """As `run`, on the Python engine, the compiled HLS C++ or the RTL under Verilator. CompileError for a wrong input."""
        check_engines([engine], ENGINES)
        return _results(self._decoded(self.host.checked(x), engine))

    def evaluate(
        self,
        x: Array | Mapping[str, Array],
        labels: Array,
        engine: str = "python",
        model: str | Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """How well the design classifies frames x, as `run` takes them, with a label each (n,): whole numbers from 0.

        model: the ONNX file; ``agreement`` is then the share of frames of the same class in it without its activation quantizers, but for
            a streaming design, whose frames are parts of a sequence
        Returns ``engine, images, classes, top1, top5, agreement, images_per_s`` and ``confusion``, rows by label, columns by result.
        ``top5`` is None where the outputs are classes and no scores; ``images_per_s`` is the engine's on this machine, not the hardware's.
        CompileError for a wrong input and for outputs that are neither.
        """
        from dfcompile.mode.evaluation import evaluate
        from dfcompile.mode.float_model import quantized_model, without_quantizers

        check_engines([engine], ENGINES)
        reference = (
            without_quantizers(quantized_model(model, self.options, self.host)) if model is not None and not self.graph.streaming else None
        )
        told = progress or (lambda _: None)
        return evaluate(self.host, lambda part: self.simulate(part, engine), x, labels, engine, reference, told, self.graph.streaming)

    def run_codes(self, codes: Mapping[str, Array], engine: str = "python") -> dict[str, Array]:
        """Integer codes in and out, by stream: (n, h, w, c). CompileError for codes that are none of the stream's."""
        check_engines([engine], ENGINES)
        return self._run(checked_codes({t: self.codes[t] for t in self.graph.fed}, codes), engine)

    def _decoded(self, feeds: Mapping[str, Array], engine: str) -> Mapping[str, Array]:
        """Real outputs of checked real inputs."""
        return self.host.decode(self._run(self.host.encode(feeds), engine))

    @abstractmethod
    def _run(self, codes: Mapping[str, Array], engine: str) -> dict[str, Array]:
        """Checked codes in, codes out, by stream."""

    def trace(self, x: Array | Mapping[str, Array], engine: str = "python") -> dict[str, Traced]:
        """What every unit gives for frames x, by unit; with an index behind the name where it has several outputs.

        In loopback mode a unit is a layer. Each is an array of codes (n, h, w, c) and, where it stands for a tensor of the ONNX model, the
        real numbers of that. engine "hls" or "rtl" runs the whole design with a fork in front of every stream to look at it; in loopback
        mode a program of the same engine that stores what every layer gives. CompileError for a wrong input.
        """
        check_engines([engine], ENGINES)
        return traced(self._traced(self.host.encode(self.host.checked(x)), engine), self.meanings, self.host)

    @abstractmethod
    def _traced(self, codes: Mapping[str, Array], engine: str) -> list[Seen]:
        """What every unit gives for checked codes, in the order of the graph."""

    def energy(self, x: Array | Mapping[str, Array] | None = None) -> dict[str, Any]:
        """A model of the energy of a frame, as ``energy`` of report.json, of frames x as `run` takes them; None: of random ones.

        Where it was built for a board of the user's own, static and board share are those of report.json alone.
        """
        codes = self.host.encode(self.host.checked(x)) if x is not None else None
        return self.energy_of(boards().get(self.options.get("board") or ""), codes)

    @abstractmethod
    def energy_of(self, board: Board | None, codes: Mapping[str, Array] | None = None) -> dict[str, Any]:
        """`energy` on a board; codes: of the inputs, random ones where none are given."""

    def verify(
        self,
        engines: Iterable[str] = GENERATED,
        frames: int | None = None,
        stalls: float = 0.0,
        progress: Progress | None = None,
        folder: str | Path | None = None,
    ) -> dict[str, Any]:
        """Run random and extreme frames through the generated C++ and SystemVerilog and compare with the Python engine.

        frames: how many; None chooses by the size of the design. Of more than two, the last two hold the least and the largest codes
        stalls: chance of a pause on every port, in loopback mode on every channel of the memory, in each cycle of the run with pauses; 0
            means the default. The run without gives the cycles
        folder: the saved build whose hls/ and rtl/ are used; None emits them again
        Returns ``{"engines": {"hls": ..., "rtl": ...}}``; a difference is named by part, output, frame and beat.
        """
        chosen = list(engines)
        check_engines(chosen, VERIFIED)
        return self._verify(chosen, frames, stalls, progress or (lambda _: None), Path(folder) if folder is not None else None)

    @abstractmethod
    def _verify(self, engines: Sequence[str], frames: int | None, stalls: float, progress: Progress, folder: Path | None) -> dict[str, Any]:
        """As `verify`, with checked engines."""

    @abstractmethod
    def parts(self, family: str, library: Path) -> list[Part]:
        """What is synthesised by itself, from the SystemVerilog in the folder `library`, with its estimated area on a device family."""

    @abstractmethod
    def page(self) -> str:
        """The report as one HTML page, from `report`."""

    @abstractmethod
    def drawings(self) -> Mapping[str, Callable[[], Markup]]:
        """What draws each picture of the report, by its name."""

    def picture(self, name: str) -> Picture:
        """A picture of the report, for a notebook or a file: "pipeline", "schedule", "fifos", "roofline" of a dataflow design, "timeline",
        "memory", "roofline" of a loopback one, "resources" of both. CompileError for another name.
        """
        from dfcompile.report.picture import Picture

        known = self.drawings()
        if name not in known:
            raise CompileError(Problem("bad-option", f"there is no picture '{name}' of this design", help=did_you_mean(name, known)))
        return Picture.of(known[name]())

    def save(self, out: str | Path) -> None:
        """Write the build folder, whole or not at all; an older build in its place is replaced, what the user has put there stays.

        CompileError where that cannot be done without loss (see `new_folder`).
        """
        with new_folder(out, BUILD_FILES) as folder, writing(out):
            self.write(folder)

    @abstractmethod
    def write(self, folder: Path, progress: Progress = lambda text: None) -> None:
        """Write the files of the build into a folder. progress: called with how far it is, where that takes long."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {one_line_of(self.name, self.report)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return table_of(self.name, self.report)


def check_engines(engines: Iterable[str], known: Sequence[str]) -> None:
    """CompileError for an engine that is not one of those known."""
    for engine in engines:
        if engine not in known:
            raise CompileError(Problem("bad-option", f"there is no engine '{engine}' here", help=f"engines: {', '.join(known)}"))


def _results(outputs: Mapping[str, Array]) -> Any:
    """Real outputs as float32: one array, or a dict where there are several."""
    results = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in outputs.items()}
    return next(iter(results.values())) if len(results) == 1 else results
