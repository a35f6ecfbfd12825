"""Functions that fall and rise behind a matrix product, in every engine of both modes: their codes are those of real arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import dfcompile as dfc
from tests.frontend.make import model
from tests.recurrent import quant

WEIGHTS = np.random.default_rng(3).integers(-3, 4, (6, 5)).astype(np.float32)
ENGINE = {"pe": 8, "simd": 8, "act_words": 256, "weight_words": 64, "acc_words": 64, "tree_levels": 6}
STEP = 2.0**-5
FUNCTIONS = {
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "hswish": lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
}


def network(folder: Path) -> Path:
    """One product of codes by weights, three functions of it, each with a quantizer."""
    nodes = [quant("x", "xq", "scale"), helper.make_node("MatMul", ["xq", "w"], ["u"], name="product")]
    nodes += [
        helper.make_node("Div", ["u", "root"], ["g0"]), helper.make_node("Erf", ["g0"], ["g1"]),
        helper.make_node("Add", ["g1", "one"], ["g2"]), helper.make_node("Mul", ["u", "g2"], ["g3"]),
        helper.make_node("Mul", ["g3", "half"], ["gelu"]), helper.make_node("HardSwish", ["u"], ["hswish"]),
        helper.make_node("Softplus", ["u"], ["m0"]), helper.make_node("Tanh", ["m0"], ["m1"]),
        helper.make_node("Mul", ["u", "m1"], ["mish"]),
    ]  # fmt: skip
    for i, n in enumerate(nodes):
        n.name = n.name or f"node_{i}"
    nodes += [quant(name, f"{name}_q", "step") for name in FUNCTIONS]
    held = {"w": WEIGHTS, "root": np.float32(math.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5), "zero": np.float32(0)}
    held |= {"bits": np.float32(6), "scale": np.float32(0.0625), "step": np.float32(STEP)}
    onnx.save(model(nodes, {"x": (1, 6)}, [f"{name}_q" for name in FUNCTIONS], held), folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("mode", [pytest.param("dataflow", marks=pytest.mark.further), "loopback"])
def test_every_engine(mode: str, tmp_path: Path) -> None:
    options = {"folding": {"engine": ENGINE}} if mode == "loopback" else {}
    made = dfc.build(network(tmp_path), mode=mode, **options)
    x = np.random.default_rng(0).integers(-32, 32, (24, 6)) * 0.0625
    u = x @ WEIGHTS.astype(np.float64)
    for engine in ("python", "hls", "rtl"):
        found = made.simulate(x, engine)
        for name, f in FUNCTIONS.items():
            wanted = np.clip(np.rint(np.vectorize(f)(u) / STEP), -32, 31) * STEP
            np.testing.assert_array_equal(found[f"{name}_q"], wanted, err_msg=f"{engine} {name}")
            assert wanted.min() < 0 < wanted.max() and len(np.unique(wanted)) > 5
