"""Several products in a DSP slice of AMD's, in chains: what `dfc_dots_packed` is made of."""

from __future__ import annotations

from dataclasses import dataclass

PACKED = ("packed25", "packed27")
"""Arithmetic in slices of 25 columns (DSP48E1) and of 27 (DSP48E2)."""
_SUM = 48  # bits of a slice's sum
_ROWS = 17  # bits of an input without a sign
_MOST_CHAINED = 4  # products: operands of the third wait outside of its slice, of later ones longer than a tree's registers take


def columns(arithmetic: str) -> int:
    """Bits of the wide operand of a slice."""
    return 27 if arithmetic == "packed27" else 25


def most_packed(x: int, w: int, arithmetic: str) -> int:
    """Products of one input of x bits with weights of w bits in a slice; 1 where they are not packed."""
    return max(1, (columns(arithmetic) - w - 1) // (x + w) + 1) if x <= _ROWS else 1


@dataclass(frozen=True)
class Packing:
    """How a slice holds products, and how slices follow one another.

    pack:   products of one input in a slice
    field:  bits from one to the next
    chain:  products of a lane whose sum is made in slices
    chains: of a lane
    term:   bits of the sum of a chain
    """

    pack: int
    field: int
    chain: int
    chains: int
    term: int

    @classmethod
    def of(cls, x: tuple[int, bool], w: tuple[int, bool], simd: int, arithmetic: str) -> Packing:
        """Of `simd` products a lane; x, w: bits and whether there is a sign, of inputs and weights of which two fit a slice."""
        (bits, signed), (weight, minus) = x, w
        wide = columns(arithmetic)
        pack = most_packed(bits, weight, arithmetic)
        field = min((wide - weight - 1) // (pack - 1), _SUM // pack)
        most = (1 << bits - signed) - (not signed)
        most *= (1 << weight - minus) - (not minus)
        fit = ((1 << field - (signed or minus)) - 1) // max(most, 1)
        chains = -(-simd // max(1, min(fit, _MOST_CHAINED, simd)))
        chain = -(-simd // chains)
        chains = -(-simd // chain)
        return cls(pack, field, chain, chains, min(field, bits + weight + (chain - 1).bit_length()))

    @property
    def latency(self) -> int:
        """Cycles from operands to the accumulators."""
        return self.chain + 2 + (self.chains - 1).bit_length()

    def late(self, simd: int) -> int:
        """Cycles that operands wait outside of slices, added up over a lane's."""
        return sum(max(0, s % self.chain - 1) for s in range(simd))
