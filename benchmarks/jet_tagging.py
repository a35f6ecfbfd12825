"""A jet-tagging network 16-64-32-32-5 at one frame a cycle, beside da4ml on the same weights: the table of docs/cost.md.

    python -m benchmarks.jet_tagging --python PYTHON    PYTHON has da4ml 0.6.0 (pip install da4ml==0.6.0)

Random weights of 6 bits, half of them 0, 8-bit signed inputs, Relu and 6-bit activations by floor and saturation; the outputs are the last
sums. Both are held to the same numbers. Ours has its streams' handshake, da4ml's has none and its input registers are not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from benchmarks.adder_graphs import matrix
from dfcompile.mode.synth import synth
from dfcompile.synthesis.unit import Synthesis
from dfcompile.units.base import Array

SIZES, SHIFTS, FRAMES = (16, 64, 32, 32, 5), (7, 6, 6), 200
RIVAL = """
import sys, numpy as np
from pathlib import Path
from da4ml.codegen import RTLModel
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
file = np.load(sys.argv[1])
given = FixedVariableArrayInput(16, HWConfig(1, -1, -1)).quantize(np.ones(16, int), np.full(16, 7), np.zeros(16, int))
x, at = given, 0
for k in range(4):
    x = x @ file[f"w{k}"].T.astype(np.float32)
    if k < 3:
        at += int(file["shifts"][k])
        x = x.relu().quantize(0, 6 + at, -at, overflow_mode="SAT", round_mode="TRN")
made = comb_trace(given, x)
np.save(Path(sys.argv[2]) / "y.npy", made.predict(file["x"].astype(np.float32)))
RTLModel(made, "sums", Path(sys.argv[2]), latency_cutoff=2, print_latency=False).write()
"""


def layers() -> list[Array]:
    """Weights (outputs, inputs)."""
    return [matrix(rows, columns, 6, 0.5) for columns, rows in pairwise(SIZES)]


def model(weights: list[Array], path: Path) -> Path:
    """Quant -> (MatMul -> Relu -> Quant) three times -> MatMul; all numbers are integers."""
    held = {"one": np.float32(1), "zero": np.float32(0), "eight": np.float32(8), "six": np.float32(6)}
    how = {"domain": "qonnx.custom_op.general", "narrow": 0, "rounding_mode": "FLOOR"}
    nodes, name, at = [helper.make_node("Quant", ["x", "one", "zero", "eight"], ["q"], signed=1, **how)], "q", 0
    for k, w in enumerate(weights):
        held[f"w{k}"] = w.T.astype(np.float32)
        nodes.append(helper.make_node("Quant", [f"w{k}", "one", "zero", "six"], [f"v{k}"], signed=1, **how))
        nodes.append(helper.make_node("MatMul", [name, f"v{k}"], [f"sums{k}"]))
        name = f"sums{k}"
        if k < len(SHIFTS):
            at += SHIFTS[k]
            held[f"step{k}"] = np.float32(2.0**at)
            nodes.append(helper.make_node("Relu", [name], [f"positive{k}"]))
            nodes.append(helper.make_node("Quant", [f"positive{k}", f"step{k}", "zero", "six"], [f"y{k}"], signed=0, **how))
            name = f"y{k}"
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size])] for n, size in (("x", SIZES[0]), (name, SIZES[-1]))]
    graph = helper.make_graph(nodes, "jet", *ends, [numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def rival(weights: list[Array], x: Array, python: str) -> tuple[Array, float, float, int]:
    """da4ml's outputs, LUTs, flip-flops without the input's registers, and cycles."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jet.npz"
        np.savez(file, x=x, shifts=np.array(SHIFTS), **{f"w{k}": w for k, w in enumerate(weights)})
        subprocess.run([python, "-c", RIVAL, str(file), folder], check=True, capture_output=True)
        texts = tuple((f"{p.stem}.sv", p.read_text()) for p in sorted(Path(folder).rglob("*.v")) if "wrapper" not in p.name)
        stages = len(list(Path(folder).rglob("sums_stage*.v")))
        found = np.load(Path(folder) / "y.npy")
    area = Synthesis(texts, (), "sums", "xc7").run()
    return found, area.lut, area.ff - SIZES[0] * 8, stages


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    python = parser.parse_args().python
    weights = layers()
    x = np.random.default_rng(0).integers(-128, 128, (FRAMES, SIZES[0]))
    print("| | LUT | FF | DSP | latency | cycles a frame |\n|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = dfc.build(model(weights, folder / "jet.onnx"), mode="dataflow", interval=1)
        made.save(folder / "out")
        area = synth(folder / "out")["total"]["synthesised"]
        own = made.run(x.astype(np.float32))
    print(f"| dfcompile | {area['lut']:,.0f} | {area['ff']:,.0f} | {area['dsp']:,.0f} | {made.timing.latency_cycles} | ", end="")
    print(f"{made.timing.interval_cycles} |", flush=True)
    theirs, lut, ff, stages = rival(weights, x, python)
    assert np.array_equal(np.asarray(own).reshape(FRAMES, -1), theirs.reshape(FRAMES, -1)), "the two are not the same network"
    print(f"| da4ml | {lut:,.0f} | {ff:,.0f} | 0 | {stages} | 1 |")


if __name__ == "__main__":
    main()
