"""The loopback engine as projects: HLS C++, SystemVerilog and simulations of a program on it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from dfcompile.emit.resource import copy_library, copy_simulation, render, resource_dir
from dfcompile.ir.graph import Array
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program

TOP = "loopback_top"
LATENCY = 20
REGISTERS = {"control": 0x00, "program": 0x10, "bytes": 0x18, "error": 0x20, "index": 0x28, "cycles_low": 0x30, "cycles_high": 0x38}
"""Byte addresses of rtl/dfc_lb_registers.sv, and of the C++ engine: where an HLS tool puts its control word and lets others be put."""
CLOCKING = {"clk_i": "aclk", "rst_ni": "aresetn"}
"""Ports of the library's module -> ports of the top, named as in dataflow mode."""
PORT = re.compile(r"^  ((?:input|output)\s+logic.*?\w+),?$", re.MULTILINE)


def emit_rtl_engine(config: EngineConfig, folder: Path, carry: str = "", whole: bool = False) -> None:
    """Write the SystemVerilog of one engine: library, ``loopback_top.sv`` with its parameters, ``files.f``.

    carry: of a device family whose arithmetic on carry chains it may have, `Family.carry`
    whole: with modules too that stand in branches which the engine does not take, as tools want them that package a design
    """
    parameters = config.rtl_parameters(carry)
    files = copy_library("rtl", ["dfc_loopback.sv", *(["dfc_dot_carry.sv"] if parameters["Block"] or whole else [])], folder)
    text = (folder / "dfc_loopback.sv").read_text().partition(") (")[2]
    ports = [p.replace("BusBits", str(config.bus_bits)) for p in PORT.findall(text)]
    ports = [re.sub(r"\b(clk_i|rst_ni)$", lambda m: CLOCKING[m[1]], p) for p in ports]
    (folder / f"{TOP}.sv").write_text(render("loopback/top.sv.j2", name=TOP, ports=ports, parameters=parameters))
    listed = [f for f in files if f.endswith(".sv")]
    (folder / "files.f").write_text("".join(f"{name}\n" for name in ["+incdir+.", *listed, f"{TOP}.sv"]))


def emit_hls_engine(config: EngineConfig, folder: Path, memory: int = 1 << 20) -> None:
    """Write the HLS C++ of one engine: headers, top function, test bench. memory: bytes of the test bench's, for co-simulation."""
    copy_library("hls", ["dfc_loopback.hpp"], folder)
    copy_simulation(folder)
    values = {"registers": REGISTERS, "depth": memory * 8 // config.bus_bits}
    for name, template in (("top.cpp", "top"), ("testbench.cpp", "testbench")):
        text = render(f"loopback/{template}.cpp.j2", name=TOP, parameters=config.parameters(), **values)
        (folder / name).write_text(text)


def emit_sim(program: Program, codes: Mapping[str, Array], folder: Path) -> None:
    """Write simulations that run by themselves: cocotb bench, harness, memory image with frames, what the memory must hold afterwards."""
    from dfcompile.loopback.engine import Engine

    folder.mkdir(parents=True, exist_ok=True)
    for file in ("harness.cpp", "test_engine.py"):
        shutil.copyfile(resource_dir("templates") / "loopback" / file, folder / file)
    memory = program.image(codes)
    memory.tofile(folder / "image.bin")
    for file in ("expected.bin", *(["again.bin"] if program.states else [])):  # states go on from run to run
        Engine(program.config, memory).run(program.program_address, len(program.code))
        memory.tofile(folder / file)
    limit, again = 4 * predict(program, LATENCY).cycles + 100_000, "again.bin" if program.states else "expected.bin"
    values = {"address": program.program_address, "size": len(program.code), "limit": limit, "again": again}
    text = render("loopback/Makefile.j2", names={"top": TOP}, rtl="../rtl", bus=program.config.bus_bits, **values)
    (folder / "Makefile").write_text(text)
