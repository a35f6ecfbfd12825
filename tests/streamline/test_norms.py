"""Norms between quantizers, held to real arithmetic of a hundred digits: every code equal, ties included."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntStandardize
from dfcompile.streamline import apart, encode_norm, places
from dfcompile.streamline.apart import NOISE, Row, gaps
from dfcompile.streamline.pipeline import Streamlined, streamline
from tests.examples import examples
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant

Array = np.ndarray[Any, Any]
TOKENS, WIDTH = 3, 6


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), out.split(","), name=f"{op}_{out}", **attributes)


# The interval around each threshold.


def rows_of_codes(row: Row) -> list[tuple[int, int]]:
    """All (d, V) of all rows of codes, d not 0."""
    found = set()
    for codes in itertools.product(range(row.lo, row.hi + 1), repeat=row.n):
        total, squares = sum(codes), sum(c * c for c in codes)
        v = row.n * squares - total * total if row.centred else squares
        found |= {(row.n * c - total if row.centred else c, v) for c in codes}
    return [(d, v) for d, v in found if d]


@st.composite
def small_rows(draw: st.DrawFn) -> Row:
    centred, n = draw(st.booleans()), draw(st.integers(2, 4))
    lo = draw(st.integers(-3, 0))
    return Row(n, centred, lo, lo + draw(st.integers(1, 4)), Fraction(draw(st.integers(0, 40)), draw(st.sampled_from([1, 3, 8]))))


@examples(60)
@given(small_rows(), st.fractions(Fraction(1, 50), 6, max_denominator=60), st.booleans())
def test_no_row_lies_within_the_interval(row: Row, square: Fraction, inclusive: bool) -> None:
    found = gaps(row, [square], [inclusive])
    assert found is not None
    below, above = (float(ends[0]) for ends in found)
    for d, v in rows_of_codes(row):
        number = d / math.sqrt(v + row.epsilon) if d > 0 else 0.0
        reaches = d > 0 and (d * d >= square * (v + row.epsilon) if inclusive else d * d > square * (v + row.epsilon))
        assert number >= above * (1 - NOISE) if reaches else number <= below * (1 + NOISE)
    assert below < above


def test_the_limits_of_rows_are_reached() -> None:
    row = Row(4, True, -2, 3, Fraction(0))
    pairs = rows_of_codes(row)
    assert max(abs(d) for d, _ in pairs) == row.reach and max(v for _, v in pairs) == row.most
    assert min(v for _, v in pairs) == row.moments.least
    assert all((v - row.from_square(abs(d))) % row.step == 0 and v >= row.from_square(abs(d)) for d, v in pairs)


# Codes.


def wanted(x: list[Fraction], which: int, norm: dict[str, Any]) -> int:
    """The code of an element of a row, to a hundred digits; equal to a tie where it is within 1e-80 of one."""
    n, mean = len(x), sum(x) / len(x) if norm["centred"] else Fraction(0)
    spread = norm.get("gain", 1) * sum((v - mean) ** 2 for v in x) / n + Fraction(float(norm["epsilon"]))
    with localcontext() as context:
        context.prec = 100
        root = (Decimal(spread.numerator) / Decimal(spread.denominator)).sqrt()
        d = x[which] - mean
        y = Decimal(d.numerator) / Decimal(d.denominator) / root if d else Decimal(0)
        for f in ("gamma", "beta"):
            if f in norm:
                value = Fraction(float(norm[f][which]))
                given = Decimal(value.numerator) / Decimal(value.denominator)
                y = y * given if f == "gamma" else y + given
        y = norm["after"](y) if "after" in norm else y
        s = Fraction(float(norm["scale"]))
        steps = y * Decimal(s.denominator) / Decimal(s.numerator)
        near = steps.quantize(Decimal(1)) + (Decimal("0.5") if steps % 1 >= 0 else Decimal("-0.5"))
        for tie in (near, near - 1, near + 1):
            if abs(steps - tie) < Decimal("1e-80"):
                steps = tie
        return max(norm["lo"], min(norm["hi"], round(Fraction(steps))))


def codes(made: Streamlined, x: Array, scale: Any) -> Array:
    """Codes of the quantizer behind a norm, as the layer behind it gives them."""
    (found,) = made.host.decode(made.graph.execute(made.host.encode({"x": x}))).values()
    return np.rint(found / float(scale)).astype(np.int64)


def check(made: Streamlined, x: Array, norm: dict[str, Any], exact: bool = True) -> Array:
    """Codes of the quantizer behind a norm against those of real arithmetic. Returns them."""
    found = codes(made, x, norm["scale"]).reshape(-1, WIDTH)
    rows = x.reshape(-1, WIDTH)
    for place in np.ndindex(found.shape):
        right = wanted([Fraction(float(v)) for v in rows[place[0]]], place[1], norm)
        assert found[place] == right, (place, found[place], right)
    assert any(("every code" in fate) == exact for fate in made.fates.values() if "norm's results" in fate)
    return found


def net(tmp_path: Path, *nodes: Any, opset: int = 17, **held: Any) -> Streamlined:
    """An input (1, tokens, width) of 6-bit codes of 1/4 --> nodes that make n --> a quantizer --> a layer that changes nothing."""
    given = {"ns": np.float32(0.37), "nz": 0.0, "nb": 4.0, "six": 6.0, "w": np.eye(WIDTH, dtype=np.float32), **held}
    every = [quant("x", "q", bits="six"), *nodes, quant("n", "norm", "ns", "nz", "nb", **given.pop("quantizer", {}))]
    every += [quant("w", "wq"), node("MatMul", "norm,wq", "y")]
    return streamline(graph_of(model(every, {"x": (1, TOKENS, WIDTH)}, ["y"], constants(**given), opset=opset), tmp_path), {})


def frames(seed: int = 0, most: int = 31) -> Array:
    codes = np.random.default_rng(seed).integers(-most - 1, most + 1, (40, TOKENS, WIDTH))
    codes[0] = 3  # nothing but the mean
    codes[1, :, 1:] = -most
    return (codes / 4).astype(np.float32)


GAMMA = np.array([1.5, -0.75, 1, 0, 0.3, 2], np.float32)
BETA = np.array([0.1, -0.2, 0, 0.5, 1e-3, -1], np.float32)
E5 = np.float32(1e-5)
HALF = {"lo": -8, "hi": 7, "scale": np.float32(0.37)}
CENTRED: dict[str, Any] = {"centred": True, "epsilon": E5, **HALF}
PLAIN: dict[str, Any] = {**CENTRED, "centred": False}


def mean(source: str, out: str, **attributes: Any) -> Any:
    return node("ReduceMean", source, out, **{"axes": [-1], **attributes})


SUM = helper.make_node("ReduceSum", ["qq", "last"], ["p"], "sum_p")
SPELLED: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "layer_norm": ([node("LayerNormalization", "q,gamma,beta", "n", axis=-1)], CENTRED | {"gamma": GAMMA, "beta": BETA}),
    "pow_sqrt_div": (
        [mean("q", "m"), node("Sub", "q,m", "d"), node("Pow", "d,two", "dd"), mean("dd", "v"), node("Add", "v,e", "ve"),
         node("Sqrt", "ve", "r"), node("Div", "d,r", "n")], CENTRED,
    ),
    "mul_reciprocal": (
        [mean("q", "m"), node("Sub", "q,m", "d"), node("Mul", "d,d", "dd"), mean("dd", "v"), node("Add", "e,v", "ve"),
         node("Sqrt", "ve", "r"), node("Reciprocal", "r", "i"), node("Mul", "i,d", "n")], CENTRED,
    ),
    "power_of_minus_a_half": (
        [mean("q", "m"), node("Sub", "m,q", "d"), node("Mul", "d,d", "dd"), mean("dd", "v"), node("Add", "e,v", "ve"),
         node("Pow", "ve,minus_half", "i"), node("Mul", "i,d", "u"), node("Neg", "u", "n")], CENTRED,
    ),
    "moments": (  # mean of squares less square of the mean
        [mean("q", "m"), node("Mul", "q,q", "qq"), mean("qq", "p"), node("Mul", "m,m", "mm"), node("Sub", "p,mm", "v"),
         node("Add", "v,e", "ve"), node("Sqrt", "ve", "r"), node("Sub", "q,m", "d"), node("Div", "d,r", "n")], CENTRED,
    ),
    "without_kept_axes": (
        [mean("q", "m0", keepdims=0), node("Unsqueeze", "m0,last", "m"), node("Sub", "q,m", "d"), node("Mul", "d,d", "dd"), mean("dd", "v"),
         node("Add", "v,e", "ve"), node("Sqrt", "ve", "r"), node("Div", "d,r", "n")], CENTRED,
    ),
    "rms": (
        [node("Pow", "q,two", "qq"), mean("qq", "v"), node("Add", "v,e", "ve"), node("Sqrt", "ve", "r"), node("Div", "q,r", "u"),
         node("Mul", "gamma,u", "n")], PLAIN | {"gamma": GAMMA},
    ),
    "rms_reciprocal": (
        [node("Mul", "q,q", "qq"), mean("qq", "v"), node("Add", "v,e", "ve"), node("Sqrt", "ve", "r"), node("Div", "one,r", "i"),
         node("Mul", "q,i", "u"), node("Mul", "gamma,u", "n")], PLAIN | {"gamma": GAMMA},
    ),
    "unit_length": (
        [node("Mul", "q,q", "qq"), SUM, node("Add", "p,e", "ve"), node("Sqrt", "ve", "r"), node("Div", "q,r", "n")],
        PLAIN | {"gain": WIDTH, "scale": np.float32(0.1)},
    ),
    "twice_the_sum": (
        [node("Mul", "q,q", "qq"), SUM, node("Div", "p,six", "v"), node("Add", "v,e", "ve"), node("Sqrt", "ve", "r"),
         node("Add", "q,q", "t"), node("Div", "t,r", "n")], PLAIN | {"gamma": np.full(WIDTH, 2.0)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLED)
def test_spellings(spelling: str, tmp_path: Path) -> None:
    nodes, norm = SPELLED[spelling]
    held = {"gamma": GAMMA, "beta": BETA, "e": E5, "two": np.float32(2), "one": np.float32(1), "minus_half": np.float32(-0.5)}
    made = net(tmp_path, *nodes, last=np.array([-1]), ns=norm["scale"], **held)
    assert sum(isinstance(n.op, IntStandardize) for n in made.graph.nodes) == 1
    found = check(made, frames(), norm)
    assert len(np.unique(found)) > 8


@pytest.mark.parametrize(
    ("op", "opset", "norm"),
    [
        ("RMSNormalization", 23, PLAIN | {"gamma": GAMMA}),
        ("LpNormalization", 17, PLAIN | {"gain": WIDTH, "epsilon": 0.0, "scale": np.float32(0.1)}),
        ("SimplifiedLayerNormalization", 17, PLAIN | {"gamma": GAMMA}),
        ("SkipLayerNormalization", 17, CENTRED | {"gamma": GAMMA, "beta": BETA}),
    ],
)
def test_operators(op: str, opset: int, norm: dict[str, Any], tmp_path: Path) -> None:
    inputs = {"LpNormalization": "q", "SkipLayerNormalization": "q,q,gamma,beta"}.get(op, "q,gamma")
    domain = {"domain": "com.microsoft"} if op.endswith("LayerNormalization") else {}
    made = net(tmp_path, node(op, inputs, "n", **domain), opset=opset, gamma=GAMMA, beta=BETA, ns=norm["scale"])
    x = frames(1)
    if op == "SkipLayerNormalization":  # twice x
        norm = norm | {"epsilon": float(np.float32(1e-12)) / 4}
    if op == "LpNormalization":
        x[..., 0] = np.where(np.all(x == 0, axis=-1), 1, x[..., 0])
    check(made, x, norm)


@pytest.mark.parametrize("rounding", ["ROUND", "FLOOR", "CEIL", "DOWN", "UP", "HALF_UP", "HALF_DOWN"])
def test_exact_ties(rounding: str, tmp_path: Path) -> None:
    """Rows of one deviation: d / sqrt(V) is 1 or -1 where epsilon is 0, and half of that lies on a tie."""
    nodes, _ = SPELLED["pow_sqrt_div"]
    made = net(tmp_path, *nodes, e=np.float32(0), two=np.float32(2), ns=np.float32(2), quantizer={"rounding_mode": rounding})
    x = np.tile(np.array([1, -1, 1, -1, 1, -1], np.float32), (1, TOKENS, 1))
    found = codes(made, x, 2.0)
    up = {"ROUND": 0, "FLOOR": 0, "CEIL": 1, "DOWN": 0, "UP": 1, "HALF_UP": 1, "HALF_DOWN": 0}[rounding]
    down = {"ROUND": 0, "FLOOR": -1, "CEIL": 0, "DOWN": 0, "UP": -1, "HALF_UP": -1, "HALF_DOWN": 0}[rounding]
    assert found.reshape(-1, WIDTH)[0].tolist() == [up, down] * 3


def test_a_limit_between(tmp_path: Path) -> None:
    nodes = [node("LayerNormalization", "q,gamma,beta", "u", axis=-1), node("Relu", "u", "t"), node("Mul", "t,minus", "n")]
    made = net(tmp_path, *nodes, gamma=GAMMA, beta=BETA, minus=np.float32(-1.5))
    norm = CENTRED | {"gamma": GAMMA, "beta": BETA, "after": lambda y: max(y, Decimal(0)) * Decimal("-1.5")}
    check(made, frames(2), norm)


@pytest.mark.parametrize("looked", [True, False])
def test_signs(looked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantizer of one bit; 0 counts as above 0, also where rows are too many to look at."""
    if not looked:
        monkeypatch.setattr(places, "gaps", lambda *given: None)
    made = net(tmp_path, node("LayerNormalization", "q,gamma,beta", "n", axis=-1), gamma=GAMMA, beta=0 * BETA, nb=1.0, ns=np.float32(1))
    x = frames(3)
    found = codes(made, x, 1.0)
    rows = x.reshape(-1, WIDTH).astype(np.float64)
    d = rows - rows.mean(axis=1, keepdims=True)
    y = d / np.sqrt((d * d).mean(axis=1, keepdims=True) + float(E5)) * GAMMA
    clear = np.abs(y) > 1e-9
    assert np.array_equal(found.reshape(-1, WIDTH)[clear], np.where(y >= 0, 1, -1)[clear]) and np.all(found.reshape(-1, WIDTH)[y == 0] == 1)


