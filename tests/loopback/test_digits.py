"""Engines with digits narrower than a byte: exact on every kind of layer, in Python, C++ and SystemVerilog, or refused with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loopback_area import dot
from dfcompile.device.boards import find_board
from dfcompile.device.resources import Resources
from dfcompile.emit.engine import emit_rtl_engine
from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntAdd, IntConv, IntMul, IntStandardize, Window
from dfcompile.loopback.area import products
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.search.sweep import candidates, narrower, points, sweep, widths
from dfcompile.loopback.storage import digits, from_memory, planes_for, to_memory, undigits
from dfcompile.run.loopback import run_loopback
from tests.examples import examples
from tests.loopback.cases import CASES, Net, outputs
from tests.loopback.compiled import check_compiled
from tests.loopback.resnet import resnet
from tests.loopback.test_program import assert_exact

NIBBLES = EngineConfig(
    pe=8, simd=16, act_words=2048, weight_words=256, acc_words=64, scale_bits=28, list_words=64, code_bits=2, weight_bits=4, act_bits=4
)
ENGINES = {
    "nibbles": NIBBLES,
    "bytes of weights": replace(NIBBLES, weight_bits=8, code_bits=4),
    "tall": replace(NIBBLES, pe=32, weight_words=64, act_words=4096, list_words=32),
    "one row": replace(NIBBLES, pe=1, simd=8, bus_bits=32, act_words=4096, list_words=0, code_bits=0, weight_words=512),
    "64 bits": replace(NIBBLES, acc_bits=64, scale_bits=48),
    "pairs": replace(NIBBLES, simd=32, act_bits=2, weight_bits=2, code_bits=1, weight_words=512),
}
REFUSED = {
    "products": "its factors are of 5 digits of 4 bits, the engine walks 4",
    "wide": "its codes are of 6 digits of 4 bits, the engine walks 4",
    "norms": "its roots take an engine of root_bits=",
}

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def factors() -> Net:
    """Products of codes with and without a sign, of one and two digits; of unsigned ones whose least is no multiple of a digit's power."""
    n = Net(30, x=((5, 4, 10), 5, 230), y=((5, 4, 10), -8, 7), z=((5, 4, 10), -100, 90))
    a, b = n.node(IntMul(), "x", "x"), n.steps(n.node(IntMul(), "z", "x"), 3, -2)
    n.outs = (a, n.node(IntMul(), "x", b), n.node(IntMul(), "y", "z"), n.node(IntMul(), "y", "y"))  # type: ignore[attr-defined]
    return n


def wide_weights() -> Net:
    """Weights of two and three digits, of one plane and of two; unsigned codes that are stored as sums; a pad below them."""
    n = Net(31, x=((4, 3, 20), -8, 7), y=((4, 3, 20), 0, 255))
    a = n.conv("x", 9, Window((3, 2), (1, 1), (1, 1, 1, 0)), pad=-5, top=5000)
    b = n.node(IntConv(Window(), 1), "y", w=n.rng.integers(0, 3, (12, 1, 1, 20)))
    c = n.conv("y", 5, Window((2, 2), (1, 1), (1, 0, 0, 1)), pad=-3, top=100)
    d = n.node(IntConv(Window(), 1), b, w=n.rng.integers(-300, 300, (7, 1, 1, 12)))
    n.outs = (a, n.node(IntAdd((1, 2), -7), "y", n.conv("y", 20, top=1)), c, d)  # type: ignore[attr-defined]
    return n


OWN = {f.__name__: f for f in (factors, wide_weights)}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("engine", ["nibbles", "bytes of weights", "tall"])
@pytest.mark.parametrize("case", [*CASES, *OWN])
def test_exact(case: str, engine: str, batch: int) -> None:
    if case in REFUSED or (case == "matrices" and engine == "bytes of weights"):
        why = REFUSED.get(case, "its second operand comes as weights of 4 bits, the engine has weight_bits=8")
        net = CASES[case]()
        with pytest.raises(CompileError, match=why):
            compile_program(net.graph(*outputs(net)), ENGINES[engine], batch)
        return
    assert_exact((CASES | OWN)[case](), ENGINES[engine], batch)


@pytest.mark.parametrize("engine", ["one row", "64 bits", "pairs"])
@pytest.mark.parametrize("case", ["convolutions", "flattened", "transposed", "levels"])
def test_exact_on_other_engines(case: str, engine: str) -> None:
    assert_exact(CASES[case](), ENGINES[engine])


