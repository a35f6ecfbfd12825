"""Where a tensor, or rows of it, are in the activation memory while a layer runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dfcompile.loopback.step import Interval
from dfcompile.loopback.storage import Storage


@dataclass(frozen=True, eq=False)
class Local:
    """A tensor on chip: rows first.. of it, `storage` with its start as an absolute word of the activation memory.

    image: words from an image to the next
    rows:  those that are read where not all are there
    """

    storage: Storage
    image: int
    first: int
    rows: tuple[int, int] | None = None

    def whole(self, batch: int) -> Interval:
        """All words of so many images."""
        s = self.storage
        return ("act", s.start, s.start + (batch - 1) * self.image + (s.planes - 1) * s.plane + s.height * s.row)

    def read(self, batch: int) -> list[Interval]:
        """The words that a tile reads at most, of so many images."""
        s = self.storage
        if self.rows is None:
            return [self.whole(batch)]
        starts = [s.start + n * self.image + p * s.plane for n in range(batch) for p in range(s.planes)]
        return [("act", at + self.rows[0] * s.row, at + self.rows[1] * s.row) for at in starts]

    def pixel(self, number: int) -> Local:
        """One pixel of the first row as a tensor of its own."""
        s = self.storage
        return replace(self, storage=replace(s, start=s.start + number * s.col, width=1, row=s.col or s.row))
