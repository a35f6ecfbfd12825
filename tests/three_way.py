"""A unit three ways: its Python model, its C++ and its SystemVerilog must give the same beats; unstalled, at the predicted cycles."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import RtlRun, run_rtl
from dfcompile.units.base import Array, Stream, Unit

TOGETHER = 14
"""Units that are compiled into one C++ program: each takes a third as long as alone."""


def side_by_side(units: Sequence[Unit], name: str) -> Design:
    """A design of units that have nothing to do with each other: inputs x0, x1, ..., outputs y0, y1, ... in the units' order."""
    tensors: dict[str, Tensor] = {}
    nodes: list[Node] = []
    for unit in units:
        ports: dict[str, tuple[str, ...]] = {}
        for letter, streams in (("x", unit.inputs), ("y", unit.outputs)):
            start = sum(t.startswith(letter) for t in tensors)
            ports[letter] = tuple(f"{letter}{start + i}" for i in range(len(streams)))
            tensors |= {t: Tensor(s.shape, s.dtype) for t, s in zip(ports[letter], streams, strict=True)}
        nodes.append(Node(f"unit{len(nodes) or ''}", unit, ports["x"], ports["y"]))
    inputs, outputs = (tuple(t for t in tensors if t.startswith(letter)) for letter in "xy")
    return Design(Graph(name, tuple(nodes), tensors, {}, inputs, outputs))


def one_unit(unit: Unit, name: str = "") -> Design:
    """A design of one unit: inputs x0, x1, ..., outputs y0, y1, ..."""
    return side_by_side([unit], name or f"{unit.kind}_test")


def random_codes(stream: Stream, frames: int, rng: np.random.Generator) -> Array:
    """Codes over the whole range of the stream's type."""
    if stream.dtype.bipolar:
        return rng.integers(0, 2, (frames, *stream.shape)) * 2 - 1
    return rng.integers(stream.dtype.lo, stream.dtype.hi, (frames, *stream.shape), endpoint=True)


def assert_same(what: str, stream: Stream, got: Array, wanted: Array) -> None:
    """AssertionError with the first frame and beat that differ."""
    wrong = np.argwhere(stream.arrange(got != wanted).any(axis=2))
    if len(wrong):
        frame, beat = wrong[0]
        lanes = [stream.arrange(x)[frame, beat].astype(int).tolist() for x in (got, wanted)]
        raise AssertionError(f"{what}: {len(wrong)} beats differ, first in frame {frame}, beat {beat}: {lanes[0]}, wanted {lanes[1]}")


def check_cpp(units: Sequence[Unit], *, frames: int = 4, seed: int = 0) -> None:
    """Run random codes through the C++ of several units, of some in one program, and assert that it gives what Python does."""
    for start in range(0, len(units), TOGETHER):
        some = units[start : start + TOGETHER]
        rng = np.random.default_rng(seed)
        codes = [[random_codes(s, frames, rng) for s in unit.inputs] for unit in some]
        wanted = [(unit, s, y) for unit, x in zip(some, codes, strict=True) for s, y in zip(unit.outputs, unit.compute(*x), strict=True)]
        found = run_hls(side_by_side(some, "units_test"), [x for of_unit in codes for x in of_unit])
        for (unit, stream, want), got in zip(wanted, found, strict=True):
            assert_same(f"HLS {unit}", stream, got, want)


def check_timing(design: Design, run: RtlRun) -> None:
    """With no stalls every frame is complete in the predicted cycle."""
    timing = importlib.import_module("dfcompile.timing.solve")
    predicted = timing.solve(design, frames=len(run.frame_done)).frame_done
    measured = run.frame_done - run.first_take
    assert measured.tolist() == np.asarray(predicted).tolist(), f"frames done at {measured}, predicted {predicted}"


def check(
    unit: Unit,
    codes: Sequence[Array] | None = None,
    stalls: float = 0.0,
    *,
    frames: int = 4,
    seed: int = 0,
    hls: bool = True,
    rtl: bool = True,
    timing: bool = True,
) -> RtlRun | None:
    """Run `unit` in Python, HLS and RTL and assert that all agree, beat for beat.

    codes:  one array (n, h, w, c) for each input; None draws `frames` frames of random codes
    stalls: chance of a pause on each port in each cycle; the RTL also runs without, to be held to its schedule
    Returns the unstalled RTL run.
    """
    if codes is None:
        rng = np.random.default_rng(seed)
        codes = [random_codes(s, frames, rng) for s in unit.inputs]
    wanted = unit.compute(*codes)
    design = one_unit(unit)
    if hls:
        for stream, got, want in zip(unit.outputs, run_hls(design, codes), wanted, strict=True):
            assert_same(f"HLS {unit}", stream, got, want)
    if not rtl:
        return None
    runs = [run_rtl(design, codes, p, seed) for p in dict.fromkeys((0.0, stalls))]
    for run in runs:
        for stream, got, want in zip(unit.outputs, run.outputs, wanted, strict=True):
            assert_same(f"RTL {unit}", stream, got, want)
    if timing and importlib.util.find_spec("dfcompile.timing.solve"):
        check_timing(design, runs[0])
    return runs[0]
