"""Names, memories and vectors as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.emit import memory as memory_text
from dfcompile.emit.memory import hex_lines, limb_lines, parse_hex, write_lines
from dfcompile.emit.name import Names, port_names, sanitise, unique
from dfcompile.ir import packing
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Memory, pack_words
from tests.backend.designs import joined, residual


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("conv_0", "conv_0"),
        ("/layer1/Conv.2", "layer1_conv_2"),
        ("3x3", "n_3x3"),
        ("module", "n_module"),
        ("Template", "n_template"),
        ("a__b", "a_b"),
        ("größe", "gr_e"),
        ("", "unnamed"),
        ("___", "unnamed"),
        ("out put", "out_put"),
        ("int", "n_int"),
        ("main", "n_main"),
        ("dfc_top", "n_dfc_top"),
        ("Parameters", "n_parameters"),
    ],
)
def test_sanitise(text: str, name: str) -> None:
    assert sanitise(text) == name


def test_unique_numbers_the_later_ones() -> None:
    assert unique(["a.b", "a/b", "a b", "c"], taken=["c"]) == {"a.b": "a_b", "a/b": "a_b_2", "a b": "a_b_3", "c": "c_2"}


def test_ports_are_numbered_only_when_there_are_several() -> None:
    assert port_names("in", 1) == ("in",)
    assert port_names("out", 3) == ("out0", "out1", "out2")


def test_names_of_units_and_streams_never_meet() -> None:
    names = Names.of(residual())
    all_names = [names.top, *names.units.values(), *names.streams.values()]
    assert names.top == "residual_1"
    assert names.units["split up"] == "split_up"
    assert len(set(all_names)) == len(all_names)


def test_a_stream_named_like_a_fifo() -> None:
    def named(tensors: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("n_short_fifo" if t == "windows" else t for t in tensors)

    nodes = [replace(n, inputs=named(n.inputs), outputs=named(n.outputs)) for n in residual().nodes]
    names = Names.of(joined("clash", nodes, ("x",), ("sum",), short=20))
    assert names.streams["n_short_fifo"] == "n_short_fifo"
    assert names.fifos == {"short": "n_short_fifo_2"}


@given(st.integers(1, 150), st.integers(0, 9), st.randoms(use_true_random=False))
def test_hex_holds_every_bit(width: int, depth: int, random: object) -> None:
    values = [random.getrandbits(width) for _ in range(depth)]  # type: ignore[attr-defined]
    size = -(-width // 8)
    words = np.array([list(v.to_bytes(size, "little")) for v in values], np.uint8).reshape(depth, size)
    text = hex_lines(words, width)
    assert [int(line, 16) for line in text.split()] == values
    assert {len(line) for line in text.split()} <= {-(-width // 4)}
    assert parse_hex(text, width).tolist() == words.tolist()


def test_parse_hex_refuses_ragged_lines() -> None:
    with pytest.raises(ValueError, match="lines of 2 hex digits"):
        parse_hex("0a\nb\n", 8)


def test_limbs_are_lowest_first() -> None:
    value = (5 << 64) | 0xABC
    memory = Memory("W", 70, np.array([list(value.to_bytes(9, "little"))], np.uint8))
    assert limb_lines(memory.words, memory.width) == "{0x0000000000000abc, 0x0000000000000005},\n"


def test_blocks_of_lines_are_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_text, "_BLOCK", 7)
    words = np.random.default_rng(0).integers(0, 256, (23, 3), dtype=np.uint8)
    for lines in (hex_lines, limb_lines):
        write_lines(tmp_path / "m", words, 24, lines)
        assert (tmp_path / "m").read_bytes().decode() == lines(words, 24)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64, np.float32])
@pytest.mark.parametrize("dtype", [BIPOLAR, *(IntType(b, signed=s) for b in (1, 2, 3, 4, 5, 8) for s in (False, True))], ids=str)
def test_words_packed_in_blocks_are_the_words(dtype: IntType, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PIECE", 40)
    values = np.random.default_rng(0).integers(dtype.lo, min(dtype.hi, 127) + 1, (23, 5))
    values = np.where(values == 0, 1, values) if dtype.bipolar else values
    packed = pack_words(values.astype(kind), dtype)
    bits, mask = dtype.bits, (1 << dtype.bits) - 1
    patterns = (values > 0).astype(int) if dtype.bipolar else values & mask
    wanted = [sum(int(v) << (bits * i) for i, v in enumerate(row)) for row in patterns]
    assert [int.from_bytes(w.tobytes(), "little") for w in packed] == wanted
    found = packing.unpack(packed, dtype.bits, 5, dtype.signed, dtype.bipolar)
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [9, 12, 16, 17, 31, 32, 33, 47, 63, 64])
def test_wide_codes_packed_and_unpacked(bits: int, signed: bool) -> None:
    lo = -(1 << bits - 1) if signed else 0
    hi = (1 << bits - signed) - 1
    values = [[lo, hi, 0], [hi, lo, 1], [lo + 1, hi - 1, hi // 3]]
    packed = packing.pack(np.array(values, np.int64 if signed else np.uint64), bits)
    wanted = [sum((v % 2**bits) << (bits * i) for i, v in enumerate(row)) for row in values]
    assert [int.from_bytes(w.tobytes(), "little") for w in packed] == wanted
    assert packing.unpack(packed, bits, 3, signed).tolist() == values
