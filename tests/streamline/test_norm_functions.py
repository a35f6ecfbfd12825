"""Functions of norms that rise and fall, then a quantizer: held to real arithmetic of a hundred digits, on ties and in every engine."""

from __future__ import annotations

import math
import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from dfcompile.emit.golden import golden
from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntStandardize, LookupCode
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.predict import predict
from dfcompile.run.hls import run_hls
from dfcompile.run.loopback import run_loopback
from dfcompile.run.rtl import run_rtl
from dfcompile.streamline import apart, curve
from dfcompile.streamline.apart import Row, within
from dfcompile.timing.solve import solve
from tests.examples import examples
from tests.streamline.test_norms import (
    BETA,
    CENTRED,
    GAMMA,
    SPELLED,
    TOKENS,
    WIDTH,
    check,
    codes,
    frames,
    net,
    node,
    rows_of_codes,
    small_rows,
)

MP = mpmath.mp.clone()
MP.dps = 110


def in_digits(f: Any) -> Any:
    """A function of mpmath as one of Decimals."""

    def of(y: Decimal) -> Decimal:
        n, d = y.as_integer_ratio()
        return Decimal(mpmath.libmp.to_str(f(MP.mpf(n) / d)._mpf_, 105))

    return of


def f32(x: float) -> Any:
    return MP.mpf(float(np.float32(x)))


def gelu_of_parts(y: Any) -> Any:
    return y * (MP.erf(y / f32(math.sqrt(2))) + 1) * 0.5


def tanh_of_parts(y: Any) -> Any:
    return y * 0.5 * (1 + MP.tanh((y**3 * f32(0.044715) + y) * f32(math.sqrt(2 / math.pi))))


