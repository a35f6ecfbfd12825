"""Random quantized networks: the compiled units, and the program of the loopback engine, give exactly what the model means.

More graphs, 2,000 of each kind as units and 1,000 on the engine: ``pytest tests/streamline/test_random_graphs.py --full``
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.folding.fold import cheapest
from dfcompile.front import IMPORT, INTEGER, Integer, Job
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.search.sweep import widths
from dfcompile.options import Options
from tests import exact_oracle
from tests.examples import examples, fewer
from tests.random_blocks import random_blocks
from tests.random_graph import random_model
from tests.random_int8 import random_int8_model
from tests.random_sequences import random_sequences

# What a legal network may be refused for: numbers that have no exact integers of a sensible width, each with its reason.
REFUSALS = {"unequal-scales", "no-code-for-zero", "not-quantized", "not-monotone", "too-wide", "not-loopback"}
MAKERS: dict[str, Callable[[int, int], tuple[Any, tuple[int, ...]]]] = {
    "qonnx": random_model, "int8": random_int8_model, "blocks": random_blocks, "sequences": random_sequences,
}  # fmt: skip
Codes = dict[str, np.ndarray]


def dataflow(found: Integer, codes: Codes) -> Codes:
    """What folded units make of input codes; those of loops over time once for all steps."""
    loops = found.streamlined.loops
    units, _ = lower(found.graph)
    design = connect(apply_folding(units, cheapest(units).choices), loops=loops)
    made = design.graph.execute(codes)
    return {k: made[t] for k, t in zip(found.closed.outputs, design.graph.outputs, strict=True)}


def loopback(found: Integer, codes: Codes) -> Codes:
    """What the loopback engine makes of input codes."""
    config = EngineConfig(**widths([found.closed]))
    return run_program(compile_program(found.closed, config), codes)


MODES = {"dataflow": dataflow, "loopback": loopback}


def outputs_of(model: onnx.ModelProto, frames: np.ndarray, folder: Path, mode: str = "dataflow") -> np.ndarray | None:
    """What a mode makes of real frames; None where the model is refused for one of `REFUSALS`."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    try:
        found = (IMPORT >> INTEGER)(Job(path, Options(mode=mode)), path)
        host = found.streamlined.host
        made = MODES[mode](found, host.encode({"x": frames}))
    except CompileError as e:
        assert {p.code for p in e.problems} <= REFUSALS, str(e)
        return None
    return next(iter(host.decode(made).values()))


def frames_of(model: onnx.ModelProto, seed: int) -> np.ndarray:
    """Two random frames of a model's input: real numbers, or codes of its integer type."""
    kind = model.graph.input[0].type.tensor_type
    shape, dtype = (2, *(d.dim_value for d in kind.shape.dim[1:])), onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(np.float32) * 2
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)


def check(seed: int, size: int, folder: Path, maker: str = "qonnx", mode: str = "dataflow") -> bool:
    """`check_model` of a random one."""
    return check_model(MAKERS[maker](seed, size)[0], seed, folder, mode)


def check_model(model: onnx.ModelProto, seed: int, folder: Path, mode: str = "dataflow") -> bool:
    """Whether the model compiled; fails when an output differs from the exact one on frames of a seed."""
    frames = frames_of(model, seed)
    made = outputs_of(model, frames, folder, mode)
    if made is None:
        return False
    exact = np.concatenate([next(iter(exact_oracle.run(model, {"x": f[None]}).values())) for f in frames])
    # The codes are exact; turning them into float64 by scale and offset rounds once.
    np.testing.assert_allclose(made.reshape(exact.shape), exact, rtol=1e-12, atol=1e-12 * np.abs(exact).max(initial=1e-9))
    return True


@pytest.mark.parametrize("maker", MAKERS)
@examples(fewer(60), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9), size=st.integers(1, 7))
def test_random_networks_are_exact(seed: int, size: int, maker: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assume(check(seed, size, tmp_path_factory.mktemp("random"), maker))


@pytest.mark.parametrize("maker", MAKERS)
@examples(fewer(25), 1000, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9), size=st.integers(1, 7))
def test_random_networks_are_exact_on_the_engine(seed: int, size: int, maker: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assume(check(seed, size, tmp_path_factory.mktemp("random"), maker, "loopback"))


@pytest.mark.parametrize(
    ("seed", "size"),
    [
        (109, 5),  # an affine between a sum and its quantizer was applied twice
        (102, 5),
        (802, 5),  # a crop followed by a repetition of rows
    ],
)
def test_found_failures_stay_fixed(seed: int, size: int, tmp_path: Path) -> None:
    assert check(seed, size, tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("seed", "size"),
    [
        (5104, 5),  # an average of one position added to what it averages: two chains of one stream, the second behind its affine
        (5151, 4),
    ],
)
def test_found_failures_of_8_bits_stay_fixed(seed: int, size: int, mode: str, tmp_path: Path) -> None:
    assert check(seed, size, tmp_path, "int8", mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("seed", "size"),
    [
        (71020388, 6),  # scores of attention whose operands are -1 and +1 in one bit
        (10, 5),  # a norm and HardSwish: thresholds that no row reaches lay beyond those that stand for none
        (190, 5),  # a norm and SiLU: thresholds that all rows reach
    ],
)
def test_found_failures_of_blocks_stay_fixed(seed: int, size: int, mode: str, tmp_path: Path) -> None:
    assert check(seed, size, tmp_path, "blocks", mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("seed", "size"),
    [
        (27, 7)  # a state that only a quantizer reads that gives one code for all of them
    ],
)
def test_found_failures_of_sequences_stay_fixed(seed: int, size: int, mode: str, tmp_path: Path) -> None:
    assert check(seed, size, tmp_path, "sequences", mode)
