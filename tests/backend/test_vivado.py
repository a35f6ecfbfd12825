"""The scripts for Vivado, held to account by a strict stand-in: every board, and each kind of mistake is noticed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import dfcompile as dfc
from dfcompile.device.boards import boards, find_board
from dfcompile.emit.engine import TOP
from dfcompile.emit.vivado import emit_vivado
from dfcompile.options import Options
from dfcompile.toolchain import require_tool, verilator_root
from tests.shared import manifest, needs_models
from tests.test_corpus import built

pytest.importorskip("tkinter", reason="Python was built without Tcl")
from tools.vivado_design import Refused
from tools.vivado_strict import Vivado

AMD = [name for name, b in boards().items() if b.vivado]
TOP_NAME = "digits_mlp_w1a1"


@pytest.fixture(scope="module")
def rtl(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """rtl/ of a design and, beside it, of a loopback engine."""
    folder = tmp_path_factory.mktemp("vivado")
    dfc.build(examples / f"{TOP_NAME}.onnx", board="pynq-z2", interval=1024, verify=False).save(folder / "dataflow")
    engine = folder / "engine.json"
    engine.write_text('{"engine": {"pe": 4, "simd": 8}}')
    options = {"mode": "loopback", "folding": engine, "board": "pynq-z2", "verify": False}
    dfc.build(examples / "digits_mlp_w1a1.onnx", **options).save(folder / "loopback")
    return folder


def scripts(rtl: Path, mode: str, board: str, folder: Path) -> Path:
    """vivado/ for a board, with a link to rtl/ beside it."""
    folder.mkdir()
    (folder / "rtl").symlink_to(rtl / mode / "rtl")
    emit_vivado(TOP if mode == "loopback" else TOP_NAME, Options(board=board).kept(), folder / "rtl", folder / "vivado")
    return folder / "vivado"


def run(script: Path, work: Path) -> set[str]:
    """Names of the files that a script leaves."""
    work.mkdir()
    Vivado().run(script, work)
    return {p.name for p in work.iterdir() if p.is_file()}


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
@pytest.mark.parametrize("board", AMD)
def test_every_board(rtl: Path, board: str, mode: str, tmp_path: Path) -> None:
    made = scripts(rtl, mode, board, tmp_path / "out")
    top = f"{TOP if mode == 'loopback' else TOP_NAME}_ip"
    assert run(made / "ooc.tcl", tmp_path / "ooc") == {"utilisation.txt", "hierarchy.txt", "timing.txt", f"{top}.dcp"}
    kind = Options(board=board).kept()["vivado"]["kind"]
    if mode == "loopback" and kind in ("jtag", "xrt"):
        assert not (made / "design.tcl").exists() and not (made / "kernel.tcl").exists()
    elif kind == "xrt":
        assert run(made / "kernel.tcl", tmp_path / "kernel") == {f"{top}.xo"}
    else:
        wanted = {"design.bit", "utilisation.txt", "hierarchy.txt", "timing.txt"} | ({"design.hwh"} if kind != "jtag" else set())
        assert run(made / "design.tcl", tmp_path / "design") == wanted


BREAKS: list[tuple[str, str, str, str, str]] = [
    # board, file, text, what takes its place, what the stand-in says
    ("pynq-z2", "design.tcl", "\nvalidate_bd_design", "\ncheck_bd_design", "invalid command name"),
    ("pynq-z2", "design.tcl", "\nvalidate_bd_design", "\nexec ls", "invalid command name"),
    ("pynq-z2", "design.tcl", "\nvalidate_bd_design", "", "validated and saved"),
    ("pynq-z2", "design.tcl", "-jobs 2", "-threads 2", "no option -threads"),
    ("pynq-z2", "design.tcl", "axi_dma_0 axi_dma ", "axi_dma_0 axi_dna ", "no IP axi_dna"),
    ("pynq-z2", "design.tcl", "c_sg_length_width", "c_length_width", "no parameter CONFIG.c_length_width"),
    ("pynq-z2", "design.tcl", "length_width 26", "length_width 27", "CONFIG.c_sg_length_width cannot be '27'"),
    ("pynq-z2", "design.tcl", "HP0_DATA_WIDTH 64", "HP0_DATA_WIDTH 128", "cannot be '128'"),
    ("pynq-z2", "design.tcl", "{s_axi_lite_aclk", "{s_axi_light_aclk", "no pin axi_dma_0/s_axi_light_aclk"),
    ("pynq-z2", "design.tcl", "axi_dma_0/M_AXIS_MM2S", "axi_dma_0/M_AXIS", "no interface axi_dma_0/M_AXIS"),
    ("pynq-z2", "design.tcl", "accelerator/m_axis axi_dma_0", "accelerator/s_axis axi_dma_0", "not a master and a slave"),
    ("pynq-z2", "design.tcl", "M00_AXI accelerator/s_axi_control", "M00_AXI axi_dma_0/S_AXIS_S2MM", r"\(aximm\) does not fit"),
    ("pynq-z2", "design.tcl", "control/M00_AXI accelerator", "ps/M_AXI_GP0 accelerator", "connected already|does not fit"),
    ("pynq-z2", "design.tcl", "tdata_width 16", "tdata_width 64", "has 64 bits, accelerator/s_axis 16"),
    ("pynq-z2", "design.tcl", "tdata_width 16", "tdata_width 128", "the stream of 128 bits is wider"),
    ("pynq-z2", "design.tcl", " m_axi_s2mm_aclk}", "}", "axi_dma_0/m_axi_s2mm_aclk is not connected"),
    ("pynq-z2", "design.tcl", "control aclk aresetn", "control aclk {}", "control/aresetn is not connected"),
    ("pynq-z2", "design.tcl", "control aclk aresetn", "control aresetn aclk", "drives control/aresetn"),
    ("pynq-z2", "design.tcl", "wire reset/peripheral_aresetn", "wire reset/peripheral_reset", r"peripheral_reset \(reset\) drives"),
    ("pynq-z2", "design.tcl", "ps/S_AXI_HP1_ACLK", "ps/S_AXI_HP2_ACLK", "no pin ps/S_AXI_HP2_ACLK"),
    ("pynq-z2", "design.tcl", "\nassign_bd_address", "", "has no address for"),
    ("pynq-z2", "design.tcl", "link control/M01_AXI axi_dma_0/S_AXI_LITE", "", "M01_AXI is not connected"),
    ("pynq-z2", "design.tcl", 'make_external "FIXED_IO, DDR" ', "", "ps/DDR is not connected"),
    ("pynq-z2", "design.tcl", "*:pynq-z2:", "*:pynq-z3:", "no board files"),
    ("pynq-z2", "design.tcl", "xc7z020clg400-1", "xc7z020clg484-1", "no part"),
    ("pynq-z2", "design.tcl", "set_property top system_wrapper", "set_property top accelerator", "have a module accelerator"),
    ("pynq-z2", "package.tcl", f"top {TOP_NAME}_ip", f"top {TOP_NAME}", "plain Verilog"),
    ("pynq-z2", "package.tcl", "import_files -", "import_file -", "no option -import_file"),
    ("pynq-z2", "sources.tcl", "  dfc_mvtu.sv\n", "", "lacks dfc_mvtu.sv"),
    ("pynq-z2", "sources.tcl", "dfc_mvtu.sv\n", "dfc_mvtux.sv\n", "no file"),
    ("pynq-z2", "sources.tcl", "dfc_assert.svh", "", "lacks dfc_assert.svh"),
    ("pynq-z2", "sources.tcl", "  conv_matmul_1_weights.mem\n", "", "lacks .*mem"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", ", ASSOCIATED_RESET aresetn", "", "no ASSOCIATED_RESET"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", ":m_axis,", ",", "m_axis is in no ASSOCIATED_BUSIF"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", "POLARITY ACTIVE_LOW", "POLARITY ACTIVE_HIGH", "without POLARITY"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", "s_axis TKEEP", "s_axis TKEEPS", "no signal TKEEPS"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", "output wire s_axis_tready", "input wire s_axis_tready", "TREADY points the wrong way"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", "[1:0] s_axis_tkeep", "[0:0] s_axis_tkeep", "16 bits with TKEEP"),
    ("pynq-z2", f"{TOP_NAME}_ip.v", "PROTOCOL AXI4LITE, DATA_WIDTH 32", "PROTOCOL AXI4LITE, DATA_WIDTH 64", "DATA_WIDTH 64"),
    ("kv260", "design.tcl", "PSU__USE__S_AXI_GP2 1", "PSU__USE__S_AXI_GP2 0", "no pin ps/saxihp0_fpd_aclk"),
    ("kv260", "design.tcl", "kv260_carrier", "kr260_carrier", "takes no board_connections"),
    ("kv260", "design.tcl", "ps/pl_resetn0", "ps/pl_clk0", "drives reset/ext_reset_in"),
    ("arty-a7-100t", "design.tcl", "0x44A00000", "0xC0000000", "overlaps"),
    ("arty-a7-100t", "design.tcl", "0xC0000000", "0xC0000800", "does not lie at"),
    ("arty-a7-100t", "design.tcl", "CONFIG.POLARITY ACTIVE_LOW", "CONFIG.POLARITY ACTIVE_HIGH", r"\(reset\) drives reset/ext_reset_in"),
    (
        "arty-a7-100t", "design.tcl", "clocked host aclk aresetn",
        "connect_bd_net [get_bd_ports oscillator] [get_bd_pins host/aclk]; clocked host {} aresetn", "have different clocks",
    ),
    ("arty-a7-100t", "pins.xdc", "[get_ports reset_n]\nset_false", "[get_ports reset]\nset_false", "ports that there are not: reset"),
    ("arty-a7-100t", "pins.xdc", "PACKAGE_PIN C2 ", "", "takes no|ports without a pin"),
    ("alveo-u250", "kernel.xml", 'name="s_axis" mode', 'name="s_axis0" mode', "port s_axis0 is none of the IP's"),
    ("alveo-u250", "kernel.xml", 'dataWidth="16"', 'dataWidth="32"', "port s_axis is none"),
    ("alveo-u250", "package.tcl", "sdx_kernel true", "sdx_kernel false", "not the kernel"),
]  # fmt: skip


@pytest.mark.parametrize(("board", "name", "old", "new", "says"), BREAKS, ids=lambda x: None)
def test_mistakes_are_noticed(rtl: Path, board: str, name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    made = scripts(rtl, "dataflow", board, tmp_path / "out")
    text = (made / name).read_text()
    assert old in text
    (made / name).write_text(text.replace(old, new, 1))
    with pytest.raises(Refused, match=says):
        run(made / ("kernel.tcl" if board == "alveo-u250" else "design.tcl"), tmp_path / "work")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("ooc.tcl", "place_design\n", "", "comes before place"),
        ("ooc.tcl", "out_of_context -include", "out_of_kontext -include", "no part .* -mode out_of_kontext"),
        ("ooc.xdc", "get_ports aclk", "get_ports clk_i", "ports that there are not: clk_i"),
        ("ooc.xdc", "-period 10", "-period", "no clock of a port"),
    ],
)
def test_mistakes_out_of_context_are_noticed(rtl: Path, name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    made = scripts(rtl, "dataflow", "pynq-z2", tmp_path / "out")
    text = (made / name).read_text()
    assert old in text
    (made / name).write_text(text.replace(old, new, 1))
    with pytest.raises(Refused, match=says):
        run(made / "ooc.tcl", tmp_path / "work")


def test_a_host_over_jtag(rtl: Path, tmp_path: Path) -> None:
    """Words of the input in the memory, output DMA before input DMA, N frames, and of the memory as many bytes as the output has."""
    made = scripts(rtl, "dataflow", "arty-a7-100t", tmp_path / "out")
    sent = bytes(range(1, 131))  # 2 bytes beyond a word
    for name, data in (("in.bin", sent), ("design.bit", b"")):
        (tmp_path / name).write_bytes(data)
    board, dma, memory = Vivado(), 0x41E0_0000, 0xC000_0000
    board.answers = {dma + 0x34: 2, memory + 256: 0x04030201, memory + 260: 0x08070605}
    board.run(made / "host.tcl", tmp_path, "design.bit", "5", "in.bin", "out.bin", "6")
    assert (tmp_path / "out.bin").read_bytes() == bytes(range(1, 7))
    words = [int.from_bytes((sent + bytes(2))[i : i + 4], "little") for i in range(0, 132, 4)]
    assert board.written[: len(words)] == [(memory + 4 * i, w) for i, w in enumerate(words)]
    registers = [(0x44A0_0010, 5), (dma + 0x30, 1), (dma + 0x48, memory + 256), (dma + 0x58, 6)]
    registers += [(dma, 1), (dma + 0x18, memory), (dma + 0x28, 130)]
    assert board.written[len(words) :] == registers
    for status, size, says in ((0x10, "6", "the transfer is not done"), (2, "70000", "more than the memory holds")):
        board = Vivado()
        board.answers = {dma + 0x34: status}
        with pytest.raises(Refused, match=says):
            board.run(made / "host.tcl", tmp_path, "design.bit", "5", "in.bin", "out.bin", size)


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_the_plain_top_fits_the_design(rtl: Path, mode: str, tmp_path: Path) -> None:
    """Under Verilator, whose warnings are errors: every port of the top by its name and width."""
    made = scripts(rtl, mode, "pynq-z2", tmp_path / "out")
    name = TOP if mode == "loopback" else TOP_NAME
    lint = ["--lint-only", "-Wall", "-f", "files.f", "--top", f"{name}_ip", str(made / f"{name}_ip.v")]
    command = ["env", f"VERILATOR_ROOT={verilator_root()}", str(require_tool("verilator").path), *lint]
    found = subprocess.run(command, cwd=rtl / mode / "rtl", capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_other_boards_get_none(examples: Path, tmp_path: Path) -> None:
    dfc.build(examples / f"{TOP_NAME}.onnx", board="ecp5-85f", interval=1024, verify=False).save(tmp_path / "out")
    assert not (tmp_path / "out" / "vivado").exists() and find_board("ecp5-85f").vivado is None


@pytest.mark.full
@needs_models
@pytest.mark.parametrize("model", manifest(), ids=lambda m: m["name"])
def test_every_model_for_pynq_z2(model: dict[str, Any], tmp_path: Path) -> None:
    built(model, board="pynq-z2", verify=False).save(tmp_path / "out")
    assert "design.bit" in run(tmp_path / "out" / "vivado" / "design.tcl", tmp_path / "work")
    assert "timing.txt" in run(tmp_path / "out" / "vivado" / "ooc.tcl", tmp_path / "ooc")
