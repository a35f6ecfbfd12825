"""Weights that take few values are quantized, whoever chose the values; what is left to refuse, or to prune, is told."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from dfcompile.errors import CompileError
from dfcompile.streamline.pipeline import streamline
from tests.examples import examples
from tests.frontend.make import graph_of, model
from tests.frontend.small import constants, quant
from tests.streamline.exactly import streamlined

RNG = np.random.default_rng(11)


def levels(count: int) -> np.ndarray:
    """Real numbers of float32 without any common step."""
    return RNG.normal(size=count).astype(np.float32)


def conv(weights: Any, *nodes: onnx.NodeProto, **held: Any) -> onnx.ModelProto:
    """x --> Quant --> Conv --> Quant."""
    first = [] if nodes else [helper.make_node("Identity", ["w"], ["wq"])]
    kept = {} if weights is None else {"w": weights}
    layers = [quant("x", "q"), *first, *nodes, helper.make_node("Conv", ["q", "wq"], ["y"]), quant("y", "out")]
    return model(layers, {"x": (1, 4, 6, 6)}, ["out"], constants(**kept, **held))


@pytest.mark.parametrize("count", [2, 3, 8, 16])
def test_levels_of_a_tensor(count: int, tmp_path: Path) -> None:
    streamlined(conv(RNG.choice(levels(count), (5, 4, 3, 3))), tmp_path)


def test_levels_of_each_channel(tmp_path: Path) -> None:
    """Sixteen in every one of 32 channels, more than 256 in all."""
    weights = np.stack([RNG.choice(levels(16), (4, 3, 3)) for _ in range(32)])
    assert len(np.unique(weights)) > 256
    streamlined(conv(weights), tmp_path)


@examples(40)
@given(st.integers(0, 10**6))
def test_levels_of_any_sizes_without_a_quantizer_behind(seed: int) -> None:
    """Two to five float32 numbers for a tensor, for each channel, or times a gain each; codes behind are sums of what is stored."""
    rng = np.random.default_rng(seed)
    outputs, count, each, gain = int(rng.integers(1, 6)), int(rng.integers(2, 6)), rng.random() < 0.4, rng.random() < 0.3
    books = rng.normal(size=(outputs if each else 1, count)).astype(np.float32)
    books[:, 0] = 0 if rng.random() < 0.7 else books[:, 0]
    weights = np.stack([rng.choice(books[i % len(books)], (6, 2, 2)) for i in range(outputs)])
    weights *= rng.uniform(0.5, 2, (outputs, 1, 1, 1)).astype(np.float32) if gain else np.float32(1)
    layers = [quant("x", "q"), helper.make_node("Conv", ["q", "w"], ["y"])]
    with TemporaryDirectory() as folder:
        streamlined(model(layers, {"x": (1, 6, 3, 3)}, ["y"], constants(w=weights)), Path(folder))


def same_integers(proto: onnx.ModelProto, weights: np.ndarray, folder: Path) -> None:
    """The integers are those of the stored weights, which exact arithmetic has seen."""
    found, wanted = streamline(graph_of(proto, folder), {}), streamlined(conv(weights), folder)
    for made in (found, wanted):
        assert [n.op.kind for n in made.graph.nodes] == ["int_conv", "threshold"]
    a, b = (m.graph.constants[m.graph.nodes[0].inputs[1]] for m in (found, wanted))
    np.testing.assert_array_equal(a, b)


def test_a_codebook_by_gather(tmp_path: Path) -> None:
    book, index = levels(8), RNG.integers(0, 8, (5, 4, 3, 3))
    nodes = (helper.make_node("Gather", ["book", "index"], ["wq"]),)
    same_integers(conv(None, *nodes, book=book, index=index), book[index], tmp_path)


def test_unequal_ternary_by_where(tmp_path: Path) -> None:
    nodes = (helper.make_node("Where", ["rises", "up", "none"], ["p"]), helper.make_node("Where", ["falls", "down", "p"], ["wq"]))
    signs = RNG.integers(-1, 2, (5, 4, 3, 3))
    up, down = np.float32(0.731), np.float32(-1.1931)
    held = {"up": up, "down": down, "none": np.float32(0), "rises": signs > 0, "falls": signs < 0}
    same_integers(conv(None, *nodes, **held), np.where(signs > 0, up, np.where(signs < 0, down, np.float32(0))), tmp_path)


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("dead", [False, True], ids=["some", "whole kernels and channels"])
def test_a_mask_behind_the_quantizer(group: int, dead: bool, tmp_path: Path) -> None:
    """Quantized weights times 0 or 1, and times another gain where they stay."""
    weights = RNG.normal(size=(4, 4 // group, 3, 3)).astype(np.float32)
    mask = (RNG.random(weights.shape) < 0.5) * np.float32([0.3, 0.7, 0.7, 0.3]).reshape(4, 1, 1, 1)
    if dead:
        mask[1], mask[2, 0] = 0, 0
    nodes = (quant("w", "wide"), helper.make_node("Mul", ["wide", "mask"], ["wq"]))
    layers = [quant("x", "q"), *nodes, helper.make_node("Conv", ["q", "wq"], ["y"], group=group), quant("y", "out")]
    proto = model(layers, {"x": (1, 4, 6, 6)}, ["out"], constants(w=weights, mask=mask.astype(np.float32)))
    made = streamlined(proto, tmp_path)
    stored = [made.graph.constants[n.inputs[1]] for n in made.graph.nodes if n.op.kind == "int_conv"]
    assert all(np.abs(w).max() <= 8 for w in stored)


def test_scales_that_differ_within_a_kernel(tmp_path: Path) -> None:
    """The products lie on a grid, or are few: they are taken as what they are."""
    weights, gains = RNG.normal(size=(5, 4, 3, 3)).astype(np.float32), np.float32([0.5, 0.3, 1.5]).reshape(1, 1, 1, 3)
    nodes = (quant("w", "wide"), helper.make_node("Mul", ["wide", "gains"], ["wq"]))
    streamlined(conv(weights, *nodes, gains=gains), tmp_path)


def test_levels_are_taken_as_stored_whatever_their_sums_need(tmp_path: Path) -> None:
    """Inputs of 27 bits times levels of 25: sums of more than 53 bits, and no step that may be a coincidence in their place."""
    weights = np.random.default_rng(1).choice(np.float32([-0.3713562, 0, 0.5298131]), (5, 4, 3, 3))
    layers = [quant("x", "q", bits="fine"), helper.make_node("Conv", ["q", "w"], ["y"]), quant("y", "out")]
    made = streamlined(model(layers, {"x": (1, 4, 6, 6)}, ["out"], constants(w=weights, fine=np.float32(27))), tmp_path)
    sums = next(n for n in made.graph.nodes if n.op.kind == "int_conv")
    assert made.graph.tensors[sums.outputs[0]].codes.bits > 53
    assert sum("taken exactly as they are" in text for text in made.fates.values()) == 1


def test_levels_too_far_apart(tmp_path: Path) -> None:
    weights = RNG.choice(np.float32([1e-6 / 3, 1 / 3, 3e5 / 7]), (5, 4, 3, 3))
    with pytest.raises(CompileError) as caught:
        streamlined(conv(weights), tmp_path)
    (problem,) = caught.value.problems
    assert problem.code == "wide-levels" and "3 levels" in problem.what


@pytest.mark.parametrize("shape", [(3, 4, 3, 3), (64, 4, 3, 3)])
def test_real_weights_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        streamlined(conv(RNG.normal(size=shape).astype(np.float32)), tmp_path)
    (problem,) = caught.value.problems
    assert problem.code == "not-quantized" and "36 different values" in problem.why


def test_what_is_pruned_is_told(tmp_path: Path) -> None:
    """Beside what became of the layer, by which `explain` shows it."""
    weights = np.random.default_rng(11).choice(levels(3), (5, 4, 3, 3))
    weights[:, :, 0] = weights[:, :, 2] = 0
    made = streamlined(conv(weights), tmp_path)
    (told,) = (text for text in made.fates.values() if "window" in text)
    assert "; taps of its 3x3 window are 0 in every kernel: 1x3 are left" in told
    assert re.search(r"weights of few sizes take \d+ bits in place of \d+, every code behind the same$", told)
