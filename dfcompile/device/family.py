"""Device families: everything that the compiler knows of one, as one entry of `FAMILIES`.

A new family is an entry here and its figures in `benchmarks/calibration.json` (python -m benchmarks.calibrate; docs/cost.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfcompile.device.delay import Delays
from dfcompile.device.energy import SEVEN_SERIES, ULTRASCALE_PLUS, Energies

Shape = tuple[int, int]
"""Words and bits of a memory block."""


@dataclass(frozen=True)
class Rates:
    """LUTs of small parts.

    counter:  per bit of a counter that wraps
    control:  of the handshake logic of an output buffer, against a LUT6
    compare:  per bit of a comparator, and each one besides; `constant` per bit where one side is fixed
    adder:    per bit
    late:     of a read-only memory whose address comes through logic, against one read from a register
    bank:     per bit and further bank of a distributed RAM
    """

    counter: float
    control: float
    compare: float
    compare_base: float
    constant: float
    adder: float
    late: float
    bank: float


@dataclass(frozen=True)
class Costs:
    """LUTs of small functions in multiply-accumulate arrays.

    three:   count of three products of single bits (two outputs of six inputs)
    nine:    sum of three such counts
    product: a product of integers, per bit of one and bit of the other
    gate:    a product that is an AND or XOR, per bit, before an adder
    adder:   per bit
    graph:   of an adder of constant weights, per bit where both operands have one
    """

    three: float
    nine: float
    product: float
    gate: float
    adder: float
    graph: float


@dataclass(frozen=True)
class Units:
    """What single units need, fitted on the calibration sweep.

    argmax:    LUTs per bit of the better of two channels and its index, where several are compared in a cycle (else 0.8)
    extreme:   LUTs per bit of a narrow maximum or minimum
    multiply:  per bit of one stream and bit of the other, outside DSP slices
    fixed:     share that is left of an adder of a constant
    digits:    LUTs of a bit of the multiple that a digit of a factor chooses
    restore:   LUTs of a bit of the choice between a difference and what it was taken from
    window:    of a window's counters, against a LUT6; room: where its line buffer knows its room by one of them
    converter: LUTs of a converter between lanes that do not divide one another
    enable:    LUTs for each place's own enable of a converter to more lanes: for each bit of the place, or (0) 1 in all
    repack:    LUTs of a repacker: per bit of the shifter, per bit that waits, again where the last beat is short, per level
    """

    argmax: float
    extreme: float
    multiply: float
    fixed: float
    digits: float
    restore: float
    window: float
    room: float
    converter: float
    enable: float
    repack: tuple[float, float, float, float]


@dataclass(frozen=True)
class Dsp:
    """Multiplier slices.

    columns, rows: bits of the two signed operands, the wider one first
    least:         bits of a product, both operands together, from which synthesis takes a slice for it
    registered:    synthesis uses the slice's own registers and adder
    """

    columns: int
    rows: int
    least: int
    registered: bool = False


@dataclass(frozen=True)
class Family:
    """A device family.

    title:      the makers' name for it
    lut_inputs: of a look-up table
    joined:     LUTs that the slice's own multiplexers join to a larger one
    shifts:     a LUT may be a shift register
    registers:  bits up to which a shallow memory is of flip-flops, without distributed RAM for each block RAM it would take instead
    lutram:     blocks of distributed RAM: (words, bits, LUTs that one takes), or none
    blocks:     shapes of a block RAM with one write and one read port; `shared`: with two read ports, or none
    block:      size of a block RAM in blocks of 36 kbit
    halves:     blocks that follow one another in depth and need no multiplexer
    uram:       shape of an UltraRAM, or None
    worth:      LUTs for each block of 36 kbit, UltraRAM and DSP slice of a middle-sized device
    synth:      Yosys command and its options, without -top
    prepare:    commands before it
    without_pads: its option for a top whose ports are no pins, or ""
    fill:       share of the LUTs that a design may take, where it is another one than of most families
    mapping:    commands in place of its step `map_luts`, which cares for delay only
    rest:       its steps behind that, or ""
    carry:      arithmetic on its carry chains by cells of its own, or ""
    packed:     arithmetic in chains of its DSP slices by cells of its own, or ""
    boxes:      these cells
    cells:      cell (a pattern) -> (LUTs, flip-flops, blocks of 36 kbit, UltraRAMs, DSP slices); others are free
    """

    title: str
    lut_inputs: int
    joined: int
    shifts: bool
    registers: int
    lutram: tuple[tuple[int, int, int], ...]
    blocks: tuple[Shape, ...]
    shared: tuple[Shape, ...]
    block: float
    halves: int
    uram: Shape | None
    dsp: Dsp | None
    worth: tuple[float, float, float]
    rates: Rates
    costs: Costs
    units: Units
    synth: tuple[str, str]
    mapping: tuple[str, ...]
    rest: str
    cells: Mapping[str, tuple[float, float, float, float, float]]
    carry: str = ""
    packed: str = ""
    boxes: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    without_pads: str = ""
    fill: float = 0.0


_BLOCKS = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
# 6-input LUTs; 7- and 8-input functions are 2 and 4 of them with the slice's own multiplexers.
_XILINX_MAP = (
    "opt_expr -mux_undef -noclkinv",
    "opt_merge",  # inverters of one signal, one for each register that it resets
    "abc -luts 2:2,3,6:5,10,20",
    "clean",
    "xilinx_srl -fixed -minlen 3",
    "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
    "xilinx_dffopt",
    "opt_lut_ins -tech xilinx",
    "clean",
)
# Carry chains and the slices' multiplexers are free.
_XILINX_CELLS = {
    r"LUT[1-6]|INV": (1.0, 0.0, 0.0, 0.0, 0.0),  # an inverter that is left stands before a carry chain or a register
    r"LUT6_2": (1.0, 0.0, 0.0, 0.0, 0.0),
    r"SRL16E|SRLC16E|SRLC32E": (1.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM(16|32|64)X1S(_1)?": (1.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM128X1S": (2.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM256X1S": (4.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM32X1D|RAM64X1D|RAM(16|32)X2S": (2.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM128X1D|RAM32M|RAM64M|RAM256X1D": (4.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM32M16|RAM64M8|RAM64X8SW": (8.0, 0.0, 0.0, 0.0, 0.0),
    r"FD\w+": (0.0, 1.0, 0.0, 0.0, 0.0),
    r"RAMB18E[12]": (0.0, 0.0, 0.5, 0.0, 0.0),
    r"RAMB36E[12]": (0.0, 0.0, 1.0, 0.0, 0.0),
    r"URAM288\w*": (0.0, 0.0, 0.0, 1.0, 0.0),
    r"DSP48E[12]|DSP48\w*": (0.0, 0.0, 0.0, 0.0, 1.0),
}
_LATTICE_CELLS = {
    r"LUT4": (1.0, 0.0, 0.0, 0.0, 0.0),
    r"CCU2C": (2.0, 0.0, 0.0, 0.0, 0.0),  # its two LUTs serve nothing else
    r"TRELLIS_DPR16X4": (6.0, 0.0, 0.0, 0.0, 0.0),  # 4 LUTs of memory and 2 that carry its write port
    r"TRELLIS_FF": (0.0, 1.0, 0.0, 0.0, 0.0),
    r"DP16KD|PDPW16KD": (0.0, 0.0, 0.5, 0.0, 0.0),
    r"MULT18X18D": (0.0, 0.0, 0.0, 0.0, 1.0),
}
_ICE40_CELLS = {
    r"SB_LUT4": (1.0, 0.0, 0.0, 0.0, 0.0),  # a carry lies beside the LUT that sums
    r"SB_DFF\w*": (0.0, 1.0, 0.0, 0.0, 0.0),
    r"SB_RAM40_4K\w*": (0.0, 0.0, 1 / 9, 0.0, 0.0),
    r"SB_SPRAM256KA": (0.0, 0.0, 64 / 9, 0.0, 0.0),
    r"SB_MAC16": (0.0, 0.0, 0.0, 0.0, 1.0),
}
_ICE40_BLOCKS = ((4096, 1), (2048, 2), (1024, 4), (512, 8), (256, 16))
_GOWIN_CELLS = {
    r"LUT[1-4]|INV|ALU": (1.0, 0.0, 0.0, 0.0, 0.0),
    r"RAM16SD?P[124]": (6.0, 0.0, 0.0, 0.0, 0.0),  # 4 LUTs of memory and 2 that carry its write port
    r"DFF\w*": (0.0, 1.0, 0.0, 0.0, 0.0),
    r"(SP|SPX9|SDPB|SDPX9B|DPB|DPX9B|pROM|pROMX9)": (0.0, 0.0, 0.5, 0.0, 0.0),
    r"MULT9X9": (0.0, 0.0, 0.0, 0.0, 0.5),
    r"MULT18X18": (0.0, 0.0, 0.0, 0.0, 1.0),
    r"MULT36X36": (0.0, 0.0, 0.0, 0.0, 4.0),
}
_LUT6_RATES = Rates(counter=0.85, control=0.95, compare=0.7, compare_base=0.9, constant=0.15, adder=0.9, late=0.62, bank=0.76)
_LUT6_COSTS = Costs(three=2.07, nine=3.62, product=1.78, gate=0.58, adder=0.96, graph=1.07)


def _xilinx(
    name: str, title: str, carry: str, registers: int, uram: Shape | None, dsp: Dsp, worth: tuple[float, float, float], fixed: float
) -> Family:
    """A family of 6-input LUTs; what AMD's have in common."""
    return Family(
        title, lut_inputs=6, joined=4, shifts=True, registers=registers, lutram=((32, 6, 4), (64, 3, 4)),  # RAM32M, RAM64M
        blocks=_BLOCKS, shared=_BLOCKS[:-1], block=0.5, halves=2, uram=uram, dsp=dsp, worth=worth, rates=_LUT6_RATES, costs=_LUT6_COSTS,
        units=Units(argmax=1.04, extreme=0.85, multiply=1.73, fixed=fixed, digits=1.0, restore=0.94, window=1.0, room=0.64,
                    converter=17.2, enable=0.0,
                    repack=(0.72, 0.0, 0.75, 6.5)),
        synth=("synth_xilinx", f" -family {name} -flatten -noiopad -noclkbuf"), mapping=_XILINX_MAP, rest="", cells=_XILINX_CELLS,
        carry=carry, packed=f"packed{dsp.columns}", boxes=("LUT6_2", "CARRY4", "CARRY8", "DSP48E1", "DSP48E2"),
    )  # fmt: skip


