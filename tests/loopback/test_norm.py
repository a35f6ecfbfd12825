"""Norms as layers equal integers of any width, and the thresholds behind them, on random rows and sizes; what has no room says so."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntStandardize
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from tests.loopback.cases import Net

ENGINE = EngineConfig(pe=8, simd=8, act_words=2048, weight_words=128, acc_words=64, acc_bits=64, root_bits=110)


def exact(op: IntStandardize, row: list[int]) -> list[int]:
    """The definition, in integers."""
    n, total = (len(row), sum(row)) if op.centred else (1, 0)
    squares = n * sum(q * q for q in row) - total * total
    root = math.isqrt((1 << 2 * op.bits + op.shift) // ((squares << op.shift) + op.epsilon)) if squares else 0
    return [(n * q - total) * root >> op.drop for q in row]


def random_norm(seed: int) -> tuple[Net, IntStandardize]:
    """A net with an input and a norm for it."""
    rng = np.random.default_rng(seed)
    lo, hi = ((-8, 7), (0, 255), (-300, 300), (3, 250))[seed % 4]
    bits = int(rng.integers(10, 50))
    op = IntStandardize(
        bool(seed % 3), bits, max(bits - 34, int(rng.integers(0, min(bits, 17)))), int(rng.integers(0, 3000)), int(rng.integers(0, 16))
    )
    n = Net(seed, x=((2, 2, int(rng.integers(2, 30))), lo, hi))
    assert op.fits([n.tensors["x"]], ())
    return n, op


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_fused", [True, False])
def test_norms_are_exact(seed: int, is_fused: bool) -> None:
    n, op = random_norm(seed)
    lo, norm = int(n.ranges["x"][0].min()), n.node(op, "x")
    out = n.steps(norm, 5) if is_fused else norm
    codes = n.codes(3)
    codes["x"][0, 0, 0] = lo
    frames = codes["x"].reshape(3, -1, codes["x"].shape[3]).astype(int).tolist()
    wanted = np.array([[exact(op, row) for row in frame] for frame in frames])
    if is_fused:
        node = n.nodes[-1]
        (wanted,) = node.op.execute(wanted.astype(np.float64), *(n.constants[t] for t in node.inputs[1:]))
    found = run_program(compile_program(n.graph(out), ENGINE, 2), codes)[out]
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


@pytest.mark.parametrize(("digit", "cases", "is_fused"), [(4, 12, True), (4, 12, False), (2, 3, True)])
def test_norms_in_narrow_digits(digit: int, cases: int, is_fused: bool) -> None:
    """Of d, squares and roots, two digits at a time, and roots of more digits than a result has; a whole result has no more than eight."""
    refused, config = 0, replace(ENGINE, simd=64 // digit, weight_bits=digit, act_bits=digit)
    for seed in range(cases):
        n, op = random_norm(seed)
        norm = n.node(op, "x")
        out = n.steps(norm, 5) if is_fused else norm
        graph, codes = n.graph(out), n.codes(3)
        codes["x"][0, 0, 0] = n.ranges["x"][0].min()
        try:
            program = compile_program(graph, config, 2)
        except CompileError as e:
            assert f"wider than {8 * digit} bits, 8 digits of {digit} bits" in str(e)
            refused += 1
            continue
        np.testing.assert_array_equal(run_program(program, codes)[out], graph.execute(codes)[out])
    assert refused < cases and (refused or is_fused)


@pytest.mark.parametrize("is_fused", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_bytes_of_numbers_outside(batch: int, is_fused: bool) -> None:
    """Layers read the upper bytes of numbers by themselves: where these are in external memory, of the strip that has them."""
    ran = 0
    for seed in range(6):
        n = Net(seed, x=((3, 2, 20 + seed), -128, 127))
        norm = n.node(IntStandardize(bool(seed % 2), 30 + 2 * seed, 8, 900, 3), "x")
        out = n.steps(norm, 4) if is_fused else norm
        graph, codes = n.graph(out), n.codes(2)
        for words in (64, 128, 256):
            try:
                program = compile_program(graph, replace(ENGINE, act_words=words), batch)
            except CompileError as e:
                assert {p.code for p in e.problems} == {"does-not-fit"}
                continue
            ran += any("digits" in name or "whole" in name or "distance" in name for name in program.spilled)
            np.testing.assert_array_equal(run_program(program, codes)[out], graph.execute(codes)[out])
    assert ran >= 6


@pytest.mark.parametrize(("bits", "engine", "why"), [(20, EngineConfig(), "root_bits="), (55, ENGINE, "wider than 64 bits")])
def test_no_room(bits: int, engine: EngineConfig, why: str) -> None:
    n = Net(1, x=((1, 2, 200), -128, 127))
    with pytest.raises(CompileError, match=why):
        compile_program(n.graph(n.node(IntStandardize(True, bits, 4 if bits < 50 else 3), "x")), engine)
