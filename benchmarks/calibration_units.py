"""The units of the calibration sweep: random contents, every kind, many widths, foldings and styles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.sum_tables import Sum, sum_tables
from dfcompile.ir.intop_row import IntStandardize, Moments
from dfcompile.ir.requantization import requantize
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.add import Add
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Unit
from dfcompile.units.below_max import BelowMax
from dfcompile.units.concat import Concat
from dfcompile.units.delay import Delay
from dfcompile.units.fifo import Fifo
from dfcompile.units.fork import Fork
from dfcompile.units.lookup import Lookup
from dfcompile.units.matmul import Matmul
from dfcompile.units.multiply import Multiply
from dfcompile.units.mvtu import Mvtu
from dfcompile.units.normalize import Normalize
from dfcompile.units.parts.sparse_form import PATTERNS
from dfcompile.units.pool import Pool
from dfcompile.units.repack import Repack
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.split import Split
from dfcompile.units.standardize import Standardize
from dfcompile.units.table_add import TableAdd
from dfcompile.units.threshold import Threshold
from dfcompile.units.upsample import Upsample
from dfcompile.units.vvtu import Vvtu
from dfcompile.units.width_converter import WidthConverter

Array = NDArray[Any]


def dtype(text: str) -> IntType:
    """ "b" for bipolar, "u4", "s4"."""
    return BIPOLAR if text == "b" else IntType(int(text[1:]), signed=text[0] == "s")


def _codes(rng: np.random.Generator, kind: IntType, *shape: int) -> Array:
    found: Array = 2 * rng.integers(0, 2, shape) - 1 if kind.bipolar else rng.integers(kind.lo, kind.hi + 1, shape)
    return found


def _reach(rows: Array, x: IntType) -> tuple[int, int]:
    lo = np.where(rows > 0, rows * x.lo, rows * x.hi).sum(axis=1).min()
    hi = np.where(rows > 0, rows * x.hi, rows * x.lo).sum(axis=1).max()
    return int(lo), int(hi)


def _thresholds(rng: np.random.Generator, lo: int, hi: int, channels: int, out: IntType) -> Array:
    spread = rng.normal((lo + hi) / 2, (hi - lo) / 8 + 1, (channels, (1 << out.bits) - 1))
    found: Array = np.sort(np.clip(np.rint(spread).astype(np.int64), lo, hi + 1), axis=1)
    return found


def _results(rng: np.random.Generator, rows: Array, x: IntType, out: str) -> dict[str, Any]:
    lo, hi = _reach(rows, x)
    acc = IntType.holding(lo, hi)
    if not out:
        return {"acc_dtype": acc, "out_dtype": acc, "thresholds": None, "flip": None}
    made = dtype(out)
    return {"acc_dtype": acc, "out_dtype": made, "thresholds": _thresholds(rng, lo, hi, len(rows), made), "flip": None}


def mvtu(x: str, w: str, out: str, mh: int, mw: int, pe: int, simd: int, **fields: Any) -> Mvtu:
    """A dense layer of random weights; out "" is without thresholds."""
    rng = np.random.default_rng(mh * mw)
    weights = _codes(rng, dtype(w), 1, mh, mw)
    results = _results(rng, weights[0], dtype(x), out)
    shapes: dict[str, Any] = {"vectors": 4, "in_shape": (2, 2, mw), "out_shape": (2, 2, mh)}
    return Mvtu(weights=weights, in_dtype=dtype(x), weight_dtype=dtype(w), pe=pe, simd=simd, **shapes, **results, **fields)


def vvtu(x: str, w: str, out: str, channels: int, k: int, pe: int, **fields: Any) -> Vvtu:
    """A depthwise layer of random weights."""
    rng = np.random.default_rng(channels * k)
    weights = _codes(rng, dtype(w), channels, k)
    results = _results(rng, weights, dtype(x), out)
    return Vvtu(weights=weights, in_dtype=dtype(x), weight_dtype=dtype(w), out_shape=(2, 2, channels), pe=pe, **results, **fields)


def threshold(x: str, out: str, channels: int, pe: int) -> Threshold:
    """Random thresholds within the input's range."""
    rng = np.random.default_rng(channels)
    table = _thresholds(rng, dtype(x).lo, dtype(x).hi, channels, dtype(out))
    return Threshold(dtype(x), dtype(out), table, None, (2, 2, channels), pe)


