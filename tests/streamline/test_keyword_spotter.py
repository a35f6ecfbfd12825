"""Keyword spotters, two layers of LSTM or a GRU before scores of the words: exact in hardware, an interval as predicted, in both modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import dfcompile as dfc
from tests.recurrent import Array, Network, node

WORDS = 3
SMALL = {"lstm": Network("lstm", 3, 4, 4, layers=2, outputs=("h",)), "gru": Network("gru", 3, 4, 5, outputs=("h",))}
LARGE = {"lstm": Network("lstm", 10, 32, 25, layers=2, outputs=("h",)), "gru": Network("gru", 10, 32, 49, outputs=("h",))}


def head(network: Network) -> Array:
    return (np.random.default_rng(9).integers(-3, 4, (network.hidden, WORDS)) / 4).astype(np.float32)


def written(network: Network, folder: Path) -> Path:
    """The network and scores of words from its last state."""
    proto = network.proto()
    proto.graph.initializer.append(onnx.numpy_helper.from_array(head(network), "head"))
    proto.graph.node.append(node("MatMul", "h,head", "scores"))
    proto.graph.output[0].name = "scores"
    onnx.save(proto, folder / "spotter.onnx")
    return folder / "spotter.onnx"


def check(network: Network, mode: str, folder: Path, **options: int) -> None:
    """Of the saved build, as `dfcompile verify` does it; then frames of its own, whose scores are those of the loop in float64."""
    made = dfc.build(written(network, folder), mode=mode, **options)
    made.save(folder / "out")
    found = dfc.load(folder / "out").verify(["rtl"], frames=3, folder=folder / "out")["engines"]["rtl"]
    assert found["pass"]
    assert found["interval_cycles"] == found["predicted_interval_cycles"]
    assert found["latency_cycles"] == found["predicted_latency_cycles"]
    x = network.inputs(4)
    np.testing.assert_array_equal(np.reshape(made.run(x), (4, WORDS)), network.reference(x)["h"] @ head(network).astype(np.float64))


@pytest.mark.slow
@pytest.mark.parametrize("mode", [pytest.param("dataflow", marks=pytest.mark.further), "loopback"])
@pytest.mark.parametrize("name", [pytest.param("lstm", marks=pytest.mark.further), "gru"])
def test_small(name: str, mode: str, tmp_path: Path) -> None:
    check(SMALL[name], mode, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
@pytest.mark.parametrize("name", LARGE)
def test_large(name: str, mode: str, tmp_path: Path) -> None:
    check(LARGE[name], mode, tmp_path, **({"interval": 20_000} if mode == "dataflow" else {}))