NORM = node("LayerNormalization", "q,gamma,beta", "u", axis=-1)
FUNCTIONS: dict[str, tuple[list[Any], Any]] = {
    "silu": ([node("Sigmoid", "u", "f0"), node("Mul", "u,f0", "n")], lambda y: y / (1 + MP.exp(-y))),
    "gelu": ([node("Gelu", "u", "n", domain="com.microsoft")], lambda y: y * MP.ncdf(y)),
    "gelu_of_parts": (
        [node("Div", "u,root", "f0"), node("Erf", "f0", "f1"), node("Add", "f1,one", "f2"), node("Mul", "u,f2", "f3"),
         node("Mul", "f3,half", "n")], gelu_of_parts,
    ),
    "tanh_of_parts": (
        [node("Pow", "u,three", "f0"), node("Mul", "f0,cubic", "f1"), node("Add", "u,f1", "f2"), node("Mul", "f2,rate", "f3"),
         node("Tanh", "f3", "f4"), node("Add", "f4,one", "f5"), node("Mul", "u,half", "f6"), node("Mul", "f6,f5", "n")], tanh_of_parts,
    ),
    "hard_swish": ([node("HardSwish", "u", "n")], lambda y: y * min(max(y + 3, 0), 6) / 6),
    "hard_swish_of_parts": (
        [node("HardSigmoid", "u", "f0", alpha=0.25, beta=0.5), node("Mul", "f0,u", "n")],
        lambda y: y * min(max(y / 4 + MP.mpf(1) / 2, 0), 1),
    ),
    "mish": (
        [node("Softplus", "u", "f0"), node("Tanh", "f0", "f1"), node("Mul", "u,f1", "n")], lambda y: y * MP.tanh(MP.log(1 + MP.exp(y))),
    ),
    "tanh": ([node("Tanh", "u", "n")], MP.tanh),
    "elu_scaled": ([node("Elu", "u", "f0", alpha=0.5), node("Mul", "f0,minus", "n")], lambda y: (y if y > 0 else MP.expm1(y) / 2) * -1.5),
    "square": ([node("Mul", "u,u", "n")], lambda y: y * y),
    "difference": ([node("Abs", "u", "f0"), node("Sub", "f0,u", "f1"), node("Add", "f1,half", "n")], lambda y: abs(y) - y + 0.5),
}  # fmt: skip
HELD: dict[str, Any] = {
    "gamma": GAMMA, "beta": BETA, "one": np.float32(1), "half": np.float32(0.5), "root": np.float32(math.sqrt(2)), "three": np.float32(3),
    "cubic": np.float32(0.044715), "rate": np.float32(math.sqrt(2 / math.pi)), "minus": np.float32(-1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, tmp_path: Path) -> None:
    nodes, f = FUNCTIONS[name]
    made = net(tmp_path, NORM, *nodes, **HELD)
    assert sum(isinstance(n.op, IntStandardize) for n in made.graph.nodes) == 1
    found = check(made, frames(), CENTRED | {"gamma": GAMMA, "beta": BETA, "after": in_digits(f)})
    turns = name in ("silu", "hard_swish", "hard_swish_of_parts", "mish", "square")  # gelu of such a quantizer does not fall below 0
    assert sum(isinstance(n.op, LookupCode) for n in made.graph.nodes) == turns and len(np.unique(found)) > 4


@pytest.mark.parametrize("turned", [False, True])
def test_rows_that_fall_and_have_no_mean(turned: bool, tmp_path: Path) -> None:
    """RMSNorm, of codes whose numbers fall too."""
    nodes, norm = SPELLED["rms"]
    f = FUNCTIONS["silu"]
    before = [node("Neg", "q", "qn")] if turned else []
    renamed = {"q": "qn"} if turned else {}
    for n in (own := [type(m).FromString(m.SerializeToString()) for m in nodes]):
        n.input[:] = [renamed.get(t, t) for t in n.input]
        n.output[:] = ["u1" if t == "u" else "u" if t == "n" else t for t in n.output]
        n.input[:] = ["u1" if t == "u" else t for t in n.input]
    held = {**HELD, "two": np.float32(2), "e": np.float32(norm["epsilon"])}
    made = net(tmp_path, *before, *own, *f[0], **{k: v for k, v in held.items() if k != "beta"})
    x = frames(5)
    after = in_digits(f[1])
    check(made, x, norm | {"after": (lambda y: after(y.copy_negate())) if turned else after, "gamma": GAMMA})


@pytest.mark.parametrize(("rounding", "code"), [("ROUND", -2), ("HALF_UP", -2), ("HALF_DOWN", -1), ("FLOOR", -2), ("CEIL", -1)])
def test_the_least_value_on_a_tie(rounding: str, code: int, tmp_path: Path) -> None:
    """hard_swish(-3/2) = -3/8, its least, is one and a half steps of 1/4, as no number beside it; hard_swish(3/2) is four and a half."""
    nodes, _ = SPELLED["pow_sqrt_div"]
    renamed = [*nodes[:-1], node("Div", "d,r", "u0"), node("Mul", "u0,scale", "u")]
    held = {"e": np.float32(0), "two": np.float32(2), "scale": np.float32(1.5), "ns": np.float32(0.25)}
    made = net(tmp_path, *renamed, node("HardSwish", "u", "n"), **held, quantizer={"rounding_mode": rounding})
    x = np.tile(np.array([1, -1, 1, -1, 1, -1], np.float32), (1, TOKENS, 1))
    x[0, 1] = [31 / 4, -31 / 4, 8 - 0.25, -7.5, 7.75, -7.75]  # z near 1 and -1
    found = codes(made, x, 0.25)
    up = {"ROUND": 4, "FLOOR": 4, "CEIL": 5, "HALF_UP": 5, "HALF_DOWN": 4}[rounding]
    assert found.reshape(-1, WIDTH)[0].tolist() == [up, code] * 3
    beside = -2 if rounding == "FLOOR" else -1
    assert found.reshape(-1, WIDTH)[1, 3] == beside


def test_floors_of_0(tmp_path: Path) -> None:
    """A row of equal codes: silu(0) = 0 is where floor goes from -1 to 0."""
    made = net(tmp_path, NORM, *FUNCTIONS["silu"][0], **{**HELD, "beta": 0 * BETA}, quantizer={"rounding_mode": "FLOOR"})
    x = frames(6)
    found = codes(made, x, np.float32(0.37)).reshape(-1, WIDTH)
    d = x.reshape(-1, WIDTH) - x.reshape(-1, WIDTH).mean(axis=1, keepdims=True)
    sign = np.sign(d * np.sign(GAMMA))
    assert np.all(found[sign == 0] == 0) and np.all(found[sign < 0] == -1) and np.all(found[sign > 0] >= 0) and (sign == 0).sum() > 18


def test_too_many_rows_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then codes are those of exact arithmetic but next to ties, and it says so; a tie at a turning point is one."""
    monkeypatch.setattr(apart, "LARGEST_CHECK", 0)
    nodes, f = FUNCTIONS["silu"]
    made = net(tmp_path, NORM, *nodes, **HELD)
    check(made, frames(4), CENTRED | {"gamma": GAMMA, "beta": BETA, "after": in_digits(f)}, exact=False)


def test_what_digits_do_not_tell_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "_MOST_DIGITS", 10)
    with pytest.raises(CompileError, match="digits do not tell"):
        net(tmp_path, NORM, *FUNCTIONS["silu"][0], **{**HELD, "beta": np.full(WIDTH, 0.5, np.float32), "gamma": 0 * GAMMA})


def test_halving_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "_MOST_HALVED", 2)
    with pytest.raises(CompileError, match="halved more often"):
        net(tmp_path, NORM, *FUNCTIONS["silu"][0], **HELD)


def test_poles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="it has a pole"):
        net(tmp_path, NORM, node("Reciprocal", "u", "n"), **HELD)


def test_functions_of_different_norms_are_not_one(tmp_path: Path) -> None:
    other = node("LayerNormalization", "q,gamma", "v", axis=-1, epsilon=0.5)
    with pytest.raises(CompileError, match="not quantized"):
        net(tmp_path, NORM, other, node("Sigmoid", "v", "f0"), node("Mul", "u,f0", "n"), **HELD)


@examples(60)
@given(small_rows(), st.fractions(Fraction(1, 50), 6, max_denominator=60))
def test_rows_within_a_span_are_found(row: Row, at: Fraction) -> None:
    pairs = rows_of_codes(row)
    d, v = pairs[int(at * 1000) % len(pairs)]
    there = d * d / (v + row.epsilon)
    spans = [(square * (1 - Fraction(1, 2**55)), square * (1 + Fraction(1, 2**55))) for square in (there, at)]
    spans += [(there, there * (1 + Fraction(1, 2**55))), (there * (1 - Fraction(1, 2**55)), there)]
    found = within(row, spans)
    assert found is not None
    every = {Fraction(e * e) / (w + row.epsilon) for e, w in pairs}
    for (low, high), squares in zip(spans, found, strict=True):
        assert {s for s in every if low <= s <= high} <= set(squares) and all(low <= s <= high for s in squares)
        assert squares == sorted(set(squares))


@examples(25)
@given(st.integers(0, 2**32))
def test_any_function_of_any_norm(seed: int) -> None:
    """Random parameters, functions and quantizers against real arithmetic."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(FUNCTIONS)))
    nodes, f = FUNCTIONS[name]
    bits, signed = int(rng.integers(2, 7)), bool(rng.integers(2))
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    scale = np.float32(rng.choice([0.0625, 0.25, rng.uniform(0.05, 0.5)]))
    gamma = rng.choice([1.5, -1.0, 0.75, 2.0, 0.0], WIDTH) if rng.integers(2) else rng.normal(size=WIDTH)
    beta = rng.choice([0.0, 0.5, -0.75], WIDTH) if rng.integers(2) else rng.normal(size=WIDTH) / 2
    epsilon = float(np.float32(rng.choice([1e-5, 0.0, 0.25, 1e-12])))
    norm = node("LayerNormalization", "q,gamma,beta", "u", axis=-1, epsilon=epsilon)
    held = {**HELD, "gamma": gamma.astype(np.float32), "beta": beta.astype(np.float32), "ns": scale, "nb": float(bits)}
    with tempfile.TemporaryDirectory() as folder:
        made = net(Path(folder), norm, *nodes, **held, quantizer={"signed": int(signed)})
    x = frames(seed % 1000)[:10]
    x[2] = np.resize(np.array([1, -1], np.float32), x[2].shape)
    parameters = {"gamma": held["gamma"], "beta": held["beta"], "epsilon": epsilon, "scale": scale, "lo": lo, "hi": hi}
    if epsilon == 0:
        x = x[1:]  # a row of equal codes is 0 / 0
        x[0, :, 0] += 1
    check(made, x, CENTRED | parameters | {"after": in_digits(f)})


@pytest.mark.further
@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_every_engine(name: str, tmp_path: Path) -> None:
    """HLS C++ and RTL of both modes give the codes of the integer graph; cycles are the predicted ones."""
    made = net(tmp_path, NORM, *FUNCTIONS[name][0], **HELD, ns=np.float32(0.11))
    x = made.host.encode({"x": frames(7)[:2]})
    wanted = made.graph.execute(x)
    design = dfc.build(tmp_path / "small.onnx", mode="dataflow").design
    inputs = [x[t].reshape(-1, *design.streams()[d].shape).astype(np.int64) for t, d in zip(x, design.graph.inputs, strict=True)]
    rtl = run_rtl(design, inputs)
    for outputs in (golden(design, inputs).outputs, run_hls(design, inputs), rtl.outputs):
        assert all(np.array_equal(got.ravel(), wanted[t].ravel()) for got, t in zip(outputs, made.graph.outputs, strict=True))
    assert (rtl.frame_done - rtl.first_take).tolist() == np.asarray(solve(design, frames=2).frame_done).tolist()
    engine = EngineConfig(pe=8, simd=8, act_words=2048, weight_words=128, acc_words=64, acc_bits=64, root_bits=110)
    program = compile_program(made.graph, engine)
    first = {t: v[:1] for t, v in x.items()}
    for kind in ("hls", "rtl"):
        run = run_loopback(program, first, kind)
        assert all(np.array_equal(run.outputs[t], wanted[t][:1]) for t in made.graph.outputs)
    assert run.cycles == (predict(program).cycles,)
