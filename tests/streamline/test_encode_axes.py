"""Orders of elements as exchanges of neighbouring axes."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from dfcompile.streamline.encode_axes import exchanges
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random
from tests.streamline.exactly import ops, streamlined


def exchanged(size: int, swaps: list[tuple[int, int, int, int]]) -> Any:
    found = np.arange(size)
    for swap in swaps:
        found = found.reshape(swap).transpose(0, 2, 1, 3).ravel()
    return found


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4), (3, 2, 1, 5), (2, 3, 2, 5), (2, 2, 2, 2), (7,)])
def test_every_exchange_of_axes(shape: tuple[int, ...]) -> None:
    elements = np.arange(np.prod(shape)).reshape(shape)
    for axes in permutations(range(len(shape))):
        order = elements.transpose(axes).ravel()
        swaps = exchanges(order)
        assert swaps is not None and len(swaps) < len(shape)
        np.testing.assert_array_equal(exchanged(order.size, swaps), order)


STRANGE = [[1, 0], [0, 2, 1], [0, 1, 3, 2], [2, 3, 0, 1], [0, 1, 2, 4, 5, 3], [0, 0, 1, 1], [0, 3, 6, 9, 1, 4, 7, 11, 2, 5, 8, 10]]


@pytest.mark.parametrize("order", STRANGE)
def test_orders_of_another_kind(order: list[int]) -> None:
    assert exchanges(np.array(order)) is None


def test_a_gap_is_no_exchange() -> None:
    assert exchanges(np.array([0, 2, 4, 6])) is None
    assert exchanges(np.array([0, 4, 1, 5])) is None


MOVES: dict[str, tuple[int, list[tuple[str, dict[str, Any]]]]] = {
    "transposed": (4, [("Transpose", {"perm": [0, 1, 3, 2]})]),
    "depth to space": (1, [("DepthToSpace", {"blocksize": 2, "mode": "CRD"})]),
    "space to depth": (16, [("SpaceToDepth", {"blocksize": 2})]),
    "rows for channels": (6, [("Transpose", {"perm": [0, 2, 1, 3]})]),
}


@pytest.mark.parametrize("move", MOVES)
def test_moves_between_layers(move: str, tmp_path: Path) -> None:
    """No matrix of as many rows as there are elements, whatever moves: windows as high as what moves behind."""
    channels, nodes = MOVES[move]
    layers = [quant("x", "q"), quant("w", "wq"), helper.make_node("Conv", ["q", "wq"], ["c"]), quant("c", "m0")]
    layers += [helper.make_node(op, [f"m{i}"], [f"m{i + 1}"], **attributes) for i, (op, attributes) in enumerate(nodes)]
    layers += [quant("v", "vq"), helper.make_node("Conv", [f"m{len(nodes)}", "vq"], ["y"])]
    held = constants(w=random(4, 2, 1, 1), v=random(3, channels, 1, 1))
    made = streamlined(model(layers, {"x": (1, 2, 6, 4)}, ["y"], held), tmp_path)
    assert "int_unfold" in ops(made)
    assert max(c.size for c in made.graph.constants.values()) < 300
