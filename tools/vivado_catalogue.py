"""What AMD's documentation names of the IPs that our block designs use: versions, pins, interfaces, parameters with their values.

Sources: PG021 AXI DMA, PG247 SmartConnect, PG085 AXI4-Stream infrastructure, PG164 Processor System Reset, PG082 Processing System 7,
PG201 Zynq UltraScale+ Processing System, PG065 Clocking Wizard, PG174 JTAG to AXI Master, PG078 AXI BRAM Controller, PG058 Block Memory
Generator. A name that is not here is an error of the script, or a line to add here with its document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PARTS = {
    "xc7z020clg400-1", "xczu3eg-sbva484-1-i", "xczu7ev-ffvc1156-2-e", "xck26-sfvc784-2LV-c", "xczu9eg-ffvb1156-2-e", "xc7a100tcsg324-1",
    "xcu250-figd2104-2L-e",
}  # fmt: skip
BOARD_PARTS = {
    "www.digilentinc.com:pynq-z1:part0:1.0": "xc7z020clg400-1",
    "tul.com.tw:pynq-z2:part0:1.0": "xc7z020clg400-1",
    "avnet.com:ultra96v2:part0:1.2": "xczu3eg-sbva484-1-i",
    "xilinx.com:zcu104:part0:1.1": "xczu7ev-ffvc1156-2-e",
    "xilinx.com:zcu102:part0:3.4": "xczu9eg-ffvb1156-2-e",
    "xilinx.com:kv260_som:part0:1.4": "xck26-sfvc784-2LV-c",
}
CONNECTIONS = {"xilinx.com:kv260_som:part0:1.4": r"som240_1_connector xilinx\.com:kv260_carrier:som240_1_connector:(\*|[\d.]+)"}


@dataclass(frozen=True)
class Pin:
    """is_out: drives; kind: clk, resetn (active low), reset or data; needed: must be connected"""

    is_out: bool
    kind: str
    needed: bool = True


@dataclass(frozen=True)
class Interface:
    """is_master; protocol: aximm, axis or another bus; variants: AXI3, AXI4, AXI4LITE that an aximm end speaks

    clock:   pin that clocks it
    bits:    of the data, 0 where it follows the other end
    segment: of a slave with addresses; needed: must be connected
    """

    is_master: bool
    protocol: str
    clock: str = ""
    bits: int = 0
    variants: frozenset[str] = frozenset()
    segment: str = ""
    needed: bool = True


@dataclass(frozen=True)
class Shape:
    """Pins and interfaces of a cell with given parameters; crosses: an interconnect, whose masters reach what its slaves are asked for."""

    pins: Mapping[str, Pin]
    interfaces: Mapping[str, Interface]
    crosses: bool = False


Values = Mapping[str, str]


@dataclass(frozen=True)
class Ip:
    """versions: of the catalogue; parameters: name -> (default, pattern of its values); shape: of a cell with given values

    rule, config: of its block automation, with the keys it takes
    """

    versions: tuple[str, ...]
    parameters: Mapping[str, tuple[str, str]]
    shape: Callable[[Values], Shape]
    rule: str = ""
    config: Mapping[str, str] = field(default_factory=dict)


ANY = frozenset({"AXI3", "AXI4", "AXI4LITE"})
WIDTHS = "32|64|128|256|512|1024"
FREQUENCY = r"\d+(\.\d+)?"
CLK, RSTN = Pin(False, "clk"), Pin(False, "resetn")


def _axi(is_master: bool, clock: str, variant: str, bits: int, segment: str = "") -> Interface:
    return Interface(is_master, "aximm", clock, bits, frozenset({variant}), segment)


def _axi_dma(v: Values) -> Shape:
    send, receive = v["c_include_mm2s"] == "1", v["c_include_s2mm"] == "1"
    pins = {"s_axi_lite_aclk": CLK, "axi_resetn": RSTN}
    found = {"S_AXI_LITE": _axi(False, "s_axi_lite_aclk", "AXI4LITE", 32, "Reg")}
    if v["c_include_sg"] == "1":
        pins["m_axi_sg_aclk"] = CLK
        found["M_AXI_SG"] = _axi(True, "m_axi_sg_aclk", "AXI4", 32)
    if send:
        width, memory = int(v["c_m_axis_mm2s_tdata_width"]), int(v["c_m_axi_mm2s_data_width"])
        if width > memory:
            raise ValueError(f"the stream of {width} bits is wider than the memory side of {memory}")
        pins["m_axi_mm2s_aclk"] = CLK
        found["M_AXI_MM2S"] = _axi(True, "m_axi_mm2s_aclk", "AXI4", memory)
        found["M_AXIS_MM2S"] = Interface(True, "axis", "m_axi_mm2s_aclk", width)
    if receive:
        pins["m_axi_s2mm_aclk"] = CLK
        found["M_AXI_S2MM"] = _axi(True, "m_axi_s2mm_aclk", "AXI4", int(v["c_m_axi_s2mm_data_width"]))
        found["S_AXIS_S2MM"] = Interface(False, "axis", "m_axi_s2mm_aclk")
    return Shape(pins, found)


def _smartconnect(v: Values) -> Shape:
    found = {f"S{i:02d}_AXI": Interface(False, "aximm", "aclk", 0, ANY) for i in range(int(v["NUM_SI"]))}
    found |= {f"M{i:02d}_AXI": Interface(True, "aximm", "aclk", 0, ANY) for i in range(int(v["NUM_MI"]))}
    return Shape({"aclk": CLK, "aresetn": RSTN}, found, crosses=True)


def _axis_dwidth_converter(v: Values) -> Shape:
    sides = {side: Interface(side == "M", "axis", "aclk", 8 * int(v[f"{side}_TDATA_NUM_BYTES"])) for side in "SM"}
    return Shape({"aclk": CLK, "aresetn": RSTN}, {"S_AXIS": sides["S"], "M_AXIS": sides["M"]})


def _proc_sys_reset(_: Values) -> Shape:
    optional = {"aux_reset_in": Pin(False, "data", False), "mb_debug_sys_rst": Pin(False, "data", False)}
    outputs = {n: Pin(True, "resetn") for n in ("peripheral_aresetn", "interconnect_aresetn")}
    outputs |= {n: Pin(True, "reset") for n in ("peripheral_reset", "bus_struct_reset", "mb_reset")}
    inputs = {"slowest_sync_clk": CLK, "ext_reset_in": RSTN, "dcm_locked": Pin(False, "data", False)}
    return Shape(inputs | optional | outputs, {})


def _processing_system7(v: Values) -> Shape:
    pins = {"FCLK_CLK0": Pin(True, "clk"), "FCLK_RESET0_N": Pin(True, "resetn")}
    found = {"DDR": Interface(True, "ddrx"), "FIXED_IO": Interface(True, "fixedio")}
    if v["PCW_USE_M_AXI_GP0"] == "1":
        pins["M_AXI_GP0_ACLK"] = CLK
        found["M_AXI_GP0"] = _axi(True, "M_AXI_GP0_ACLK", "AXI3", 32)
    for i in range(4):
        if v[f"PCW_USE_S_AXI_HP{i}"] == "1":
            pins[f"S_AXI_HP{i}_ACLK"] = CLK
            bits = int(v[f"PCW_S_AXI_HP{i}_DATA_WIDTH"])
            found[f"S_AXI_HP{i}"] = _axi(False, f"S_AXI_HP{i}_ACLK", "AXI3", bits, f"HP{i}_DDR_LOWOCM")
    return Shape(pins, found)


def _zynq_ultra_ps_e(v: Values) -> Shape:
    pins, found = {}, {}
    if v["PSU__FPGA_PL0_ENABLE"] == "1":
        pins |= {"pl_clk0": Pin(True, "clk"), "pl_resetn0": Pin(True, "resetn")}
    for i, (name, clock) in enumerate([("HPM0_FPD", "hpm0_fpd"), ("HPM1_FPD", "hpm1_fpd"), ("HPM0_LPD", "hpm0_lpd")]):
        if v[f"PSU__USE__M_AXI_GP{i}"] == "1":
            pins[f"maxi{clock}_aclk"] = CLK
            found[f"M_AXI_{name}"] = _axi(True, f"maxi{clock}_aclk", "AXI4", int(v[f"PSU__MAXIGP{i}__DATA_WIDTH"]))
    for i in range(4):
        if v[f"PSU__USE__S_AXI_GP{i + 2}"] == "1":
            pins[f"saxihp{i}_fpd_aclk"] = CLK
            bits = int(v[f"PSU__SAXIGP{i + 2}__DATA_WIDTH"])
            found[f"S_AXI_HP{i}_FPD"] = _axi(False, f"saxihp{i}_fpd_aclk", "AXI4", bits, f"HP{i}_DDR_LOW")
    return Shape(pins, found)


def _clk_wiz(v: Values) -> Shape:
    pins = {"clk_in1": CLK, "clk_out1": Pin(True, "clk")}
    if v["USE_LOCKED"] == "true":
        pins["locked"] = Pin(True, "data")
    if v["USE_RESET"] == "true":
        pins["resetn" if v["RESET_TYPE"] == "ACTIVE_LOW" else "reset"] = Pin(
            False, "resetn" if v["RESET_TYPE"] == "ACTIVE_LOW" else "reset"
        )
    return Shape(pins, {})


def _jtag_axi(v: Values) -> Shape:
    variant = "AXI4LITE" if v["PROTOCOL"] == "2" else "AXI4"
    return Shape({"aclk": CLK, "aresetn": RSTN}, {"M_AXI": _axi(True, "aclk", variant, int(v["M_AXI_DATA_WIDTH"]))})


def _axi_bram_ctrl(v: Values) -> Shape:
    found = {"S_AXI": _axi(False, "s_axi_aclk", "AXI4", int(v["DATA_WIDTH"]), "Mem0"), "BRAM_PORTA": Interface(True, "bram")}
    if v["SINGLE_PORT_BRAM"] == "0":
        found["BRAM_PORTB"] = Interface(True, "bram")
    return Shape({"s_axi_aclk": CLK, "s_axi_aresetn": RSTN}, found)


def _blk_mem_gen(_: Values) -> Shape:
    return Shape({}, {"BRAM_PORTA": Interface(False, "bram")})


BOOL = ("0", "0|1")
IPS: dict[str, Ip] = {
    "axi_dma": Ip(
        ("7.1",),
        {
            "c_include_sg": ("1", "0|1"), "c_sg_include_stscntrl_strm": ("1", "0|1"), "c_sg_length_width": ("14", "8|9|1\\d|2[0-6]"),
            "c_include_mm2s": ("1", "0|1"), "c_include_s2mm": ("1", "0|1"), "c_m_axi_mm2s_data_width": ("32", WIDTHS),
            "c_m_axi_s2mm_data_width": ("32", WIDTHS), "c_m_axis_mm2s_tdata_width": ("32", f"8|16|{WIDTHS}"),
        },
        _axi_dma,
    ),
    "smartconnect": Ip(("1.0",), {"NUM_SI": ("2", "[1-9]|1[0-6]"), "NUM_MI": ("1", "[1-9]|1[0-6]"), "NUM_CLKS": ("1", "1")}, _smartconnect),
    "axis_dwidth_converter": Ip(
        ("1.1",),
        {f"{s}_TDATA_NUM_BYTES": ("1", r"[1-9]|[1-9]\d|[1-4]\d\d|50\d|51[0-2]") for s in "SM"} | {"HAS_TLAST": BOOL, "HAS_TKEEP": BOOL},
        _axis_dwidth_converter,
    ),
    "proc_sys_reset": Ip(("5.0",), {}, _proc_sys_reset),
    "processing_system7": Ip(
        ("5.5",),
        {"PCW_FPGA0_PERIPHERAL_FREQMHZ": ("50", FREQUENCY), "PCW_USE_M_AXI_GP0": ("1", "0|1")}
        | {f"PCW_USE_S_AXI_HP{i}": BOOL for i in range(4)}
        | {f"PCW_S_AXI_HP{i}_DATA_WIDTH": ("64", "32|64") for i in range(4)},
        _processing_system7,
        "xilinx.com:bd_rule:processing_system7",
        {"make_external": "FIXED_IO, DDR", "apply_board_preset": "0|1"},
    ),
    "zynq_ultra_ps_e": Ip(
        ("3.3", "3.4", "3.5"),
        {"PSU__FPGA_PL0_ENABLE": ("1", "0|1"), "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": ("100", FREQUENCY)}
        | {f"PSU__USE__M_AXI_GP{i}": ("1" if i != 1 else "0", "0|1") for i in range(3)}
        | {f"PSU__MAXIGP{i}__DATA_WIDTH": ("128", "32|64|128") for i in range(3)}
        | {f"PSU__USE__S_AXI_GP{i}": BOOL for i in range(2, 6)}
        | {f"PSU__SAXIGP{i}__DATA_WIDTH": ("128", "32|64|128") for i in range(2, 6)},
        _zynq_ultra_ps_e,
        "xilinx.com:bd_rule:zynq_ultra_ps_e",
        {"apply_board_preset": "0|1"},
    ),
    "clk_wiz": Ip(
        ("6.0",),
        {
            "PRIM_IN_FREQ": ("100.000", FREQUENCY), "CLKOUT1_REQUESTED_OUT_FREQ": ("100.000", FREQUENCY),
            "USE_RESET": ("true", "true|false"), "USE_LOCKED": ("true", "true|false"), "RESET_TYPE": ("ACTIVE_HIGH", "ACTIVE_(HIGH|LOW)"),
        },
        _clk_wiz,
    ),
    "jtag_axi": Ip(("1.2",), {"PROTOCOL": ("0", "0|2"), "M_AXI_DATA_WIDTH": ("32", "32|64")}, _jtag_axi),
    "axi_bram_ctrl": Ip(("4.1",), {"DATA_WIDTH": ("32", WIDTHS), "SINGLE_PORT_BRAM": BOOL}, _axi_bram_ctrl),
    "blk_mem_gen": Ip(("8.4",), {}, _blk_mem_gen),
}  # fmt: skip


def check_value(ip: Ip, name: str, value: str) -> None:
    """ValueError for a parameter that the IP has not, or a value that it does not take."""
    if name not in ip.parameters:
        raise ValueError(f"no parameter CONFIG.{name}")
    if not re.fullmatch(ip.parameters[name][1], value):
        raise ValueError(f"CONFIG.{name} cannot be {value!r}")
