"""Turns of a loop that are alike, written once: before --> after, descriptors

    turn a, turn a + 1, ..., turn b - 1  -->  REPEAT b - a times, turn a

Turns are alike where their descriptors differ in what tiles of one output read and write first, by as much from turn to turn. What the
program does is that of all turns, which is what its tokens, its cycles and its proof are of: the engine's reader alone knows of the
shorter form.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dfcompile.loopback.config import ADDRESS_BITS, EngineConfig
from dfcompile.loopback.descriptor import Compute, Descriptor, Opcode, Transfer, changed
from dfcompile.loopback.step import Step

WRAP = (1 << ADDRESS_BITS) - 1


@dataclass(frozen=True)
class Repeat:
    """`length` steps from `first` on are turns of a loop that the next ones are like: `times` in all."""

    first: int
    length: int
    times: int
    body: tuple[Descriptor, ...]

    def beats(self, config: EngineConfig) -> int:
        """Bus words of a turn."""
        return sum(d.BITS for d in self.body) // config.bus_bits


def repeats(steps: Sequence[Step], config: EngineConfig) -> list[Repeat]:
    """The turns that a program has once, for an engine that repeats them."""
    if not config.repeat_bits:
        return []
    found: list[Repeat] = []
    loop: list[int] = []  # where its turns begin
    for i, step in enumerate((*steps, None)):
        turn = step.turn if step else -1
        if loop and (turn < 0 or turn == 0 != steps[i - 1].turn):
            found += _alike(steps, [*loop, i], config)
            loop = []
        if turn >= 0 and (not loop or turn != steps[i - 1].turn):
            loop.append(i)
    return found


def _alike(steps: Sequence[Step], bounds: list[int], config: EngineConfig) -> list[Repeat]:
    """The most turns in a row that are alike, of those between the bounds."""
    turns = [[s.descriptor for s in steps[a:b]] for a, b in itertools.pairwise(bounds)]
    best = (0, 0)
    first = 0
    for k in range(1, len(turns)):
        if not _same(turns[k - 1], turns[k]) or (k - first > 1 and _moves(turns[k - 1], turns[k]) != _moves(turns[k - 2], turns[k - 1])):
            first = k if not _same(turns[k - 1], turns[k]) else k - 1
        if k - first + 1 >= (1 << config.repeat_bits):
            first += 1
        best = max(best, (k - first + 1, -first))
    times, first = best[0], -best[1]
    if times < 2:
        return []
    pairs = zip(turns[first], _moves(turns[first], turns[first + 1]), strict=True)
    body = tuple(changed(d, src_w=src, dst_w=dst) if _is_moved(d) else d for d, (src, dst) in pairs)
    return [Repeat(bounds[first], len(body), times, body)]


def _is_moved(d: Descriptor) -> bool:
    return isinstance(d, Compute) and d.width_out == 1


def _same(a: Sequence[Descriptor], b: Sequence[Descriptor]) -> bool:
    """Whether descriptors of two turns differ at most in where tiles of one output begin."""
    return [_still(d) for d in a] == [_still(d) for d in b]


def _still(d: Descriptor) -> Descriptor:
    return changed(d, src=0, dst=0, src_w=0, dst_w=0) if _is_moved(d) else d


def _moves(a: Sequence[Descriptor], b: Sequence[Descriptor]) -> list[tuple[int, int]]:
    """How much further tiles read and write in the next turn."""
    return [_between(x, y) for x, y in zip(a, b, strict=True)]


def _between(a: Descriptor, b: Descriptor) -> tuple[int, int]:
    return (b.src - a.src, b.dst - a.dst) if isinstance(a, Compute) and isinstance(b, Compute) else (0, 0)


def folded(steps: Sequence[Step], found: Iterable[Repeat], config: EngineConfig) -> Iterator[Descriptor]:
    """The descriptors of a program as they lie in memory."""
    at = 0
    for r in found:
        yield from (s.descriptor for s in steps[at : r.first])
        yield Transfer(opcode=Opcode.REPEAT, inner=r.times, beats=r.beats(config))
        yield from r.body
        at = r.first + r.length * r.times
    yield from (s.descriptor for s in steps[at:])


def unfolded(descriptors: Sequence[Descriptor], config: EngineConfig) -> Iterator[Descriptor]:
    """The descriptors that an engine runs of a program; a REPEAT that it cannot read as one stays."""
    at = 0
    while at < len(descriptors):
        d = descriptors[at]
        at += 1
        length = _length(descriptors, at, d, config) if isinstance(d, Transfer) and d.opcode == Opcode.REPEAT else 0
        if not length:
            yield d
            continue
        assert isinstance(d, Transfer), "nothing else has turns"
        for turn in range(d.inner):
            yield from (_moved(x, turn) for x in descriptors[at : at + length])
        at += length


def _length(descriptors: Sequence[Descriptor], at: int, d: Transfer, config: EngineConfig) -> int:
    """Descriptors that a REPEAT before descriptor `at` repeats; 0 where it cannot."""
    left, end = d.beats * config.bus_bits, at
    while left > 0 and end < len(descriptors) and descriptors[end].opcode != Opcode.REPEAT:
        left -= descriptors[end].BITS
        end += 1
    return end - at if left == 0 and 1 <= d.inner < 1 << config.repeat_bits else 0


def _moved(d: Descriptor, turn: int) -> Descriptor:
    if not isinstance(d, Compute) or d.width_out != 1:
        return d
    return changed(d, src=(d.src + turn * d.src_w) & WRAP, dst=(d.dst + turn * d.dst_w) & WRAP)
