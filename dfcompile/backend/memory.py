"""Unit memories and test vectors as text: hex words for ``$readmemh``, word lists for C++, beats one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.base import Array, Memory, Stream

Words = NDArray[np.uint8]


def hex_lines(words: Words, width: int) -> str:
    """One word a line, most significant digit first, ceil(width / 4) digits; words are little-endian bytes."""
    if not len(words):
        return ""
    digits = -(-width // 4)
    nibbles = np.empty((len(words), words.shape[1] * 2), np.uint8)
    nibbles[:, 0::2] = words & 15
    nibbles[:, 1::2] = words >> 4
    text = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles[:, digits - 1 :: -1]]
    lines = np.concatenate([text, np.full((len(words), 1), ord("\n"), np.uint8)], axis=1)
    return lines.tobytes().decode()


def parse_hex(text: str, width: int) -> Words:
    """The inverse of `hex_lines`; ValueError when a line has not the right number of digits."""
    digits = -(-width // 4)
    raw = np.frombuffer(text.encode(), np.uint8)
    if len(raw) % (digits + 1):
        raise ValueError(f"words of {width} bits must be lines of {digits} hex digits")
    lines = raw.reshape(-1, digits + 1)[:, digits - 1 :: -1] if len(raw) else np.zeros((0, digits), np.uint8)
    values = np.where(lines > ord("9"), (lines & 15) + 9, lines & 15).astype(np.uint8)
    words = np.zeros((len(values), -(-width // 8)), np.uint8)
    words[:, :] = values[:, 0::2]
    words[:, : digits // 2] |= values[:, 1::2] << 4
    return words


def write_beats(path: Path, stream: Stream, codes: Array) -> None:
    """Frames (n, h, w, c) of a stream as hex lines, one beat a line."""
    path.write_text(hex_lines(stream.pack(codes), stream.width))


def read_beats(path: Path, stream: Stream) -> NDArray[np.int64]:
    """The frames of a file of `write_beats`, (n, h, w, c); an incomplete last frame is an error."""
    return stream.unpack(parse_hex(path.read_text(), stream.width))


def limb_lines(memory: Memory) -> str:
    """Words for C++: ``DFC_WORD(high limb, ..., low limb),`` with 16 hex digits a limb and no 0x, one word a line."""
    limbs = -(-memory.width // 64)
    padded = np.zeros((memory.depth, limbs * 8), np.uint8)
    padded[:, : memory.words.shape[1]] = memory.words
    lines = []
    for line in hex_lines(padded, limbs * 64).splitlines():
        lines.append(f"DFC_WORD({', '.join(line[i : i + 16] for i in range(0, len(line), 16))}),")
    return "\n".join(lines) + "\n"