def test_too_many_rows_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the codes are those of exact arithmetic but next to ties, and it says so."""
    monkeypatch.setattr(apart, "LARGEST_CHECK", 0)
    made = net(tmp_path, node("LayerNormalization", "q,gamma,beta", "n", axis=-1), gamma=GAMMA, beta=BETA)
    check(made, frames(4), CENTRED | {"gamma": GAMMA, "beta": BETA}, exact=False)


@pytest.mark.parametrize(("behind", "why"), [("Sin", "not-quantized"), ("Add", "not-quantized")])
def test_what_is_not_quantized(behind: str, why: str, tmp_path: Path) -> None:
    after = node("Sin", "u", "n") if behind == "Sin" else node("Add", "u,q", "n")
    with pytest.raises(CompileError) as error:
        net(tmp_path, node("LayerNormalization", "q,gamma,beta", "u", axis=-1), after, gamma=GAMMA, beta=BETA)
    assert error.value.problems[0].code == why and "behind the norm" in error.value.problems[0].help


def test_numbers_too_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_norm, "WIDEST", 12)
    with pytest.raises(CompileError, match="binary places"):
        net(tmp_path, node("LayerNormalization", "q,gamma,beta", "n", axis=-1), gamma=GAMMA, beta=BETA)


# Pictures.


@pytest.mark.parametrize("behind_a_layer", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("spelling", ["operator", "of_each_group", "reshaped"])
def test_groups_of_channels(groups: int, spelling: str, behind_a_layer: bool, tmp_path: Path) -> None:
    """GroupNormalization, and as torch exports it; with a group for each channel it is InstanceNormalization."""
    rng = np.random.default_rng(groups)
    gamma, beta = rng.uniform(-1.5, 1.5, 4).astype(np.float32), rng.normal(size=4).astype(np.float32)
    held: dict[str, Any] = {"gamma": gamma, "beta": beta}
    if spelling == "reshaped":
        held |= {
            "gamma": gamma.reshape(1, 4, 1, 1),
            "beta": beta.reshape(1, 4, 1, 1),
            "g": np.array([0, groups, -1]),
            "ones": np.ones(groups),
        }
        held |= {"zeros": np.zeros(groups), "whole": np.array([1, 4, 3, 2])}
        nodes = [node("Reshape", "q,g", "t"), node("InstanceNormalization", "t,ones,zeros", "u"), node("Reshape", "u,whole", "v")]
        nodes += [node("Mul", "v,gamma", "h"), node("Add", "h,beta", "n")]
    else:
        nodes = [node("GroupNormalization", "q,gamma,beta", "n", num_groups=groups)]
        if spelling == "of_each_group":
            gamma, beta = (np.repeat(v[:groups], 4 // groups) for v in (gamma, beta))
            held = {"gamma": gamma[:: 4 // groups].copy(), "beta": beta[:: 4 // groups].copy()}
    layer = [quant("x", "q0", bits="six"), node("Conv", "q0,unit", "c"), quant("c", "q", bits="six")]
    before = [*layer] if behind_a_layer else [quant("x", "q", bits="six")]
    nodes = [quant("unit0", "unit"), *before, *nodes, quant("n", "norm", "ns"), node("Conv", "norm,unit", "y")]
    given = constants(ns=np.float32(0.4), six=6.0, unit0=np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1), **held)
    opset = 18 if spelling == "of_each_group" and groups < 4 else 21
    made = streamline(graph_of(model(nodes, {"x": (1, 4, 3, 2)}, ["y"], given, opset=opset), tmp_path), {})
    x = (rng.integers(-32, 32, (8, 4, 3, 2)) / 4).astype(np.float32)
    found = codes(made, x, np.float32(0.4))
    per = 24 // groups
    for at, c, y, k in np.ndindex(x.shape):
        row = [Fraction(float(v)) for v in x[at].reshape(groups, per)[c * groups // 4]]
        of = {"gamma": np.full(per, gamma.ravel()[c]), "beta": np.full(per, beta.ravel()[c]), "scale": np.float32(0.4)}
        assert found[at, c, y, k] == wanted(row, (c * 6 + y * 2 + k) % per, CENTRED | of)
