"""What the Python engine does fast is exact: products in floats that hold them, kept inputs only while they are true."""

from __future__ import annotations

import numpy as np
import pytest

from dfcompile.ir.requantization import Requantization
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Opcode
from dfcompile.loopback.engine import Engine, _product, _scaled
from dfcompile.loopback.width import holds


@pytest.mark.parametrize("steps", [3, 129, 2000])
def test_products_of_any_length(steps: int) -> None:
    """From 129 steps of 8 lanes on the sums pass 2**24, where float32 has only even numbers."""
    x, w = np.full((2, steps, 8), 127, np.int8), np.full((steps, 3, 8), 127, np.int64)
    w[0, 0, 0], w[0, 1, 0] = 126, -127
    np.testing.assert_array_equal(_product(x, w), np.einsum("nts,tps->np", x.astype(np.int64), w))


def test_inputs_are_forgotten_where_their_words_change() -> None:
    engine = Engine(EngineConfig(), np.zeros(64, np.uint8))
    for first in range(12):
        for end in range(first + 1, 13):
            engine._walk, engine._walked = {"kept": np.zeros(1)}, (4, 8)
            engine._forget(first, end)
            assert (not engine._walk) == bool(set(range(first, end)) & set(range(4, 8)))


@pytest.mark.parametrize(("acc_bits", "scale_bits"), [(32, 1), (32, 20), (32, 32), (64, 30), (64, 48)])
def test_requantization_in_limbs(acc_bits: int, scale_bits: int) -> None:
    """Any sums, words and shifts: as one product of integers, wrapped around."""
    config = EngineConfig(acc_bits=acc_bits, scale_bits=scale_bits)
    rng = np.random.default_rng(scale_bits)

    def signed(value: int, bits: int) -> int:
        return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))

    for _ in range(200):
        words = [signed(int(v), acc_bits) >> int(rng.integers(0, acc_bits)) for v in rng.integers(-(2**63), 2**63, 5)]
        shift, levels = int(rng.integers(0, min(64, config.scaled_bits))), int(rng.integers(0, 16))
        d = Compute(opcode=Opcode.COMPUTE, scale=1, scale_shift=shift, levels=levels)
        sums = [signed(int(v), acc_bits) >> int(rng.integers(0, acc_bits)) for v in rng.integers(-(2**63), 2**63, 50)]
        offset = (words[4] << acc_bits) + words[2] % (1 << acc_bits)
        width, multiplier = config.scaled_bits - scale_bits, signed(words[1], scale_bits)
        wanted = [signed(signed(a, width) * multiplier + offset, config.scaled_bits) >> shift for a in sums]
        bank = np.array(words, np.int64)[:, None]
        found = _scaled(d, np.array(sums, np.int64)[:, None], bank, config)
        assert found[:, 0].tolist() == [min(max(v, 0), (2 << levels) - 1) for v in wanted], (words, shift, levels)


@pytest.mark.parametrize(
    ("factor", "base", "lo", "hi", "above", "fits"),
    [(3, 0, -(2**31), 2**31 - 1, 0, True), (4, 0, 0, 9, 0, False), (3, 2**34 - 28, 0, 9, 0, True), (3, 2**34 - 27, 0, 9, 0, False),
     (-3, -(2**34) + 27, 0, 9, 0, True), (-3, -(2**34) + 26, 0, 9, 0, False), (3, 0, 0, 2**31, 1, True), (3, 0, 0, 2**31, 0, False),
     (3, 0, -(2**31), 0, 1, False)],
)  # fmt: skip
def test_requantizations_that_would_wrap_around(factor: int, base: int, lo: int, hi: int, above: int, fits: bool) -> None:
    """Multipliers of 3 bits, sums of 32 and products of 35; the array's sum is the true one less `above`."""
    scaling = Requantization(*(np.array([v]) for v in (factor, 0, base)), 0)
    ends = (np.array([v]) for v in (lo, hi, above))
    assert holds(scaling, *ends, EngineConfig(scale_bits=3)) == fits
