"""Versions of a graph in step: every tensor that two of them share is compared, and nothing is kept for longer than it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.models import Model
from dfcompile.errors import CompileError
from dfcompile.frontend.importer import import_model
from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import IntAdd, IntConv, IntPad, Window
from dfcompile.streamline import check as checks
from dfcompile.streamline.lockstep import Lockstep
from dfcompile.streamline.pipeline import streamline


def chain(layers: int, size: int = 8, channels: int = 4) -> Graph:
    """1x1 convolutions by permutations, with a sum of the first and the last."""
    shape = (size, size, channels)
    nodes = [Node(f"n{i}", IntConv(), (f"t{i}", "w"), (f"t{i + 1}",)) for i in range(layers)]
    nodes.append(Node("sum", IntAdd((1, 1)), ("t1", f"t{layers}"), ("y",)))
    weights = np.eye(channels, dtype=np.int8)[::-1].reshape(channels, 1, 1, channels)
    tensors = {t: Tensor(shape) for t in (*(f"t{i}" for i in range(layers + 1)), "y")} | {"w": Tensor(weights.shape)}
    return Graph("chain", tuple(nodes), tensors, {"w": weights}, ("t0",), ("y",))


def frames(graph: Graph, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {t: rng.integers(-8, 8, (2, *graph.tensors[t].shape)).astype(np.float32) for t in graph.inputs}


def spoiled(graph: Graph, name: str) -> Graph:
    """The graph with another operator at one node: its sums are one too high."""

    class Wrong(IntConv):
        def execute(self, *inputs: Array) -> tuple[Array, ...]:
            (out,) = super().execute(*inputs)
            out[-1, -1, -1, -1] += 1
            return (out,)

    return graph.replace(nodes=tuple(replace(n, op=Wrong()) if n.name == name else n for n in graph.nodes))


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often convolutions are executed."""
    calls: Counter[str] = Counter()
    plain = IntConv.execute

    def execute(self: IntConv, *inputs: Array) -> tuple[Array, ...]:
        calls["conv"] += 1
        return plain(self, *inputs)

    monkeypatch.setattr(IntConv, "execute", execute)
    return calls


def test_outputs_are_those_of_the_graph() -> None:
    graph = chain(5)
    made = Lockstep([("a", graph), ("b", graph), ("c", graph)], frames(graph)).finish()
    np.testing.assert_array_equal(made["y"], graph.execute(frames(graph))["y"])


def test_what_a_pass_leaves_alone_is_executed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(6)
    calls = counted(monkeypatch)
    Lockstep([("a", graph)] * 4, frames(graph)).finish()
    assert calls["conv"] == 6


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("version", [1, 2])
def test_one_wrong_number_names_its_pass_and_tensor(layer: int, version: int) -> None:
    graph = chain(4)
    versions = [("encode", graph), ("first", graph), ("second", graph)]
    versions[version] = (versions[version][0], spoiled(graph, f"n{layer}"))
    with pytest.raises(CompileError, match=rf"pass {versions[version][0]} changed(.|\n)*tensor t{layer + 1}, frame 1, element 255"):
        Lockstep(versions, frames(graph)).finish()


def test_a_fault_in_the_first_version_is_no_excuse_for_the_next() -> None:
    graph = chain(4)
    with pytest.raises(CompileError, match="pass next changed the numbers"):
        Lockstep([("encode", spoiled(graph, "n1")), ("next", graph)], frames(graph)).finish()


def test_changed_constants_are_executed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal ones pass, another one is found."""
    graph = chain(3)
    calls = counted(monkeypatch)
    same = graph.replace(constants={"w": graph.constants["w"].astype(np.int64)})
    Lockstep([("a", graph), ("b", same)], frames(graph)).finish()
    assert calls["conv"] == 6
    with pytest.raises(CompileError, match="pass b changed the numbers"):
        Lockstep([("a", graph), ("b", graph.replace(constants={"w": 2 * graph.constants["w"]}))], frames(graph)).finish()


def test_nodes_that_a_pass_merges_are_compared_behind_them() -> None:
    """pad then convolution --> convolution with pads; with a wrong pad code the result differs."""
    pad, conv = Window(pads=(1, 1, 1, 1)), IntConv(Window((3, 3)))
    weights = np.ones((1, 3, 3, 1), np.int8)
    tensors = {"x": Tensor((4, 4, 1)), "p": Tensor((6, 6, 1)), "y": Tensor((4, 4, 1)), "w": Tensor(weights.shape)}
    nodes = (Node("p", IntPad(pad, 2), ("x",), ("p",)), Node("c", conv, ("p", "w"), ("y",)))
    before = Graph("g", nodes, tensors, {"w": weights}, ("x",), ("y",))
    for code in (2, 1):
        merged = IntConv(Window((3, 3), pads=(1, 1, 1, 1)), pad_code=code)
        after = before.replace(nodes=(Node("c", merged, ("x", "w"), ("y",)),))
        if code == 2:
            Lockstep([("a", before), ("merge", after)], frames(before)).finish()
        else:
            with pytest.raises(CompileError, match="pass merge changed the numbers"):
                Lockstep([("a", before), ("merge", after)], frames(before)).finish()


@pytest.mark.parametrize("layers", [4, 64])
def test_live_tensors_do_not_grow_with_depth(layers: int) -> None:
    """Alive at once: the input of a layer, its result, the tensor that the last sum reads, and the frames fed in."""
    graph = chain(layers)
    run = Lockstep([("a", graph), ("b", graph)], frames(graph), [f"t{i}" for i in range(1, layers + 1)])
    for i in range(1, layers + 1):
        run.take(f"t{i}")
    run.finish()
    assert run.most_bytes <= 4 * 2 * 8 * 8 * 4 * np.dtype(np.float32).itemsize


def test_the_self_check_of_a_deep_model_keeps_few_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    m = Model("deep")
    x = m.input("x", 8, 6, 6)
    for _ in range(12):
        x = m.relu(m.conv(x, 8))
    graph = import_model(m.write(tmp_path, x)).graph
    assert graph
    kept: list[Lockstep] = []

    class Watched(Lockstep):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            kept.append(self)

    monkeypatch.setattr(checks, "Lockstep", Watched)
    streamline(graph, {})
    assert kept[0].most_bytes <= 6 * 2 * 8 * 6 * 6 * np.dtype(np.float64).itemsize


def test_a_difference_that_no_output_shows_is_found() -> None:
    """The last layer's weights are 0."""
    graph = chain(3)
    nodes = (*graph.nodes[:3], Node("last", IntConv(), ("t3", "zero"), ("y",)))
    zero = np.zeros_like(graph.constants["w"])
    graph = graph.replace(nodes=nodes, constants={**graph.constants, "zero": zero}, tensors={**graph.tensors, "zero": Tensor(zero.shape)})
    with pytest.raises(CompileError, match=r"pass next changed(.|\n)*tensor t2"):
        Lockstep([("encode", graph), ("next", spoiled(graph, "n1"))], frames(graph)).finish()
