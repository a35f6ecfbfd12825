"""Random networks on engines with ports of every board: SystemVerilog in Verilator equal to the graph, its cycle counter to the replay."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntAdd, Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.descriptor import Target, Transfer, Unit
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.token import add_tokens
from dfcompile.run.loopback import run_loopback
from tests.loopback.cases import Net
from tests.loopback.random_net import ENGINES, random_net

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
ENGINE = ENGINES["64"]
FEW, MANY = range(30), range(30, 400)
LATENCIES = (20, 1, 70)


def holds(net: Net, graph: Graph, port: str, batch: int, latency: int) -> bool:
    """Run a network; False where it does not fit the engine."""
    try:
        program = compile_program(graph, ENGINES[port], batch)
    except CompileError as e:
        assert {p.code for p in e.problems} <= {"not-loopback", "does-not-fit"}
        return False
    as_predicted(program, graph, net.codes(2 * batch), latency)
    return True


def as_predicted(program: Program, graph: Graph, codes: dict[str, Array], latency: int) -> None:
    run, wanted = run_loopback(program, codes, "rtl", latency), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    assert set(run.cycles) == {predict(program, latency).cycles}


def all_hold(port: str, seeds: range) -> None:
    """Networks of all seeds; half of them fit, but into the smallest engine, that of the widest port, only two in five."""
    ran = [holds(*random_net(seed), port, 1 + seed % 2, LATENCIES[seed % 3]) for seed in seeds]
    assert sum(ran) > len(ran) // (3 if port == "128" else 2)


@needs_gxx
def test_random_networks_take_the_predicted_cycles() -> None:
    all_hold("64", FEW)


@pytest.mark.full
@needs_gxx
@pytest.mark.parametrize("port", ENGINES)
def test_many_random_networks_take_the_predicted_cycles(port: str) -> None:
    all_hold(port, MANY)


def strips() -> Net:
    """A picture in strips, one of which lies in both banks and is loaded while the array writes the results of the one before."""
    n = Net(1, x=((36, 10, 48), -8, 7))
    n.conv("x", 16, Window((3, 1)), top=1)
    return n


def second_input() -> Net:
    n = Net(2, x=((8, 10, 32), -8, 7), y=((8, 10, 48), -8, 7))
    a = n.steps(n.conv("x", 16, Window((3, 1), (1, 1), (1, 0, 1, 0)), top=1), 2)
    n.node(IntAdd((1, 1)), n.conv(a, 16, Window((8, 1)), top=1), n.conv("y", 16, Window((8, 1)), top=1))
    return n


def hoisted(program: Program) -> Program:
    """The same with the load of the second input before the first tiles, which run meanwhile: their constants are loaded before."""
    steps = [replace(s, descriptor=replace(s.descriptor, waits=0, signals=0)) for s in program.steps]
    second = steps.pop(1)
    first = next(i for i, s in enumerate(steps) if s.unit == Unit.COMPUTE)
    between = [s for s in steps[first : first + 4] if s.unit == Unit.LOAD]
    rest = [s for s in steps[first:] if all(s is not b for b in between)]
    return replace(program, steps=tuple(add_tokens([*steps[:first], *between, second, *rest], program.config, program.constants_address)))


def late_words(program: Program) -> int:
    """Cycles in which a load into both banks found its bank taken."""
    half, total = ENGINE.act_words // 2, 0
    for s, r in zip(program.steps, predict(program).runs, strict=False):
        d = s.descriptor
        if (
            isinstance(d, Transfer)
            and s.unit == Unit.LOAD
            and d.target == Target.ACT
            and d.inner < half < d.inner + d.beats // ENGINE.word_beats
        ):
            total += r.end - r.start + 1 - d.beats
    return total


@needs_gxx
@pytest.mark.parametrize(("net", "change"), [(strips(), replace), (second_input(), hoisted)], ids=["strips", "hoisted"])
def test_loads_give_way_to_the_array(net: Net, change: Callable[[Program], Program]) -> None:
    """A load into both banks while tiles before it in the program, or behind it, write."""
    graph = net.graph(net.nodes[-1].name)
    program = change(compile_program(graph, ENGINE))
    as_predicted(program, graph, net.codes(1), 20)
    assert late_words(program) > 0
