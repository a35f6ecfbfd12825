"""Unit memories and test vectors as text: hex words for ``$readmemh``, word lists for C++, beats one a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.base import Array, Stream

Words = NDArray[np.uint8]
_BLOCK = 2**20
"""Bytes of words that are put into text at once."""


def _digits(words: Words, count: int) -> NDArray[np.uint8]:
    """Hex digits of little-endian words as characters, most significant first, (words, count)."""
    nibbles = np.empty((len(words), words.shape[1] * 2), np.uint8)
    nibbles[:, 0::2] = words & 15
    nibbles[:, 1::2] = words >> 4
    return np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles[:, count - 1 :: -1]]


def _constant(text: bytes, rows: int) -> NDArray[np.uint8]:
    """The same characters in every row."""
    return np.broadcast_to(np.frombuffer(text, np.uint8), (rows, len(text)))


def hex_lines(words: Words, width: int) -> str:
    """One word a line, most significant digit first, ceil(width / 4) digits; words are little-endian bytes."""
    if not len(words):
        return ""
    lines = np.concatenate([_digits(words, -(-width // 4)), _constant(b"\n", len(words))], axis=1)
    return lines.tobytes().decode()


def write_lines(path: Path, words: Words, width: int, lines: Callable[[Words, int], str] = hex_lines) -> None:
    """The text of `hex_lines` or `limb_lines`, written block by block."""
    with path.open("w", newline="\n") as file:
        _write(file, words, width, lines)


def write_bank(path: Path, lanes: Words, width: int) -> None:
    """A bank of a memory, (lanes, words, bytes), as the inner part of the initial values of a C++ array [lanes][words][limbs]."""
    with path.open("w", newline="\n") as file:
        for lane, words in enumerate(lanes):
            file.write("}, {\n" if lane else "")
            _write(file, words, width, limb_lines)


def _write(file: TextIO, words: Words, width: int, lines: Callable[[Words, int], str]) -> None:
    rows = max(1, _BLOCK // max(1, words.shape[1]))
    for first in range(0, len(words), rows):
        file.write(lines(words[first : first + rows], width))


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
    write_lines(path, stream.pack(codes), stream.width)


def read_beats(path: Path, stream: Stream) -> NDArray[np.int64]:
    """The frames of a file of `write_beats`, (n, h, w, c); an incomplete last frame is an error."""
    return stream.unpack(parse_hex(path.read_text(), stream.width))


def limb_lines(words: Words, width: int) -> str:
    """Words for C++: ``{0x<low limb>, ..., 0x<high limb>},`` with 16 hex digits a limb of 64 bits, one word a line."""
    limbs = -(-width // 64)
    padded = np.zeros((len(words), limbs * 8), np.uint8)
    padded[:, : words.shape[1]] = words
    digits = _digits(padded, limbs * 16)
    parts = list[NDArray[np.uint8]]()
    for i in reversed(range(limbs)):
        parts += [_constant(b", 0x" if parts else b"{0x", len(words)), digits[:, 16 * i : 16 * i + 16]]
    return np.concatenate([*parts, _constant(b"},\n", len(words))], axis=1).tobytes().decode()
