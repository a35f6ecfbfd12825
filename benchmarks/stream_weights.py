"""Networks too large for a board whose largest layers take their weights from its memory: rates beside the loopback engine's.

    python -m benchmarks.stream_weights [--only WORD]

4-bit weights and activations, random; frames a second as report.json has them, processor seconds of the build.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.command.console import show_table

CASES: dict[str, tuple[str, Sequence[int], Sequence[int]]] = {
    "MLP 784-1024-1024-1024-10": ("pynq-z2", (), (784, 1024, 1024, 1024, 10)),
    "4 convolutions, 2048-1024-1024-10": ("pynq-z2", (3, 16, 32, 64, 128), (2048, 1024, 1024, 10)),
    "5 convolutions to 512 channels, 2048-10": ("pynq-z2", (3, 64, 128, 256, 512, 512), (2048, 10)),
    "MLP 784-4096-4096-10": ("kv260", (), (784, 4096, 4096, 10)),
}
"""Name -> board, channels of convolutions 3x3 on 32x32 pixels with a pooling behind each but the last, sizes of dense layers."""


def model(convolutions: Sequence[int], dense: Sequence[int], path: Path) -> Path:
    """A network of such layers, each with ReLU and a quantizer behind it."""
    rng = np.random.default_rng(0)
    how = {"domain": "qonnx.custom_op.general", "narrow": 0, "rounding_mode": "ROUND"}
    held: dict[str, Any] = {"scale": 0.125, "step": 1.0, "zero": 0.0, "bits": 4.0}
    shape = [1, convolutions[0], 32, 32] if convolutions else [1, dense[0]]
    nodes, last = [helper.make_node("Quant", ["x", "step", "zero", "bits"], ["q"], signed=0, **how)], "q"

    def layer(kind: str, weights: np.ndarray[Any, Any], **attributes: Any) -> str:
        i = len(held)
        held[f"w{i}"] = weights / 8
        nodes.append(helper.make_node("Quant", [f"w{i}", "scale", "zero", "bits"], [f"v{i}"], signed=1, **how))
        nodes.append(helper.make_node(kind, [last, f"v{i}"], [f"s{i}"], **attributes))
        return f"s{i}"

    def quantized(name: str, scale: float) -> str:
        held[f"{name}_scale"] = scale
        nodes.append(helper.make_node("Relu", [name], [f"{name}_r"]))
        nodes.append(helper.make_node("Quant", [f"{name}_r", f"{name}_scale", "zero", "bits"], [f"{name}_q"], signed=0, **how))
        return f"{name}_q"

    for i, (a, b) in enumerate(itertools.pairwise(convolutions)):
        last = quantized(layer("Conv", rng.integers(-7, 8, (b, a, 3, 3)), pads=[1, 1, 1, 1]), 0.5 * np.sqrt(9 * a))
        if i < len(convolutions) - 2:
            nodes.append(helper.make_node("MaxPool", [last], [f"{last}_p"], kernel_shape=[2, 2], strides=[2, 2]))
            last = f"{last}_p"
    if convolutions:
        nodes.append(helper.make_node("Flatten", [last], ["flat"]))
        last = "flat"
    for i, (a, b) in enumerate(itertools.pairwise(dense)):
        last = layer("MatMul", rng.integers(-7, 8, (a, b)))
        last = quantized(last, 0.5 * np.sqrt(a)) if i < len(dense) - 2 else last
    ends = [[helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)]]
    graph = helper.make_graph(nodes, "large", *ends, [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in held.items()])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, (board, convolutions, dense) in CASES.items():
            if given.only not in name:
                continue
            path, start = model(convolutions, dense, Path(temporary) / "large.onnx"), time.process_time()
            made = dfc.build(path, board=board, verify=False)
            report, sides = made.report, made.report["mode_choice"]
            used = [report["resources"][k] for k in ("lut", "bram36", "dsp")]
            fixed = [p["tensor"] for p in report["ports"] if p.get("fixed")]
            other = sides["loopback"].get("fps")
            timing = report["timing"]
            cells = [report["mode"], len(fixed), timing["interval_cycles"], timing["limit"], timing["fps"], other, *used]
            rows.append([name, board, *cells, time.process_time() - start])
            print(rows[-1], flush=True)
    heads = ["network", "board", "mode", "ports of weights", "interval", "limit", "fps", "loopback fps", "LUT", "BRAM36", "DSP", "CPU s"]
    show_table("weights from memory", heads, rows)


if __name__ == "__main__":
    main()
