"""One call for the engines that run generated code."""

from __future__ import annotations

from collections.abc import Sequence

from dfcompile.dataflow.design import Design
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from dfcompile.units.base import Array


def run_engine(design: Design, inputs: Sequence[Array], engine: str) -> tuple[Array, ...]:
    """Codes (n, h, w, c) of each output, from the compiled HLS C++ ("hls") or from Verilator ("rtl")."""
    streams = design.streams()
    shaped = [x.reshape(len(x), *streams[t].shape) for x, t in zip(inputs, design.graph.inputs, strict=True)]
    if engine == "hls":
        return run_hls(design, shaped)
    return run_rtl(design, shaped).outputs
