"""Integers behind stored real weights: numbers that lie on a coarse grid, or are float32 roundings of one.

Exporters fold the quantizer of a weight into float32 numbers. What was rounded is recovered where one step, per tensor
or per output channel, gives back every single number, float32(n * step) == w, and where that is no coincidence.

Two numbers of any sizes have such a step, for counts n large enough: it says nothing. Be w_1 < .. < w_m the distinct sizes and
n_1 .. n_m their counts. With n_m chosen, the step is known to half a unit in the last place of w_m, and for w_i to be met, one of the
numbers w_i / n, which lie 1 / n_i apart, relatively, has to fall into a window as wide as the units in the last place of both,
u_i + u_m, relatively. Sizes that have nothing to do with each other do so in n_i * (u_i + u_m) of the cases (about n_i / 2**22), so

    E = n_m * product over i < m of min(1, n_i * (u_i + u_m))

bounds how many steps of a largest count up to n_m are to be expected by chance, and so the probability that there is one at all.
It is about 2**-8 for two sizes of 8 bits, 2**-41 for three of 3 bits, and beyond any doubt for the many levels of a quantizer. Steps
of channels tell more together: were they chance, the E of each would be an even number of 0 .. 1 at best, and so many products of so
many are as small (Fisher's method). Channels that share numbers, or counts, with one before do not tell anything new: those of two trained
levels times a gain each have all the same ratio. Products that are not rounded need no proof, as taking them changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.modelop import Conv, ConvTranspose, Dequantize, MatMul
from dfcompile.streamline.decline import Decline, in_silence
from dfcompile.streamline.grid import common_scale, fractions

LARGEST_COUNTS = (2**8, 2**15)
"""Largest |n| of a step: first as quantizers of 8 bits have it (zero-point included), then of 16."""
LARGEST_EXACT = 2**16
LARGEST_NARROW = 2**32
"""Largest integer of an exact grid; of numbers of at most 8 significant bits (bfloat16, 8-bit floats) larger ones are meant so."""
LARGEST_LEVEL = 2**40
"""Largest integer of a codebook's levels, which are taken exactly as they are."""
MOST_LEVELS = 256
MOST_CHANCE = -22.0
"""Logarithm (base 2) of the largest probability that a step is a coincidence: two sizes whose products are rounded never get there."""
_SIEVE = 16
_SAMPLE = 2**16


@dataclass(frozen=True, eq=False)
class Steps:
    """w = float32(codes * step) everywhere; step: () or with one entry for each output channel, broadcastable to the codes.

    chance: logarithm (base 2) of a bound of the probability that numbers of any sizes have such steps; -inf where nothing is rounded
    """

    codes: Array
    step: Array
    chance: float

    @property
    def bits(self) -> int:
        """Bits of the signed integers."""
        return int(np.abs(self.codes).max(initial=0)).bit_length() + 1

    @property
    def is_proved(self) -> bool:
        """Whether these are what the weights were folded from: no coincidence."""
        return self.chance <= MOST_CHANCE


def exact_grid(row: Array, most: int) -> tuple[Fraction, Array] | None:
    """Numbers as scale * integers of at most `most`, exactly; None when there is no such scale."""
    levels, places = np.unique(np.abs(row), return_inverse=True)
    if len(levels) > most + 1:
        return None
    if not levels.any():
        return Fraction(1), np.zeros(row.shape, np.int64)
    scale, counts = common_scale(fractions(levels))
    if max(counts) > most:
        return None
    return scale, (np.sign(row) * np.array(counts)[places.reshape(row.shape)]).astype(np.int64)


def is_narrow(real: Array) -> bool:
    """Whether no number has more than 8 significant bits."""
    significand = np.frexp(real)[0] * 2**8
    return bool(np.array_equal(significand, np.rint(significand)))


def levels_of(real: Array) -> tuple[int, bool]:
    """How many levels weights (outputs, ...) have, over all or in the output channel that has most, and whether they are a codebook.

    Weights that take few values are quantized, whoever chose the values: up to 256 in a tensor, or 16 in each channel, each used twice
    or more on average.
    """
    whole = len(np.unique(real))
    if whole <= MOST_LEVELS and real.size >= 2 * whole:
        return whole, True
    rows = [len(np.unique(row)) for row in real]
    return max(rows), max(rows) <= MOST_LEVELS // 16 and real[0].size >= 2 * max(rows)


