"""Views of smaller pixels: each part of a pixel's channels goes to a place of its own."""

from __future__ import annotations

from dataclasses import dataclass

from dfcompile.loopback.storage import Storage

MOST_PARTS = 4096  # of a pixel, each of them a layer that copies


@dataclass(frozen=True, eq=False)
class Part:
    """Some channels of all pixels, and where they go: (first row, first column, row step, column step)."""

    storage: Storage
    place: tuple[int, int, int, int]


def cut(storage: Storage, shape: tuple[int, int, int], simd: int) -> list[Part]:
    """The parts of a tensor that make a frame of the shape (h, w, c), c fewer channels. ValueError where there are too many."""
    h, w, c = shape
    pixels, channels = storage.height * storage.width, storage.channels
    if pixels % h == 0:
        sizes = (h, pixels // h, channels)
    elif h % pixels == 0:
        sizes = (pixels, 1, channels)
    else:  # the parts of a pixel lie in several rows
        sizes = (1, 1, h * w * c)
    seen = storage.viewed(sizes, simd)
    parts = sizes[2] // c
    if seen is None or sizes[2] % c or parts > MOST_PARTS:
        own = f"{storage.height}x{storage.width}x{channels}"
        raise ValueError(f"{own} seen as {shape} is no addressing of whole pixels, and more than {MOST_PARTS} copies")
    rows = sizes[0] == h
    places = [(0, j, 1, parts) if rows else (j // w, j % w, parts // w, w) for j in range(parts)]
    return [Part(seen.sliced(j * c, (j + 1) * c, simd), place) for j, place in enumerate(places)]
