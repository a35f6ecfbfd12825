"""Beats as a design's outside has them: padded with zeros to a power of two of bytes."""

from __future__ import annotations

import numpy as np

from dfcompile.emit.interface import port_bytes
from dfcompile.units.base import Stream


def packed(stream: Stream, codes: np.ndarray) -> np.ndarray:
    """Codes (n, h, w, c) to beats (n * beats, bytes)."""
    beats = stream.pack(codes)
    return np.pad(beats, ((0, 0), (0, port_bytes(stream.width) - beats.shape[1])))


def unpacked(stream: Stream, beats: np.ndarray) -> np.ndarray:
    """The inverse of `packed`; what the padding holds must be zero."""
    own = -(-stream.width // 8)
    assert not beats[:, own:].any()
    return stream.unpack(np.ascontiguousarray(beats[:, :own]))
