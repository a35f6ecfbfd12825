"""What lies where in external memory and in the tile memories, so that nothing is there, or comes, twice."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Constants:
    """Weight and threshold tiles in external memory, equal ones once."""

    address: int
    data: bytearray = field(default_factory=bytearray)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(self, tile: bytes) -> int:
        """External address of the bytes."""
        if tile not in self.known:
            self.known[tile] = self.address + len(self.data)
            self.data += tile + bytes(-len(tile) % 16)
        return self.known[tile]


@dataclass
class Ring:
    """A tile memory filled round and round: what lies where, so that a tile still there is not loaded again."""

    size: int
    at: int = 0
    held: dict[tuple[int, ...], tuple[int, int]] = field(default_factory=dict)

    def find(self, tile: tuple[int, ...], words: int) -> tuple[int, bool]:
        """(first word, whether it must be loaded) of a tile, known by its external address and how its parts lie."""
        if tile in self.held and self.held[tile][1] >= words:
            return self.held[tile][0], False
        start = self.at if self.at + words <= self.size else 0
        self.held = {k: (a, n) for k, (a, n) in self.held.items() if a + n <= start or a >= start + words}
        self.held[tile] = (start, words)
        self.at = start + words
        return start, True

    def clear(self) -> None:
        """Forget what is there, and begin from the first word."""
        self.at = 0
        self.held.clear()
