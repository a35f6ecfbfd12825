"""The imported graph of every model of the corpus, executed in float64, against an independent evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.frontend import import_model
from tests.shared import MODELS, manifest, needs_models


@needs_models
@pytest.mark.parametrize("entry", manifest(), ids=lambda e: str(e["name"]))
def test_model_equals_its_reference(entry: dict[str, Any]) -> None:
    result = import_model(MODELS / entry["file"])
    assert result.problems == ()
    graph = result.graph
    assert graph is not None
    graph.verify()
    with np.load(MODELS / f"{entry['name']}.npz") as data:
        codes, reference = data["inputs_int"].astype(np.float64), data["outputs_f64"]
    x = 2 * codes - 1 if entry["name"].startswith("real_unsw") else (codes - (entry["input_zero_point"] or 0)) * entry["input_scale"]
    (source,), (target,) = graph.inputs, graph.outputs
    y = graph.execute({source: x.reshape(len(x), *graph.tensors[source].shape[1:])})[target]
    np.testing.assert_allclose(y.reshape(reference.shape), reference, rtol=1e-9, atol=1e-9 * float(np.abs(reference).max()))


@needs_models
@pytest.mark.parametrize("entry", manifest(), ids=lambda e: str(e["name"]))
def test_inferred_shapes_are_those_of_execution(entry: dict[str, Any]) -> None:
    graph = import_model(MODELS / entry["file"]).graph
    assert graph is not None
    seen: dict[str, tuple[int, ...]] = {}
    (source,) = graph.inputs
    graph.execute(
        {source: np.zeros(graph.tensors[source].shape)},
        watch=lambda n, r: seen.update((t, a.shape) for t, a in zip(n.outputs, r, strict=True)),
    )
    assert seen == {t: graph.tensors[t].shape for t in seen}


@needs_models
@pytest.mark.parametrize("entry", manifest()[::7], ids=lambda e: str(e["name"]))
def test_every_onnx_node_has_a_fate(entry: dict[str, Any]) -> None:
    result = import_model(MODELS / entry["file"])
    assert len(result.fates) == sum(entry["ops"].values())
    assert result.graph is not None
    sources = {s for n in result.graph.nodes for s in n.source}
    assert sources <= set(result.fates)
    assert all(n.source for n in result.graph.nodes)
