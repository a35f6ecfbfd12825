"""What the C++ promises the tool of its arrays holds: the distance in iterations between a write and the reads that follow is measured."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.connect import connect
from dfcompile.emit.golden import random_inputs
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import write_beats
from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.types import IntType
from dfcompile.run.hls import build_testbench
from dfcompile.units.base import Unit
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.sliding_window import SlidingWindow

# An array that knows in which iteration each element was written, and stops the program where one is read too soon.
WATCHED = """
#include <cstdio>
#include <cstdlib>
inline long& watch_now() { static long now = 0; return now; }
template <class T, int Count> struct Watched {
  T values[Count];
  long written[Count];
  bool known[Count] = {};
  long least;
  explicit Watched(long distance) : least(distance) {}
  struct Place {
    Watched& array;
    int at;
    operator T() const {
      if (array.known[at] && watch_now() - array.written[at] < array.least) {
        std::fprintf(stderr, "read %ld iterations after it was written", watch_now() - array.written[at]);
        std::exit(7);
      }
      return array.values[at];
    }
    void operator=(const T& value) { array.values[at] = value; array.written[at] = watch_now(); array.known[at] = true; }
  };
  Place operator[](int at) { return Place{*this, at}; }
};
"""


def run(unit: Unit, header: str, array: str, distance: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Four frames through a unit whose `array` is watched."""
    (given,), (made,) = unit.inputs, unit.outputs
    tensors = {"x": Tensor(given.shape, given.dtype), "y": Tensor(made.shape, made.dtype)}
    design = connect(Graph("watched", (Node("unit", unit, ("x",), ("y",)),), tensors, {}, ("x",), ("y",)))
    emit_hls(design, folder / "hls")
    path = folder / "hls" / f"dfc_{header}.hpp"
    text, count = re.subn(rf"(ap_uint<[^;]*?>) {array}\[(\w+)\];", rf"Watched<\1, \2> {array}({distance});", path.read_text())
    text, loops = re.subn(r"DFC_PIPELINE\(1\)", "watch_now()++;", text)
    assert (count, loops) == (1, 1)
    path.write_text(text.replace("#pragma once\n", f"#pragma once\n{WATCHED}", 1))
    inputs = random_inputs(design, 4)
    interface = Interface.of(design)
    for port, codes in zip(interface.inputs, inputs, strict=True):
        write_beats(folder / f"{port.axis}.hex", port.stream, codes)
    files = [folder / f"{p.axis}.hex" for p in (*interface.inputs, *interface.outputs)]
    return subprocess.run([build_testbench(folder / "hls", False), *files], capture_output=True, text=True, check=False)


UINT4 = IntType(4)
WINDOWS = {
    "rows": SlidingWindow((4, 5, 2), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), UINT4),
    "one element": SlidingWindow((3, 4, 1), (1, 1), (2, 1), (0, 0, 0, 0), (1, 1), UINT4),
    "a crop": SlidingWindow((4, 6, 1), (2, 2), (2, 2), (-1, 0, -1, 0), (1, 1), UINT4),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_a_word_of_the_line_buffer_is_read_four_iterations_after_it_was_written(case: str, tmp_path: Path) -> None:
    done = run(WINDOWS[case], "sliding_window", "buffer", "4", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("simd", [1, 3, 6])
def test_a_vector_is_read_as_many_iterations_later_as_it_has_words(simd: int, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).integers(-3, 4, (1, 4, 6))
    unit = Mvtu(2, weights, UINT4, IntType(3, True), IntType(9, True), IntType(9, True), None, None, (1, 2, 6), (1, 2, 4), pe=1, simd=simd)
    assert run(unit, "mvtu", "vector", "ColFolds", tmp_path).returncode == 0


def test_a_promise_that_does_not_hold_is_noticed(tmp_path: Path) -> None:
    done = run(WINDOWS["rows"], "sliding_window", "buffer", "40", tmp_path)
    assert done.returncode == 7 and "iterations after it was written" in done.stderr
