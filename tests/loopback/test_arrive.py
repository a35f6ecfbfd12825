"""Inputs that stay on chip are loaded rows at a time, while the array works on those that are there."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.ir.intop import IntAdd, Window
from dfcompile.loopback.arrive import Arrivals
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.descriptor import Compute, Opcode, Target, Transfer
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.run.loopback import run_loopback
from tests.loopback.cases import Net, outputs
from tests.loopback.test_engines import SQUARE
from tests.loopback.test_program import assert_exact

ENGINE = replace(SQUARE, act_words=16384)
needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def picture(top: int = 100) -> Net:
    """A convolution whose windows leave the picture above and below."""
    n = Net(50, x=((30, 12, 10), -5, top))
    n.steps(n.conv("x", 8, Window((4, 3), (2, 1), (2, 1, 1, 1)), top=3), 4)
    return n


def loads(program: Program) -> list[int]:
    """Where in the program the input is loaded."""
    steps = [(i, s.descriptor) for i, s in enumerate(program.steps)]
    return [i for i, d in steps if isinstance(d, Transfer) and d.opcode == Opcode.LOAD and d.target == Target.ACT]


def first_tile(program: Program) -> int:
    return next(i for i, s in enumerate(program.steps) if isinstance(s.descriptor, Compute))


@pytest.mark.parametrize(("top", "batch"), [(100, 1), (100, 3), (5000, 2)])
def test_the_array_begins_before_all_is_loaded(top: int, batch: int) -> None:
    """With several images, and codes of several planes, each is loaded so."""
    program = assert_exact(picture(top), ENGINE, batch)
    at = loads(program)
    assert not program.spilled
    assert at[0] < first_tile(program) < at[-1]
    assert predict(program).cycles > 0


def test_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first layer takes the longer one of loading and computing, and a part of the other; all at once it takes both."""
    net = picture()
    graph = net.graph(*outputs(net))
    parts = predict(compile_program(graph, ENGINE)).cycles
    monkeypatch.setattr(Arrivals, "rows_of", lambda self, layer, config: layer.size[0])
    whole = compile_program(graph, ENGINE)
    assert len(loads(whole)) == 1
    size = whole.inputs[0].image_bytes // ENGINE.bus_bytes
    assert size / 2 < predict(whole).cycles - parts < size


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_compiled(engine: str) -> None:
    net = picture(5000)
    graph, codes = net.graph(*outputs(net)), net.codes(2)
    program = compile_program(graph, ENGINE, 2)
    run, wanted = run_loopback(program, codes, engine), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    if engine == "rtl":
        assert run.cycles[0] == predict(program).cycles


def test_rows_that_the_first_reader_leaves() -> None:
    """A layer that reads the picture later finds the rows that no window of the first one reaches."""
    n = Net(51, x=((30, 6, 8), -5, 100))
    first = n.conv("x", 8, Window((1, 1), (16, 1)), top=3)
    second = n.conv("x", 8, Window((15, 1), (15, 1)), top=3)
    n.node(IntAdd((1, 1), 0), first, second)
    assert len(loads(assert_exact(n, ENGINE))) > 1


def thresholds() -> Net:
    """More tiles of many thresholds than the banks hold."""
    n = Net(52, x=((30, 12, 8), -5, 100))
    n.steps(n.conv("x", 64, top=3), 7)
    return n


def test_strips() -> None:
    """Of a tensor that does not fit, strips are as small as lets the array wait least; as large as fits where thresholds come again."""
    counts = []
    for net, spilled in ((picture(), "x"), (thresholds(), "n1")):
        program = assert_exact(net, replace(ENGINE, act_words=2048))
        assert program.spilled == (spilled,)
        counts.append(len(loads(program)))
    assert counts == [15, 4]


def test_thresholds_that_are_loaded_again() -> None:
    """With every part of the picture all tiles' thresholds come again where the banks do not hold them: that is no gain."""
    assert len(loads(assert_exact(thresholds(), ENGINE))) == 1
