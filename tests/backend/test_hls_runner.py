"""The C++ as processes in bounded streams: every order of turns gives the same beats, and what deadlocks is said, never waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit.hls import emit_hls
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.mode.verify_dataflow import verify_dataflow
from dfcompile.run.hls import run_hls
from dfcompile.timing import hls_streams
from dfcompile.timing.fifo_sizing import size_fifos
from dfcompile.timing.hls_streams import size_streams, stream_depths
from dfcompile.units.add import Add
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Array, Unit, unit_of
from dfcompile.units.concat import Concat
from dfcompile.units.fork import Fork
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.pool import Pool
from dfcompile.units.repack import Repack
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.split import Split
from dfcompile.units.upsample import Upsample
from dfcompile.units.width_converter import WidthConverter
from tests.backend.designs import joined, residual
from tests.dataflow.test_timing_rtl import block
from tests.three_way import assert_same, random_codes

UINT3, INT4 = IntType(3), IntType(4, True)
FRAMES = 5  # more than a call of the test bench moves
SEEDS = range(6)


def outputs_of(design: Design, inputs: Sequence[Array]) -> list[Array]:
    values = design.graph.execute(dict(zip(design.graph.inputs, inputs, strict=True)))
    return [values[t].reshape(len(inputs[0]), *design.streams()[t].shape) for t in design.graph.outputs]


def check(design: Design, folder: Path, seeds: Sequence[int | None]) -> None:
    """The C++ gives what the Python model does, whoever has the turn."""
    emit_hls(design, folder)
    streams, rng = design.streams(), np.random.default_rng(1)
    inputs = [random_codes(streams[t], FRAMES, rng) for t in design.graph.inputs]
    wanted = outputs_of(design, inputs)
    for seed in seeds:
        for t, got, want in zip(design.graph.outputs, run_hls(design, inputs, folder, seed), wanted, strict=True):
            assert_same(f"{t}, seed {seed}", streams[t], got, want)


def window(shape: tuple[int, int, int], kernel: int, stride: int, pads: tuple[int, int, int, int], simd: int, **more: Any) -> SlidingWindow:
    dilation = more.pop("dilation", (1, 1))
    return SlidingWindow(shape, (kernel, kernel), (stride, stride), pads, dilation, INT4, simd=simd, **more)


UNITS: dict[str, Unit] = {
    "padded": window((4, 5, 4), 3, 1, (1, 1, 1, 1), 2),
    "valid": window((5, 5, 2), 3, 2, (0, 0, 0, 0), 1),
    "fewer_steps_than_words": window((5, 6, 4), 1, 2, (0, 0, 0, 0), 2),
    "cropped": window((6, 5, 3), 2, 2, (-1, 0, -2, 0), 3),
    "padding_last": window((2, 2, 1), 1, 1, (1, 0, 3, 2), 1, pad_value=3),
    "stuffed": window((3, 3, 2), 3, 1, (2, 2, 2, 2), 2, stuff=(2, 2)),
    "dilated_groups": window((6, 6, 4), 2, 1, (0, 1, 1, 0), 1, dilation=(2, 2), groups=2),
    "one_pixel": window((1, 1, 3), 1, 1, (0, 0, 0, 0), 1),
    "repack_wider": Repack((2, 3, 6), UINT3, 2, 3, 5, 6),
    "repack_narrower": Repack((2, 2, 6), UINT3, 4, 6, 3, 0),
    "repack_runs": Repack((2, 2, 6), UINT3, 3, 4, 4, 6),
    "upsampled": Upsample((2, 3, 4), (2, 3), INT4, lanes=2),
    "wider": WidthConverter((2, 3, 4), UINT3, 3, 8),
    "narrower": WidthConverter((2, 3, 4), UINT3, 6, 4),
    "pooled": Pool("max", (2, 3, 4), 6, UINT3, UINT3, pe=2),
    "largest": Argmax((2, 1, 6), INT4, pe=3),
    "sum": Add((2, 3, 4), (UINT3, INT4), lanes=2),
    "joined": Concat(((2, 3, 2), (2, 3, 4)), UINT3, lanes=2),
    "halves": Split((2, 3, 6), (2, 4), UINT3, lanes=2),
    "twice": Fork((2, 3, 4), UINT3, 2),
    "product": Mvtu(
        2,
        np.arange(24).reshape(1, 4, 6) % 7 - 3,
        UINT3,
        INT4,
        IntType(9, True),
        IntType(9, True),
        None,
        None,
        (1, 2, 6),
        (1, 2, 4),
        pe=2,
        simd=3,
    ),
}


def side_by_side(units: dict[str, Unit]) -> Design:
    """All units in one design, none joined to another."""
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    for name, unit in units.items():
        ends = [[f"{name}_{side}{i}" for i in range(len(s))] for side, s in (("x", unit.inputs), ("y", unit.outputs))]
        nodes.append(Node(name, unit, tuple(ends[0]), tuple(ends[1])))
        tensors |= {t: Tensor(s.shape, s.dtype) for t, s in zip(ends[0] + ends[1], (*unit.inputs, *unit.outputs), strict=True)}
    inputs, outputs = ([t for n in nodes for t in getattr(n, side)] for side in ("inputs", "outputs"))
    return Design(Graph("side_by_side", tuple(nodes), tensors, {}, tuple(inputs), tuple(outputs)))


def test_units_give_the_same_beats_whatever_their_neighbours_do(tmp_path: Path) -> None:
    """Streams of one beat and turns of random length: each unit meets a stream that is empty or full at any of its reads and writes."""
    design = side_by_side(UNITS)
    check(replace(design, hls_depths=dict.fromkeys(design.streams(), 1)), tmp_path / "hls", [None, *SEEDS])


def held_back(window: SlidingWindow, frames: int) -> int:
    """Beats that the short branch of `residual` must hold: what the window has taken before it has given a whole window, less what
    the sum has taken; the fork's last word waits outside."""
    (words,), (steps,) = window.inputs, window.outputs
    takes, gives = pattern(window, frames)
    taken = np.searchsorted(takes, gives, side="right")
    taps = steps.beats // words.beats
    last = taken[taps - 1 :: taps]
    return int((last - 1 - np.arange(len(last))).max())


