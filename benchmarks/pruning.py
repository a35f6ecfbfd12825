"""What zeros in the weights of a small network save, beside the same network pruned by hand: LUTs at a fixed interval, cycles in loopback.

    python -m benchmarks.pruning [--only WORD]

Two convolutions 3x3 of 16 channels at 8 x 8 positions, 4-bit weights and activations; the first or the second one has the zeros. XC7.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import dfcompile as dfc
from dfcompile.mode.synth import synth

Weights = NDArray[np.float32]
CHANNELS, SIDE, INTERVAL = 16, 8, 2304
ENGINE = {"engine": {"pe": 8, "simd": 8}}


def model(first: Weights, second: Weights, path: Path, groups: int = 1, pad: int = 1) -> Path:
    """Quant -> Conv -> Relu -> Quant -> Conv -> Relu -> Quant; weights are integers times 1/8. Pads of the first, groups of the second."""
    held = {"w0": first / 8, "w1": second / 8, "scale": np.float32(0.125), "step": np.float32(0.25)}
    held |= {"zero": np.float32(0), "bits": np.float32(4)}
    how = {"domain": "qonnx.custom_op.general", "narrow": 0, "rounding_mode": "ROUND"}
    nodes, name = [helper.make_node("Quant", ["x", "step", "zero", "bits"], ["q"], signed=0, **how)], "q"
    for k, (p, g) in enumerate(((pad, 1), (1, groups))):
        nodes += [
            helper.make_node("Quant", [f"w{k}", "scale", "zero", "bits"], [f"v{k}"], signed=1, **how),
            helper.make_node("Conv", [name, f"v{k}"], [f"sums{k}"], pads=[p] * 4, group=g),
            helper.make_node("Relu", [f"sums{k}"], [f"positive{k}"]),
            helper.make_node("Quant", [f"positive{k}", "step", "zero", "bits"], [f"y{k}"], signed=0, **how),
        ]
        name = f"y{k}"
    sizes = (("x", [1, CHANNELS, SIDE, SIDE]), ("y1", [1, len(second), SIDE, SIDE]))
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, size)] for n, size in sizes]
    graph = helper.make_graph(nodes, "pruned", *ends, [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in held.items()])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def cases() -> dict[str, tuple[Weights, Weights, int, int]]:
    """Name -> weights of both convolutions, groups of the second and pads of the first; "by hand" is what the case before it comes to."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(-7, 8, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32) for _ in range(2))
    half = np.arange(CHANNELS) % 2 == 0
    dead, unread, tap, blocks = first.copy(), second.copy(), first.copy(), second.copy()
    dead[~half] = 0
    unread[:, ~half] = 0
    tap *= np.eye(3, dtype=np.float32)[1][:, None] * np.eye(3, dtype=np.float32)[1]
    top = np.arange(CHANNELS) < CHANNELS // 2
    blocks *= (top[:, None] == half)[..., None, None]
    order = np.argsort(~half, kind="stable")
    grouped = np.concatenate([blocks[top][:, half], blocks[~top][:, ~half]])
    pattern = second * (np.argsort(rng.random((CHANNELS, CHANNELS // 4, 4, 3, 3)), axis=2) < 2).reshape(second.shape)
    return {
        "every weight": (first, second, 1, 1),
        "half of the filters dead": (dead, second, 1, 1),
        "the same by hand": (first[half], second[:, half], 1, 1),
        "half of the inputs of the second dead": (first, unread, 1, 1),
        "dead inputs by hand": (first[half], second[:, half], 1, 1),
        "all but the centre tap zero": (tap, second, 1, 1),
        "centre tap by hand": (tap[:, :, 1:2, 1:2], second, 1, 0),
        "two blocks in the second": (first, blocks, 1, 1),
        "two blocks by hand": (first[order], grouped, 2, 1),
        "2 of 4 in the second": (first, pattern, 1, 1),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    print(f"| zeros | lanes | LUT | FF | BRAM36 | interval | loopback cycles |\n|---|{'---:|' * 6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, (first, second, groups, pad) in cases().items():
            if only not in what:
                continue
            path = model(first, second, folder / "pruned.onnx", groups, pad)
            made = dfc.build(path, mode="dataflow", interval=INTERVAL)
            made.save(folder / "out")
            area = synth(folder / "out")["total"]["synthesised"]
            looped = dfc.build(path, mode="loopback", folding=ENGINE)
            lanes = sum(n.op.mac_lanes for n in made.design.graph.nodes)
            cells = [lanes, area["lut"], area["ff"], area["bram36"]]
            cells += [made.timing.interval_cycles, looped.timing.interval_cycles]
            print(f"| {what} | {' | '.join(f'{c:,.0f}' for c in cells)} |", flush=True)


if __name__ == "__main__":
    main()