ENERGIES: dict[str, Energies] = {"xc7": SEVEN_SERIES, "xcup": ULTRASCALE_PLUS}
"""Of families of whose primitives a figure was found."""

PLACERS: Mapping[str, str] = {"ecp5": "nextpnr-ecp5", "ice40": "nextpnr-ice40", "gowin": "nextpnr-gowin"}
"""The place-and-route tool of families that have an open one."""

DELAYS: Mapping[str, Delays] = {
    "ecp5": Delays(register=0.52, memory=5.73, lut=0.24, carry=0.89, bit=0.035, product=4.33, net=1.15, fan=0.2, spread=0.055),
    "xc7": Delays(
        register=0.49, memory=2.454, lut=0.42, carry=1.03, bit=0.0285, product=2.823, net=0.7, fan=0.2, store=0.566, placed=False
    ),
    "xcup": Delays(
        register=0.07, memory=0.95, lut=0.122, carry=0.45, bit=0.0035, product=1.923, net=0.25, fan=0.16, store=0.22, placed=False
    ),
}
"""Of speed 6 of ECP5, and of speed -1 of 7 series and UltraScale+, where nothing was placed and routed (docs/cost.md has what is taken
from where). Other families have none."""

CELL_MODELS: Mapping[str, tuple[str, str]] = {
    "ecp5": ("lattice/cells_sim_ecp5.v", "ecp5.v"),
    "ice40": ("ice40/cells_sim.v", ""),
    "gowin": ("gowin/cells_sim.v", "gowin.v"),
    "xc7": ("xilinx/cells_sim.v", "xilinx.v"),
    "xcup": ("xilinx/cells_sim.v", "xilinx.v"),
}
"""Yosys' file of simulation models of a family's cells, and ours ("" for none)."""

