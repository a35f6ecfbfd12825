"""Where buffers and strips lie on chip: within the memory, and apart while both are in use."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dfcompile.errors import CompileError
from dfcompile.loopback.allocate import Placement, allocate, lifetimes, strip_planes, strip_words
from dfcompile.loopback.lower import lower
from dfcompile.loopback.lowered import Lowered
from tests.loopback.random_net import ENGINES, random_net

WORDS = (32, 64, 128, 512)


def check_apart(low: Lowered, placement: Placement, batch: int, size: int) -> int:
    """Hold all layers to it, by the lifetimes of the buffers alone; how many strips there are."""
    spans, strips = lifetimes(low), 0
    for index, layer in enumerate(low.layers):
        used = {b: (at, at + batch * low.buffers[b]) for b, at in placement.local.items() if spans[b][0] <= index <= spans[b][1]}
        made = placement.strips[layer.name]
        for tensor, places in made.places.items():
            planes = batch * strip_planes(low, layer, tensor, batch)
            words = strip_words(layer, low.storage[tensor], made.rows, planes, tensor == layer.dst)
            used |= {f"strip {i} of {tensor}": (at, at + words) for i, at in enumerate(places)}
            strips += len(places)
        for (a, (_, end)), (b, (start, _)) in pairwise(sorted(used.items(), key=lambda u: u[1])):
            assert end <= start, f"layer {layer.name}: {a} and {b} share words"
        assert all(first >= 0 and end <= size for first, end in used.values()), layer.name
    return strips


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("port", ENGINES)
def test_random_networks_lie_apart(port: str, batch: int) -> None:
    strips = 0
    for seed in range(40):
        _, graph = random_net(seed)
        for words in WORDS:
            config = replace(ENGINES[port], act_words=max(words, ENGINES[port].act_words // 8))
            low = lower(graph, config)
            if low.problems or not low.layers:
                continue
            try:
                placement = allocate(low, config, batch)
            except CompileError as e:
                assert {p.code for p in e.problems} == {"does-not-fit"}
                continue
            strips += check_apart(low, placement, batch, config.act_words)
    assert strips > 100
