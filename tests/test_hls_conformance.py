"""The generated C++ is what HLS tools take: units of every kind, the examples, and in the long suite every model in both modes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfcompile as dfc
from benchmarks.calibration_sweep import sweep
from dfcompile.ir.types import IntType
from dfcompile.loopback.config import EngineConfig
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.units import all_units
from dfcompile.units.base import Unit
from dfcompile.units.concat import Concat
from dfcompile.units.fifo import Fifo
from dfcompile.units.fork import Fork
from dfcompile.units.parts.sparse_form import KEEP
from dfcompile.units.parts.thresholding import START
from dfcompile.units.split import Split
from dfcompile.units.width_converter import WidthConverter
from tests.examples import simulated, some
from tests.shared import needs_models
from tests.test_corpus import MODELS_BY_NAME, built, compiled
from tests.three_way import one_unit
from tests.units import test_delay
from tests.units.test_add import adds
from tests.units.test_argmax import argmaxes
from tests.units.test_lookup import lookups
from tests.units.test_matmul import matmuls
from tests.units.test_multiply import multiplies
from tests.units.test_mvtu import mvtus
from tests.units.test_mvtu_graph import graph_units
from tests.units.test_mvtu_sparse import sparse_units
from tests.units.test_pool import pools
from tests.units.test_repack import repacks
from tests.units.test_rows import below_maxes, normalizes
from tests.units.test_standardize import standardizes
from tests.units.test_table_add import table_adds
from tests.units.test_threshold import thresholds
from tests.units.test_upsample import upsamples
from tests.units.test_vvtu import vvtus
from tests.units.windows import windows
from tools.hls_conformance import check_design, check_engine

INT4 = IntType(4, signed=True)
KINDS: dict[str, st.SearchStrategy[Unit]] = {
    "add": adds(), "argmax": argmaxes(), "lookup": lookups(), "multiply": multiplies(), "pool": pools(),
    "repack": repacks(), "sliding_window": windows(), "threshold": thresholds(), "upsample": upsamples(), "vvtu": vvtus(),
    "concat": st.builds(lambda n: Concat(((2, 3, 4), (2, 3, 6)), INT4, n), st.sampled_from([1, 2])),
    "split": st.builds(lambda n: Split((2, 3, 10), (4, 6), INT4, n), st.sampled_from([1, 2])),
    "delay": st.sampled_from(list(test_delay.UNITS.values())),
    "fork": st.builds(lambda n: Fork((2, 3, 4), INT4, n), st.sampled_from([1, 2, 4])),
    "fifo": st.builds(lambda n: Fifo((3, 5, 40), INT4, n, 3), st.sampled_from([1, 40])),
    "width_converter": st.builds(
        lambda a, b: WidthConverter((1, 5, 12), INT4, a, b), st.sampled_from([1, 2, 12, 60]), st.sampled_from([1, 3, 4, 20])
    ),
    "mvtu": st.one_of(mvtus(), graph_units(), sparse_units()),
    "matmul": matmuls(), "below_max": below_maxes(), "normalize": normalizes(), "table_add": table_adds(), "standardize": standardizes(),
}  # fmt: skip


def test_every_kind_is_tried() -> None:
    assert set(KINDS) == set(all_units())


@pytest.mark.parametrize("kind", some(KINDS, always=list(KINDS)[::2]))
def test_units(kind: str) -> None:
    @simulated(3)
    @given(KINDS[kind])
    def holds(unit: Unit) -> None:
        assert check_design(one_unit(unit)) == []

    holds()


MANY = ["pool", "add", "below_max", "lookup", "matmul", "mvtu", "normalize", "repack", "sliding_window", "standardize", "threshold", "vvtu"]


@functools.cache
def many_lanes() -> dict[str, Unit]:
    """A unit of each kind, folded to about 12 lanes: more than clang unrolls, which leaves the loop over lanes for the tools to unroll."""
    found: dict[str, tuple[int, Unit]] = {}
    for unit in sweep().values():
        free = getattr(unit, "zeros", KEEP) == KEEP and getattr(unit, "threshold_style", "") != START  # of any folding
        for choice in unit.foldings() if free and unit.kind in MANY else ():
            folded = unit.folded(**choice)
            off = abs(max(s.lanes for s in (*folded.inputs, *folded.outputs)) - 12)
            if off < 3 and folded.cycles > 1 and off < found.get(unit.kind, (3, folded))[0]:
                found[unit.kind] = off, folded
    return {kind: unit for kind, (_, unit) in found.items()}


@pytest.mark.parametrize("kind", [k if k == "pool" else pytest.param(k, marks=pytest.mark.full) for k in MANY])
def test_many_lanes(kind: str) -> None:
    assert check_design(one_unit(many_lanes()[kind])) == []


@pytest.mark.parametrize("name", some(["digits_cnn_w2a2", "digits_cnn_w4a4", "digits_mlp_w1a1"], always=["digits_mlp_w1a1"]))
def test_examples(name: str, examples: Path) -> None:
    made = dfc.build(examples / f"{name}.onnx", mode="dataflow")
    assert isinstance(made, DataflowAccelerator) and check_design(made.design) == []


@needs_models
@pytest.mark.full
@MODELS_BY_NAME
def test_models(model: dict[str, Any], tmp_path: Path) -> None:
    assert check_design(compiled(model, tmp_path).design) == []


@needs_models
@pytest.mark.full
@MODELS_BY_NAME
def test_engines_of_models(model: dict[str, Any], tmp_path: Path) -> None:
    made = built(model, tmp_path, mode="loopback")
    assert isinstance(made, LoopbackAccelerator) and check_engine(made.program.config) == []


@pytest.mark.slow
@pytest.mark.parametrize(("list_words", "code_bits"), [(64, 4), *(pytest.param(*c, marks=pytest.mark.further) for c in [(0, 2), (32, 0)])])
def test_engines_with_lists_and_levels(list_words: int, code_bits: int) -> None:
    assert check_engine(EngineConfig(act_words=64, weight_words=64, acc_words=16, list_words=list_words, code_bits=code_bits)) == []
