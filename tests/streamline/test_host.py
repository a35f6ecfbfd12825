"""The host's side: real numbers to codes, codes to real numbers, and every input that is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph, Tensor
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline.host import HostSide, checked_codes
from dfcompile.streamline.layout import natural_index
from dfcompile.streamline.value import InputPort, OutputPort

SHAPE = (2, 2, 3)  # channels, rows, columns
STREAM = (2, 3, 2)


def tail(*names: str) -> Graph:
    return Graph("tail", (), {n: Tensor((1, *SHAPE)) for n in names}, {}, names, names)


def side(dtype: IntType = IntType(4, True), scale: float = 0.25, offset: float = 1.0, gain: Any = 1.0, shift: Any = 0.0) -> HostSide:
    index = natural_index(*SHAPE)
    port = InputPort("s", "x", index, None, scale, offset)
    out = OutputPort("o", "y", index, np.asarray(gain), np.asarray(shift))
    return HostSide({"x": SHAPE}, (port,), (out,), tail("y"), {"s": (STREAM, dtype), "o": (STREAM, IntType(8, True))})


def test_codes_are_channels_last() -> None:
    codes = np.arange(-6, 6).reshape(1, *SHAPE)
    found = side().encode({"x": codes * 0.25 + 1})["s"]
    np.testing.assert_array_equal(found, codes.transpose(0, 2, 3, 1))
    assert found.dtype == np.float32


def test_positions_without_a_value_hold_a_legal_code() -> None:
    host = side(IntType(3), 1.0, 0.0)
    part = InputPort("s", "x", natural_index(*SHAPE) * 0 + 5, None, 1.0, 0.0)
    host = HostSide(host.input_shapes, (part,), host.outputs, host.tail, host.streams)
    flat = host.encode({"x": np.full((1, *SHAPE), 7.0)})["s"].reshape(-1)
    np.testing.assert_array_equal(flat, [0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0])


def test_outputs_take_scale_and_offset_of_their_channel() -> None:
    codes = np.arange(12).reshape(1, *STREAM)
    made = side(gain=[0.5, 3.0], shift=[1.0, -1.0]).decode({"o": codes})["y"]
    np.testing.assert_array_equal(made, (codes * [0.5, 3.0] + [1.0, -1.0]).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("dtype", "scale", "offset", "value"),
    [
        (IntType(4, True), 0.25, 1.0, 1.1),  # between two codes
        (IntType(4, True), 0.25, 1.0, 3.0),  # code 8
        (IntType(4, True), 0.25, 1.0, -1.25),  # code -9
        (IntType(2), 1.0, 0.0, -1.0),
        (BIPOLAR, 1.0, 0.0, 0.0),
    ],
)
def test_values_off_the_declared_grid_are_refused(dtype: IntType, scale: float, offset: float, value: float) -> None:
    x = np.full((2, *SHAPE), scale + offset)
    side(dtype, scale, offset).encode({"x": x})
    x[1, 0, 1, 2] = value
    with pytest.raises(CompileError, match=r"element \(1, 0, 1, 2\)"):
        side(dtype, scale, offset).encode({"x": x})


X = np.ones((2, *SHAPE))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "input 'x' is missing"),
        ({"x": X, "z": X}, "no input 'z'"),
        ({"x": X[0]}, "2x2x3"),
        ({"x": X[:, :1]}, "Nx2x2x3"),
        ({"x": X[:0]}, "holds no frame"),
        ({"x": X * np.nan}, "NaN or infinity"),
        ({"x": X.astype(str)}, "numbers"),
    ],
)
def test_wrong_inputs(feeds: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        side().checked(feeds)
    assert side().checked(X)["x"] is X


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({}, "'s' is missing"),
        ({"s": X, "t": X}, "no input stream 't'"),
        ({"s": X[:0]}, "wrong shape"),
        ({"s": X[:, :1]}, "wrong shape"),
        ({"s": X * 0.5}, "no codes of int4"),
        ({"s": X * 8}, "no codes of int4"),
        ({"s": X * -9}, "no codes of int4"),
    ],
)
def test_wrong_codes(codes: dict[str, Any], message: str) -> None:
    streams = {"s": (STREAM, IntType(4, True))}
    with pytest.raises(CompileError, match=message):
        checked_codes(streams, codes)
    assert checked_codes(streams, {"s": X * 7})["s"].shape == (2, *STREAM)


def test_bipolar_codes_have_no_zero() -> None:
    with pytest.raises(CompileError, match="no codes of bipolar"):
        checked_codes({"s": (STREAM, BIPOLAR)}, {"s": X * 0})