def test_an_input_too_wide() -> None:
    n = Net(32, x=((2, 2, 4), -40000, 30000))
    n.steps(n.conv("x", 3), 2)
    with pytest.raises(CompileError, match="input 'x' does not run"):
        compile_program(n.graph("n1"), ENGINES["pairs"])


def all_programs() -> dict[str, tuple[Program, Net]]:
    makers = {k: f for k, f in (CASES | OWN).items() if k not in REFUSED}
    nets = {k: f() for k, f in makers.items()}
    return {k: (compile_program(n.graph(*outputs(n)), NIBBLES, 2), n) for k, n in nets.items()}


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_one_engine_runs_all(engine: str) -> None:
    """Compiled engines give what Python gives, and the SystemVerilog takes the predicted cycles."""
    for name, (program, net) in all_programs().items():
        codes = net.codes(2)
        check_compiled(program, codes, engine, net.graph(*outputs(net)).execute(codes), name)


@needs_gxx
@pytest.mark.further
@pytest.mark.parametrize("engine", ["hls", "rtl"])
@pytest.mark.parametrize("shape", ["bytes of weights", "one row", "64 bits", "pairs"])
def test_other_engines_compiled(shape: str, engine: str) -> None:
    for case in ("convolutions", "flattened", "transposed"):
        net = CASES[case]()
        program, codes = compile_program(net.graph(*outputs(net)), ENGINES[shape]), net.codes(1)
        check_compiled(program, codes, engine, net.graph(*outputs(net)).execute(codes), case)


def wide_roots() -> Net:
    """A norm whose roots have more digits than a result, before thresholds; one that is stored, of which low digits are carried."""
    n = Net(35, x=((3, 2, 21), -8, 7))
    n.outs = (n.steps(n.node(IntStandardize(True, 44, 10, 5, 3), "x"), 5), n.node(IntStandardize(True, 44, 22, 5), "x"))  # type: ignore[attr-defined]
    return n


@needs_gxx
@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_norms_compiled(engine: str) -> None:
    """The root goes on as it is: what reads it reads digits."""
    config = replace(NIBBLES, acc_bits=64, scale_bits=0, root_bits=110)
    for make in (CASES["norms"], wide_roots):
        net = make()
        graph, codes = net.graph(*outputs(net)), net.codes(2)
        program = compile_program(graph, config)
        assert (make is wide_roots) == any(x.name.endswith(".root1") for x in program.layers)
        check_compiled(program, codes, engine, graph.execute(codes), make.__name__)


def extremes() -> Net:
    """All codes and weights of a digit, the least of them among both of a pair."""
    n = Net(33, x=((6, 5, 40), -8, 7))
    a = n.steps(n.node(IntConv(Window((3, 3), (1, 1), (1, 1, 1, 1)), 1, -8), "x", w=n.rng.integers(-8, 8, (20, 3, 3, 40))), 4, -8)
    n.node(IntConv(Window(), 1), a, w=n.rng.choice([-8, 7], (9, 1, 1, 20)))
    return n


