"""The driver's packing and its arithmetic, against definitions written out here: no compiler between."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.driver import write_driver
from tests.backend.test_driver import load
from tests.exact_arithmetic import rounded


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder = tmp_path_factory.mktemp("driver")
    write_driver("driver", {}, {}, folder)
    return load(folder)


def beat_bytes(bits: int, lanes: int) -> int:
    """The least power of two of bytes that holds a beat."""
    return next(2**k for k in range(20) if 8 * 2**k >= bits * lanes)


def beats(driver: ModuleType, bits: int, signed: bool, bipolar: bool, lanes: int, elements: int) -> Any:
    data: dict[str, Any] = {
        "name": "s",
        "shape": [1, 1, elements],
        "bits": bits,
        "signed": signed,
        "bipolar": bipolar,
        "lanes": lanes,
        "run": 0,
        "taps": 1,
    }
    data["bytes"] = beat_bytes(bits, lanes)
    return driver.Beats(data, {})


def by_hand(codes: list[int], bits: int, bipolar: bool, lanes: int) -> list[list[int]]:
    """Bytes of each beat: lane 0 lowest, two's complement, -1 and +1 as 0 and 1."""
    found = []
    for first in range(0, len(codes), lanes):
        word = 0
        for lane, code in enumerate(codes[first : first + lanes]):
            pattern = int(code > 0) if bipolar else code % 2**bits
            word |= pattern << (lane * bits)
        found.append(list(word.to_bytes(beat_bytes(bits, lanes), "little")))
    return found


TYPES = [(1, False), (2, True), (3, False), (4, True), (7, True), (8, False), (8, True), (9, True), (12, False), (17, True)]


@pytest.mark.parametrize(("bits", "signed"), TYPES)
@pytest.mark.parametrize("lanes", [1, 3])
def test_every_code_of_a_type(bits: int, signed: bool, lanes: int, driver: ModuleType) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    every = range(low, low + 2**bits)
    codes = [*every] if bits <= 9 else [low, low + 1, -1 if signed else 1, 0, 1, low + 2**bits - 2, low + 2**bits - 1]
    codes += [codes[-1]] * (-len(codes) % lanes)
    port = beats(driver, bits, signed, False, lanes, len(codes))
    assert (port.lo, port.hi) == (low, low + 2**bits - 1)
    packed = port.pack(np.array(codes).reshape(1, 1, 1, -1))
    assert packed.tolist() == by_hand(codes, bits, False, lanes)
    assert port.unpack(packed).ravel().tolist() == codes


@pytest.mark.parametrize("lanes", [1, 5, 10])
def test_bipolar_codes(lanes: int, driver: ModuleType) -> None:
    codes = [-1, 1, 1, -1, -1, -1, 1, 1, 1, -1]
    port = beats(driver, 1, True, True, lanes, 10)
    packed = port.pack(np.array(codes).reshape(1, 1, 1, -1))
    assert packed.tolist() == by_hand(codes, 1, True, lanes)
    assert port.unpack(packed).ravel().tolist() == codes


def test_frames_follow_one_another(driver: ModuleType) -> None:
    port = beats(driver, 4, True, False, 2, 6)
    codes = np.arange(-6, 6).reshape(2, 1, 1, 6)
    packed = port.pack(codes)
    assert packed.tolist() == by_hand(codes.ravel().tolist(), 4, False, 2) and packed.shape == (6, 1)
    np.testing.assert_array_equal(port.unpack(packed), codes)


def test_padded_runs(driver: ModuleType) -> None:
    """Runs of 5 elements (of 2 taps each) in beats of 3: what is left over in a beat is padding, of the largest code."""
    data = {"name": "s", "shape": [1, 1, 20], "bits": 4, "signed": False, "bipolar": False, "lanes": 3, "run": 5, "taps": 2, "bytes": 2}
    port = driver.Beats(data, {})
    codes = np.arange(20) % 15
    packed = port.pack(codes.reshape(1, 1, 1, 20))
    rows, at = [], 0
    for filled in [3, 3, 2, 2] * 2:
        lanes = [*codes[at : at + filled], *[15] * (3 - filled)]
        rows.append(list(int(sum(int(c) << 4 * i for i, c in enumerate(lanes))).to_bytes(2, "little")))
        at += filled
    assert port.beats == 8 and packed.tolist() == rows
    np.testing.assert_array_equal(port.unpack(packed).ravel(), codes)


@pytest.mark.parametrize("mode", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize("zero_after", [False, True])
def test_rounding(mode: str, zero_after: bool, driver: ModuleType) -> None:
    attributes = {"rounding": mode, "zero_after": zero_after, "lo": -5, "hi": 6, "weight": False}
    values = [Fraction(n, 8) for n in range(-40, 41)]
    (found,) = driver.operators.run("quantize", attributes, np.array(values, float), np.array(0.5), np.array(1.0))
    for x, code in zip(values, found.tolist(), strict=True):
        if zero_after:
            assert code == min(max(rounded(2 * x, mode) + 1, -5), 6)
        else:
            assert code == rounded(min(max(2 * x + 1, Fraction(-5)), Fraction(6)), mode)


X = np.arange(-12, 13).reshape(1, 5, 5) / 4


def test_steps_by_hand(driver: ModuleType) -> None:
    def run(kind: str, *inputs: Any, **attributes: Any) -> Any:
        return driver.operators.run(kind, attributes, *inputs)[0]

    two = np.array([2.0, -1.0, 0.5, 1.0, 3.0])
    for fn, wanted in {
        "add": X + 2, "sub": X - 2, "mul": X * 2, "div": X / 2, "min": np.minimum(X, 2), "max": np.maximum(X, 2),
        "prelu": np.where(X < 0, 2 * X, X),
    }.items():  # fmt: skip
        np.testing.assert_array_equal(run("binary", X, np.array(2.0), fn=fn), wanted)
    np.testing.assert_array_equal(run("dequantize", X, np.array(0.5), np.array(3.0)), (X - 3) / 2)
    np.testing.assert_array_equal(run("bipolar", X) > 0, X >= 0)
    norm = run("batch_norm", X, two, two + 1, two - 1, np.full(5, 3.75), epsilon=0.25)
    np.testing.assert_allclose(norm, (X - (two - 1)[:, None]) / 2 * two[:, None] + (two + 1)[:, None])
    total = run("softmax", X, axis=1)
    np.testing.assert_allclose(total.sum(axis=1), np.ones((1, 5)))
    np.testing.assert_allclose(total[0, 1] / total[0, 0], np.exp(X[0, 1] - X[0, 0]))