def pattern(window: SlidingWindow, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Iterations that take a word, and that give one, of the unit's C++, by its rule."""
    (words,), (steps,) = window.inputs, window.outputs
    lead = window.hls_parameters()["Lead"]
    spread = np.arange(1, frames * steps.beats + 1) * words.beats // steps.beats
    takes = np.concatenate([np.arange(lead), lead + np.flatnonzero(np.diff(spread, prepend=0))])
    return takes[: frames * words.beats], lead + np.arange(frames * steps.beats)


def test_one_beat_less_than_branches_need_deadlocks(tmp_path: Path) -> None:
    """The least depth of the short branch, counted from the rule of the window's loop, is that of the C++."""
    design = residual()
    unit = next(n.op for n in design.nodes if isinstance(n.op, SlidingWindow))
    least = held_back(unit, FRAMES)
    plenty = dict.fromkeys(design.streams(), 64)
    check(replace(design, hls_depths=plenty | {"short": least, "long": 1}), tmp_path / "enough", SEEDS)
    with pytest.raises(CompileError, match="wait for each other") as failed:
        check(replace(design, hls_depths=plenty | {"short": least - 1, "long": 1}), tmp_path / "less", [3])
    why = failed.value.problems[0].why
    assert "split_up waits for room in n_short" in why and "add waits for a beat of largest" in why, why


def test_verification_notices_streams_that_are_too_short() -> None:
    design = residual()
    short = replace(design, hls_depths=dict.fromkeys(design.streams(), 2))
    found = verify_dataflow(short, ["hls"], 2, 0.0, lambda text: None, None, "xc7")["engines"]["hls"]
    assert not found["pass"] and "wait for each other: " in found["first_mismatch"] and "room in n_short" in found["first_mismatch"]


def blocks(seed: int) -> Design:
    """x + (x + largest of each window), with random shapes, windows and lanes."""
    rng = np.random.default_rng(seed)
    shape, lanes = (int(rng.integers(3, 7)), int(rng.integers(3, 7)), 4), int(rng.choice([2, 4]))
    kernel = (int(rng.choice([1, 3, 5])), int(rng.choice([1, 3])))
    inner = block("long", "sum", shape, kernel, lanes, int(rng.choice([1, 2])))
    wide = unit_of(inner[-1]).outputs[0].dtype
    ends = Fork(shape, UINT3, lanes), Add(shape, (wide, UINT3), lanes=lanes)
    nodes = [Node("fork", ends[0], ("x",), ("long", "short")), *inner, Node("add", ends[1], ("sum", "short"), ("y",))]
    return joined(f"blocks_{seed}", nodes, ("x",), ("y",))


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.full) for s in range(1, 6))])
def test_sized_streams_never_deadlock(seed: int, tmp_path: Path) -> None:
    design, sizing = size_fifos(blocks(seed))
    check(size_streams(design, sizing.interval), tmp_path / "hls", range(12))


def test_streams_of_large_designs_never_deadlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those beyond what is sized exactly, depths that a run of the model needs; without them the C++ deadlocks."""
    monkeypatch.setattr(hls_streams, "_LARGEST", 0)
    design = residual()
    check(size_streams(design, Fraction(1)), tmp_path / "enough", SEEDS)
    with pytest.raises(CompileError, match="wait for each other"):
        check(replace(design, hls_depths=stream_depths(design)), tmp_path / "less", [3])


def test_only_blocking_reads_and_writes_are_synthesised(root: Path, tmp_path: Path) -> None:
    """A stream is read and written, and has no name: nothing else is the same in all HLS tools."""
    design = side_by_side(UNITS)
    emit_hls(design, tmp_path)
    files = [p for p in tmp_path.rglob("*.[ch]pp") if p.parent.name != "simulation" and "testbench" not in p.name]
    assert len(files) > 2 * len(UNITS)
    wrong = re.compile(r"\.(empty|full|size|capacity|(?:try_|nb_)\w+|(?:read|write)_(?:nb|dep)\w*)\(|hls::stream<[^;()]*> \w+\(\"")
    assert wrong.search("in.empty()") and wrong.search('hls::stream<ap_uint<4>> s("s")') and wrong.search("in.read_nb(x)")
    assert {p.name: m.group() for p in files if (m := wrong.search(re.sub(r"//.*", "", p.read_text())))} == {}
