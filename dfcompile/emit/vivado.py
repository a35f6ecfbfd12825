"""The vivado/ folder of a build for an AMD board: a plain-Verilog top, and scripts that package, place and route it.

The ports are read from the SystemVerilog top of rtl/, so that dataflow designs and loopback engines take one way: AXI4-Stream ports get
a DMA each (input i and output i share ``axi_dma_<i>``), AXI4 masters a memory port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcompile.device.feed import by_port
from dfcompile.device.platform import JTAG_BITS, OUTLETS
from dfcompile.emit.name import REGISTERS, RESTART
from dfcompile.emit.resource import render

PORT = re.compile(r"^\s*(input|output)\s+logic\s*(\[[^\]]+\])?\s*(\w+)\s*,?\s*$", re.MULTILINE)
BUS = re.compile(r"(s_axi_control|m_axi_[a-z]+|[sm]_axis\d*)_(\w+)")
JTAG_MEMORY = 1 << 16
"""Bytes of the memory in block RAM that a host over JTAG fills and reads."""
PLACES = {"memory": 0xC000_0000, "accelerator": 0x44A0_0000, "dma": 0x41E0_0000}
"""Addresses on a board without a processing system."""


@dataclass(frozen=True)
class Bus:
    """An interface of the top.

    bits: of its data; reads and writes: whether it has the channels, for a memory-mapped one
    """

    name: str
    bits: int
    reads: bool
    writes: bool

    @property
    def is_stream(self) -> bool:
        return "_axis" in self.name

    @property
    def is_master(self) -> bool:
        return self.name.startswith("m_")


@dataclass(frozen=True)
class StreamPort:
    """A stream with the DMA channel that serves it; send: into the design."""

    axis: str
    bytes: int
    send: bool
    port_bits: int

    @property
    def dma_bits(self) -> int:
        return 8 * self.bytes

    @property
    def memory_bits(self) -> int:
        """Data width of the DMA on the memory's side: as wide as its stream at least."""
        return max(32, self.port_bits, self.dma_bits)

    @property
    def mover(self) -> str:
        return f"move_{self.axis}"


