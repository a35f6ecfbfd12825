"""Which buffers stay in the activation memory, where, and which go to external memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfcompile.errors import CompileError, Problem
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.storage import Storage

Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where buffers lie.

    local:  buffer -> first word in the activation memory, for all images of the batch
    strips: layer -> (output rows of a strip, {buffer: word of its strip, two of them where there are several strips})
    outside: buffers in external memory; inputs and outputs of the network are there too
    """

    local: dict[str, int]
    strips: dict[str, Strips]
    outside: frozenset[str]


@dataclass(frozen=True, eq=False)
class Strips:
    """Rows of a strip, and the word of each outside buffer's strip (alternating places)."""

    rows: int
    places: dict[str, tuple[int, ...]]


def lifetimes(low: Lowered) -> dict[str, Span]:
    """Buffer -> (layer that first writes it, layer that last uses it); inputs start at 0, outputs live to the end."""
    spans: dict[str, Span] = {}

    def use(tensor: str, at: int) -> None:
        name = low.storage[tensor].buffer
        first, last = spans.get(name, (at, at))
        spans[name] = (min(first, at), max(last, at))

    for t in low.inputs:
        use(t, 0)
    for i, layer in enumerate(low.layers):
        for o in layer.operands:
            use(o.tensor, i)
        use(layer.dst, i)
    for t in low.outputs:
        use(t, len(low.layers) - 1)
    return spans


def source_rows(layer: Layer, storage: Storage, first: int, rows: int) -> Span:
    """Rows of an operand that output rows first..first+rows-1 need."""
    win = layer.window
    low = first * win.stride[0] - win.pads[0]
    high = (first + rows - 1) * win.stride[0] - win.pads[0] + (win.kernel[0] - 1) * win.dilation[0]
    return max(0, min(low, storage.height - 1)), min(storage.height, max(high + 1, 1))


def strip_planes(low: Lowered, layer: Layer, tensor: str, batch: int) -> int:
    """Planes of an image in a strip: as many for all operands of a layer, which the array walks with one image stride."""
    together = [o.tensor for o in layer.operands] if batch > 1 and tensor != layer.dst else [tensor]
    return max(low.storage[t].planes for t in together)


def strip_words(layer: Layer, storage: Storage, rows: int, images: int, is_dst: bool) -> int:
    """Most words that a strip of an outside tensor takes on chip; images: planes of all images."""
    if is_dst:
        return images * rows * storage.row
    starts = range(0, layer.size[0], rows)
    most = max(b - a for a, b in (source_rows(layer, storage, s, min(rows, layer.size[0] - s)) for s in starts))
    return images * most * storage.row


class _Space:
    """First fit in address and time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken: list[tuple[int, int, Span]] = []

    def find(self, words: int, span: Span, top: bool) -> int | None:
        busy = sorted((a, b) for a, b, s in self.taken if s[0] <= span[1] and span[0] <= s[1])
        gaps = []
        at = 0
        for a, b in [*busy, (self.size, self.size)]:
            if a - at >= words:
                gaps.append((at, a))
            at = max(at, b)
        if not gaps:
            return None
        start = gaps[-1][1] - words if top else gaps[0][0]
        self.taken.append((start, start + words, span))
        return start

    def largest(self, span: Span) -> int:
        """Longest free stretch."""
        busy = sorted((a, b) for a, b, s in self.taken if s[0] <= span[1] and span[0] <= s[1])
        at = best = 0
        for a, b in [*busy, (self.size, self.size)]:
            best = max(best, a - at)
            at = max(at, b)
        return best


def allocate(low: Lowered, config: EngineConfig, batch: int) -> Placement:
    """Everything on chip that fits; the largest buffers go outside first. CompileError when a layer cannot run at all."""
    outside = set(low.outside)
    spans = lifetimes(low)
    for _ in range(len(spans) + 1):
        found = _attempt(low, config, batch, spans, outside)
        if isinstance(found, Placement):
            return found
        candidates = [b for b in spans if b not in outside and spans[b][0] <= found <= spans[b][1] and _may_leave(low, b)]
        if not candidates:
            layer = low.layers[found]
            raise CompileError(
                Problem(
                    "does-not-fit",
                    f"one row of layer {layer.name} does not fit into the activation memory",
                    f"nodes {', '.join(layer.source)}",
                    f"the engine holds {config.act_words:,} words of {config.simd} codes, less what must stay there whole: "
                    "concatenations, and what several layers fill piece by piece",
                    help="give the engine more act_words, or a smaller batch",
                )
            )
        outside.add(max(candidates, key=lambda b: (low.buffers[b], b)))
        if batch > 1:
            _together(low, outside)
    raise AssertionError("every round sends one buffer outside")


def _together(low: Lowered, outside: set[str]) -> None:
    """The array walks all operands of a layer with one image stride: they are all on chip or all outside."""
    for layer in low.layers:
        buffers = {low.storage[o.tensor].buffer for o in layer.operands}
        if buffers & outside:
            outside |= {b for b in buffers if _may_leave(low, b)}


def _may_leave(low: Lowered, buffer: str) -> bool:
    """Strips hold whole rows, so a buffer that several layers fill piece by piece stays."""
    writers = [layer for layer in low.layers if low.storage[layer.dst].buffer == buffer]
    return len(writers) <= 1


def _attempt(low: Lowered, config: EngineConfig, batch: int, spans: Mapping[str, Span], outside: set[str]) -> Placement | int:
    """A placement, or the index of the layer that does not fit."""
    space = _Space(config.act_words)
    local: dict[str, int] = {}
    strips: dict[str, Strips] = {}
    order = sorted(spans, key=lambda b: (spans[b][0], b))
    for index, layer in enumerate(low.layers):
        source = local.get(low.storage[layer.operands[0].tensor].buffer, 0)
        for name in (b for b in order if spans[b][0] == index and b not in outside):
            top = name == low.storage[layer.dst].buffer and source < config.act_words // 2
            at = space.find(batch * low.buffers[name], spans[name], top)
            if at is None:
                return index
            local[name] = at
    for index, layer in enumerate(low.layers):
        found = _strips(low, layer, index, space, batch, outside, config)
        if found is None:
            return index
        strips[layer.name] = found
    return Placement(local, strips, frozenset(outside))


def _strips(low: Lowered, layer: Layer, index: int, space: _Space, batch: int, outside: set[str], config: EngineConfig) -> Strips | None:
    """The highest strips whose two copies fit into what the resident buffers leave free."""
    used = {o.tensor: False for o in layer.operands} | {layer.dst: True}
    away = {t: is_dst for t, is_dst in used.items() if low.storage[t].buffer in outside}
    height = layer.size[0]
    if not away:
        return Strips(height, {})
    counts = [n for n in range(1, height + 1) if n == 1 or -(-height // n) < -(-height // (n - 1))]
    # Two places for each strip, so that loads and stores run beside the array; one where two do not fit.
    for count, copies in [(1, 1), *((n, 2) for n in counts[1:]), *((n, 1) for n in counts[1:])]:
        rows = -(-height // count)
        trial = _Space(space.size)
        trial.taken = list(space.taken)
        places: dict[str, tuple[int, ...]] = {}
        for t, is_dst in away.items():
            words = strip_words(layer, low.storage[t], rows, batch * strip_planes(low, layer, t, batch), is_dst)
            found = [trial.find(words, (index, index), is_dst) for _ in range(copies)]
            if None in found:
                break
            places[low.storage[t].buffer] = tuple(a for a in found if a is not None)
        else:
            space.taken = trial.taken
            return Strips(rows, places)
    return None
