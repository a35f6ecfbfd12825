"""Softmax between quantizers, held to exponentials of sixty digits: equal but within the stated distance of a rounding tie."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.ir.intop import IntBelowMax, IntNormalize, LookupCode
from dfcompile.streamline.encode_softmax import TIE
from dfcompile.streamline.pipeline import Streamlined, streamline
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant, random

Array = np.ndarray[Any, Any]
TOKENS, SCORES = 5, 7
EXACT = lambda v: Fraction(float(v))  # noqa: E731


def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(","), [out], name=f"{op}_{out}", **attributes)


def shares(row: list[Fraction], hidden: Array) -> list[Fraction]:
    """The softmax of a row to fifty digits."""
    with localcontext() as context:
        context.prec = 60
        e = [Decimal(0) if h else (Decimal(x.numerator) / Decimal(x.denominator)).exp() for x, h in zip(row, hidden, strict=True)]
        return [Fraction(v / sum(e)) for v in e]


def check(made: Streamlined, x: Array, scores: Any, out: dict[str, Any], hidden: Array | None = None) -> None:
    """Codes of the probabilities: scores of frames (n, tokens, scores) as rationals from the input; `out` of the second quantizer."""
    graph = made.graph
    (share,) = (n for n in graph.nodes if isinstance(n.op, IntNormalize))
    *_, table = (n for n in graph.nodes if isinstance(n.op, LookupCode))
    inner = graph.replace(outputs=(share.outputs[0], table.outputs[0])).without_dead()
    found, e = (codes.reshape(len(x), TOKENS, SCORES) for codes in inner.execute(made.host.encode({"x": x})).values())
    hides = np.zeros((TOKENS, SCORES), bool) if hidden is None else hidden
    step, zero, hi = Fraction(out["scale"]), out["zero"], out["hi"]
    for place in np.ndindex(len(x), TOKENS):
        for k, p in enumerate(shares([scores(v) for v in x[place]], hides[place[1]])):
            exact = p / step + zero
            wanted = min(round(exact), hi)
            off = abs((exact - Fraction(1, 2)) - round(exact - Fraction(1, 2)))
            near = Fraction(int(e[place][k]), int(e[place].sum()))
            assert abs(near - p) <= step / 2**TIE, (place, k, "steps from the exact share", float(abs(near - p) / step))
            assert e[place][k] == 0 or not hides[place[1], k], (place, k, "is hidden")
            assert found[place][k] == wanted or off < Fraction(1, 2**TIE), (place, k, float(exact))


def net(tmp_path: Path, *before: Any, out: str = "pq", after: Any = (), **held: Any) -> Streamlined:
    """An input (1, tokens, scores) of 6-bit codes of 1/4 --> nodes that make p --> a quantizer --> a linear layer."""
    nodes = [quant("x", "q", bits="six"), *before, quant("p", "pq", "ps", "pz", "pb", signed=0), *after]
    nodes += [quant("w", "wq"), node("MatMul", f"{out},wq", "y")]
    given = {"ps": np.float32(1 / 15), "pz": 0.0, "pb": 4.0, "six": 6.0, "w": random(SCORES, 3), **held}
    return streamline(graph_of(model(nodes, {"x": (1, TOKENS, SCORES)}, ["y"], constants(**given)), tmp_path), {})


def frames(seed: int = 0) -> Array:
    codes = np.random.default_rng(seed).integers(-32, 32, (6, TOKENS, SCORES))
    codes[0] = 3  # all alike
    codes[1, :, 1:] = -32
    return (codes / 4).astype(np.float32)


@pytest.mark.parametrize(
    ("scale", "zero", "bits"), [(1 / 15, 0, 4), (1 / 256, 0, 8), (0.25, 0, 2), (1 / 16, 1, 4), (1 / 100, 3, 8), (0.9, 0, 1)]
)
def test_probabilities(scale: float, zero: int, bits: int, tmp_path: Path) -> None:
    step = np.float32(scale)
    made = net(tmp_path, node("Softmax", "q", "p", axis=-1), ps=step, pz=float(zero), pb=float(bits))
    check(made, frames(), EXACT, {"scale": float(step), "zero": zero, "hi": 2**bits - 1})
    assert [type(n.op) for n in made.graph.nodes if isinstance(n.op, IntBelowMax | LookupCode)] == [IntBelowMax, LookupCode]


def test_ties_between_equal_scores(tmp_path: Path) -> None:
    """Two of seven count: 1/2 lies in the middle of 3 and 4 parts of 1/7 in float32, and of two codes of 1/5."""
    hidden = np.ones((TOKENS, SCORES), bool)
    hidden[:, :2] = False
    mask = np.where(hidden, -np.inf, 0).astype(np.float32)
    made = net(tmp_path, node("Add", "q,mask", "m"), node("Softmax", "m", "p", axis=-1), mask=mask, ps=np.float32(0.2))
    x = np.full((1, TOKENS, SCORES), 0.5, np.float32)
    check(made, x, EXACT, {"scale": float(np.float32(0.2)), "zero": 0, "hi": 15}, hidden)


@pytest.mark.parametrize("low", [-np.inf, -1e9, -10000.0])
@pytest.mark.parametrize("how", ["add", "where", "where_else"])
def test_causal_masks(low: float, how: str, tmp_path: Path) -> None:
    hidden = np.triu(np.ones((TOKENS, SCORES), bool), 1)
    held: dict[str, Any] = {"low": np.float32(low)}
    if how == "add":
        held["mask"], nodes = np.where(hidden, low, 0).astype(np.float32), [node("Add", "q,mask", "m")]
    else:
        held["mask"], order = (hidden, "mask,low,q") if how == "where" else (~hidden, "mask,q,low")
        nodes = [node("Where", order, "m")]
    made = net(tmp_path, *nodes, node("Softmax", "m", "p", axis=-1), **held)
    check(made, frames(1), EXACT, {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15}, hidden)


@pytest.mark.parametrize("second", ["add", "where"])
def test_masks_one_after_the_other(second: str, tmp_path: Path) -> None:
    """Of what comes later, and of padding: an element that either hides counts nothing."""
    causal, padding = np.triu(np.ones((TOKENS, SCORES), bool), 1), np.arange(SCORES) >= SCORES - 2
    held: dict[str, Any] = {"mask": np.where(causal, -1e9, 0).astype(np.float32), "low": np.float32(-np.inf)}
    held["pads"] = np.where(padding, -1e4, 0).astype(np.float32) if second == "add" else padding
    nodes = [node("Add", "q,mask", "m"), node("Add", "m,pads", "n") if second == "add" else node("Where", "pads,low,m", "n")]
    made = net(tmp_path, *nodes, node("Softmax", "n", "p", axis=-1), **held)
    check(made, frames(1), EXACT, {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15}, causal | padding)


@pytest.mark.parametrize("quantized", [False, True])
def test_scores_behind_sums_of_squares(quantized: bool, tmp_path: Path) -> None:
    """A square neither rises nor falls: what the scores lie between is known from all its codes, or from a quantizer behind it."""
    squares = [node("Mul", "q,q", "r"), *([quant("r", "rq", "two", bits="six")] if quantized else [])]
    nodes = [*squares, quant("eye", "eyeq"), node("MatMul", "rq,eyeq" if quantized else "r,eyeq", "d"), quant("d", "e", "two", bits="six")]
    eye = np.eye(SCORES, dtype=np.float32)
    made = net(tmp_path, *nodes, node("Softmax", "e", "p", axis=-1), two=np.float32(2.0), eye=eye)
    check(
        made,
        frames(2),
        lambda v: Fraction(2 * min(round(Fraction(float(v)) ** 2 / 2), 31)),
        {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15},
    )


def test_scaled_scores_and_a_factor_behind(tmp_path: Path) -> None:
    nodes = [node("Mul", "q,third", "t"), node("Softmax", "t", "u", axis=-1), node("Mul", "u,two", "p")]
    made = net(tmp_path, *nodes, third=np.float32(0.375), two=np.float32(2.0))
    scores = lambda v: Fraction(float(v)) * Fraction(0.375)  # noqa: E731
    check(made, frames(2), scores, {"scale": float(np.float32(1 / 15)) / 2, "zero": 0, "hi": 15})


def test_negative_scores(tmp_path: Path) -> None:
    made = net(tmp_path, node("Neg", "q", "t"), node("Softmax", "t", "p", axis=-1))
    check(made, frames(3), lambda v: -Fraction(float(v)), {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15})


def test_over_another_axis(tmp_path: Path) -> None:
    """Tokens and scores exchanged before and after."""
    nodes = [node("Transpose", "q", "t", perm=[0, 2, 1]), node("Softmax", "t", "u", axis=1), node("Transpose", "u", "p", perm=[0, 2, 1])]
    check(net(tmp_path, *nodes), frames(4), EXACT, {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15})


@pytest.mark.parametrize("how", ["add", "where"])
def test_a_mask_behind_a_layer(how: str, tmp_path: Path) -> None:
    """What is masked is still to be rounded: by thresholds of the layer, before the mask."""
    hidden = np.triu(np.ones((TOKENS, SCORES), bool), 1)
    nodes = [quant("v", "vq"), node("MatMul", "q,vq", "c"), quant("c", "r", bits="six")]
    nodes += [node("Add", "r,mask", "m") if how == "add" else node("Where", "mask,low,r", "m"), node("Softmax", "m", "p", axis=-1)]
    mask = np.where(hidden, -np.inf, 0).astype(np.float32) if how == "add" else hidden
    made = net(tmp_path, *nodes, v=np.eye(SCORES, dtype=np.float32), low=np.float32(-np.inf), mask=mask)
    check(made, frames(5), EXACT, {"scale": float(np.float32(1 / 15)), "zero": 0, "hi": 15}, hidden)


@pytest.mark.parametrize("behind", [(), (quant("p", "y"),)])
def test_a_mask_before_a_softmax_of_the_host(behind: tuple[Any, ...], tmp_path: Path) -> None:
    """Where no layer follows the host masks too."""
    hidden = np.triu(np.ones((TOKENS, SCORES), bool), 1)
    nodes = [quant("x", "q", bits="six"), node("Add", "q,mask", "m"), node("Softmax", "m", "p" if behind else "y", axis=-1), *behind]
    held = constants(six=6.0, mask=np.where(hidden, -np.inf, 0).astype(np.float32))
    made = streamline(graph_of(model(nodes, {"x": (1, TOKENS, SCORES)}, ["y"], held), tmp_path), {})
    x = frames()
    (found,) = made.host.decode(made.graph.execute(made.host.encode({"x": x}))).values()
    e = np.where(hidden, 0, np.exp(np.round(x.clip(-8, 7.75) * 4).astype(np.float64) / 4))
    wanted = e / e.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found, np.round(wanted * 4) / 4 if behind else wanted, atol=1e-12)


def test_without_a_quantizer_behind(tmp_path: Path) -> None:
    nodes = [quant("x", "q"), node("Softmax", "q", "p", axis=-1), quant("w", "wq"), node("MatMul", "p,wq", "y")]
    graph = graph_of(model(nodes, {"x": (1, TOKENS, SCORES)}, ["y"], constants(w=random(SCORES, 3))), tmp_path)
    with pytest.raises(CompileError, match="reads a Softmax whose results are not quantized"):
        streamline(graph, {})


def test_scores_too_fine_for_a_table(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="has no table of exponentials"):
        net(tmp_path, node("Mul", "q,tiny", "t"), node("Softmax", "t", "p", axis=-1), tiny=np.float32(1e-5), six=20.0)


def test_a_mask_that_hides_all(tmp_path: Path) -> None:
    mask = np.zeros((TOKENS, SCORES), np.float32)
    mask[2] = -1e9
    with pytest.raises(CompileError, match="hides all elements of a row"):
        net(tmp_path, node("Add", "q,mask", "m"), node("Softmax", "m", "p", axis=-1), mask=mask)