def find_steps(real: Array, axis: int | None) -> Steps | None:
    """One step for a tensor of float32 numbers, or for each place along `axis` where that takes fewer bits; None when there is none.

    The integers are the smallest for which there is a step. Steps that may be a coincidence are given where there are no others.
    """
    whole = _steps(real)
    proved = whole is not None and whole.is_proved
    if axis is None or (whole is not None and proved and whole.bits <= LARGEST_COUNTS[0].bit_length()):
        return whole
    parts = []
    for part in np.moveaxis(real, axis, 0):
        found = _steps(part)
        if found is None:
            return whole
        parts.append(found)
    shape = tuple(-1 if i == axis else 1 for i in range(real.ndim))
    steps = np.array([float(p.step) for p in parts]).reshape(shape)
    split = Steps(np.stack([p.codes for p in parts], axis), steps, _together(parts))
    if whole is None or split.is_proved != proved:
        return split if whole is None or split.is_proved else whole
    return split if split.bits < whole.bits else whole


def _together(parts: list[Steps]) -> float:
    """The chance of the steps of all channels, by those that share neither numbers (but for powers of two) nor counts with one before."""
    seen: set[tuple[float, ...] | float] = set()
    chances: list[float] = []
    for part in parts:
        counts = np.unique(np.abs(part.codes))
        numbers = np.frexp((counts[counts > 0] * float(part.step)).astype(np.float32))[0].tolist()
        if part.chance > -math.inf:
            tells = [*numbers, tuple(counts.tolist())]
            if seen.isdisjoint(tells):
                chances.append(min(part.chance, 0.0))
            seen.update(tells)
    return product_by_chance(chances)


def product_by_chance(chances: list[float]) -> float:
    """log2 of the probability that a product of so many even numbers of 0..1 is at most that of 2**chances; -inf of none."""
    x = -math.log(2) * sum(chances)
    if not chances or x <= 0:
        return 0.0 if chances else -math.inf
    terms = [j * math.log(x) - math.lgamma(j + 1) for j in range(len(chances))]
    return (max(terms) + math.log(sum(math.exp(t - max(terms)) for t in terms)) - x) / math.log(2)


