"""Descriptors: one layout for Python, C++ and SystemVerilog."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfcompile.loopback.descriptor import Compute, Opcode, Target, Transfer, layout, pack, unpack, unpack_all
from dfcompile.loopback.validate import MEANS, ErrorCode
from tools.descriptor_headers import cpp, systemverilog

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("path", "text"), [("rtl/dfc_lb_descriptor.svh", systemverilog()), ("hls/dfc_lb_descriptor.hpp", cpp())])
def test_generated_headers_are_current(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text


@given(st.data())
def test_pack_and_unpack(data: st.DataObject) -> None:
    values = {name: data.draw(st.integers(0, (1 << size) - 1), name) for name, _, size in layout(Compute)}
    d = Compute(**{**values, "opcode": Opcode.COMPUTE})
    assert unpack(pack(d)) == d
    assert len(pack(d)) == Compute.BITS // 8


def test_program_of_several() -> None:
    load = Transfer(opcode=Opcode.LOAD, target=Target.WEIGHT, inner=5, beats=12, address=0x1000)
    tile = Compute(opcode=Opcode.COMPUTE, src=7, height=3)
    assert unpack_all(pack(load) + pack(tile) + pack(load)) == [load, tile, load]


def test_fields_fit_their_descriptor() -> None:
    for kind in (Transfer, Compute):
        assert sum(size for _, _, size in layout(kind)) <= kind.BITS
        assert len(layout(kind)) == len(fields(kind))


def test_value_too_large() -> None:
    with pytest.raises(ValueError, match=r"Compute\.kernel_h = 256 does not fit into 8 bits"):
        pack(Compute(opcode=Opcode.COMPUTE, kernel_h=256))


def test_every_error_is_explained() -> None:
    assert set(MEANS) == set(ErrorCode) - {ErrorCode.NONE}
