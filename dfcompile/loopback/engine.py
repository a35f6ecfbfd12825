"""The engine in numpy: executes a program, descriptor by descriptor, on the memories it has."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array
from dfcompile.loopback.coding import decode
from dfcompile.loopback.config import ADDRESS_BITS, SCALED_SUM_BITS, EngineConfig
from dfcompile.loopback.descriptor import FACTOR_BITS, AccOp, Compute, Opcode, Target, Transfer, unpack_all
from dfcompile.loopback.group import groups, together, words
from dfcompile.loopback.listing import Lists, Steps
from dfcompile.loopback.program import Program
from dfcompile.loopback.repeat import unfolded
from dfcompile.loopback.storage import Ints, from_memory, signed, to_memory
from dfcompile.loopback.tile import unpack_weights
from dfcompile.loopback.validate import Fault, check

WRAP = (1 << ADDRESS_BITS) - 1
COLUMN_BITS = 14
Words = NDArray[np.uint32]
LIMB = 24


class Engine:
    """On-chip memories and the external memory of one engine. Faults raise `Fault`, as the hardware stops with an error code."""

    def __init__(self, config: EngineConfig, memory: NDArray[np.uint8]) -> None:
        self.config, self.memory = config, memory
        self.act = np.zeros((config.act_words, config.simd), np.int8)
        self.weights = np.zeros(config.weight_words * config.lanes * config.weight_bits // 8, np.uint8)
        self.tree = np.zeros((config.tree_banks << config.tree_levels, config.pe), f"<i{config.acc_bits // 8}")
        self.acc = np.zeros((config.acc_words * config.pixels, config.pe), np.int64)
        self.lists = Lists(config)
        self._walk: dict[object, Array] = {}
        self._walked = (0, 0)  # words that the kept walk reads

    def run(self, address: int, size: int) -> None:
        """Execute the program of `size` bytes at an external address."""
        code = unpack_all(self.memory[address : address + size].tobytes())
        for index, d in enumerate(unfolded(code, self.config)):
            check(d, self.config, index)
            if isinstance(d, Compute):
                self.compute(d, index)
            elif d.opcode == Opcode.FINISH:
                return
            else:
                self.transfer(d)

    def transfer(self, d: Transfer) -> None:
        data = self.memory[d.address : d.address + d.beats * self.config.bus_bytes]
        if d.target == Target.LIST:
            self.lists.load(d, data)
            return
        if d.coded:
            data = decode(data, d.coded, self.config)
        if d.target == Target.ACT:
            words = self.act[d.inner : d.inner + d.beats // self.config.word_beats]
            if d.opcode == Opcode.STORE:
                data[:] = to_memory(words, self.config.act_bits).reshape(-1)
                return
            words[:] = from_memory(data, self.config.act_bits).reshape(words.shape)
            self._forget(d.inner, d.inner + len(words))
            return
        inside: NDArray[np.uint8] = (self.weights if d.target == Target.WEIGHT else self.tree).view(np.uint8).reshape(-1)
        word = (self.config.lanes * self.config.weight_bits if d.target == Target.WEIGHT else self.config.pe * self.config.acc_bits) // 8
        inside[d.inner * word : d.inner * word + len(data)] = data

    def compute(self, d: Compute, index: int) -> None:
        if groups(d, self.config) > 1 and not d.acc_store and d.taps + d.idle < d.late + together(d, self.config) * words(d):
            raise Fault("RESULT", index, "a result comes before the one before it is written")
        steps = self.lists.of(d)
        total = self._sums(d, self._inputs(d, steps, index), steps)
        if d.acc_store:
            self.acc[: d.outputs] = total
            return
        results = self._results(d, total)
        self._write(d, _roots(d, _wrapped(results, self.config.acc_bits)) if d.root else results, index)

    def _forget(self, first: int, end: int) -> None:
        """Words first..end-1 change."""
        if first < self._walked[1] and self._walked[0] < end:
            self._walk.clear()

    def _inputs(self, d: Compute, steps: Words | None, index: int) -> Array:
        """(outputs, taps, simd) of the tile; tiles of one layer share it."""
        names = "src words batch height width_out kernel_h kernel_w passes y_first x_first y_step x_step y_tap x_tap y_size x_size pad"
        more = "src_n src_h src_w offset_1 offset_2 offset_3 tap_h tap_w op pad_1 pad_2 pad_3"
        key = (*(getattr(d, n) for n in (*names.split(), *more.split())), b"" if steps is None else steps.tobytes())
        if key not in self._walk:
            address, inside = walk(d, steps)
            if np.any(address[inside] >= self.config.act_words):
                raise Fault("ACT_RANGE", index, "a tap lies outside the activation memory")
            data = self.act[np.where(inside, address, 0)]
            if not inside.all():
                pads = signed(np.array([d.pad, d.pad_1, d.pad_2, d.pad_3]), self.config.act_bits).astype(np.int8)
                data = np.where(inside[..., None], data, pads[pass_of_step(d, steps)][:, None])
            self._walk.clear()
            self._walk[key] = data
            used = address[inside]
            self._walked = (int(used.min()), int(used.max()) + 1) if len(used) else (0, 0)
        return self._walk[key]

    def _weights(self, d: Compute) -> Ints:
        """(taps, pe, simd) as the weight address walks."""
        count = weight_steps(d)
        lanes = self.config.lanes
        first = d.weight * lanes * self.config.weight_bits // 8
        walk_ = unpack_weights(self.weights[first : first + -(-count * lanes * (1 << d.width) // 8)], d.width, lanes)[:count]
        return np.tile(walk_, (d.taps // count, 1)).reshape(d.taps, self.config.pe, self.config.simd)

    def _sums(self, d: Compute, x: Array, steps: Words | None) -> Ints:
        """(outputs, pe) sums, maxima, positions or products."""
        weights = self._weights(d)
        if d.op != AccOp.ADD:
            return _joined(d, _values(d, x, weights, self.config))
        total = self.acc[: d.outputs] if d.acc_load else np.zeros((len(x), self.config.pe), np.int64)
        shifts = (0, d.shift_1, d.shift_2, d.shift_3)
        numbers = pass_of_step(d, steps)
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        before = 0
        for at, end in zip(starts, [*starts[1:], d.taps], strict=True):
            p = int(numbers[at])
            total = (total << (self.config.act_bits if p != before and shifts[p] else 0)) + _product(x[:, at:end], weights[at:end])
            before = p
        return total

    def _results(self, d: Compute, total: Ints) -> Ints:
        """Codes (outputs, pe) by thresholds or requantization, or the sums with the bias."""
        bank = self.tree[d.bank << self.config.tree_levels :][: 1 << self.config.tree_levels].astype(np.int64)
        total = _wrapped(total, self.config.acc_bits)
        if d.scale:
            return np.asarray(bank[0] + _scaled(d, total, bank, self.config))
        if not d.levels:
            return np.asarray(total + bank[0])
        count = np.zeros(total.shape, np.int64)
        rows = np.arange(self.config.pe)
        for level in range(d.levels):
            count = 2 * count + (total >= bank[(1 << level) + count, rows])
        if d.lookup:
            return np.asarray(bank[(1 << (self.config.tree_levels - 1)) + count, rows] + bank[0])
        count = np.where(bank[0] & 1, (1 << d.levels) - 1 - count, count)
        return np.asarray((bank[0] >> 1) + (count << d.twice))

    def _write(self, d: Compute, results: Ints, index: int) -> None:
        config = self.config
        place = result_words(d).reshape(len(results), d.planes + 1, d.writes)
        lanes = min(config.pe, config.simd)
        for plane in range(d.planes + 1):
            flip = 1 << (config.act_bits - 1) if plane < d.planes else 0
            words = signed((results >> config.act_bits * plane) ^ flip, config.act_bits).astype(np.int8).reshape(len(results), -1, lanes)
            for k in range(d.writes):
                at = place[:, plane, k]
                if np.any(at >= config.act_words):
                    raise Fault("ACT_RANGE", index, "a result lies outside the activation memory")
                self.act[at, d.lane : d.lane + lanes] = words[:, k]
                self._forget(int(at.min()), int(at.max()) + 1)


def weight_steps(d: Compute) -> int:
    """Steps after which the weight address returns to its start."""
    if d.listed:
        return d.words
    row = d.kernel_w * d.words
    lengths = (d.taps, d.kernel_h * row, d.words, row) if d.op == AccOp.ADD else (d.taps, d.words, d.words, row * (d.passes + 1))
    return lengths[d.reset]


def _product(x: Array, weights: Ints) -> Ints:
    """(n, taps, simd) by (taps, pe, simd) -> (n, pe), by the fastest exact matrix product."""
    bound = int(np.abs(weights).sum(axis=(0, 2)).max(initial=0)) * 128
    dtype = np.float32 if bound < 1 << 24 else np.float64
    flat = x.reshape(len(x), -1).astype(dtype)
    columns = weights.transpose(0, 2, 1).reshape(-1, weights.shape[1]).astype(dtype)
    return np.asarray(np.matmul(flat, columns)).astype(np.int64)


def _wrapped(values: Ints, bits: int) -> Ints:
    """The lowest bits of integers, read as signed."""
    if bits == 64:
        return values
    return np.asarray(((values + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1)))


def _scaled(d: Compute, total: Ints, bank: Ints, config: EngineConfig) -> Ints:
    """Patterns (outputs, pe) by multiplying, adding, shifting and clipping, wrapped around like the hardware's product.

    In limbs of LIMB bits, which 64 bits hold: low = sum * the factor's lowest bits + the offset's, high what is above.
    """
    factor, part = _wrapped(bank[1], config.scale_bits), (1 << LIMB) - 1
    total = _wrapped(total, min(config.acc_bits, SCALED_SUM_BITS))
    upper = ((bank[2] >> LIMB) & ((1 << (config.acc_bits - LIMB)) - 1)) + (bank[4] << (config.acc_bits - LIMB))
    low = total * (factor & part) + (bank[2] & part)
    high = _wrapped(total * (factor >> LIMB) + upper + (low >> LIMB), config.scaled_bits - LIMB)
    if d.scale_shift >= LIMB:
        steps = high >> (d.scale_shift - LIMB)
    else:  # beyond 20 bits every code is clipped
        steps = (np.clip(high, -(1 << 20), 1 << 20) << (LIMB - d.scale_shift)) + ((low & part) >> d.scale_shift)
    return np.asarray(np.clip(steps, 0, (2 << d.levels) - 1))


def _roots(d: Compute, results: Ints) -> Ints:
    """Inverse roots (outputs, pe) of row 0, of 0 all bits set."""
    roots = np.zeros_like(results)
    top = 1 << (d.start_2 + 2 * d.start_1)
    most = (1 << d.start_1) - 1
    roots[:, 0] = [math.isqrt(top // w) & most if w > 0 else most for w in results[:, 0].tolist()]
    return roots


def _values(d: Compute, x: Array, weights: Ints, config: EngineConfig) -> list[Ints]:
    """Values (outputs, taps, pe) of the taps; with MUL one for each factor."""
    taps, passes = d.kernel_h * d.kernel_w, d.passes + 1
    codes = x.reshape(len(x), taps, passes, -1).transpose(1, 2, 0, 3).astype(np.float64)
    columns = weights.transpose(0, 2, 1).reshape(taps, passes, codes.shape[3], -1).astype(np.float64)
    dots = np.matmul(codes, columns).astype(np.int64).transpose(1, 2, 0, 3)
    starts = _wrapped(np.array([d.start_1, d.start_2]), FACTOR_BITS) if d.op == AccOp.MUL else (0, 0)
    found: list[Ints] = [starts[0] + dots[0]]
    for dot, shift in zip(dots[1:], (d.shift_1, d.shift_2, d.shift_3), strict=False):
        if shift:
            found[-1] = (found[-1] << config.act_bits) + (1 << (config.act_bits - 1) if d.op == AccOp.MUL else 0) + dot
        else:
            found.append(starts[1] + dot)
    return [_wrapped(v, config.acc_bits) for v in found]


def _joined(d: Compute, values: list[Ints]) -> Ints:
    """(outputs, pe): what the taps' values (outputs, taps, pe) give."""
    last = values[-1]
    if d.op == AccOp.MUL:
        return _wrapped(values[-2][:, -1], FACTOR_BITS) * _wrapped(last[:, -1], FACTOR_BITS)
    if d.op in (AccOp.MAX, AccOp.MIN):
        return np.asarray((np.max if d.op == AccOp.MAX else np.min)(last, axis=1))
    inside = walk(d)[1].reshape(*last.shape[:2], -1)[..., 0].copy()
    inside[:, 0] = True  # the first tap counts wherever it is
    shown = np.where(inside[..., None], last, np.iinfo(np.int64).min)
    best = np.argmax(shown, axis=1) if d.op == AccOp.ARGMAX else shown.shape[1] - 1 - np.argmax(shown[:, ::-1], axis=1)
    return np.take_along_axis(np.tile(columns(d), (len(last) // d.width_out, 1)), best, axis=1)


def columns(d: Compute) -> Ints:
    """x of every tap of a row of outputs: (width_out, taps). Each row of taps starts again, but with ARGMAX."""
    along = np.arange(d.kernel_h * d.kernel_w) if AccOp(d.op).picks else np.tile(np.arange(d.kernel_w), d.kernel_h)
    return _wrapped(d.x_first + np.arange(d.width_out)[:, None] * d.x_step + along * d.x_tap, COLUMN_BITS)


def pass_of_step(d: Compute, steps: Words | None) -> Ints:
    """Pass of each step of an output."""
    if steps is not None:
        return Steps.of(steps).number
    taps = d.kernel_h * d.kernel_w
    passes = np.arange(d.passes + 1)
    return np.repeat(passes, taps * d.words) if d.op == AccOp.ADD else np.tile(np.repeat(passes, d.words), taps)


def _grid(start: int | Ints, *axes: tuple[int, int]) -> Ints:
    """start + the sum of index * step over all axes, one array axis each, wrapped to an address."""
    total = np.asarray(start, np.int64)
    for count, step in axes:
        total = total[..., None] + np.arange(count, dtype=np.int64) * step
    return np.asarray(total & WRAP)


def result_words(d: Compute) -> Ints:
    """Addresses that each output is written to, in order: (outputs, planes * words)."""
    steps = ((d.batch, d.dst_n), (d.height, d.dst_h), (d.width_out, d.dst_w), (d.planes + 1, d.dst_p), (d.writes, 1))
    return _grid(d.dst, *steps).reshape(d.outputs, -1)


def walk(d: Compute, steps: Words | None = None) -> tuple[Ints, NDArray[np.bool_]]:
    """(addresses, whether inside the picture) of every step: (outputs, steps). steps: of the tile's list, where it has one."""
    if steps is not None:
        return _listed(d, Steps.of(steps))
    starts = np.array([0, d.offset_1, d.offset_2, d.offset_3][: d.passes + 1], np.int64)
    pixel = _grid(d.src, (d.batch, d.src_n), (d.height, d.src_h), (d.width_out, d.src_w))
    tap = _grid(starts, (d.kernel_h, d.tap_h), (d.kernel_w, d.tap_w), (d.words, 1)).reshape(d.passes + 1, -1, d.words)
    below = np.repeat(np.arange(d.kernel_h), d.kernel_w) * d.y_tap
    y, x = _wrapped(d.y_first + np.arange(d.height)[:, None] * d.y_step + below, COLUMN_BITS), columns(d)
    rows, cols = (y >= 0) & (y < d.y_size), (x >= 0) & (x < d.x_size)
    inside = np.broadcast_to(rows[:, None, None, :, None] & cols[None, :, None, :, None], (*pixel.shape[1:], *tap.shape))
    if d.op != AccOp.ADD:  # the passes of a tap follow one another
        tap, inside = tap.swapaxes(0, 1), inside.swapaxes(2, 3)
    address = (pixel.reshape(-1, 1) + tap.reshape(1, -1)) & WRAP
    return address, np.tile(inside.reshape(-1, address.shape[1]), (d.batch, 1))


def _listed(d: Compute, steps: Steps) -> tuple[Ints, NDArray[np.bool_]]:
    pixel = _grid(d.src, (d.batch, d.src_n), (d.height, d.src_h), (d.width_out, d.src_w)).reshape(-1, 1)
    y = _wrapped(d.y_first + np.arange(d.height)[:, None] * d.y_step + steps.y, COLUMN_BITS)
    x = _wrapped(d.x_first + np.arange(d.width_out)[:, None] * d.x_step + steps.x, COLUMN_BITS)
    rows, cols = (y >= 0) & (y < d.y_size), (x >= 0) & (x < d.x_size)
    inside = (rows[:, None] & cols[None]).reshape(-1, d.words)
    return (pixel + steps.offset) & WRAP, np.tile(inside, (d.batch, 1))


def run_program(program: Program, codes: Mapping[str, Array]) -> dict[str, Array]:
    """Codes of any number of frames through the engine, `program.batch` at a time, from the first states on."""
    count = len(next(iter(codes.values())))
    parts: list[dict[str, Array]] = []
    states = program.states
    for first in range(0, count, program.batch):
        part = {k: v[first : first + program.batch] for k, v in codes.items()}
        memory = program.image(part, states)
        Engine(program.config, memory).run(program.program_address, len(program.code))
        states = program.states_in(memory)
        parts.append(program.results(memory, len(next(iter(part.values())))))
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
