"""Any function of a norm's results, then a quantizer: where the code changes, as squares of rationals, and the codes between.

A function that may rise and fall takes y = shift + gain * z, of z = sqrt(square) * d / sqrt(V + epsilon). `Curve` encloses each place where
the quantizer's code may change in an interval of y so narrow that rows in it are counted: most often there are none, and any number in it
is the threshold; else the row's y = shift + gain * sqrt(rational) is looked at exactly, and the threshold is that row. So no row gets
another code than that of exact arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NoReturn

import numpy as np

from dfcompile.ir.graph import Node
from dfcompile.streamline.apart import within
from dfcompile.streamline.curve import Curve, Pieces, Region
from dfcompile.streamline.encode_softmax import TIE
from dfcompile.streamline.encoder import refuse
from dfcompile.streamline.forms import affine_of
from dfcompile.streamline.places import Wanted
from dfcompile.streamline.step import Chain, Join, Step
from dfcompile.streamline.value import Standardized

_NARROW = 2.0**-68  # width of regions, of the least number but 0 that they may be about
_CLOSE = Fraction(1, 2**52)  # what `within` takes
_SPARE_DIGITS = 25


@dataclass(frozen=True)
class Coded:
    """A channel: its code where no edge is reached, and at each edge that is the code from there on."""

    edges: list[Wanted]
    codes: list[int]

    @property
    def rises(self) -> bool:
        """Whether no code is less than the one before it."""
        return all(a <= b for a, b in pairwise(self.codes))

    @property
    def falls(self) -> bool:
        """Whether no code is more than the one before it."""
        return all(a >= b for a, b in pairwise(self.codes))


@dataclass(frozen=True)
class _Channel:
    """What channels of equal parameters have in common: numbers of the affine, and the key of the function behind it."""

    gain: Fraction
    shift: Fraction
    key: tuple[float, ...]


class NormPieces:
    """The channels of a norm, a chain and a quantizer.

    channels: what each channel's codes are
    all:      whether they are those of exact arithmetic for every row
    """

    def __init__(self, node: Node, given: Standardized, chain: Chain, channels: int) -> None:
        self.node, self.row, self.square = node, given.row, given.square
        *before, last = chain
        assert isinstance(last, Step), "the last step is the quantizer"
        own = [_channel([s.of_channel(c) for s in before], last.of_channel(c), given.sign) for c in range(channels)]
        rest = {ch.key: ([s.of_channel(c) for s in before], last.of_channel(c)) for c, ch in enumerate(own)}
        self._curves = {key: Curve(tuple(steps[_affines(steps) :]), quantizer) for key, (steps, quantizer) in rest.items()}
        self._pieces = {key: self._looked(key, [ch for ch in own if ch.key == key]) for key in rest}
        unlike = list(dict.fromkeys(own))
        self._placed_at = {ch: self._placed(ch) for ch in unlike}
        self._rows = self._within([r for regions, _ in self._placed_at.values() for r, _ in regions])
        self.all = self._rows is not None
        made = {ch: self._coded(ch, *self._placed_at[ch]) for ch in unlike}
        self.channels = [made[ch] for ch in own]

    def apart(self) -> float:
        """What `Places` may take for the distance of neighbouring edges: what is that far, over 2**TIE, has y within 2**-TIE of a step."""
        near, slack = math.inf, dict[tuple[tuple[float, ...], Region], Fraction]()
        for ch, (regions, _) in self._placed_at.items():
            for _, y in regions:
                key = ch.key, y
                if key not in slack:
                    slack[key] = self._curves[ch.key].slack(y, Fraction(1, 2**TIE))
                near = min(near, float(slack[key] / abs(ch.gain)) * 2**TIE)
        return near / math.sqrt(self.square) if near < math.inf else 1.0

    @property
    def _most(self) -> Fraction:
        """Not below the largest z."""
        square = self.square * (max(1, self.row.n - 1) if self.row.centred else 1)
        return Fraction(math.isqrt(math.ceil(square * 2**80)) + 1, 2**40)

    @property
    def _least(self) -> Fraction:
        """The square of z above 0 is not below it."""
        return self.square / (self.row.most + self.row.epsilon) if self.row.most else self.square

    def _looked(self, key: tuple[float, ...], channels: list[_Channel]) -> Pieces:
        """The pieces of a function where the channels that have it reach."""
        most, gains = self._most, [abs(ch.gain) for ch in channels if ch.gain]
        low = min(ch.shift - abs(ch.gain) * most for ch in channels)
        high = max(ch.shift + abs(ch.gain) * most for ch in channels)
        if low == high:
            return Pieces([0], [])
        width = Fraction(math.sqrt(self._least) * _NARROW) * min(gains)
        size = max(abs(low), abs(high), Fraction(1)) / width
        digits = 2 * len(str(math.ceil(size))) + _SPARE_DIGITS
        found = self._curves[key].pieces(low, high, width, digits)
        if found is None:
            self._refuse("it has a pole, or the numbers that it is of would be halved more often than is of use")
        return found

    def _placed(self, ch: _Channel) -> tuple[list[tuple[Region, Region]], list[int]]:
        """A channel's regions of z, each with that of y, and the codes between them; nothing where z does not come in."""
        pieces, most = self._pieces[ch.key], self._most
        if not ch.gain:
            code = self._at(ch, Fraction(0))
            return [], [code]
        found = [(((a - ch.shift) / ch.gain, (b - ch.shift) / ch.gain), (a, b)) for a, b in pieces.regions]
        codes = list(pieces.codes)
        if ch.gain < 0:
            found, codes = [((b, a), y) for (a, b), y in reversed(found)], codes[::-1]
        kept = [i for i, ((a, b), _) in enumerate(found) if b >= -most and a <= most]
        if not kept:
            below = sum(b < -most for (_, b), _ in found)
            return [], codes[below : below + 1]
        return [found[i] for i in kept], codes[kept[0] : kept[-1] + 2]

    def _within(self, regions: list[Region]) -> dict[Region, list[Fraction]] | None:
        """For each region of z the signed squares of the z in it that rows may have, rising; None where those are too many to look at."""
        found, asked = dict[Region, list[Fraction]](), dict[Region, Region]()
        for a, b in dict.fromkeys(regions):
            if max(a * a, b * b) < self._least:
                found[a, b] = [Fraction(0)] if a <= 0 <= b else []
                continue
            low, high = sorted((a * a / self.square, b * b / self.square))
            if a <= 0 <= b or high - low > low * _CLOSE:
                self._refuse(f"where its code changes, between {float(a):.9g} and {float(b):.9g}, it is too flat to tell")
            asked[a, b] = low, high
        rows = within(self.row, list(asked.values())) if asked else []
        if rows is None:
            return None
        for (a, b), numbers in zip(asked, rows, strict=True):
            squares = [n * self.square for n in numbers]
            found[a, b] = squares if a > 0 else [-s for s in reversed(squares)]
        return found

    def _coded(self, ch: _Channel, regions: list[tuple[Region, Region]], codes: list[int]) -> Coded:
        """A channel's edges, those of rows that lie in a region decided exactly."""
        edges, taken = list[Wanted](), [codes[0]]
        for (z, _), after in zip(regions, codes[1:], strict=True):
            rows = [(s, self._at(ch, s)) for s in (self._rows or {}).get(z, [])]
            number = (z[0] + z[1]) / 2
            if not rows and after != taken[-1]:
                edges.append((number * abs(number) / self.square, True))
                taken.append(after)
            for s, code in rows:
                if code != taken[-1]:
                    edges.append((s / self.square, True))
                    taken.append(code)
            if rows and after != taken[-1]:
                edges.append((rows[-1][0] / self.square, False))
                taken.append(after)
        return Coded(edges, taken)

    def _at(self, ch: _Channel, square: Fraction) -> int:
        """The code where z is the root of a signed square."""
        part = ch.gain if square >= 0 else -ch.gain
        code = self._curves[ch.key].code_at(abs(square), ch.shift, part)
        if code is None:
            y = float(ch.shift) + float(part) * math.sqrt(abs(square))
            self._refuse(f"2,000 digits do not tell on which side of a step of the quantizer it is at {y:.9g}")
        return code

    def _refuse(self, why: str) -> NoReturn:
        refuse(
            "not-quantized", f"'{self.node.op.kind}' reads a function of a norm that has no exact form here", self.node, why,
            "put a quantizer (Quant, or QuantizeLinear/DequantizeLinear) right behind the norm",
        )  # fmt: skip


def _affines(steps: list[Step | Join]) -> int:
    """How many steps at the start are affines."""
    return next((i for i, s in enumerate(steps) if affine_of(s) is None), len(steps))


def _channel(steps: list[Step | Join], quantizer: Step, sign: int) -> _Channel:
    gain, shift = Fraction(sign), Fraction(0)
    count = _affines(steps)
    for step in steps[:count]:
        found = affine_of(step)
        assert found is not None, "these steps are affines"
        gain, shift = found[0] * gain, found[0] * shift + found[1]
    return _Channel(gain, shift, tuple(_numbers((*steps[count:], quantizer))))


def _numbers(chain: Chain) -> list[float]:
    """All parameters of a chain of one channel."""
    found = list[float]()
    for step in chain:
        if isinstance(step, Join):
            found += _numbers(step.left) + _numbers(step.right)
        else:
            found += [float(np.ravel(p)[0]) for p in step.params]
    return found
