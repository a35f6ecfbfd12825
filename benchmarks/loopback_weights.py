"""Cycles of a dense network in loopback with and without what its weights allow: python -m benchmarks.loopback_weights

Three layers of 512 x 512, one frame: the bus is the limit. Engines as in docs/loopback.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Graph, Node, Tensor
from dfcompile.ir.intop import IntConv, ThresholdCode, Window
from dfcompile.ir.types import IntType
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Target
from dfcompile.loopback.predict import load_bytes, predict

SIZE, LAYERS = 512, 3
Weights = NDArray[np.int64]


def network(weights: list[Weights]) -> Graph:
    """Dense layers with thresholds of 4 bits between them."""
    rng = np.random.default_rng(1)
    nodes: list[Node] = []
    constants: dict[str, Weights] = {}
    name, low, high = "x", np.zeros(SIZE, np.int64), np.full(SIZE, 15)
    tensors = {name: Tensor((1, 1, SIZE), IntType(4, False), low, high)}
    for k, w in enumerate(weights):
        constants |= {f"w{k}": w, f"t{k}": np.sort(rng.integers(-9999, 9999, (SIZE, 15)), axis=1), f"f{k}": np.zeros(SIZE, np.int64)}
        conv, steps = IntConv(Window(), 1, 0), ThresholdCode(4, 0)
        lo, hi = conv.bounds(((low, high),), (w,))
        tensors |= {f"s{k}": Tensor((1, 1, SIZE), IntType.holding(int(lo.min()), int(hi.max())), lo, hi)}
        tensors |= {f"y{k}": Tensor((1, 1, SIZE), IntType(4, False), low, high)}
        nodes.append(Node(f"s{k}", conv, (name, f"w{k}"), (f"s{k}",)))
        nodes.append(Node(f"y{k}", steps, (f"s{k}", f"t{k}", f"f{k}"), (f"y{k}",)))
        name = f"y{k}"
    tensors |= {key: Tensor(value.shape) for key, value in constants.items()}
    return Graph("dense", tuple(nodes), tensors, constants, ("x",), (name,))


def blocks(rng: np.random.Generator, weights: Weights, zero: float, pe: int, simd: int) -> Weights:
    """A share of the blocks of pe x simd zero."""
    kept = rng.random((SIZE // pe, 1, 1, SIZE // simd)) >= zero
    return weights * np.repeat(np.repeat(kept, pe, axis=0), simd, axis=3)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    shape = (SIZE, 1, 1, SIZE)
    print("| weights | engine | cycles | bytes of weights |\n|---|---|---|---|")
    for pe, simd in ((8, 8), (16, 16), (8, 64)):
        engine = EngineConfig(pe=pe, simd=simd, act_words=4096, weight_words=512, tree_levels=5)
        cases = {
            "8 bits, half of the blocks zero": [blocks(rng, rng.integers(-127, 128, shape), 0.5, pe, simd) for _ in range(LAYERS)],
            "4 bits, half of the blocks zero": [blocks(rng, rng.integers(-7, 8, shape), 0.5, pe, simd) for _ in range(LAYERS)],
            "16 levels of 8 bits": [rng.choice(rng.permutation(255)[:16] - 127, shape) for _ in range(LAYERS)],
            "4 levels of 8 bits": [rng.choice(rng.permutation(255)[:4] - 127, shape) for _ in range(LAYERS)],
            "16 levels, half of the blocks zero": [
                blocks(rng, rng.choice([0, *(rng.permutation(127)[:15] + 1)], shape), 0.5, pe, simd) for _ in range(LAYERS)
            ],
        }
        for name, weights in cases.items():
            graph = network(weights)
            plain, both = (compile_program(graph, c) for c in (engine, replace(engine, list_words=256, code_bits=4)))
            cycles = [predict(p).cycles for p in (plain, both)]
            loaded = [load_bytes(p, Target.WEIGHT) + load_bytes(p, Target.LIST) for p in (plain, both)]
            gain = f"{cycles[0]:,} → {cycles[1]:,} ({cycles[0] / cycles[1]:.2f}x)"
            print(f"| {name} | {pe} x {simd} | {gain} | {loaded[0]:,} → {loaded[1]:,} |", flush=True)


if __name__ == "__main__":
    main()