FAMILIES: dict[str, Family] = {
    # The figures of worth: XC7Z020, XCZU7EV, LFE5U-85F. Yosys uses the registers and the adder of DSP48E1 only.
    "xc7": _xilinx("xc7", "AMD 7 series", "carry4", 24, None, Dsp(25, 18, 9, registered=True), (380.0, 0.0, 242.0), fixed=0.3),
    "xcup": _xilinx("xcup", "AMD UltraScale+", "carry8", 23, (4096, 72), Dsp(27, 18, 9), (738.0, 2400.0, 133.0), fixed=0.5),
    "ecp5": Family(
        "Lattice ECP5", lut_inputs=4, joined=8, shifts=False, registers=23, lutram=((16, 4, 6),),
        blocks=_BLOCKS, shared=_BLOCKS[:-1], block=0.5, halves=1, uram=None, dsp=Dsp(18, 18, 0), worth=(804.0, 0.0, 536.0),
        rates=Rates(counter=2.2, control=1.65, compare=2.13, compare_base=0.17, constant=0.4, adder=1.39, late=1.45, bank=1.38),
        costs=Costs(three=4.45, nine=6.1, product=2.2, gate=0.24, adder=1.05, graph=1.76),
        units=Units(argmax=2.9, extreme=2.42, multiply=2.8, fixed=1.05, digits=1.5, restore=0.65, window=1.25, room=1.1,
                    converter=10.0, enable=1.4,
                    repack=(1.22, 1.98, 1.46, 0.0)),
        synth=("synth_ecp5", ""), mapping=("techmap -map +/lattice/latches_map.v", "abc -lut 4:7", "clean"), rest="map_cells:check",
        cells=_LATTICE_CELLS,
    ),
    # The figures of worth: iCE40UP5K, GW1NR-9. No memory of iCE40's is distributed, which Yosys takes for an error where it is asked for.
    "ice40": Family(
        "Lattice iCE40 UltraPlus", lut_inputs=4, joined=1, shifts=False, registers=64, lutram=(),
        blocks=_ICE40_BLOCKS, shared=(), block=1 / 9, halves=1, uram=None, dsp=None, worth=(1584.0, 0.0, 0.0),
        rates=Rates(counter=2.33, control=0.95, compare=0.87, compare_base=0.11, constant=4.6, adder=1.17, late=1.21, bank=0.95),
        costs=Costs(three=5.64, nine=0.12, product=2.14, gate=1.08, adder=1.1, graph=2.05),
        units=Units(argmax=1.67, extreme=1.85, multiply=2.22, fixed=0.74, digits=1.5, restore=0.0, window=0.99, room=0.83,
                    converter=14.94, enable=0,
                    repack=(1.02, 0.07, 1.16, 2.53)),
        synth=("synth_ice40", " -device u"),  # its -dsp loses products: a register of one that another adds is packed twice
        mapping=("techmap -map +/ice40/latches_map.v", "abc -lut 4", "ice40_wrapcarry -unwrap", "techmap -map +/ice40/ff_map.v", "clean",
                 "opt_lut -tech ice40"),
        rest="map_cells:check", cells=_ICE40_CELLS, prepare=("setattr -unset ram_style a:ram_style=distributed",),
        fill=0.6,  # a cell is a LUT or a flip-flop, or both where the LUT makes what the flip-flop keeps
    ),
    "gowin": Family(
        "Gowin LittleBee", lut_inputs=4, joined=1, shifts=False, registers=23, lutram=((16, 4, 6),),
        blocks=_BLOCKS, shared=_BLOCKS[:-1], block=0.5, halves=1, uram=None, dsp=None, worth=(665.0, 0.0, 0.0),
        rates=Rates(counter=3.2, control=1.6, compare=1.43, compare_base=0.31, constant=5.49, adder=1.17, late=0.95, bank=0.81),
        costs=Costs(three=4.77, nine=0.08, product=2.31, gate=1.09, adder=1.25, graph=1.8),
        units=Units(argmax=1.18, extreme=1.69, multiply=2.23, fixed=0.67, digits=1.5, restore=0.86, window=1.52, room=1.38,
                    converter=15.61, enable=0,
                    repack=(0.95, 1.05, 1.38, 5.76)),
        synth=("synth_gowin", " -nodsp -nowidelut"), mapping=("abc -lut 4", "clean"), rest="map_cells:check", cells=_GOWIN_CELLS,
        without_pads=" -noiopads",
    ),
}  # fmt: skip
"""By the name that boards, `--device` and reports give them."""

DEFAULT = "xc7"
"""Where there is no board. Memory styles that hold for every family are chosen by its sizes."""
