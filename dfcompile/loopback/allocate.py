"""Which buffers stay in the activation memory, where, and which go to external memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dfcompile.errors import CompileError, Problem
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.layer import Layer
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.part import parts
from dfcompile.loopback.storage import Storage

Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where buffers lie.

    local:  buffer -> first word in the activation memory, for all images of the batch
    strips: layer -> (output rows of a strip, {tensor outside: word of its strip, two of them where there are several strips})
    outside: buffers in external memory; inputs and outputs of the network are there too
    """

    local: dict[str, int]
    strips: dict[str, Strips]
    outside: frozenset[str]


@dataclass(frozen=True, eq=False)
class Strips:
    """Rows of a strip, and the word of the strip of each tensor outside (alternating places): two may lie in one buffer."""

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
    lasting = low.states | {low.storage[t].buffer for t in (*low.inputs, *low.outputs)}
    for loop in low.loops:  # what lives beyond a turn has its place in all of them
        for name, (first, last) in spans.items():
            within = loop.first <= first and last < loop.end and name not in lasting
            if first < loop.end and last >= loop.first and not within:
                spans[name] = (min(first, loop.first), max(last, loop.end - 1))
    return spans


def _looped(low: Lowered) -> set[str]:
    """Buffers that loops touch: they are on chip."""
    layers = [x for loop in low.loops for x in low.layers[loop.first : loop.end]]
    return {low.storage[t].buffer for x in layers for t in (x.dst, *(o.tensor for o in x.operands))}


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


Words = tuple[int, int]


def _fit(busy: list[Words], size: int, words: int, top: bool) -> int | None:
    """First word of a free stretch between busy ones, the first that is long enough or at the end of the last."""
    found, at = None, 0
    for a, b in [*sorted(busy), (size, size)]:
        if a - at >= words:
            if not top:
                return at
            found = a - words
        at = max(at, b)
    return found


def allocate(low: Lowered, config: EngineConfig, batch: int) -> Placement:
    """Everything on chip that fits; the largest buffers go outside first. CompileError when a layer cannot run at all."""
    tries = _Tries(low, config, batch)
    start = 0
    while (found := tries.go_on(start)) is not None:
        candidates = [b for b, (first, last) in tries.spans.items() if first <= found <= last and tries.may_leave(b)]
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
        start = tries.send_outside(max(candidates, key=lambda b: (low.buffers[b], b)))
    return Placement(tries.local, tries.strips, frozenset(tries.outside))


class _Tries:
    """Tries to place buffers, each with one more outside than the last: what comes before that one's first layer stays as it was."""

    def __init__(self, low: Lowered, config: EngineConfig, batch: int) -> None:
        self.low, self.config, self.batch = low, config, batch
        self.outside = set(low.outside)
        self.spans = lifetimes(low)
        self.starting: list[list[str]] = [[] for _ in low.layers]
        for name in sorted(self.spans):
            self.starting[self.spans[name][0]].append(name)
        self.local: dict[str, int] = {}
        self.strips: dict[str, Strips] = {}
        self._writers = Counter(low.storage[layer.dst].buffer for layer in low.layers)
        self._looped = _looped(low)

    def may_leave(self, buffer: str) -> bool:
        """Strips hold whole rows, so a buffer that several layers fill piece by piece stays, and one with a pixel in front of its rows."""
        stays = self._looped | self.low.states
        return buffer not in self.outside and self._writers[buffer] <= 1 and buffer not in stays

    def send_outside(self, buffer: str) -> int:
        """Let a buffer be outside, and with several images what the array walks along with it; the first layer that has one of them."""
        before = set(self.outside)
        self.outside.add(buffer)
        if self.batch > 1:
            self._together()
        return min(self.spans[b][0] for b in self.outside - before)

    def _together(self) -> None:
        # The array walks all operands of a layer with one image stride: they are all on chip or all outside.
        for layer in self.low.layers:
            buffers = {self.low.storage[o.tensor].buffer for o in layer.operands}
            if buffers & self.outside:
                self.outside |= {b for b in buffers if self.may_leave(b)}

    def _words(self, buffer: str) -> Words:
        at = self.local[buffer]
        return at, at + self.batch * self.low.buffers[buffer]

    def go_on(self, start: int) -> int | None:
        """Place what layers from this one on are the first to use; the index of a layer that does not fit, or None."""
        low, layers = self.low, self.low.layers
        self.local = {b: at for b, at in self.local.items() if self.spans[b][0] < start}
        self.strips = {layer.name: self.strips[layer.name] for layer in layers[:start] if layer.name in self.strips}
        alive = [b for b in self.local if self.spans[b][1] >= start]
        for index in range(start, len(layers)):
            alive = [b for b in alive if self.spans[b][1] >= index]
            source = self.local.get(low.storage[layers[index].operands[0].tensor].buffer, 0)
            for name in self.starting[index]:
                if name in self.outside:
                    continue
                top = name == low.storage[layers[index].dst].buffer and source < self.config.act_words // 2
                at = _fit([self._words(b) for b in alive], self.config.act_words, self.batch * low.buffers[name], top)
                if at is None:
                    return index
                self.local[name] = at
                alive.append(name)
        return self._place_strips(len(self.strips))

    def _place_strips(self, start: int) -> int | None:
        low = self.low
        alive: list[str] = []
        for index, layer in enumerate(low.layers):
            alive = [b for b in alive if self.spans[b][1] >= index]
            alive += [b for b in self.starting[index] if b in self.local]
            if index < start:
                continue
            busy = [self._words(b) for b in alive]
            found = _strips(low, layer, busy, self.batch, self.outside, self.config)
            if found is None:
                return index
            self.strips[layer.name] = found
        return None


def _strips(low: Lowered, layer: Layer, busy: list[Words], batch: int, outside: set[str], config: EngineConfig) -> Strips | None:
    """The highest strips whose two copies fit into what the resident buffers leave free."""
    used = {o.tensor: False for o in layer.operands} | {layer.dst: True}
    away = {t: is_dst for t, is_dst in used.items() if low.storage[t].buffer in outside}
    height = layer.size[0]
    if not away:
        return Strips(height, {})
    counts = [n for n in range(1, height + 1) if n == 1 or -(-height // n) < -(-height // (n - 1))]
    # Two places for each strip, so that loads and stores run beside the array; one where two do not fit. Fewer than those that let the
    # array wait least load less of weights.
    moved = sum(batch * low.storage[t].planes * low.storage[t].height * low.storage[t].row for t in away) * config.word_beats
    wanted = parts(layer, low.storage, moved, config)
    several = [(n, 2) for n in counts if n >= wanted > 1]
    for count, copies in [*several, (1, 1), *((n, 2) for n in counts[1:]), *((n, 1) for n in counts[1:])]:
        rows = -(-height // count)
        taken = list(busy)
        places: dict[str, tuple[int, ...]] = {}
        for t, is_dst in away.items():
            words = strip_words(layer, low.storage[t], rows, batch * strip_planes(low, layer, t, batch), is_dst)
            found = []
            for _ in range(copies):
                at = _fit(taken, config.act_words, words, is_dst)
                if at is not None:
                    found.append(at)
                    taken.append((at, at + words))
            if len(found) < copies:
                break
            places[t] = tuple(found)
        else:
            return Strips(rows, places)
    return None
