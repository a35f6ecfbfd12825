"""What cells with quantized states have beside layers: gates, 1 - z, sums of products of free scales, states that begin with 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined

SCALES = (0.00677393, 0.01433899, 0.01167127)


def node(op: str, inputs: list[str], out: str) -> Any:
    return helper.make_node(op, inputs, [out], name=f"{op}_{out}")


def gates(step: int, state: str) -> list[Any]:
    """A layer on x and the state, quantized: z by Sigmoid, n by Tanh, scales of their own."""
    at = f"_{step}"
    found = []
    for name, kind, signed in (("z", "Sigmoid", 0), ("n", "Tanh", 1)):
        found += [node("MatMul", ["q", f"{name}w"], f"{name}x{at}"), node("MatMul", [state, f"{name}r"], f"{name}h{at}")]
        found += [node("Add", [f"{name}x{at}", f"{name}h{at}"], f"{name}a{at}"), quant(f"{name}a{at}", f"{name}p{at}", "sa", bits="seven")]
        found += [
            node(kind, [f"{name}p{at}"], f"{name}f{at}"),
            quant(f"{name}f{at}", f"{name}{at}", f"{name}s", bits="seven", signed=signed),
        ]
    return found


def new_state(step: int, state: str, turned: bool) -> list[Any]:
    """(1 - z) * n + z * h, quantized; or z * h + n - z * n."""
    at = f"_{step}"
    kept = node("Mul", [f"z{at}", state], f"kept{at}")
    rest = [node("Sub", ["one", f"z{at}"], f"rest{at}"), node("Mul", [f"n{at}", f"rest{at}"], f"new{at}")]
    order = [f"kept{at}", f"new{at}"] if turned else [f"new{at}", f"kept{at}"]
    return [kept, *rest, node("Add", order, f"sum{at}"), quant(f"sum{at}", f"h{at}", "hs", bits="seven")]


@pytest.mark.parametrize("turned", [False, True])
def test_gru(turned: bool, tmp_path: Path) -> None:
    """Two time steps from a state of 0."""
    weights = {f"{k}{m}0": random(*s) for k in "zn" for m, s in (("w", (3, 4)), ("r", (4, 4)))}
    nodes = [quant("x", "q"), *(quant(f"{k}{m}0", f"{k}{m}") for k in "zn" for m in "wr")]
    for step in (0, 1):
        state = "h_0" if step else "nothing"
        nodes += [*gates(step, state), *new_state(step, state, turned)]
    nodes += [quant("w0", "w"), node("MatMul", ["h_1", "w"], "y")]
    scales = dict(zip(("zs", "ns", "hs"), map(np.float32, SCALES), strict=True))
    held = constants(nothing=np.zeros((1, 4), np.float32), one=1.0, seven=7.0, sa=np.float32(0.02), w0=random(4, 2), **weights, **scales)
    made = streamlined(model(nodes, {"x": (1, 3)}, ["y"], held), tmp_path, frames=20)
    assert ops(made).count("int_mul") == 3  # z * n twice and z * h once: what is multiplied by the first state is gone


def test_products_with_nothing(tmp_path: Path) -> None:
    nodes = [
        quant("x", "q"),
        node("Mul", ["q", "nothing"], "m"),
        node("Add", ["m", "q"], "t"),
        quant("w0", "w"),
        node("MatMul", ["t", "w"], "y"),
    ]
    made = streamlined(model(nodes, {"x": (1, 3)}, ["y"], constants(nothing=np.zeros(3, np.float32), w0=random(3, 2))), tmp_path)
    assert ops(made) == ["int_conv"]
