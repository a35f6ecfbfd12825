"""Models of vendors' cells against the memories and products that synthesis makes of them, in one Verilator simulation."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dfcompile.device.family import CELL_MODELS
from dfcompile.emit.resource import library_files, resource_dir
from dfcompile.errors import CompileError
from dfcompile.run.compile import MODEL, STANDARD, run_tool, verilate, verilated_runtime
from dfcompile.synthesis.cells import cell_models, has_contents
from dfcompile.synthesis.netlist import Sources, netlist_project
from dfcompile.toolchain import require_tool, verilator_root

CYCLES = 20_000
LIBRARY = ("dfc_ram.sv", "dfc_rom.sv", "dfc_rom_shared.sv", "dfc_dot_products.sv")


@dataclass(frozen=True)
class Ram:
    depth: int
    width: int
    style: int = 3

    def text(self, n: int) -> str:
        bits = (self.depth - 1).bit_length()
        return (
            f"  logic [{self.width - 1}:0] q{n};\n"
            f"  dfc_ram #(.Width({self.width}), .Depth({self.depth}), .Style({self.style})) u_{n} (.clk_i, .wr_en_i(bits_i[0]), "
            f".wr_addr_i({bits}'(bits_i[63:32] % 32'd{self.depth})), .wr_data_i({self.width}'({{3{{bits_i}}}} >> {n})), "
            ".rd_en_i(bits_i[1] && "
            f"bits_i[63:32] % 32'd{self.depth} != bits_i[31:2] % 30'd{self.depth}), .rd_addr_i({bits}'(bits_i[31:2] % 30'd{self.depth})), "
            f".rd_data_o(q{n}));\n"
        )


@dataclass(frozen=True)
class Rom:
    depth: int
    width: int

    def text(self, n: int) -> str:
        bits = (self.depth - 1).bit_length()
        return (
            f"  logic [{self.width - 1}:0] q{n};\n"
            f'  dfc_rom #(.File("{n}.mem"), .FileDepth({self.depth}), .Width({self.width}), .Style(3)) u_{n} (.clk_i, '
            ".en_i(bits_i[1]), "
            f".addr_i({bits}'(bits_i[31:2] % 30'd{self.depth})), .data_o(q{n}));\n"
        )


@dataclass(frozen=True)
class Shared:
    depth: int
    width: int

    def text(self, n: int) -> str:
        bits = (self.depth // 2 - 1).bit_length()
        half = self.depth // 2
        return (
            f"  logic [{2 * self.width - 1}:0] q{n};\n"
            f'  dfc_rom_shared #(.File("{n}.mem"), .FirstWidth({self.width}), .FirstDepth({half}), .SecondWidth({self.width}), '
            f".SecondDepth({half})) u_{n} (.clk_i, .first_en_i(bits_i[1]), .first_addr_i({bits}'(bits_i[31:2])), .first_data_o(q{n}"
            f"[{self.width - 1}:0]), .second_en_i(bits_i[0]), .second_addr_i({bits}'(bits_i[63:32])), "
            f".second_data_o(q{n}[{2 * self.width - 1}:{self.width}]));\n"
        )


@dataclass(frozen=True)
class Product:
    a: int
    b: int
    signed: bool

    def text(self, n: int) -> str:
        kind, cast = ("signed ", "signed'") if self.signed else ("", "")
        return (
            f"  logic {kind}[{self.a + self.b - 1}:0] q{n};\n  logic {kind}[{self.a - 1}:0] a{n};\n"
            f"  logic {kind}[{self.b - 1}:0] b{n};\n"
            f"  always_ff @(posedge clk_i) begin\n    a{n} <= {cast}(bits_i[{self.a - 1}:0]);\n"
            f"    b{n} <= {cast}(bits_i[{31 + self.b}:32]);\n"
            f"    q{n} <= a{n} * b{n};\n  end\n"
        )


@dataclass(frozen=True)
class Dot:
    """A sum of products, whose registers synthesis may move into slices that multiply and add."""

    simd: int = 4
    bits: int = 8

    def text(self, n: int) -> str:
        wide = self.simd * self.bits
        return (
            f"  logic [{2 * self.bits + 1}:0] q{n};\n"
            f"  dfc_dot_products #(.Simd({self.simd}), .XBits({self.bits}), .WBits({self.bits}), .SumBits({2 * self.bits + 2})) u_{n} "
            f"(.clk_i, .x_i(bits_i[{wide - 1}:0]), .w_i(bits_i[{31 + wide}:32]), .sum_o(q{n}));\n"
        )


Part = Dot | Ram | Rom | Shared | Product
SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36), (700, 40), (300, 7))
SMALL = ((2048, 2), (1024, 4), (512, 8), (256, 16), (700, 40), (300, 7))
_MEMORIES: list[Part] = [*(Ram(*s) for s in SHAPES), *(Rom(*s) for s in SHAPES), Shared(512, 16)]
CASES: dict[str, tuple[list[Part], set[str]]] = {
    "ecp5": (
        [*(Ram(*s) for s in SHAPES), Ram(32, 6, 2), *(Rom(*s) for s in SHAPES), Shared(512, 16), Product(18, 18, True),
         Product(18, 18, False),
         Product(11, 9, True), Dot()],
        {"DP16KD", "MULT18X18D", "TRELLIS_DPR16X4"},
    ),
    "ice40": (
        [*(Ram(*s) for s in SMALL), Ram(32, 6, 2), *(Rom(*s) for s in SMALL), Product(11, 9, True), Dot()],
        {"SB_RAM40_4K"},
    ),
    "gowin": (
        [*(Ram(*s) for s in SHAPES), Ram(32, 6, 2), *(Rom(*s) for s in SHAPES), Shared(512, 16), Shared(4096, 4), Dot()],
        {"SP", "SPX9", "SDPX9B", "DPB", "DPX9B", "RAM16SDP4"},
    ),
    "xc7": (
        [*_MEMORIES, Ram(1024, 36), Ram(512, 72), Ram(32, 6, 2), Ram(64, 3, 2), Product(25, 18, True), Product(24, 17, False),
         Product(11, 9, True)],
        {"RAMB18E1", "RAMB36E1", "DSP48E1", "RAM32M"},
    ),
    "xcup": (
        [*_MEMORIES, Ram(1024, 36), Ram(512, 72), Ram(4096, 72, 4), Ram(64, 6, 2), Product(27, 18, True), Product(26, 17, False),
         Product(11, 9, True)],
        {"RAMB18E2", "RAMB36E2", "DSP48E2", "URAM288"},
    ),
}  # fmt: skip
"""Parts that are synthesised for a family, and the cells that must be among those they become."""

BENCH = """
module bench (input logic clk_i, output logic wrong_o);
  logic [63:0] bits;
  logic [{width}:0] wanted, got;
  int unsigned count = 0;
  always_ff @(posedge clk_i) begin
    count <= count + 1;
    bits <= {{$urandom, $urandom}};
    if (count < 4) bits[1:0] <= '0;
    // What has not been written is unknown in one and zero in the other: the memories are filled first.
    if (count < {fill}) bits <= {{32'(count), 30'(count + 1), 2'b01}};
    wrong_o <= count > {fill} + 4 && wanted !== got;
  end
  parts u_wanted (.clk_i, .bits_i(bits), .q_o(wanted));
  parts_netlist u_got (.clk_i, .bits_i(bits), .q_o(got));
endmodule
"""
MAIN = """
#include <cstdio>
#include "Vdut.h"
#include "verilated.h"
int main() {
  VerilatedContext context;
  Vdut dut{&context};
  for (int i = 0; i < CYCLES; ++i) {
    dut.clk_i = 0, dut.eval();
    dut.clk_i = 1, dut.eval();
    if (dut.wrong_o) return std::printf("differs in cycle %d\\n", i), 1;
  }
  return 0;
}
"""


def _output(part: Part) -> int:
    """Bits of a part's output."""
    if isinstance(part, Dot):
        return 2 * part.bits + 2
    return part.a + part.b if isinstance(part, Product) else part.width * (1 + isinstance(part, Shared))


def sources(parts: list[Part]) -> tuple[Sources, int]:
    """A module of parts that all get the same random bits, and the number of its output bits."""
    rng = np.random.default_rng(0)
    folder = resource_dir("rtl")
    texts = {f: (folder / f).read_text() for f in library_files(folder, LIBRARY)}
    for n, part in enumerate(parts):
        if isinstance(part, Rom | Shared):
            words = [int.from_bytes(rng.bytes(8), "little") >> (64 - part.width) for _ in range(part.depth)]
            texts[f"{n}.mem"] = "".join(f"{w:x}\n" for w in words)
    body = "".join(p.text(n) for n, p in enumerate(parts))
    widths = [_output(p) for p in parts]
    outputs = ", ".join(f"q{n}" for n in range(len(parts)))
    head = f"module parts (input logic clk_i, input logic [63:0] bits_i, output logic [{sum(widths) - 1}:0] q_o);\n"
    texts["parts.sv"] = f"{head}{body}  assign q_o = {{{outputs}}};\nendmodule\n"
    return Sources(texts, "parts"), sum(widths)


def differs(parts: list[Part], made: Sources, width: int, netlist: Path, folder: Path) -> str:
    """What a simulation of RTL and netlist side by side says; "" where they are equal."""
    for name, text in made.texts.items():
        (folder / name).write_text(text)
    for file in ("cells.v", "netlist.v"):
        (folder / file).write_text(re.sub(r"\bmodule parts\b", "module parts_netlist", (netlist / file).read_text()))
    fill = max((p.depth for p in parts if isinstance(p, Ram)), default=0) + 8
    (folder / "bench.sv").write_text(BENCH.format(width=width - 1, fill=fill))
    flags = [f for f in (netlist / "files.f").read_text().split() if f.startswith("-")]
    (folder / "files.f").write_text("\n".join([*flags, *made.modules, "cells.v", "netlist.v", "bench.sv"]) + "\n")
    (folder / "main.cpp").write_text(MAIN.replace("CYCLES", str(fill + CYCLES)))
    verilate(folder, "bench", folder / "obj", ["--output-split", "0"])
    include = verilator_root() / "include"
    options = [STANDARD, *MODEL, f"-I{include}", f"-I{include / 'vltstd'}", f"-I{folder / 'obj'}", "-O1", "-w", "-pthread"]
    files = [*sorted((folder / "obj").glob("*.cpp")), *verilated_runtime(), folder / "main.cpp"]
    run_tool([require_tool("g++").path, *options, *files, "-o", folder / "run"], folder, "compiling the bench")
    return subprocess.run([folder / "run"], cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    [
        *(pytest.param(f, marks=pytest.mark.further) for f in ("ecp5", "xc7")),
        *(pytest.param(f, marks=pytest.mark.full) for f in CASES if f not in ("ecp5", "xc7")),
    ],
)
def test_cells_do_what_the_rtl_does_that_they_stand_for(family: str, tmp_path: Path) -> None:
    parts, cells = CASES[family]
    made, width = sources(parts)
    netlist = netlist_project(made, family)
    text = (netlist / "netlist.v").read_text()
    assert {c for c in cells if not re.search(rf"^\s*{c} ", text, re.MULTILINE)} == set()
    assert differs(parts, made, width, netlist, tmp_path) == ""


@pytest.mark.further
def test_a_sum_of_products_keeps_all_of_them_on_ice40(tmp_path: Path) -> None:
    """Yosys would pack the register of one into the slice that adds it, and into its own."""
    made, width = sources([Dot()])
    assert differs([Dot()], made, width, netlist_project(made, "ice40"), tmp_path) == ""


def test_a_cell_without_a_model_is_an_error() -> None:
    with pytest.raises(CompileError, match=r"cells of the netlist have no model: EXTREFB, NO_SUCH_CELL"):
        cell_models(["LUT4", "DP16KD", "EXTREFB", "NO_SUCH_CELL"], "ecp5")
    with pytest.raises(CompileError, match=r"no model: FIFO36E1\n"):  # which Yosys declares elsewhere, without contents
        cell_models(["LUT6", "FIFO36E1"], "xc7")
    with pytest.raises(CompileError, match=r"no model: SB_HFOSC\n"):  # and this among its models
        cell_models(["SB_LUT4", "SB_HFOSC"], "ice40")
    assert "module FD1P3AX" in cell_models(["FD1P3AX"], "ecp5"), "which is another cell with its inputs renamed"


REFUSED = [
    ("ecp5", "DP16KD", 'REGMODE_A("OUTREG")'),
    ("xc7", "RAMB18E1", "DOA_REG(1)"),
    ("xc7", "RAMB36E1", 'RAM_EXTENSION_A("LOWER")'),
    ("xcup", "RAMB18E2", "DOB_REG(1)"),
    ("xcup", "RAMB36E2", 'CASCADE_ORDER_A("FIRST")'),
    ("xcup", "URAM288", 'OREG_A("TRUE")'),
    ("xcup", "DSP48E2", "PREG(1)"),
]


@pytest.mark.parametrize(("family", "cell", "setting"), REFUSED, ids=[cell for _, cell, _ in REFUSED])
def test_a_mode_that_is_not_modelled_is_refused(family: str, cell: str, setting: str, tmp_path: Path) -> None:
    (tmp_path / "cells.v").write_text(cell_models([cell], family))
    (tmp_path / "bench.sv").write_text(f"module bench;\n  {cell} #(.{setting}) u_cell ();\nendmodule\n")
    (tmp_path / "files.f").write_text("-Wno-lint -Wno-style cells.v bench.sv\n")
    with pytest.raises(CompileError, match=f"{cell}: a mode that is not modelled"):
        verilate(tmp_path, "bench", tmp_path / "obj")


def test_empty_modules_are_no_models() -> None:
    assert has_contents("module a(input x, output y); assign y = x; endmodule", {})
    assert has_contents("module a(input x, output y);\n  b #(.W(1)) u (.x, .y);\nendmodule", {"b": ""})
    assert has_contents("module a(input x, output y); parameter P = 1; b #(.W(P)) u (.x, .y); endmodule", {"b": ""})
    assert not has_contents("module a(input x, output y); // assign\n parameter P = 1;\n specify (x => y) = 1; endspecify\nendmodule", {})


def test_every_family_has_models() -> None:
    from dfcompile.device.family import FAMILIES

    assert set(FAMILIES) <= set(CELL_MODELS)
