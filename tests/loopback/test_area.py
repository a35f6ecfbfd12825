"""What lists and levels add to an engine is estimated as Yosys finds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.loopback_area import LEVELS, LISTS, SMALL, added
from dfcompile.loopback.area import levels, lists, resources
from dfcompile.loopback.config import EngineConfig
from tests.examples import some

MOST = 0.1
"""Error of the LUTs, as a share."""


@pytest.mark.slow
@pytest.mark.parametrize("config", some(LEVELS[:2], always=LEVELS[:1]), ids=["1 bit", "2 bits"])
def test_levels_by_synthesis(config: EngineConfig) -> None:
    real, estimate = added("dfc_lb_weights", config, "xc7"), levels(config)
    assert abs(estimate.lut - real.lut) <= MOST * real.lut and real.ff <= estimate.ff


def test_numbers_that_fill_no_bus_word_are_not_read() -> None:
    """Of 32 weights 1 bit each is half a bus word of 64 bits: such numbers are in no block, and nothing in the engine reads them."""
    narrow = replace(SMALL, bus_bits=64, weight_bits=8, code_bits=1)
    assert levels(narrow).lut == 0 and levels(replace(narrow, code_bits=2)).lut > 0
    assert resources(replace(narrow, code_bits=2), "xc7").lut == resources(narrow, "xc7").lut + levels(replace(narrow, code_bits=2)).lut


def test_lists_and_levels_are_counted_once() -> None:
    for config, part in [*((c, levels(c)) for c in LEVELS), *((c, lists(c, "xc7")) for c in LISTS)]:
        whole, plain = resources(config, "xc7"), resources(replace(config, list_words=0, code_bits=0), "xc7")
        assert (whole.lut - plain.lut, whole.ff - plain.ff, whole.bram36 - plain.bram36) == pytest.approx((part.lut, part.ff, part.bram36))