def _steps(real: Array) -> Steps | None:
    """One step; found on a sample, and where that does not serve all numbers, on all."""
    flat = np.abs(real).ravel()
    if not flat.any():
        return Steps(np.zeros(real.shape, np.int64), np.array(1.0), -math.inf)
    sample = flat[:: -(-flat.size // _SAMPLE)]
    for some in (np.append(sample, flat.max()), flat):
        sizes = np.unique(some)
        sizes = sizes[sizes > 0]
        step = _step(sizes)
        if step is None:
            return None
        codes = np.rint(real / step).astype(np.int64)
        if _gives_back(real.ravel(), codes.ravel(), step):
            return Steps(codes, np.array(step), _chance(sizes, step))
    return None


def _step(sizes: Array) -> float | None:
    """A step for rising positive numbers, with the smallest count of the largest one."""
    low, high = _roundings(sizes)
    for most in LARGEST_COUNTS:
        if len(sizes) > most:
            continue
        for m in _candidates(sizes, low, high, most):
            counts = np.rint(sizes * (m / sizes[-1])).astype(np.int64)
            for step in _between(float(np.max(low / counts)), float(np.min(high / counts))):
                if _gives_back(sizes, counts, step):
                    return step
    return None


def _chance(sizes: Array, step: float) -> float:
    """log2 of how many steps of such counts or smaller ones rising numbers of any sizes have; -inf where nothing is rounded."""
    counts = np.rint(sizes / step)
    if np.float32(step) == step and np.array_equal(counts * step, sizes):
        return -math.inf
    low, high = _roundings(sizes)
    widths = (high - low) / sizes
    met = np.log2(counts * (widths + widths[-1]))[:-1]
    return float(np.log2(counts[-1]) + np.minimum(met, 0).sum())


def _roundings(real: Array) -> tuple[Array, Array]:
    """The interval of the numbers that float32 rounds to each (its ends belong to every second one)."""
    narrow = real.astype(np.float32)
    below, above = (np.nextafter(narrow, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf))
    return (real + below) / 2, (real + above) / 2


def _candidates(sizes: Array, low: Array, high: Array, most: int) -> Iterator[int]:
    """Counts of the largest number for which a step could serve all: sieved with a few numbers, then with all."""
    m = np.arange(1, most + 1)[:, None]
    few = np.unique(np.linspace(0, len(sizes) - 1, _SIEVE).astype(int))
    slack = 1 + 2.0**-50  # of the divisions
    counts = np.maximum(np.rint(sizes[few] * (m / sizes[-1])), 1)
    open_ = (low[few] / counts).max(axis=1) <= (high[few] / counts).min(axis=1) * slack
    for k in m[open_, 0]:
        counts = np.rint(sizes * (k / sizes[-1]))
        if counts[0] >= 1 and (low / counts).max() <= (high / counts).min() * slack:
            yield int(k)


def _between(low: float, high: float) -> Iterator[float]:
    """Steps to try: a float32 number, as a quantizer's scale is, else any."""
    middle = (low + high) / 2
    narrow = np.float32(middle)
    for near in (narrow, np.nextafter(narrow, np.float32(0)), np.nextafter(narrow, np.float32(np.inf))):
        if low <= near <= high:
            yield float(near)
    yield middle


def _gives_back(real: Array, codes: Array, step: float) -> bool:
    """Whether float32(n * step) is every number: the product is exact in float64 for a float32 step, else found in rationals."""
    if np.float32(step) == step:
        return bool(np.array_equal((codes * step).astype(np.float32), real.astype(np.float32)))
    pairs, places = np.unique(np.stack([real, codes]), axis=1, return_index=True)
    low, high = (a.tolist() for a in _roundings(real[places]))
    even = (real[places].astype(np.float32).view(np.uint32) & 1) == 0
    products = (Fraction(step) * int(n) for n in pairs[1])
    rows = zip(products, low, high, even.tolist(), strict=True)
    return all((a <= p <= b) if ends else (a < p < b) for p, a, b, ends in rows)


def recover_weight_steps(model: Graph, decline: Decline = in_silence) -> tuple[Graph, dict[str, str]]:
    """real weights w --> dequantize(n, step, 0), where w = float32(n * step); and for each layer a sentence for `explain`.

    Weights on an exact grid of small integers, those of narrow formats, and those whose step may be a coincidence are left to be taken as
    they are.
    """
    nodes: list[Node] = []
    constants, tensors, notes = dict(model.constants), dict(model.tensors), {}
    for node in model.nodes:
        place = _weights_of(node, model)
        if place is not None and place[0] in constants and _is_rounded(constants[place[0]], place[1]):
            name, axis = place
            found = find_steps(constants[name], axis)
            if found is not None and found.is_proved:
                nodes.append(_dequantized(name, found, constants, tensors))
                notes[node.name] = _proof(found)
            elif (few := levels_of(constants[name]))[1]:
                notes[node.name] = f"stored real weights have up to {few[0]} levels, taken exactly as they are: {_doubt(found)}"
            else:
                decline(node, _doubt(found))
        nodes.append(node)
    return model.replace(nodes=tuple(nodes), constants=constants, tensors=tensors), notes


def _proof(found: Steps) -> str:
    many = f"a step for each of {found.step.size} output channels" if found.step.size > 1 else f"step {float(found.step):.9g}"
    how = "nothing is rounded" if found.chance == -math.inf else f"a coincidence has a probability below 2**{math.ceil(found.chance)}"
    return f"stored real weights are float32(n * step), n of {found.bits} bits, {many}: taken as n * step ({how})"


def _doubt(found: Steps | None) -> str:
    if found is None:
        return f"no step gives back its real weights as multiples of at most {LARGEST_COUNTS[-1]}"
    most = int(np.abs(found.codes).max())
    return f"a step gives them back as multiples of at most {most}, which numbers of any sizes have as well, of a probability up to " + (
        f"2**{math.ceil(found.chance)}" if found.chance < 0 else "1"
    )


def _weights_of(node: Node, model: Graph) -> tuple[str, int | None] | None:
    """The constant real weights that a layer reads, and their axis of output channels."""
    axis: int | None
    if isinstance(node.op, Conv):
        slot, axis = 1, 0
    elif isinstance(node.op, ConvTranspose):
        slot, axis = 1, 1 if node.op.groups == 1 else None
    elif isinstance(node.op, MatMul):
        slot = 0 if node.inputs[0] in model.constants else 1
        axis = -1 if slot else -2
    else:
        return None
    name = node.inputs[slot]
    rank = model.constants[name].ndim if name in model.constants else 0
    return (name, None if axis is None else axis % rank) if rank >= 2 else None


def _is_rounded(real: Array, axis: int | None) -> bool:
    """Whether weights are float32 numbers that can be roundings of others; else they are left to be taken as they are."""
    if real.dtype.kind != "f" or is_narrow(real) or not np.array_equal(real.astype(np.float32), real):
        return False
    return not all(exact_grid(row, LARGEST_COUNTS[0]) for row in np.moveaxis(real, axis or 0, 0))


def _dequantized(name: str, found: Steps, constants: dict[str, Array], tensors: dict[str, Tensor]) -> Node:
    parts = {f"{name}.codes": found.codes, f"{name}.step": found.step, f"{name}.zero": np.array(0.0)}
    del constants[name]
    constants.update(parts)
    tensors.update({k: Tensor(v.shape) for k, v in parts.items()})
    return Node(f"steps_of_{name}", Dequantize(), tuple(parts), (name,))
