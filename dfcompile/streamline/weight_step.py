"""Integers behind stored real weights: numbers that lie on a coarse grid, or are float32 roundings of one.

Exporters fold the quantizer of a weight into float32 numbers. What was rounded is recovered where one step, per tensor
or per output channel, gives back every single number: float32(n * step) == w.
"""

from __future__ import annotations

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
_SIEVE = 16
_SAMPLE = 2**16


@dataclass(frozen=True, eq=False)
class Steps:
    """w = float32(codes * step) everywhere; step: () or with one entry for each output channel, broadcastable to the codes."""

    codes: Array
    step: Array

    @property
    def bits(self) -> int:
        """Bits of the signed integers."""
        return int(np.abs(self.codes).max(initial=0)).bit_length() + 1


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

    The integers are the smallest for which there is a step.
    """
    whole = _steps(real)
    if axis is None or (whole is not None and whole.bits <= LARGEST_COUNTS[0].bit_length()):
        return whole
    parts = []
    for part in np.moveaxis(real, axis, 0):
        found = _steps(part)
        if found is None:
            return whole
        parts.append(found)
    shape = tuple(-1 if i == axis else 1 for i in range(real.ndim))
    split = Steps(np.stack([p.codes for p in parts], axis), np.array([float(p.step) for p in parts]).reshape(shape))
    return split if whole is None or split.bits < whole.bits else whole


def _steps(real: Array) -> Steps | None:
    """One step; found on a sample, and where that does not serve all numbers, on all."""
    flat = np.abs(real).ravel()
    if not flat.any():
        return Steps(np.zeros(real.shape, np.int64), np.array(1.0))
    sample = flat[:: -(-flat.size // _SAMPLE)]
    for some in (np.append(sample, flat.max()), flat):
        sizes = np.unique(some)
        step = _step(sizes[sizes > 0])
        if step is None:
            return None
        codes = np.rint(real / step).astype(np.int64)
        if _is_proved(real.ravel(), codes.ravel(), step):
            return Steps(codes, np.array(step))
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
                if _is_proved(sizes, counts, step):
                    return step
    return None


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


def _is_proved(real: Array, codes: Array, step: float) -> bool:
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

    Weights on an exact grid of small integers, and those of narrow formats, are left to be taken as they are.
    """
    nodes: list[Node] = []
    constants, tensors, notes = dict(model.constants), dict(model.tensors), {}
    for node in model.nodes:
        place = _weights_of(node, model)
        if place is not None:
            name, axis = place
            found = _recovered(constants[name], axis) if name in constants else None
            if isinstance(found, str):
                decline(node, found)
            elif found is not None:
                nodes.append(_dequantized(name, found, constants, tensors))
                many = f"a step for each of {found.step.size} output channels" if found.step.size > 1 else f"step {float(found.step):.9g}"
                notes[node.name] = f"stored real weights are float32(n * step), n of {found.bits} bits, {many}: taken as n * step"
        nodes.append(node)
    return model.replace(nodes=tuple(nodes), constants=constants, tensors=tensors), notes


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


def _recovered(real: Array, axis: int | None) -> Steps | str | None:
    """Integers and steps; why there are none; None where weights are left to be taken as they are."""
    if real.dtype.kind != "f" or is_narrow(real) or not np.array_equal(real.astype(np.float32), real):
        return None
    if all(exact_grid(row, LARGEST_COUNTS[0]) for row in np.moveaxis(real, axis or 0, 0)):
        return None
    return find_steps(real, axis) or f"no step gives back its real weights as multiples of at most {LARGEST_COUNTS[-1]}"


def _dequantized(name: str, found: Steps, constants: dict[str, Array], tensors: dict[str, Tensor]) -> Node:
    parts = {f"{name}.codes": found.codes, f"{name}.step": found.step, f"{name}.zero": np.array(0.0)}
    del constants[name]
    constants.update(parts)
    tensors.update({k: Tensor(v.shape) for k, v in parts.items()})
    return Node(f"steps_of_{name}", Dequantize(), tuple(parts), (name,))
