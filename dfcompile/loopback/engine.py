"""The engine in numpy: executes a program, descriptor by descriptor, on the memories it has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dfcompile.ir.graph import Array
from dfcompile.loopback.config import ADDRESS_BITS, EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute, Opcode, Target, Transfer, WeightReset, unpack_all
from dfcompile.loopback.program import Program
from dfcompile.loopback.storage import Ints
from dfcompile.loopback.tile import unpack_weights
from dfcompile.loopback.validate import Fault, check

WRAP = (1 << ADDRESS_BITS) - 1


class Engine:
    """On-chip memories and the external memory of one engine. Faults raise `Fault`, as the hardware stops with an error code."""

    def __init__(self, config: EngineConfig, memory: NDArray[np.uint8]) -> None:
        self.config, self.memory = config, memory
        self.act = np.zeros((config.act_words, config.simd), np.int8)
        self.weights = np.zeros(config.weight_words * config.lanes * config.weight_bits // 8, np.uint8)
        self.tree = np.zeros((config.tree_banks << config.tree_levels, config.pe), np.int32)
        self.acc = np.zeros((config.acc_words, config.pe), np.int64)
        self._walk: dict[object, Array] = {}
        self._walked = (0, 0)  # words that the kept walk reads

    def run(self, address: int, size: int) -> None:
        """Execute the program of `size` bytes at an external address."""
        for index, d in enumerate(unpack_all(self.memory[address : address + size].tobytes())):
            check(d, self.config, index)
            if isinstance(d, Compute):
                self.compute(d, index)
            elif d.opcode == Opcode.FINISH:
                return
            else:
                self.transfer(d)

    def transfer(self, d: Transfer) -> None:
        data = self.memory[d.address : d.address + d.beats * self.config.bus_bytes]
        inside: NDArray[np.uint8] = (self.act, self.weights, self.tree)[d.target].view(np.uint8).reshape(-1)
        word = (self.config.simd, self.config.lanes * self.config.weight_bits // 8, 4 * self.config.pe)[d.target]
        part = inside[d.inner * word : d.inner * word + len(data)]
        if d.opcode == Opcode.LOAD:
            part[:] = data
        else:
            data[:] = part
        if d.target == Target.ACT and d.opcode == Opcode.LOAD:
            self._forget(d.inner, d.inner + d.beats // self.config.word_beats)

    def compute(self, d: Compute, index: int) -> None:
        x = self._inputs(d, index)
        total = self._sums(d, x)
        if d.acc_load:
            total = total + self.acc[: d.outputs]
        if d.acc_store:
            self.acc[: d.outputs] = total
            return
        self._write(d, self._results(d, total), index)

    def _forget(self, first: int, end: int) -> None:
        """Words first..end-1 change."""
        if first < self._walked[1] and self._walked[0] < end:
            self._walk.clear()

    def _inputs(self, d: Compute, index: int) -> Array:
        """(outputs, taps, simd) of the tile; tiles of one layer share it."""
        names = "src words batch height width_out kernel_h kernel_w passes y_first x_first y_step x_step y_tap x_tap y_size x_size pad"
        more = "src_n src_h src_w offset_1 offset_2 offset_3 tap_h tap_w"
        key = tuple(getattr(d, n) for n in (*names.split(), *more.split()))
        if key not in self._walk:
            address, inside = walk(d)
            if np.any(address[inside] >= self.config.act_words):
                raise Fault("ACT_RANGE", index, "a tap lies outside the activation memory")
            data = self.act[np.where(inside, address, 0)]
            data[~inside] = np.array(d.pad, np.uint8).view(np.int8)
            self._walk.clear()
            self._walk[key] = data
            used = address[inside]
            self._walked = (int(used.min()), int(used.max()) + 1) if len(used) else (0, 0)
        return self._walk[key]

    def _weights(self, d: Compute) -> Ints:
        """(taps, pe, simd) as the weight address walks."""
        per_pass = d.kernel_h * d.kernel_w * d.words
        count = {WeightReset.VECTOR: d.taps, WeightReset.PASS: per_pass, WeightReset.TAP: d.words}[WeightReset(d.reset)]
        lanes = self.config.lanes
        first = d.weight * lanes * self.config.weight_bits // 8
        walk_ = unpack_weights(self.weights[first : first + -(-count * lanes * (1 << d.width) // 8)], d.width, lanes)[:count]
        return np.tile(walk_, (d.taps // count, 1)).reshape(d.taps, self.config.pe, self.config.simd)

    def _sums(self, d: Compute, x: Array) -> Ints:
        """(outputs, pe) sums, maxima or minima."""
        weights = self._weights(d)
        per_pass = d.taps // (d.passes + 1)
        total: Ints | None = None
        shifts = (0, d.shift_1, d.shift_2, d.shift_3)
        for p in range(d.passes + 1):
            part, w = x[:, p * per_pass : (p + 1) * per_pass], weights[p * per_pass : (p + 1) * per_pass]
            if d.op == AccOp.ADD:
                found = _product(part, w)
            else:
                reduce = np.max if d.op == AccOp.MAX else np.min
                groups = [np.einsum("ntgs,gps->ntgp", part.reshape(len(part), -1, d.words, part.shape[2]).astype(np.float64), w[: d.words])]
                found = reduce(groups[0].astype(np.int64).reshape(len(part), -1, w.shape[1]), axis=1)
            total = found if total is None else total * (256 if shifts[p] else 1) + found
        assert total is not None
        return total

    def _results(self, d: Compute, total: Ints) -> Ints:
        """Codes (outputs, pe) by thresholds, or the sums with the bias."""
        bank = self.tree[d.bank << self.config.tree_levels :][: 1 << d.levels].astype(np.int64)
        total = ((total + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        if not d.levels:
            return np.asarray(total + bank[0])
        count = np.zeros(total.shape, np.int64)
        rows = np.arange(self.config.pe)
        for level in range(d.levels):
            count = 2 * count + (total >= bank[(1 << level) + count, rows])
        count = np.where(bank[0] & 1, (1 << d.levels) - 1 - count, count)
        return np.asarray((count << d.twice) + d.lowest)

    def _write(self, d: Compute, results: Ints, index: int) -> None:
        config = self.config
        place = _grid(d.dst, (d.batch, d.dst_n), (d.height, d.dst_h), (d.width_out, d.dst_w)).reshape(-1)
        lanes = min(config.pe, config.simd)
        for plane in range(d.planes + 1):
            stored = (results >> 8 * plane & 255) ^ (128 if plane < d.planes else 0)
            words = stored.astype(np.uint8).view(np.int8).reshape(len(results), -1, lanes)
            for k in range(d.writes):
                at = (place + plane * d.dst_p + k) & WRAP
                if np.any(at >= config.act_words):
                    raise Fault("ACT_RANGE", index, "a result lies outside the activation memory")
                self.act[at, d.lane : d.lane + lanes] = words[:, k]
                self._forget(int(at.min()), int(at.max()) + 1)


def _product(x: Array, weights: Ints) -> Ints:
    """(n, taps, simd) by (taps, pe, simd) -> (n, pe), by the fastest exact matrix product."""
    bound = int(np.abs(weights).sum(axis=(0, 2)).max(initial=0)) * 128
    dtype = np.float32 if bound < 1 << 24 else np.float64
    flat = x.reshape(len(x), -1).astype(dtype)
    columns = weights.transpose(0, 2, 1).reshape(-1, weights.shape[1]).astype(dtype)
    return np.asarray(np.matmul(flat, columns)).astype(np.int64)


def _grid(start: int | Ints, *axes: tuple[int, int]) -> Ints:
    """start + the sum of index * step over all axes, one array axis each, wrapped to an address."""
    total = np.asarray(start, np.int64)
    for count, step in axes:
        total = total[..., None] + np.arange(count, dtype=np.int64) * step
    return np.asarray(total & WRAP)


def walk(d: Compute) -> tuple[Ints, NDArray[np.bool_]]:
    """(addresses, whether inside the picture) of every tap: (outputs, taps)."""
    starts = np.array([0, d.offset_1, d.offset_2, d.offset_3][: d.passes + 1], np.int64)
    pixel = _grid(d.src, (d.batch, d.src_n), (d.height, d.src_h), (d.width_out, d.src_w))
    tap = _grid(starts, (d.kernel_h, d.tap_h), (d.kernel_w, d.tap_w), (d.words, 1))
    address = (pixel.reshape(-1, 1) + tap.reshape(1, -1)) & WRAP
    y = _signed(d.y_first) + np.arange(d.height)[:, None] * d.y_step + np.arange(d.kernel_h) * d.y_tap
    x = _signed(d.x_first) + np.arange(d.width_out)[:, None] * d.x_step + np.arange(d.kernel_w) * d.x_tap
    rows, cols = (y >= 0) & (y < d.y_size), (x >= 0) & (x < d.x_size)
    inside = rows[None, :, None, None, :, None, None] & cols[None, None, :, None, None, :, None]
    shape = (d.batch, d.height, d.width_out, d.passes + 1, d.kernel_h, d.kernel_w, d.words)
    return address, np.broadcast_to(inside, shape).reshape(address.shape)


def _signed(value: int, bits: int = 14) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def run_program(program: Program, codes: Mapping[str, Array]) -> dict[str, Array]:
    """Codes of any number of frames through the engine, `program.batch` at a time."""
    count = len(next(iter(codes.values())))
    parts: list[dict[str, Array]] = []
    for first in range(0, count, program.batch):
        part = {k: v[first : first + program.batch] for k, v in codes.items()}
        memory = program.image(part)
        Engine(program.config, memory).run(program.program_address, len(program.code))
        parts.append(program.results(memory, len(next(iter(part.values())))))
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
