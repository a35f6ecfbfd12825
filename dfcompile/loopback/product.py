"""Products of two streams: the second one's matrices are brought into the order of weights and stored, the first one is an operand.

A word of the weight buffer is `simd` terms of `pe` rows of the transposed matrix. So the matrix of each head is copied, each channel
word to a buffer of its own in external memory, where `pe` rows that follow one another are a word. A matrix whose rows are terms is
transposed by multiplying it, as it lies, with the columns of an identity matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from dfcompile.ir.graph import Node, Tensor
from dfcompile.ir.intop import IntMatMul, Window
from dfcompile.loopback.layer import Kernel, Layer, Operand, Stored, identity
from dfcompile.loopback.placing import Placing
from dfcompile.loopback.storage import Ints, Storage, planes_for, slots_of, to_memory


class Product:
    """Layers of one product. Those that bring matrices into place are added at once.

    whole: the product as if it had one head, for what follows it
    """

    def __init__(self, placing: Placing, node: Node, op: IntMatMul, add: Callable[[Layer], None]) -> None:
        self.placing, self.node, self.op, self.add = placing, node, op, add
        self.config, self.storage = placing.config, placing.result.storage
        self.rows = self._factor(node.inputs[0])
        self.matrices = [self._matrix(head) for head in range(op.heads)]
        h, w, _ = placing.tensor(node.inputs[0]).shape
        operand = Operand(self.rows, self.matrices[0])
        self.whole = Layer(node.name, node.outputs[0], (operand,), Window(), (h, w), source=(node.name,))

    def heads(self, layer: Layer) -> Iterator[Layer]:
        """`whole`, perhaps with a step function, for the rows of each head."""
        op, (h, w) = self.op, layer.size
        if op.heads == 1:
            yield layer
            return
        run = op.runs[0]
        size = (h * w // (op.heads * run), run)
        for head, matrix in enumerate(self.matrices):
            ends = ((self.rows, "from"), (layer.dst, "to"))
            rows, dst = (self._part(t, head, run, size, f"{self.node.name}.{head}.{end}") for t, end in ends)
            yield replace(layer, name=f"{self.node.name}.{head}", dst=dst, operands=(Operand(rows, matrix),), size=size)

    def _part(self, x: str, head: int, run: int, size: tuple[int, int], name: str) -> str:
        """Rows of a head: a tensor with a row of the picture for each run."""
        t, s = self.placing.tensor(x), self.storage[x]
        self.placing.declare(name, Tensor((*size, t.channels), t.dtype, t.lo, t.hi))
        self.storage[name] = replace(
            s, height=size[0], width=size[1], start=s.start + head * run * s.col, row=self.op.heads * run * s.col
        )  # fmt: skip
        return name

    def _factor(self, x: str) -> str:
        """The tensor, copied where its channels do not fill words from the first lane on, or storage takes anything but half of their range
        from its digits."""
        s, (h, w, c) = self.storage[x], self.placing.tensor(x).shape
        plain = s.base == 0 or (s.planes == 1 and s.base == 1 << (s.bits - 1))
        if np.array_equal(s.slots, slots_of(c, self.config.simd)) and s.row == w * s.col and plain:
            return x
        name = f"{self.node.name}.rows"
        planes, shift = self._planes(x)
        words = len(slots_of(c, self.config.simd)) // self.config.simd
        self.placing.declare(name, self.placing.tensor(x))
        self.storage[name] = Storage(
            name, slots_of(c, self.config.simd), h, w, 0, w * words, words, h * w * words, planes, shift, self.config.act_bits
        )
        self.placing.result.buffers[name] = planes * h * w * words
        self.add(Layer(name, name, (Operand(x, identity(c)),), Window(), (h, w), source=(self.node.name,)))
        return name

    def _planes(self, x: str) -> tuple[int, int]:
        """(planes, shift) of codes of which storage takes nothing, or half the range of each digit but the highest."""
        (lo, hi), bits = self.placing.bounds(x), self.config.act_bits
        half, size = 1 << (bits - 1), 1 << bits
        if lo >= -half and hi < half:
            return 1, 0
        low, high = (0, size - 1) if lo >= 0 and hi < size else (lo, max(hi, lo + size))
        return planes_for(low, high, self.config.acc_bits, bits, based=False)

    def _matrix(self, head: int) -> Stored:
        """Columns of the head's matrix as rows of terms."""
        x = self.node.inputs[1]
        s = self.storage[x]
        if s.row != s.width * s.col:
            raise ValueError("its second operand does not lie row by row")
        found = self._gathered(x, head)
        return found if self.op.transposed else self._transposed(found, head)

    def _pitch(self, rows: int) -> int:
        """Rows of a plane in a buffer: a tile may begin at each word of rows and reads `pe`."""
        simd = self.config.simd
        return -(-rows // simd) * simd + self.config.pe

    def _gathered(self, x: str, head: int) -> Stored:
        """The rows of a head as they are."""
        simd, run, name = self.config.simd, self.op.runs[1], f"{self.node.name}.{head}.rows"
        h, w, channels = self.placing.tensor(x).shape
        count = h * w // self.op.heads
        size = (count // run, run)
        whole = self._part(x, head, run, size, f"{name}.of")
        planes, shift = self._planes(x)
        names = []
        for g, first in enumerate(range(0, channels, simd)):
            width = min(simd, channels - first)
            alias, dst = f"{name}.{g}.of", f"{name}.{g}"
            t = self.placing.tensor(whole)
            self.placing.declare(alias, Tensor((*size, width), t.dtype, t.lo, t.hi))
            self.storage[alias] = self.storage[whole].sliced(first, first + width, simd)
            kernel = Kernel(np.eye(simd, width, dtype=np.int64).reshape(simd, 1, 1, width), 1)
            self._store(dst, size, planes, shift)
            # What storage takes is added where there is no term, so that its bytes are 0.
            offset = np.where(np.arange(simd) < width, 0, shift)
            self.add(Layer(dst, dst, (Operand(alias, kernel),), Window(), size, offset=offset, source=(self.node.name,)))
            names.append(dst)
        return Stored(_unknown(count, channels), 1, tuple(names), 0, planes, self._pitch(count), shift)

    def _transposed(self, matrix: Stored, head: int) -> Stored:
        """Columns as rows: products of the stored bytes with the columns of an identity matrix."""
        simd, (terms, _, _, columns) = self.config.simd, matrix.weights.shape
        names = []
        for g, first in enumerate(range(0, terms, simd)):
            dst = f"{self.node.name}.{head}.columns.{g}"
            self._store(dst, (columns, 1), matrix.planes, matrix.shift)
            part = replace(matrix, weights=_unknown(simd, columns), first=first, lifted=False)
            operand = Operand(self._identity(columns), part)
            self.add(Layer(dst, dst, (operand,), Window(), (columns, 1), offset=matrix.shift, source=(self.node.name,)))
            names.append(dst)
        return replace(matrix, weights=_unknown(columns, terms), words=tuple(names), first=0, pitch=self._pitch(columns))

    def _store(self, name: str, size: tuple[int, int], planes: int, shift: int) -> None:
        """A buffer in external memory for a word of each row."""
        simd, pitch = self.config.simd, self._pitch(size[0] * size[1])
        self.placing.declare(name, Tensor((*size, simd)))
        self.storage[name] = Storage(name, np.arange(simd), *size, 0, size[1], 1, pitch, planes, shift, self.config.act_bits)
        self.placing.result.buffers[name] = planes * pitch
        self.placing.result.outside.add(name)

    def _identity(self, size: int) -> str:
        """A constant tensor (size, 1, size) of 0 and 1."""
        name, simd, low = f"identity.{size}", self.config.simd, self.placing.result
        if name not in self.storage:
            words = -(-size // simd)
            self.placing.declare(name, Tensor((size, 1, size), None, np.zeros(size), np.ones(size)))
            self.storage[name] = Storage(name, slots_of(size, simd), size, 1, 0, words, words, size * words, 1, 0, self.config.act_bits)
            low.buffers[name] = size * words
            low.outside.add(name)
            low.fixed[name] = to_memory(np.eye(size, words * simd, dtype=np.int8), self.config.act_bits).tobytes()
        return name


def _unknown(rows: int, terms: int) -> Ints:
    return np.broadcast_to(np.int64(0), (rows, 1, 1, terms))
