"""A driver finds the same words at the same addresses, whether an HLS tool has made the hardware or the SystemVerilog is."""

from __future__ import annotations

import re
from pathlib import Path

from dfcompile.emit.engine import emit_hls_engine
from dfcompile.emit.hls import emit_hls
from dfcompile.ir.types import IntType
from dfcompile.loopback.config import EngineConfig
from dfcompile.units.delay import Delay
from tests.backend.designs import two_ports
from tests.three_way import one_unit


def of_hls(source: Path) -> dict[str, int]:
    """Argument -> address, of a top."""
    found = re.findall(r"^#pragma HLS interface mode=s_axilite port=(\w+) offset=(\w+)$", source.read_text(), re.MULTILINE)
    return {name: int(offset, 16) for name, offset in found}


def of_rtl(module: Path) -> dict[str, int]:
    """Value -> address, of what can be read."""
    found = re.findall(r"^ +6'h(\w\w): +value = ([\w\[\]:]+|\{28'b0, error_i\});$", module.read_text(), re.MULTILINE)
    return {value: 4 * int(word, 16) for word, value in found}


def test_of_a_design(root: Path, tmp_path: Path) -> None:
    emit_hls(two_ports(), tmp_path)
    rtl = of_rtl(root / "rtl" / "dfc_axi_batch.sv")
    names = {"frames": "frames_o", "version": "Version", "hash_low": "Hash[31:0]", "hash_high": "Hash[63:32]"}
    assert of_hls(tmp_path / "two_ports.cpp") == {name: rtl[value] for name, value in names.items()}


def test_of_a_streaming_design(root: Path, tmp_path: Path) -> None:
    unit = Delay((1, 3, 2), IntType(3), 5, keep=True)
    emit_hls(one_unit(unit), tmp_path)
    (top,) = [p for p in tmp_path.glob("*.cpp") if "s_axilite" in p.read_text()]
    (written,) = re.findall(r"restart_o <= .*aw_addr_i\[7:2\] == 6'h(\w\w)", (root / "rtl" / "dfc_axi_batch.sv").read_text())
    assert of_hls(top)["restart"] == 4 * int(written, 16) and "restart" not in of_rtl(root / "rtl" / "dfc_axi_batch.sv")


def test_of_an_engine(root: Path, tmp_path: Path) -> None:
    emit_hls_engine(EngineConfig(), tmp_path)
    rtl = of_rtl(root / "rtl" / "dfc_lb_registers.sv")
    names = {"program": "address_o", "bytes": "bytes_o", "error": "{28'b0, error_i}", "index": "index_i", "steps": "cycles_i[31:0]"}
    assert of_hls(tmp_path / "top.cpp") == {name: rtl[value] for name, value in names.items()}
