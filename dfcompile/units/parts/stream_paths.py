"""Paths that units which move beats have in common: steps, output buffers, rows that are kept."""

from __future__ import annotations

from collections.abc import Iterator

from dfcompile.device.delay import Path, lut_levels
from dfcompile.device.family import FAMILIES

_COUNTED = 3  # bits of a count from which it is a carry chain
_HANDSHAKE = 2  # valid and ready of a port


def given(width: int, slots: int, inputs: int, family: str) -> Iterator[Path]:
    """`dfc_stream_out` of beats of `width` bits behind a step that is a function of so many inputs."""
    bits, size = slots.bit_length(), FAMILIES[family].lut_inputs
    if bits >= _COUNTED:
        yield Path("places in its output buffer", levels=1 + lut_levels(inputs, size), carries=(bits,))
    else:
        yield Path("places in its output buffer", levels=lut_levels(bits + _HANDSHAKE + inputs, size))
    memory = FAMILIES[family].lutram if slots * width > FAMILIES[family].registers else ()
    written = -(-width // memory[0][1]) if memory else width  # blocks of distributed RAM, or registers
    yield Path("a beat that is given", levels=lut_levels(inputs, size), stores=True, fanout=written)


def constant_sum(what: str, terms: int, bits: int, memory: bool = False) -> Iterator[Path]:
    """A sum of shifted numbers in one step: two are a chain, each more a row of LUTs that makes two of three in front of it."""
    yield Path(what, levels=max(0, terms - 2), carries=(bits,) * (terms > 1), memory=memory)


def chosen(what: str, bits: int, memory: bool = False, ways: int = 1) -> Iterator[Path]:
    """The larger of two numbers of so many bits, or of more by comparisons one behind the other."""
    yield Path(what, levels=ways, carries=(bits,) * ways, memory=memory, fanout=bits)