@dataclass(frozen=True)
class Top:
    """The top of rtl/ as Vivado sees it."""

    name: str
    ports: tuple[tuple[str, str, str], ...]
    buses: tuple[Bus, ...]

    @staticmethod
    def read(name: str, folder: Path) -> Top:
        """From ``<name>.sv`` in `folder`."""
        ports = tuple((d, r, n) for d, r, n in PORT.findall((folder / f"{name}.sv").read_text().partition(");")[0]))
        signals: dict[str, dict[str, str]] = {}
        for _, width, port in ports:
            if found := BUS.fullmatch(port):
                signals.setdefault(found[1], {})[found[2]] = width
        buses = []
        for bus, widths in signals.items():
            data = widths.get("tdata") or widths.get("rdata") or widths["wdata"]
            buses.append(Bus(bus, int(re.findall(r"\d+", data)[0]) + ("-1" not in data), "rdata" in widths, "wdata" in widths))
        return Top(name, ports, tuple(buses))

    @property
    def ip(self) -> str:
        return f"{self.name}_ip"

    def streams(self, port_bits: int) -> list[StreamPort]:
        return [StreamPort(b.name, b.bits // 8, not b.is_master, port_bits) for b in self.buses if b.is_stream]

    def described(self) -> list[dict[str, str]]:
        """Ports of the plain-Verilog top with their attributes; those of an interface stand at its first port."""
        seen: set[str] = set()
        buses = {b.name: b for b in self.buses}
        return [self._port(*port, buses, seen) for port in self.ports]

    def _port(self, direction: str, width: str, name: str, buses: Mapping[str, Bus], seen: set[str]) -> dict[str, str]:
        view = {"direction": direction, "range": width, "name": name, "info": "", "parameter": ""}
        if name == "aclk":
            joined = ":".join(buses)
            view |= {"info": "xilinx.com:signal:clock:1.0 aclk CLK"}
            view |= {"parameter": f"XIL_INTERFACENAME aclk, ASSOCIATED_BUSIF {joined}, ASSOCIATED_RESET aresetn"}
        elif name == "aresetn":
            view |= {"info": "xilinx.com:signal:reset:1.0 aresetn RST", "parameter": "XIL_INTERFACENAME aresetn, POLARITY ACTIVE_LOW"}
        elif found := BUS.fullmatch(name):
            bus = buses[found[1]]
            kind = "axis" if bus.is_stream else "aximm"
            view["info"] = f"xilinx.com:interface:{kind}:1.0 {bus.name} {found[2].upper()}"
            if bus.name not in seen:
                seen.add(bus.name)
                view["parameter"] = f"XIL_INTERFACENAME {bus.name}, {_parameters(bus)}"
        return view


def _parameters(bus: Bus) -> str:
    if bus.is_stream:
        return f"TDATA_NUM_BYTES {bus.bits // 8}, HAS_TREADY 1, HAS_TKEEP 1, HAS_TLAST 1, HAS_TSTRB 0"
    if not bus.is_master:
        return f"PROTOCOL AXI4LITE, DATA_WIDTH {bus.bits}, READ_WRITE_MODE READ_WRITE"
    mode = "READ_WRITE" if bus.reads and bus.writes else "READ_ONLY" if bus.reads else "WRITE_ONLY"
    return f"PROTOCOL AXI4, DATA_WIDTH {bus.bits}, ADDR_WIDTH 32, READ_WRITE_MODE {mode}, MAX_BURST_LENGTH 256, SUPPORTS_NARROW_BURST 0"


def emit_vivado(name: str, options: Mapping[str, Any], rtl: Path, folder: Path) -> None:
    """Write the scripts for top `name` of the folder `rtl`, for the board that `options` keep.

    A design that the board cannot be wired to (`unwired`) gets those for the design by itself alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    top, board = Top.read(name, rtl), options["vivado"]
    clock = float(options["clock"])
    files = sorted(p.name for p in rtl.iterdir())
    listed = [f for f in (rtl / "files.f").read_text().split() if f.endswith(".sv")]
    values: dict[str, Any] = {
        "top": top.name, "ip": top.ip, "title": name, "ports": top.described(), "part": options["part"], "board": options["board"],
        "modules": listed, "headers": [f for f in files if f.endswith(".svh")], "contents": [f for f in files if f.endswith(".mem")],
        "period": f"{1000 / clock:.6g}", "clock": f"{clock:g}", "platform": board, "buses": [b.name for b in top.buses],
        "kind": board["kind"], "kernel": board["kind"] == "xrt",
    }  # fmt: skip
    scripts = {"top.v": f"{top.ip}.v", "sources.tcl": "", "ooc.xdc": "", "ooc.tcl": "", "package.tcl": ""}
    copies = int(options.get("copies") or 1)
    if not unwired(top, board, copies):
        values |= _around(top, board, bool(options.get("streaming")), copies) | {
            "clock_hz": round(clock * 1e6),
            "oscillator_hz": round(board["oscillator"] * 1e6),
        }
        if board["kind"] == "xrt":
            scripts |= {"kernel.tcl": "", "kernel.xml": "", "link.cfg": "", "mover.cpp": ""}
        else:
            scripts |= {"design.tcl": ""} | ({"pins.xdc": "", "host.tcl": ""} if board["kind"] == "jtag" else {})
    for template, target in scripts.items():
        (folder / (target or template)).write_text(render(f"vivado/{template}.j2", **values))


def unwired(top: Top, board: Mapping[str, Any], copies: int = 1) -> str:
    """Why no bitstream of the top is made for a board; "" where one is."""
    streams = top.streams(board["port_bits"])
    if not streams and board["kind"] == "xrt":
        return "the loopback engine has 32-bit addresses, which do not reach the card's memory"
    if not streams and board["kind"] == "jtag":
        return "the loopback engine needs an external memory, and the block design of the board has none"
    shared = board["kind"] == "jtag"  # one memory port for all
    count = len(streams) if shared else max(sum(s.send for s in streams), sum(not s.send for s in streams))
    if count > OUTLETS - 2:
        return f"{count} inputs or outputs are more than a SmartConnect has ports for"
    if copies > 1 and board["kind"] != "xrt" and copies * (1 + count) > OUTLETS:
        return f"{copies} copies with {count} DMAs each are more than a SmartConnect has ports for"
    return ""


def _around(top: Top, board: Mapping[str, Any], streaming: bool, copies: int = 1) -> dict[str, Any]:
    """What the block design has around the top: DMAs, slaves of the host, masters by memory port."""
    streams = top.streams(board["port_bits"])
    sends, receives = [s for s in streams if s.send], [s for s in streams if not s.send]
    width, cores = max(len(sends), len(receives)), ["accelerator", *(f"accelerator_{k}" for k in range(1, copies))]
    dmas = [
        {
            "name": f"axi_dma_{k * width + i}", "core": core,
            "send": sends[i] if i < len(sends) else None, "receive": receives[i] if i < len(receives) else None,
        }
        for k, core in enumerate(cores)
        for i in range(width)
    ]  # fmt: skip
    masters = [f"{core}/{b.name}" for b in top.buses if b.is_master and not b.is_stream for core in cores]  # each kind over all ports
    for d in dmas:
        masters += [f"{d['name']}/{m}" for m, s in (("M_AXI_MM2S", d["send"]), ("M_AXI_S2MM", d["receive"])) if s]
    slaves = [*(f"{core}/s_axi_control" for core in cores), *(f"{d['name']}/S_AXI_LITE" for d in dmas)]
    outlets, places = len(slaves), []
    if board["kind"] == "jtag":
        masters.append(f"control/M{outlets:02d}_AXI")
        outlets += 1
        ports = ["memory/S_AXI"]
        places = _places(dmas)
    elif board["kind"] == "zynq-7000":
        ports = [f"ps/S_AXI_HP{i}" for i in range(board["ports"])]
    else:
        ports = [f"ps/S_AXI_HP{i}_FPD" for i in range(board["ports"])]
    shared = zip(ports, by_port(masters, len(ports)), strict=False)
    memories = [{"name": f"memory_bus_{i}", "port": p, "masters": m} for i, (p, m) in enumerate(shared)]
    return {
        "cores": cores, "dmas": dmas, "slaves": slaves, "outlets": outlets, "places": places, "memories": memories, "jtag_bits": JTAG_BITS,
        "streams": streams, "port_bits": board["port_bits"], "registers": list((REGISTERS | (RESTART if streaming else {})).items()),
        **_host(sends, receives),
    }  # fmt: skip


def _host(sends: list[StreamPort], receives: list[StreamPort]) -> dict[str, Any]:
    """What the host's script over JTAG knows: addresses, and its arguments."""
    dmas = [f"0x{PLACES['dma'] + (i << 16):08X}" for i in range(max(len(sends), len(receives)))]
    arguments = [*(f"{s.axis.upper()}.bin" for s in sends), *(f"{s.axis.upper()}.bin BYTES" for s in receives)]
    return {
        "send_dmas": dmas[: len(sends)], "receive_dmas": dmas[: len(receives)], "host_arguments": " ".join(arguments),
        "memory_at": PLACES["memory"], "accelerator_at": PLACES["accelerator"], "memory_bytes": JTAG_MEMORY,
    }  # fmt: skip


def _places(dmas: list[dict[str, Any]]) -> list[dict[str, str]]:
    found = [("memory/S_AXI/Mem0", PLACES["memory"], JTAG_MEMORY), ("accelerator/s_axi_control/reg0", PLACES["accelerator"], 1 << 16)]
    found += [(f"{d['name']}/S_AXI_LITE/Reg", PLACES["dma"] + (i << 16), 1 << 16) for i, d in enumerate(dmas)]
    return [{"segment": s, "offset": f"0x{at:08X}", "range": f"{size >> 10}K"} for s, at, size in found]
