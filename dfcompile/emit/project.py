"""The generated part of a build folder: hls/, rtl/, sim/, driver/, and board/ for an open board, vivado/ for one of AMD."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from dfcompile.dataflow.design import Design
from dfcompile.emit.board import emit_board
from dfcompile.emit.driver import emit_driver
from dfcompile.emit.golden import Golden
from dfcompile.emit.hls import Target, emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import emit_sim, write_vectors
from dfcompile.emit.vivado import emit_vivado
from dfcompile.streamline.host import HostSide


class Build(Protocol):
    """A compiled network, as far as it is written into files here."""

    @property
    def design(self) -> Design: ...
    @property
    def host(self) -> HostSide: ...
    @property
    def options(self) -> dict[str, Any]: ...
    @property
    def family(self) -> str: ...
    def golden_frames(self, progress: Callable[[str], None] = ...) -> Golden: ...


def target_of(options: dict[str, Any]) -> Target:
    """Part and clock period of the build's board, or where there is none of a usual one."""
    plain = Target()
    clock = options.get("clock")
    return Target(str(options.get("part", "")) if options.get("board") else plain.part, 1000.0 / float(clock) if clock else plain.period)


def write_project(build: Build, folder: Path, progress: Callable[[str], None] = lambda text: None) -> None:
    """Write all generated folders of a build, with golden vectors for the test benches. progress: as these are made."""
    design = build.design
    interface = Interface.of(design)
    frozen = build.golden_frames(progress)
    emit_rtl(design, folder / "rtl", whole=bool(build.options.get("vivado")))
    emit_hls(design, folder / "hls", target_of(build.options))
    write_vectors(folder / "hls" / "vectors", (*interface.inputs, *interface.outputs), (*frozen.inputs, *frozen.outputs))
    emit_sim(design, folder / "sim", frozen.inputs, frozen.outputs, folder / "rtl")
    emit_driver(design, build.host, folder / "driver", int(build.options.get("copies") or 1))
    if build.options.get("wiring"):
        emit_board(design, build.options, build.family, folder)
    if build.options.get("vivado"):
        emit_vivado(interface.names.top, build.options, folder / "rtl", folder / "vivado")