@needs_gxx
@pytest.mark.parametrize(
    ("rows", "carry", "more"),
    [(3, "carry8", {"act_uram": 1, "bus_bits": 32}), pytest.param(8, "", {"weight_bits": 8, "code_bits": 4}, marks=pytest.mark.further)],
    ids=["pairs and chains", "pairs of bytes of weights"],
)
def test_rows_in_slices_and_on_chains(rows: int, carry: str, more: dict[str, int], tmp_path: Path) -> None:
    """However a row makes its products, the engine gives the same in the same cycles."""
    net, config = extremes(), replace(NIBBLES, dsp_rows=rows, **more)
    graph, codes = net.graph(*outputs(net)), net.codes(2)
    emit_rtl_engine(config, tmp_path, carry)
    program = compile_program(graph, config, 2)
    run, wanted = run_loopback(program, codes, "rtl", emitted=tmp_path), graph.execute(codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(run.outputs[t], wanted[t])
    assert run.cycles[0] == predict(program).cycles


def test_the_search_offers_digits() -> None:
    """Where the codes are as narrow, and the array takes fewer than twice the steps; what it finds beats every engine of bytes."""
    board, graph = find_board("kv260"), resnet((1, 1), False, size=96, base=64, classes=10)
    needed = widths([graph])
    digits = narrower([graph], needed)
    assert digits[0] == {"act_bits": 4, "weight_bits": 4, "code_bits": 0, "tree_levels": 4}
    best, bytes_ = sweep([graph], board, 200.0, 4).best, list(candidates(board, 200.0, needed, [graph]))
    assert best.config.act_bits == 4
    assert {c.act_bits for c in bytes_} == {8}
    looked = sorted(points([graph], bytes_, board), key=lambda p: p.bound)
    assert best.cycles is not None and best.cycles < looked[0].bound
    program = compile_program(graph, best.config)
    codes = {"x": np.random.default_rng(2).integers(0, 256, (1, 96, 96, 3))}
    found, wanted = run_program(program, codes), graph.execute(codes)
    np.testing.assert_array_equal(found[graph.outputs[0]], wanted[graph.outputs[0]])


def codes_of_bytes() -> Net:
    """Weights and codes of 8 bits: four products of digits for each."""
    n = Net(34, x=((4, 3, 9), -128, 127))
    n.conv(n.steps(n.conv("x", 12, top=127), 8, -128), 5, top=127)
    return n


@pytest.mark.parametrize("make", [CASES["wide"], CASES["norms"], codes_of_bytes])
def test_the_search_offers_bytes_alone(make: Callable[[], Net]) -> None:
    """For what engines of digits refuse, or take twice the steps for."""
    net = make()
    graph = net.graph(*outputs(net))
    assert narrower([graph], widths([graph])) == ()


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "block"), [(1, 0), (0, 8)], ids=["pairs", "chains"])
def test_area_of_a_row(pairs: int, block: int) -> None:
    """What a row of 16 lanes takes by synthesis, beside the operands that it shares with others."""
    real = dot(16, 4, 4, pairs, block, "xcup")
    rows = [products(replace(NIBBLES, pe=1, simd=16, bus_bits=32, dsp_rows=n), "xcup") for n in (0, 1)]
    estimate = rows[pairs] if not pairs else rows[1] + Resources(lut=-(7 * 6 + 9 + 4))  # the offset is the array's
    assert abs(estimate.lut - real.lut) <= 0.05 * real.lut
    assert estimate.dsp == real.dsp


@needs_gxx
def test_pads_are_digits() -> None:
    """Of a pad's field the engines read the lowest bits."""
    net = CASES["convolutions"]()
    program, codes = compile_program(net.graph(*outputs(net)), NIBBLES), net.codes(1)
    i, d = next((i, s.descriptor) for i, s in enumerate(program.steps) if isinstance(s.descriptor, Compute) and s.descriptor.y_first)
    steps = list(program.steps)
    steps[i] = replace(steps[i], descriptor=replace(d, pad=0x35, pad_1=0x9C))
    changed = replace(program, steps=tuple(steps))
    found = run_program(changed, codes)
    assert any(np.any(v != w) for v, w in zip(found.values(), run_program(program, codes).values(), strict=True))
    for engine in ("hls", "rtl"):
        run = run_loopback(changed, codes, engine)
        for t, wanted in found.items():
            np.testing.assert_array_equal(run.outputs[t], wanted, engine)


@given(st.data(), st.sampled_from([2, 4]))
@examples(200)
def test_digits_hold_codes(data: st.DataObject, bits: int) -> None:
    """As few digits as the range of codes needs, and the codes back from them, through memory."""
    lo = data.draw(st.integers(-200, 200))
    hi = data.draw(st.integers(lo, lo + 300))
    if bits == 2 and not -128 <= lo <= hi <= 127:
        lo, hi = lo % 8, lo % 8 + (hi - lo) % 8
    planes, shift = planes_for(lo, hi, 32, bits)
    codes = np.array([lo, hi, *data.draw(st.lists(st.integers(lo, hi), min_size=6, max_size=6))])
    stored = digits(codes, planes, shift, bits)
    assert stored.min() >= -(1 << (bits - 1))
    assert stored.max() < 1 << (bits - 1)
    np.testing.assert_array_equal(from_memory(to_memory(stored, bits), bits), stored)
    np.testing.assert_array_equal(undigits(stored, shift, bits), codes)
    unit = 1 << bits * (planes - 2) if planes > 1 else 1
    assert planes == 1 or hi - lo // unit * unit >= unit << bits, "one digit less would do"
