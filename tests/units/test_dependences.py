"""What the C++ promises the tool of its arrays holds: in how many iterations a read follows the write of what it reads is measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.connect import connect
from dfcompile.emit.golden import random_inputs
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import write_beats
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.run.compile import STANDARD, precompiled, run_tool
from dfcompile.run.hls import HEADERS, SETTINGS
from dfcompile.toolchain import require_tool
from dfcompile.units.base import Unit
from dfcompile.units.below_max import BelowMax
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.pool import Pool
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.upsample import Upsample
from tests.examples import some
from tests.units.test_delay import UNITS as DELAYS
from tests.units.test_matmul import CORNERS
from tests.units.test_mvtu_sparse import corner
from tests.units.test_standardize import CORNERS as STANDARDIZE

HERE = Path(__file__).parent
MACRO = re.compile(r"^#define DFC_(PIPELINE|DISTANCE)\((.*\\\n)*.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """Of an array: the distance that the pragma promises, and the least that a run has shown, -1 for none."""

    array: str
    promised: int
    least: int


def watched(unit: Unit, folder: Path, change: tuple[str, str, str] | None = None) -> list[Seen]:
    """Arrays of a unit, as five frames show them. change: header, text, and what takes its place. CompileError where a promise breaks."""
    names, (made,) = tuple(f"x{i}" for i in range(len(unit.inputs))), unit.outputs
    tensors = {t: Tensor(s.shape, s.dtype) for t, s in zip((*names, "y"), (*unit.inputs, made), strict=True)}
    design = connect(Graph("watched", (Node("unit", unit, names, ("y",)),), tensors, {}, names, ("y",)))
    emit_hls(design, folder)
    common = folder / "dfc_common.hpp"
    text, count = MACRO.subn("", common.read_text())
    assert count == 2
    common.write_text(f'{text}\n#include "{HERE / "watch.hpp"}"\n')
    if change:
        path = folder / change[0]
        assert change[1] in path.read_text()
        path.write_text(path.read_text().replace(change[1], change[2]))
    inputs, interface = random_inputs(design, 5), Interface.of(design)
    for port, codes in zip(interface.inputs, inputs, strict=True):
        write_beats(folder / f"{port.axis}.hex", port.stream, codes)
    (folder / "all.cc").write_text("".join(f'#include "{p.name}"\n' for p in sorted(folder.glob("*.cpp"))))
    gxx, flags = require_tool("g++").path, [STANDARD, "-O1", "-w", "-isystem", str(require_tool("ap_int").path), "-fsanitize=thread"]
    lines = [*SETTINGS.findall(text), *(f"#include <{h}>" for h in HEADERS)]
    header = precompiled("ap_int", "".join(f"{line}\n" for line in lines), flags, ["ap_int"])
    run_tool([gxx, *flags, "-include", header, "-I.", "-Isimulation", "-c", "all.cc", "-o", "all.o"], folder, "compiling")
    run_tool([gxx, STANDARD, "-O1", HERE / "watch.cpp", "all.o", "-o", "bench"], folder, "linking")
    files = [f"{p.axis}.hex" for p in (*interface.inputs, *interface.outputs)]
    said = run_tool([folder / "bench", *files], folder, "the watched run")
    return [Seen(name, int(a), int(b)) for name, a, b in (line.split() for line in said.splitlines())]


UINT4 = IntType(4)


def dense(simd: int, pe: int = 1) -> Mvtu:
    weights = np.random.default_rng(0).integers(-3, 4, (1, 4, 6))
    types = IntType(9, True), IntType(9, True)
    return Mvtu(2, weights, UINT4, IntType(3, True), *types, None, None, (1, 2, 6), (1, 2, 4), pe=pe, simd=simd)


def pooled(channels: int, pe: int) -> Pool:
    return Pool("sum", (2, 2, channels), 3, UINT4, IntType(6), pe=pe, channels_outer=False)


# Of each unit the array with its least distance; None where what the folding leaves is read in no later iteration.
CASES: dict[str, tuple[Unit, str, int | None]] = {
    "a vector of one word": (dense(6), "vector", 1),
    "a vector of two words": (dense(3), "vector", 2),
    "a vector that is read once": (dense(2, 4), "vector", None),
    "vectors of which words are skipped": (corner("half of the blocks"), "vectors", 1),
    "vectors of few words": (corner("fewer words than beats"), "vectors", 1),
    "rows of windows": (SlidingWindow((4, 5, 2), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), UINT4), "buffer", 4),
    "windows of one element": (SlidingWindow((3, 4, 1), (1, 1), (2, 1), (0, 0, 0, 0), (1, 1), UINT4), "buffer", 4),
    "wide words": (SlidingWindow((4, 4, 40), (2, 2), (1, 1), (0, 0, 0, 0), (1, 1), UINT4, simd=40), "buffer", 4),
    "a row of words that are repeated": (Upsample((2, 3, 4), (2, 2), UINT4, 2), "row", 2),
    "a row of pixels": (Upsample((2, 3, 2), (2, 3), UINT4, 2), "row", 9),
    "sums of groups": (pooled(16, 2), "sums", 8),
    "scores": (CORNERS["attention_scores"], "matrix", 1),
    "values": (CORNERS["attention_values"], "matrix", 1),
    "a matrix of one word": (CORNERS["all_at_once"], "matrix", 1),
    "a row of scores": (BelowMax((1, 3, 8), IntType(4, True), 15, 2), "rows", 4),
    "a row at once": (BelowMax((1, 3, 8), IntType(4, True), 15, 8), "rows", 1),
    "rows over their root": (STANDARDIZE["layer_norm"], "rows", 33),
    "sums of rows": (STANDARDIZE["layer_norm"], "sums", 30),
    "roots of rows": (STANDARDIZE["layer_norm"], "roots", 30),
    "a row over its root at once": (STANDARDIZE["all_at_once"], "roots", 20),
    "wide sums of groups": (pooled(180, 20), "sums", 9),
    "a pixel that is kept": (DELAYS["kept, several beats"], "kept", 3),
    "a pixel of one beat that is kept": (DELAYS["kept, one beat"], "kept", 1),
}

# One of each header.
ALWAYS = ["a vector of two words", "rows of windows", "a row of pixels", "sums of groups", "scores", "a row of scores"]
ALWAYS += ["roots of rows", "a pixel that is kept"]


@pytest.mark.parametrize("case", some(CASES, ALWAYS))
def test_a_promised_distance_holds(case: str, tmp_path: Path) -> None:
    unit, array, least = CASES[case]
    seen = {s.array: s for s in watched(unit, tmp_path)}[array]
    assert seen.least == -1 if least is None else seen.least >= seen.promised and seen.least >= least, seen


def test_every_promise_of_the_library_is_watched(root: Path) -> None:
    """All but those of the loopback core, which are the steps that its tokens wait."""
    headers = [p for p in (root / "hls").glob("dfc_*.hpp") if p.name != "dfc_loopback.hpp"]
    promised = {m for p in headers for m in re.findall(r"^\s+DFC_DISTANCE\((\w+)", p.read_text(), re.MULTILINE)}
    assert promised == {array for _, array, _ in CASES.values()}


FALSE = {
    "a vector": (dense(3), ("dfc_mvtu.hpp", "DFC_DISTANCE(vector, ColFolds)", "DFC_DISTANCE(vector, ColFolds + 1)"), "vector is read 2 "),
    "wide words": (
        CASES["wide words"][0],
        ("dfc_sliding_window.hpp", "DFC_DISTANCE(buffer, Lag)", "DFC_DISTANCE(buffer, 99)"),
        "buffer is",
    ),
    "sums": (pooled(16, 2), ("dfc_pool.hpp", "DFC_DISTANCE(sums, Words)", "DFC_DISTANCE(sums, Words + 1)"), "sums is read 8 "),
    "a row": (CASES["a row of pixels"][0], ("dfc_upsample.hpp", "DFC_DISTANCE(row, Distance)", "DFC_DISTANCE(row, 10)"), "row is read 9 "),
    "a kept pixel": (
        DELAYS["kept, several beats"],
        ("dfc_delay.hpp", "DFC_DISTANCE(kept, Folds)", "DFC_DISTANCE(kept, Folds + 1)"),
        "kept is read 3 ",
    ),
    "wide sums": (pooled(180, 20), ("dfc_pool.hpp", "DFC_DISTANCE(sums, Words)", "DFC_DISTANCE(sums, Words + 1)"), "sums is read 9 "),
}


@pytest.mark.parametrize("case", some(FALSE, always=list(FALSE)[::2]))
def test_a_false_promise_is_noticed(case: str, tmp_path: Path) -> None:
    unit, change, says = FALSE[case]
    with pytest.raises(CompileError, match=says):
        watched(unit, tmp_path, change)
