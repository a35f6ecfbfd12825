"""Dense layers of ternary weights of one and of two sizes, the latter also as plain numbers: LUTs and flip-flops of the netlists.

usage: python -m benchmarks.levels
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.dataflow.levels import by_levels
from dfcompile.mode.synth import synth

INPUTS, OUTPUTS, CYCLES = 64, 32, 32
ONE, TWO = (-0.3713562, 0.0, 0.3713562), (-0.3713562, 0.0, 0.5298131)

CASES = [("one size", ONE), ("two sizes", TWO), ("two sizes as numbers", TWO), ("one size an output", ONE), ("two sizes an output", TWO)]


def model(levels: tuple[float, ...], path: Path, by_output: bool = False) -> Path:
    """A layer between two 4-bit quantizers; by_output: those above 0, or all of one size, times a factor for each output."""
    rng = np.random.default_rng(0)
    weights = rng.choice(np.float32(levels), (INPUTS, OUTPUTS), p=[0.3, 0.4, 0.3])
    if by_output:
        weights = np.where((weights > 0) | (levels == ONE), weights * rng.uniform(0.5, 2, OUTPUTS).astype(np.float32), weights)
    held = {"w": weights, "step": np.float32(0.25), "out": np.float32(0.5), "zero": np.float32(0), "bits": np.float32(4)}
    how = {"domain": "qonnx.custom_op.general", "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["x", "step", "zero", "bits"], ["q"], signed=1, **how),
        helper.make_node("MatMul", ["q", "w"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["positive"]),
        helper.make_node("Quant", ["positive", "out", "zero", "bits"], ["y"], signed=0, **how),
    ]
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size])] for n, size in (("x", INPUTS), ("y", OUTPUTS))]
    graph = helper.make_graph(nodes, "levels", *ends, [numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def main() -> None:
    """Build and synthesise all three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, levels in CASES:
            path = model(levels, folder / "levels.onnx", "output" in what)
            with patch("dfcompile.dataflow.lower.by_levels", by_levels if "numbers" not in what else lambda unit, most: None):
                made = dfc.build(path, mode="dataflow", interval=CYCLES)
            made.save(folder / "out")
            area = synth(folder / "out")["total"]["synthesised"]
            print(f"{what:24} {area['lut']:8,.0f} LUT {area['ff']:8,.0f} FF {made.timing.interval_cycles:4} cycles")


if __name__ == "__main__":
    main()
