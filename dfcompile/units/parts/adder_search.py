"""Sums of terms with few adders: shared pairs of terms, and trees of what is left.

A row is a sum of terms: a node, shifted, added or subtracted. Two terms that occur together in several rows, at the same distance and with
the same relative sign, are added once: the pair that is most frequent first, until none occurs twice (R. Hartley, Subexpression sharing in
filters using canonic signed digit multipliers, 1996). No row becomes deeper than the limit, which is that of the row with most terms.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from dfcompile.jit import compiled
from dfcompile.units.parts.adder_graph import ADD, NEGATE, REVERSE, SUB

Ints = NDArray[np.int64]
_WINDOW = 48  # terms of a long row among which the next two to add are looked for


@compiled
def _bits(lo: int, hi: int) -> int:
    """As `adder_graph.width`."""
    n = 0
    if lo < 0:
        most = max(-lo - 1, hi)
        n = 1
    else:
        most = hi
    while most > 0:
        most >>= 1
        n += 1
    return max(n, 1)


@compiled
def _cost(kind: int, left_lo: int, left_hi: int, right_lo: int, right_hi: int, shift: int) -> int:
    """Bits that an adder really adds, as `AdderGraph.adder_bits`."""
    a, b = right_lo << shift, right_hi << shift
    if kind == ADD:
        whole = _bits(left_lo + a, left_hi + b)
    elif kind == SUB:
        whole = _bits(left_lo - b, left_hi - a)
    else:
        whole = _bits(a - left_hi, b - left_lo)
    left = whole if left_lo < 0 else _bits(left_lo, left_hi)
    right = whole if right_lo < 0 else _bits(right_lo, right_hi) + shift
    if kind == ADD:
        return max(min(left, right, whole) - shift, 0)
    first = shift if kind == SUB else 0
    return max(min(max(left, right), whole) - first, 0)


@compiled
def _find(keys: Ints, key: int) -> int:
    """Place of a key in the table, or of the free entry where it belongs."""
    mask = len(keys) - 1
    h = key * 0x9E3779B97F4A7C1
    place = (h ^ (h >> 29)) & mask
    while keys[place] != -1 and keys[place] != key:
        place = (place + 1) & mask
    return place


@compiled
def _key(a: Ints, b: Ints) -> int:
    """Of two terms, whatever their order: nodes (the lower term's first), distance, and whether their signs differ."""
    if b[1] < a[1] or (b[1] == a[1] and b[0] < a[0]):
        a, b = b, a
    key: int = ((((a[0] << 22) | b[0]) << 6 | (b[1] - a[1])) << 1) | (1 if a[2] != b[2] else 0)
    return key


@compiled
def _grown(keys: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The same table with twice the room."""
    more, theirs = np.full(2 * len(keys), -1, np.int64), np.zeros(2 * len(keys), np.int64)
    for k in range(len(keys)):
        if keys[k] != -1:
            place = _find(more, keys[k])
            more[place] = keys[k]
            theirs[place] = counts[k]
    return more, theirs


@compiled
def _add(keys: Ints, counts: Ints, key: int, by: int) -> bool:
    """Count a pair; whether it is new."""
    place = _find(keys, key)
    counts[place] += by
    if keys[place] == -1:
        keys[place] = key
        return True
    return False


@compiled
def _count_all(terms: Ints, first: Ints, size: Ints) -> tuple[Ints, Ints, int]:
    """Table of all pairs, and how many entries it has."""
    keys, counts = np.full(1 << 12, -1, np.int64), np.zeros(1 << 12, np.int64)
    used = 0
    for row in range(len(first)):
        for i in range(first[row], first[row] + size[row]):
            while 2 * (used + size[row]) > len(keys):
                keys, counts = _grown(keys, counts)
            for j in range(first[row], i):
                used += _add(keys, counts, _key(terms[i], terms[j]), 1)
    return keys, counts, used


@compiled
def _saved(key: int, count: int, nodes: Ints) -> int:
    """Worth of sharing a pair: the adders that it saves; of as many, more where they are small, as their sums come again in other pairs."""
    i, j, shift, kind = key >> 29, (key >> 7) & 0x3FFFFF, (key >> 1) & 63, key & 1
    cost = _cost(kind, nodes[i, 4], nodes[i, 5], nodes[j, 4], nodes[j, 5], shift)
    return (count - 1) * 64 - cost


@compiled
def _places(key: int, terms: Ints, first: Ints, size: Ints, load: Ints, nodes: Ints, most: int, found: Ints) -> int:
    """Where a pair occurs: (lower, upper) term into `found`, no term twice, no row deeper than `most` allows; how often."""
    i, j, shift, differ = key >> 29, (key >> 7) & 0x3FFFFF, (key >> 1) & 63, key & 1
    count = 0
    more = (1 << (max(nodes[i, 6], nodes[j, 6]) + 1)) - (1 << nodes[i, 6]) - (1 << nodes[j, 6])
    for row in range(len(first)):
        start, stop, room = first[row], first[row] + size[row], most - load[row]
        before = count
        for a in range(start, stop):
            if terms[a, 0] != i or room < more:
                continue
            for b in range(start, stop):
                if b == a or terms[b, 0] != j or terms[b, 1] != terms[a, 1] + shift or (terms[a, 2] != terms[b, 2]) != (differ == 1):
                    continue
                taken = False
                for k in range(before, count):
                    taken |= found[k, 0] == a or found[k, 1] == a or found[k, 0] == b or found[k, 1] == b
                if not taken:
                    found[count, 0], found[count, 1], found[count, 2] = a, b, row
                    count += 1
                    room -= more
                break
    return count


@compiled
def _node(nodes: Ints, made: int, left: int, right: int, shift: int, kind: int) -> Ints:
    """Write node `made`; the table, perhaps grown."""
    if made == len(nodes):
        more = np.zeros((2 * made, nodes.shape[1]), np.int64)
        more[:made] = nodes
        nodes = more
    a, b = nodes[right, 4] << shift, nodes[right, 5] << shift
    lo, hi = nodes[left, 4], nodes[left, 5]
    if kind == ADD:
        low, high = lo + a, hi + b
    elif kind == SUB:
        low, high = lo - b, hi - a
    elif kind == REVERSE:
        low, high = a - hi, b - lo
    else:
        low, high = -hi, -lo
    nodes[made, :4] = left, right, shift, kind
    level = _cost(kind, lo, hi, nodes[right, 4], nodes[right, 5], shift) > 0
    nodes[made, 4:] = low, high, max(nodes[left, 6], nodes[right, 6]) + level
    return nodes


@compiled
def _replace(terms: Ints, size: Ints, first: Ints, place: Ints, made: int, keys: Ints, counts: Ints, new: list[int]) -> int:
    """Put node `made` for a pair of terms of a row, and count its pairs; how many entries the table grew by."""
    a, b, row = place
    one, other = terms[a].copy(), terms[b].copy()
    terms[a, 0] = made  # power and sign are the lower term's
    last = first[row] + size[row] - 1
    _add(keys, counts, _key(one, other), -1)
    used = 0
    for c in range(first[row], last + 1):
        if c != a and c != b:
            _add(keys, counts, _key(one, terms[c]), -1)
            _add(keys, counts, _key(other, terms[c]), -1)
            key = _key(terms[a], terms[c])
            if _add(keys, counts, key, 1):
                used += 1
                new.append(key)
    terms[b] = terms[last]
    size[row] -= 1
    return used


@compiled
def _moved(found: Ints, after: int, count: int, removed: int, last: int) -> None:
    """A term has moved from place `last` to `removed`."""
    for k in range(after, count):
        for side in range(2):
            if found[k, side] == last:
                found[k, side] = removed


@compiled
def _share(terms: Ints, first: Ints, size: Ints, load: Ints, nodes: Ints, made: int, most: int) -> tuple[Ints, int]:
    """Add pairs of terms that occur twice or more, the one that saves most first; the nodes and how many there are.

    terms: (n, 3) node, power, sign; those of a row begin at `first` and are `size`, which shrinks
    load:  of each row the sum of 2**level of its terms, at most `most`
    """
    keys, counts, used = _count_all(terms, first, size)
    heap = [(-_saved(k, c, nodes), k) for k, c in zip(keys, counts) if c > 1]  # noqa: B905 - numba knows no strict
    heapq.heapify(heap)
    found = np.empty((len(terms) + 1, 3), np.int64)
    while len(heap) > 0:
        worth, key = heapq.heappop(heap)
        place = _find(keys, key)
        if counts[place] < 2:
            continue
        if -worth != _saved(key, counts[place], nodes):
            heapq.heappush(heap, (-_saved(key, counts[place], nodes), key))
            continue
        count = _places(key, terms, first, size, load, nodes, most, found)
        if count < counts[place]:  # some overlap, or would make a row too deep: they never come back
            counts[place] = count
            if count > 1:
                heapq.heappush(heap, (-_saved(key, count, nodes), key))
            continue
        i, j = key >> 29, (key >> 7) & 0x3FFFFF
        nodes = _node(nodes, made, i, j, (key >> 1) & 63, key & 1)
        new = [0 for _ in range(0)]
        for k in range(count):
            row = found[k, 2]
            while 2 * (used + size[row]) > len(keys):
                keys, counts = _grown(keys, counts)
            last = first[row] + size[row] - 1
            used += _replace(terms, size, first, found[k], made, keys, counts, new)
            load[row] += (1 << nodes[made, 6]) - (1 << nodes[i, 6]) - (1 << nodes[j, 6])
            _moved(found, k + 1, count, found[k, 1], last)
        made += 1
        for key in new:
            if counts[_find(keys, key)] > 1:
                heapq.heappush(heap, (-_saved(key, counts[_find(keys, key)], nodes), key))
    return nodes, made


@compiled
def _joined(a: Ints, b: Ints, last_positive: bool, nodes: Ints) -> tuple[int, int, int, int, int, int, int]:
    """How two terms become one: bits, left, right, shift, kind, power and sign."""
    if b[1] < a[1] or (b[1] == a[1] and b[2] > a[2]):
        a, b = b, a
    shift = b[1] - a[1]
    kind, sign = (ADD, a[2]) if a[2] == b[2] else (SUB, a[2])
    if kind == SUB and sign < 0 and last_positive:
        kind, sign = REVERSE, 1
    cost = _cost(kind, nodes[a[0], 4], nodes[a[0], 5], nodes[b[0], 4], nodes[b[0], 5], shift)
    return cost, a[0], b[0], shift, kind, a[1], sign


@compiled
def _sum_up(terms: Ints, size: int, load: int, most: int, nodes: Ints, made: int) -> tuple[Ints, int]:
    """Add the terms of a row into its first, always two that need fewest bits and leave the row no deeper than `most`."""
    while size > 1:
        positive = 0
        for t in range(size):
            positive += terms[t, 2] > 0
        best, pair = (1 << 60, 0), (0, 0)
        for i in range(min(size, _WINDOW)):
            for j in range(i):
                a, b = nodes[terms[i, 0], 6], nodes[terms[j, 0], 6]
                deeper = max(a, b) + 1
                if load - (1 << a) - (1 << b) + (1 << deeper) > most:
                    continue
                cost = _joined(terms[i], terms[j], positive == 1, nodes)[0]
                if (cost, deeper) < best:
                    best, pair = (cost, deeper), (i, j)
        i, j = pair
        _, left, right, shift, kind, power, sign = _joined(terms[i], terms[j], positive == 1, nodes)
        load -= (1 << nodes[left, 6]) + (1 << nodes[right, 6])
        nodes = _node(nodes, made, left, right, shift, kind)
        load += 1 << nodes[made, 6]
        terms[j] = np.array([made, power, sign])
        terms[i] = terms[size - 1]
        made += 1
        size -= 1
    if size == 1 and terms[0, 2] < 0:
        nodes = _node(nodes, made, terms[0, 0], terms[0, 0], 0, NEGATE)
        terms[0, 0] = made
        made += 1
    return nodes, made


@compiled
def build(terms: Ints, first: Ints, size: Ints, nodes: Ints, made: int) -> tuple[Ints, int]:
    """All rows from their terms; the first term of a row is then the row."""
    load = np.zeros(len(first), np.int64)
    for row in range(len(first)):
        for t in range(first[row], first[row] + size[row]):
            load[row] += 1 << nodes[terms[t, 0], 6]
    most = 1
    while most < np.max(load):
        most *= 2
    nodes, made = _share(terms, first, size, load, nodes, made, most)
    for row in range(len(first)):
        nodes, made = _sum_up(terms[first[row] :], size[row], load[row], most, nodes, made)
    return nodes, made