def scaled(x: str, out: str, channels: int, pe: int, style: str, shared: bool = False) -> Threshold:
    """Thresholds on a line of random slope in each channel, or on one, done by products."""
    rng, kind, steps = np.random.default_rng(channels), dtype(x), (1 << dtype(out).bits) - 1
    slope = rng.uniform(0.5, 1.0, (1 if shared else channels, 1)) * steps / (kind.hi - kind.lo)
    middle = rng.uniform(kind.lo / 2, kind.hi / 2, slope.shape)
    table = np.ceil((np.arange(1, steps + 1) - steps / 2) / slope + middle).astype(np.int64)
    scaling = requantize(table, None, np.full(channels, kind.lo), np.full(channels, kind.hi))
    return Threshold(kind, dtype(out), table, None, (2, 2, channels), pe, style, scaling)


def lookup(x: str, out: str, channels: int, pe: int, shared: bool) -> Lookup:
    """A random table."""
    entries = _codes(np.random.default_rng(channels), dtype(out), 1 if shared else channels, dtype(x).hi - dtype(x).lo + 1)
    return Lookup(dtype(x), dtype(out), entries, dtype(x).lo, (2, 2, channels), pe)


def table_add(factors: tuple[int, int], divisor: int, lanes: int) -> TableAdd:
    """round((factors[0] * a + factors[1] * b) / divisor) of int8 codes, as int8."""
    steps = np.array([(2 * k - 1) * divisor // 2 + 1 for k in range(-127, 128)], np.int64)
    found = sum_tables(Sum((dtype("s8"), dtype("s8")), ((-128, 127), (-128, 127)), factors, 0, steps, False))
    assert found is not None, "there are tables for all factors of ten bits that were tried"
    return TableAdd((4, 4, 16), (dtype("s8"), dtype("s8")), dtype("s8"), *found, lanes)


def window(size: int, channels: int, k: int, x: str, simd: int, pad: int = 0, stride: int = 1, **fields: Any) -> SlidingWindow:
    """Square windows of a square frame."""
    return SlidingWindow(
        (size, size, channels), (k, k), (stride, stride), (pad,) * 4, (1, 1), dtype(x), simd=simd, pad_value=0 if x != "b" else -1, **fields
    )


def matrix_units() -> Iterator[Unit]:
    """Matrix units of all kinds of operands."""
    yield mvtu("b", "b", "b", 16, 144, 4, 16)
    yield mvtu("b", "b", "b", 64, 64, 16, 32)
    yield mvtu("b", "b", "b", 64, 576, 2, 64)
    yield mvtu("b", "b", "", 10, 512, 1, 8)
    yield mvtu("u8", "b", "b", 64, 27, 8, 3)
    yield mvtu("u2", "b", "u2", 16, 72, 4, 8)
    yield mvtu("b", "b", "u2", 16, 64, 2, 16)
    yield mvtu("u2", "s2", "u2", 16, 144, 2, 8)
    yield mvtu("u2", "s2", "u2", 64, 576, 4, 16, weight_style="bram")
    yield mvtu("u2", "s2", "u2", 16, 144, 8, 16, weight_style="bram")
    yield mvtu("u2", "s2", "", 32, 144, 4, 12, weight_style="bram")
    yield mvtu("u2", "s2", "u2", 12, 24, 3, 24)
    yield mvtu("s3", "s2", "u3", 16, 48, 2, 6)
    yield mvtu("u3", "s3", "u3", 16, 48, 4, 6)
    yield mvtu("u4", "s4", "u4", 16, 72, 4, 9)
    yield mvtu("u4", "s4", "u4", 32, 288, 4, 8, weight_style="bram")
    yield mvtu("u4", "s4", "", 32, 144, 8, 4, weight_style="bram")
    yield mvtu("s4", "s4", "u4", 16, 64, 1, 1)
    yield mvtu("u4", "s4", "u4", 16, 64, 2, 4, arithmetic="lut")
    yield mvtu("u6", "s6", "u6", 16, 64, 2, 4, arithmetic="lut", weight_style="bram")
    yield mvtu("u8", "s8", "u8", 16, 72, 2, 9, weight_style="bram")
    yield mvtu("u8", "s8", "", 16, 72, 4, 4, weight_style="bram")
    yield mvtu("u8", "s8", "u4", 8, 64, 2, 4, arithmetic="lut", weight_style="bram")
    yield mvtu("u8", "s8", "u4", 8, 64, 2, 4, arithmetic="dsp", weight_style="bram")
    yield mvtu("u8", "s4", "u4", 32, 27, 4, 3)
    yield mvtu("u2", "s2", "u2", 64, 784, 4, 7, weight_style="bram")
    yield mvtu("u4", "s4", "u4", 4, 16, 4, 16)
    yield mvtu("b", "s2", "u2", 16, 64, 4, 8)


def other_units() -> Iterator[Unit]:
    """Depthwise ones, thresholds, tables, windows."""
    yield vvtu("u4", "s4", "u4", 16, 9, 4)
    yield vvtu("u2", "s2", "u2", 64, 9, 8)
    yield vvtu("u8", "s8", "u8", 32, 9, 2)
    yield vvtu("u4", "s4", "", 32, 25, 8)
    yield threshold("s12", "u2", 64, 4)
    yield threshold("s16", "u4", 32, 8)
    yield threshold("s8", "u1", 64, 16)
    yield threshold("s20", "u8", 16, 2)
    yield lookup("s6", "s6", 16, 4, True)
    yield lookup("u4", "u4", 16, 2, False)
    yield lookup("u8", "s8", 8, 2, False)
    yield window(8, 8, 3, "u4", 4, pad=1)
    yield window(32, 3, 3, "u8", 3)
    yield window(30, 64, 3, "b", 32)
    yield window(28, 64, 2, "b", 1, stride=2)
    yield window(16, 32, 3, "u2", 8, pad=1)
    yield window(14, 64, 3, "u4", 16, pad=1, stride=2)
    yield window(12, 16, 5, "s8", 4, pad=2)
    yield window(56, 32, 3, "u4", 8, pad=1, channels_outer=True)


def moving_units() -> Iterator[Unit]:
    """What moves, joins and compares."""
    yield Pool("max", (8, 8, 32), 4, dtype("u2"), dtype("u2"), 8)
    yield Pool("sum", (1, 1, 64), 49, dtype("u4"), dtype("u10"), 4, channels_outer=False)
    yield Pool("max", (4, 4, 16), 9, dtype("s8"), dtype("s8"), 4)
    yield WidthConverter((4, 4, 64), dtype("u2"), 4, 16)
    yield WidthConverter((4, 4, 64), dtype("u4"), 32, 4)
    yield WidthConverter((4, 4, 24), dtype("u4"), 6, 4)
    yield WidthConverter((4, 4, 48), dtype("b"), 32, 48)
    yield WidthConverter((1, 1, 512), dtype("b"), 1, 64)
    yield Fifo((8, 8, 16), dtype("u4"), 4, 8)
    yield Fifo((8, 8, 16), dtype("u4"), 8, 60)
    yield Fifo((16, 16, 16), dtype("u8"), 8, 600)
    yield Fifo((8, 8, 16), dtype("u2"), 4, 2)
    yield Add((4, 4, 16), (dtype("u4"), dtype("u4")), lanes=4)
    yield Add((4, 4, 16), (dtype("s8"), dtype("u4")), (3, 5), 7, lanes=2)
    yield Multiply((4, 4, 16), (dtype("u4"), dtype("s4")), lanes=4)
    yield Multiply((4, 4, 16), (dtype("u8"), dtype("s8")), lanes=2)
    yield Concat(((4, 4, 16), (4, 4, 32)), dtype("u4"), lanes=8)
    yield Split((4, 4, 48), (16, 32), dtype("u4"), lanes=8)
    yield Fork((4, 4, 16), dtype("u4"), 8)
    yield Upsample((8, 8, 16), (2, 2), dtype("u4"), lanes=4)
    yield Argmax((1, 1, 10), dtype("s12"))
    yield Argmax((1, 1, 16), dtype("s10"), pe=4)


def further_units() -> Iterator[Unit]:
    """Larger ones, and rows that are all at once."""
    yield mvtu("u2", "s2", "u2", 4, 16, 4, 16)
    yield mvtu("b", "b", "b", 8, 64, 8, 64)
    yield mvtu("b", "b", "b", 16, 512, 2, 128)
    yield mvtu("u4", "s4", "u4", 32, 128, 4, 16, weight_style="bram")
    yield mvtu("u2", "s2", "u2", 64, 256, 16, 32, weight_style="bram")
    yield mvtu("b", "b", "b", 64, 576, 16, 32, weight_style="bram")
    yield mvtu("u8", "s8", "u8", 16, 144, 4, 8, weight_style="bram", threshold_style="bram")
    yield window(224, 3, 7, "u8", 3, pad=3, stride=2)
    yield window(10, 128, 3, "u1", 16)


def padded_units() -> Iterator[Unit]:
    """Lanes that do not divide."""
    yield Repack((4, 4, 10), dtype("u4"), 3, 10, 4, 10)
    yield Repack((4, 4, 64), dtype("u2"), 22, 64, 16, 0)
    yield Repack((4, 4, 64), dtype("u4"), 8, 0, 11, 64)
    yield Repack((2, 2, 64), dtype("u4"), 3, 64, 5, 64)
    yield Repack((4, 4, 64), dtype("b"), 13, 64, 22, 64)
    yield Repack((4, 4, 32), dtype("u8"), 1, 0, 7, 32)
    yield Repack((2, 2, 64), dtype("u4"), 6, 64, 32, 256)
    yield mvtu("u4", "s4", "u4", 64, 64, 11, 8, weight_style="bram")
    yield mvtu("b", "b", "b", 64, 64, 11, 22, weight_style="bram")
    yield mvtu("u2", "s2", "u2", 32, 128, 8, 13, weight_style="bram")
    yield window(14, 64, 3, "u4", 11, pad=1)
    for elements, code, lanes, run, out, out_run in (
        (256, "u4", 4, 0, 6, 32), (512, "u4", 3, 128, 5, 128), (256, "u2", 4, 0, 6, 32), (512, "u1", 3, 128, 5, 128),
        (128, "u4", 5, 32, 8, 0), (192, "u4", 7, 64, 9, 64), (320, "u8", 3, 20, 2, 0), (256, "u4", 2, 0, 3, 32),
        (256, "u4", 16, 0, 24, 64), (360, "u4", 7, 36, 5, 36),
    ):  # fmt: skip
        yield Repack((1, 1, elements), dtype(code), lanes, run, out, out_run)


def requantizing_units() -> Iterator[Unit]:
    """Requantization."""
    for style in ("multiply", "shift_add"):
        yield scaled("s14", "s8", 16, 1, style)
        yield scaled("s20", "u8", 64, 4, style)
        yield scaled("s12", "u4", 32, 8, style)
        yield scaled("s17", "s8", 8, 8, style)
        yield scaled("s17", "s8", 16, 1, style, shared=True)
    yield scaled("s26", "s16", 8, 1, "multiply")


def matmul(
    a: str, b: str, out: str, rows: int, terms: int, columns: int, pe: int, simd: int, transposed: bool, heads: int = 1, **fields: Any
) -> Matmul:
    """A product of two streams of so many rows, with shared thresholds; `out` "" for none."""
    x, y = dtype(a), dtype(b)
    ends = [terms * p * q for p in (x.lo, x.hi) for q in (y.lo, y.hi)]
    acc = IntType.holding(min(ends), max(ends))
    code = dtype(out) if out else acc
    steps = _thresholds(np.random.default_rng(terms * columns), acc.lo, acc.hi, 1, code) if out else None
    outer, inner = (columns, terms) if transposed else (terms, columns)
    shapes = (rows, heads, terms), (outer, heads, inner), (terms, columns)
    return Matmul(*shapes, heads, (1, 1), transposed, x, y, code, acc, steps, pe=pe, simd=simd, **fields)


def product_units() -> Iterator[Unit]:
    """Products of two streams."""
    yield matmul("s4", "s4", "s4", 64, 32, 64, 4, 8, True)
    yield matmul("u4", "s4", "s4", 64, 64, 32, 8, 8, False)
    yield matmul("s4", "s4", "u4", 16, 32, 16, 16, 16, True, heads=4)
    yield matmul("s8", "s8", "", 64, 32, 64, 8, 4, True, heads=4)
    yield matmul("u8", "s8", "s8", 32, 32, 16, 4, 4, False)
    yield matmul("s2", "s2", "", 16, 16, 16, 4, 16, True)
    yield matmul("s6", "u4", "u4", 16, 15, 17, 5, 4, False, heads=3)


def shares(code: str, shape: tuple[int, int, int], factor: int, divisor: int, most: int, lanes: int) -> Normalize:
    """Shares of sums, rounded to the nearest."""
    return Normalize(shape, dtype(code), factor, divisor, most, 0, "half_even", IntType.holding(0, most), lanes)


def standardize(code: str, shape: tuple[int, int, int], centred: bool, after: int, shift: int, lanes: int) -> Standardize:
    """Elements over the root of their row's squares, to `after` binary places, and epsilon to `shift`."""
    own = dtype(code)
    drop = Moments.of(centred, shape[2], own.lo, own.hi).reach.bit_length()
    operator = IntStandardize(centred, after + drop, drop, 5 << shift >> 1, shift)
    most = operator.limit(shape[2])
    out = IntType.holding(-most - 1, most)
    return Standardize(shape, own, centred, operator.bits, drop, operator.epsilon, shift, out, lanes)


def row_units() -> Iterator[Unit]:
    """What keeps a row."""
    yield BelowMax((1, 64, 64), dtype("s8"), 255, 1)
    yield BelowMax((1, 64, 64), dtype("s6"), 63, 8)
    yield BelowMax((1, 16, 16), dtype("s12"), 1000, 16)
    yield BelowMax((1, 9, 17), dtype("s8"), 100, 3)
    yield shares("u24", (1, 64, 64), 16, 1, 15, 1)
    yield shares("u30", (1, 16, 16), 256, 1, 255, 4)
    yield shares("u26", (1, 64, 64), 1 << 26, 8947849, 15, 8)
    yield shares("u20", (1, 9, 17), 64, 1, 63, 3)


def table_units() -> Iterator[Unit]:
    """Sums by tables."""
    yield table_add((1013, 640), 1019, 4)
    yield table_add((513, 356), 811, 1)
    yield table_add((297, 496), 577, 16)


def sparse(x: str, w: str, out: str, mh: int, mw: int, pe: int, simd: int, zeros: str, **fields: Any) -> Mvtu:
    """A dense layer, of whose blocks of pe x simd weights half are 0, or of whose weights there are no more than `zeros` says."""
    made = mvtu(x, w, out, mh, mw, pe, simd, **fields)
    rng = np.random.default_rng(mh)
    left = np.kron(rng.permuted(np.arange(-(-mh // pe) * -(-mw // simd)) % 2).reshape(-(-mh // pe), -1), np.ones((pe, simd), np.int64))[
        :mh, :mw
    ]
    if zeros in PATTERNS:
        kept, of = PATTERNS[zeros]
        left = rng.random((mh, mw // of, of)).argsort(axis=2).reshape(mh, mw) < kept
    return replace(made, weights=made.weights * left, zeros=zeros)


def sparse_units() -> Iterator[Unit]:
    """What skips zeros."""
    yield sparse("u4", "s4", "u4", 32, 144, 4, 8, "skip")
    yield sparse("u4", "s4", "u4", 64, 256, 4, 4, "skip", weight_style="bram")
    yield sparse("u2", "s2", "u2", 32, 144, 4, 8, "skip")
    yield sparse("u8", "s8", "u8", 16, 72, 2, 9, "skip", weight_style="bram")
    yield sparse("u4", "s4", "u4", 32, 144, 4, 16, "2:4")
    yield sparse("u4", "s4", "", 32, 128, 4, 8, "1:4", weight_style="bram")
    yield sparse("u2", "s2", "u2", 32, 128, 4, 16, "2:4", weight_style="bram")


def norm_units() -> Iterator[Unit]:
    """Roots of mean squares."""
    yield standardize("s4", (1, 64, 64), True, 26, 12, 1)
    yield standardize("s6", (1, 16, 16), True, 30, 16, 4)
    yield standardize("s8", (1, 9, 24), True, 36, 20, 3)
    yield standardize("s5", (1, 64, 128), True, 32, 14, 8)
    yield standardize("s8", (1, 64, 64), False, 30, 12, 2)
    yield standardize("u4", (1, 8, 8), True, 18, 4, 8)


def state_units() -> Iterator[Unit]:
    """What closes loops."""
    yield Delay((1, 25, 32), dtype("s8"), 0, 1)
    yield Delay((1, 49, 32), dtype("s8"), 3, 8)
    yield Delay((1, 8, 64), dtype("u4"), 0, 64)


def kept_units() -> Iterator[Unit]:
    """States that go on from frame to frame."""
    yield Delay((1, 25, 32), dtype("s8"), 0, 1, keep=True)
    yield Delay((1, 8, 64), dtype("u4"), 0, 64, keep=True)
    yield Delay((1, 49, 48), dtype("s6"), 3, 8, keep=True)
