"""The model operators by themselves: printing, checks before anything is allocated, positions through index operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.ir import Tensor
from dfcompile.ir.modelop import (
    BINARY,
    MAX_ELEMENTS,
    UNARY,
    AveragePool,
    Binary,
    Broadcast,
    Conv,
    ConvTranspose,
    Gather,
    IndexOp,
    MaxPool,
    Pad,
    Quantize,
    Reduce,
    Reshape,
    Slice,
    Transpose,
    Unary,
    Unsupported,
)

INDEX: list[IndexOp] = [Reshape((4, 3, 2)), Transpose((0, 2, 3, 1)), Slice((1, 2), (2, -1), (1, 3), (1, -1)), Gather((2, 0, 0), 2)]


@pytest.mark.parametrize("op", INDEX, ids=str)
@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.float64])
def test_index_operators_take_any_dtype_and_batch(op: IndexOp, dtype: Any) -> None:
    x = np.arange(2 * 24).reshape(2, 2, 3, 4).astype(dtype)
    (y,) = op.execute(x)
    assert y.dtype == dtype
    assert op.infer(Tensor(x.shape))[0].shape == y.shape


@pytest.mark.parametrize("op", INDEX, ids=str)
def test_positions_pushed_through_an_index_operator(op: IndexOp) -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    (places,) = op.execute(np.arange(x.size, dtype=np.int32).reshape(x.shape))
    np.testing.assert_array_equal(x.ravel()[places], op.execute(x)[0])


@pytest.mark.parametrize(
    ("op", "shapes", "says"),
    [
        (Conv((1, 1), (0, 0, 0, 0), (1, 1)), [(1, 3, 8, 8), (4, 2, 3, 3)], "do not fit with 1 groups"),
        (Conv((0, 1), (0, 0, 0, 0), (1, 1)), [(1, 3, 8, 8), (4, 3, 3, 3)], "must be positive"),
        (Conv((1, 1), (0, -1, 0, 0), (1, 1)), [(1, 3, 8, 8), (4, 3, 3, 3)], "must not be negative"),
        (Conv((1, 1), (0, 0, 0, 0), (4, 1)), [(1, 3, 8, 8), (4, 3, 3, 3)], "spread over 9x3, is larger than the input 8x8"),
        (ConvTranspose((1,), (0, 0), (1,), (1, 1)), [(1, 3, 8), (3, 4, 3)], "output padding"),
        (MaxPool((3,), (1,), (0, 0), (1,)), [(1, 3, 8, 8)], "does not fit a tensor of shape 1x3x8x8"),
        (Reduce("sum", (0,)), [(1, 3)], "axis 0 is not one of the axes 1..1"),
        (Reshape((2**14, 2**14, 2)), [(1, 2**14, 2**14, 2)], f"limit {MAX_ELEMENTS}"),
        (Broadcast((5, 4)), [(1, 3, 4)], "does not broadcast"),
        (Binary("add"), [(1, 3), (1, 4)], "1x3 and 1x4 do not broadcast"),
        (Pad((1, 0, 0, 0)), [(1, 3)], "do not fit"),
        (Gather((0, 9), 1), [(1, 3)], "0..9 lies outside of axis 1 of size 3"),
        (Slice((0,), (0,), (1,), (1,)), [(1, 3)], "empty"),
        (Quantize(0, 1), [(1, 3), (2, 3), ()], "do not fit"),
    ],
    ids=str,
)
def test_infer_says_what_does_not_fit(op: Any, shapes: list[tuple[int, ...]], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        op.infer(*map(Tensor, shapes))
    assert says in str(caught.value)


def test_operators_print_what_is_not_default() -> None:
    assert str(Unary("clip", -1.0, float("inf"))) == "unary[fn=clip, alpha=-1, beta=inf]"
    assert str(Quantize(-8, 7)) == "quantize[lo=-8, hi=7]"
    assert str(Gather(tuple(range(40)), 1)).endswith("14,15,...), axis=1]")
    assert str(Unsupported("LSTM", ((1, 4),))) == "unsupported[op_type=LSTM, shapes=((1,4))]"


@pytest.mark.parametrize(
    ("make", "says"), [(Unary, "'hyper' is not a known function"), (Binary, "'hyper'"), (lambda f: Reduce(f, (1,)), "'hyper'")]
)
def test_unknown_functions(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make("hyper")


def test_empty_code_range_and_unknown_rounding() -> None:
    with pytest.raises(ValueError, match="is empty"):
        Quantize(1, 0)
    with pytest.raises(ValueError, match="not a rounding mode"):
        Quantize(0, 1, "NEAREST")


def test_functions_do_not_warn_at_extremes() -> None:
    x = np.asarray([-1e300, -1.0, -0.0, 0.0, 1.0, 1e300])
    with np.errstate(all="raise"):
        for fn in UNARY:
            assert Unary(fn, 1.0, 1.0).execute(x)[0].shape == x.shape
        for fn in BINARY:
            assert Binary(fn).execute(x, x)[0].shape == x.shape


def test_average_counts_only_what_is_inside() -> None:
    x = np.arange(60.0, 310.0, 50).reshape(1, 1, 5)  # 60 110 160 210 260
    for pool, wanted in (
        (AveragePool((3,), (2,), (1, 1), (1,)), [170 / 2, 480 / 3, 470 / 2]),
        (AveragePool((3,), (2,), (1, 1), (1,), count_include_pad=True), [170 / 3, 480 / 3, 470 / 3]),
        (AveragePool((2,), (2,), (0, 0), (1,), True, True), [170 / 2, 370 / 2, 260 / 1]),
    ):
        np.testing.assert_array_equal(pool.execute(x)[0], [[wanted]])


def test_groups_and_batches_of_a_convolution() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.integers(-8, 8, (5, 4, 6, 6)).astype(float), rng.integers(-8, 8, (6, 2, 3, 3)).astype(float)
    whole = Conv((1, 2), (1, 0, 1, 1), (1, 1), 2).execute(x, w)[0]
    for g in range(2):
        part = Conv((1, 2), (1, 0, 1, 1), (1, 1)).execute(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3])[0]
        np.testing.assert_array_equal(whole[:, 3 * g : 3 * g + 3], part)
    np.testing.assert_array_equal(whole[3:4], Conv((1, 2), (1, 0, 1, 1), (1, 1), 2).execute(x[3:4], w)[0])
