"""Random quantized networks: the compiled units give exactly what the model means.

More graphs: ``pytest tests/streamline/test_random_graphs.py --full``
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dfcompile.dataflow.connect import apply_folding, connect
from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.folding.fold import default_interval, fold_for_interval
from dfcompile.frontend.importer import import_model
from dfcompile.streamline.pipeline import streamline
from tests import exact_oracle
from tests.random_graph import random_model

# What a legal network may be refused for: numbers that have no exact integers of a sensible width, each with its reason.
REFUSALS = {"unequal-scales", "no-code-for-zero", "not-quantized", "not-monotone", "too-wide"}


def outputs_of(model: onnx.ModelProto, frames: np.ndarray, folder: Path) -> np.ndarray | None:
    """What the folded units make of real frames; None where the model is refused for one of `REFUSALS`."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    try:
        found = import_model(path)
        assert found.graph is not None, "\n".join(map(str, found.problems))
        done = streamline(found.graph, {})
    except CompileError as e:
        assert {p.code for p in e.problems} <= REFUSALS, str(e)
        return None
    units, _ = lower(done.graph)
    design = connect(apply_folding(units, fold_for_interval(units, default_interval(units))))
    codes = design.graph.execute(done.host.encode({"x": frames}))
    reals = done.host.decode({k: codes[t] for k, t in zip(done.graph.outputs, design.graph.outputs, strict=True)})
    return next(iter(reals.values()))


def check(seed: int, size: int, folder: Path) -> bool:
    """`check_model` of a random one."""
    return check_model(random_model(seed, size)[0], seed, folder)


def check_model(model: onnx.ModelProto, seed: int, folder: Path) -> bool:
    """Whether the model compiled; fails when an output differs from the exact one on frames of a seed."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    frames = np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32) * 2
    made = outputs_of(model, frames, folder)
    if made is None:
        return False
    exact = np.concatenate([next(iter(exact_oracle.run(model, {"x": f[None]}).values())) for f in frames])
    # The codes are exact; turning them into float64 by scale and offset rounds once.
    np.testing.assert_allclose(made.reshape(exact.shape), exact, rtol=1e-12, atol=1e-12 * np.abs(exact).max(initial=1e-9))
    return True


@settings(suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9), size=st.integers(1, 7))
def test_random_networks_are_exact(seed: int, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    assume(check(seed, size, tmp_path_factory.mktemp("random")))


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
