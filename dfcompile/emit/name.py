"""Names of generated things: derived once, legal in C++, SystemVerilog and Python alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dfcompile.dataflow.design import Design

# Words that C++ or SystemVerilog keeps for itself, and names that the generated files use.
RESERVED = frozenset(
    """
    abort accept_on alias always and and_eq asm assert assign assume auto automatic before begin bind bins bit bitand bitor bool
    break buf bufif0 bufif1 byte case casex casez catch cell chandle char char16_t char32_t char8_t checker class clk_i clocking
    cmos co_await co_return co_yield compl concept config const const_cast consteval constexpr constinit constraint context continue
    cover covergroup coverpoint cross deassign decltype default define defparam delete design dfc disable dist do double
    dynamic_cast edge else end endcase endclass endfunction endgenerate endinterface endmodule endpackage endprimitive endprogram
    endproperty endsequence endtable endtask enum errno event eventually exit expect explicit export extends extern false final
    first_match float for force foreach forever fork forkjoin friend function generate genvar global goto highz0 highz1 hls if iff
    ifnone ignore_bins illegal_bins implements implies import incdir include initial inline inout input inside instance int integer
    interconnect interface intersect join join_any join_none large let liblist library linux local localparam logic long longint
    macromodule main major matches medium minor modport module mutable namespace nand negedge nettype new nexttime nmos noexcept nor
    noshowcancelled not not_eq notif0 notif1 null nullptr operator or or_eq output package packed parameter parameters pmos posedge
    primitive printf priority private program property protected public pull0 pull1 pulldown pullup pure rand randc randcase
    randsequence rcmos real realtime ref reg register reinterpret_cast reject_on release repeat requires restrict return rnmos rpmos
    rst_ni rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence short shortint shortreal
    showcancelled signed sizeof small soft solve specify specparam static static_assert static_cast std stderr stdin stdout string
    strong strong0 strong1 struct super supply0 supply1 switch sync_accept_on sync_reject_on table tagged task template testbench
    this thread_local throughout throw time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg true try
    type typedef typeid typename union unique unique0 unix unsigned until until_with untyped use using uwire var vectored virtual
    void volatile wait wait_order wand wchar_t weak weak0 weak1 while wildcard wire with within wor xnor xor xor_eq
    """.split()
)


REGISTERS = {"frames": 0x10, "version": 0x18, "hash_low": 0x20, "hash_high": 0x28}
"""Byte addresses of the AXI4-Lite words that hardware made by either way has; at 0 is the control word of an HLS tool."""
RESTART = {"restart": 0x40}
"""The word that only a design with states has which go on from frame to frame: 1 lets them be the first ones again."""

LONGEST = 80
"""Most characters of an identifier, but for a number at its end."""


def sanitise(text: str) -> str:
    """The nearest lower_snake_case identifier, short enough for a file's name; no double underscore, which C++ and Verilator keep."""
    word = re.sub(r"_+", "_", re.sub(r"\W", "_", text, flags=re.ASCII)).strip("_").lower()[:LONGEST].rstrip("_") or "unnamed"
    return f"n_{word}" if word[0].isdigit() or word in RESERVED or word.startswith("dfc_") else word


def unique(texts: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Each text's identifier; the second of two equal ones gets a number."""
    used = set(taken)
    found: dict[str, str] = {}
    for text in texts:
        stem = name = sanitise(text)
        count = 1
        while name in used:
            count += 1
            name = f"{stem}_{count}"
        used.add(name)
        found[text] = name
    return found


def port_names(stem: str, count: int) -> tuple[str, ...]:
    """Ports of a unit or of a design: one is plain, several are numbered."""
    return (stem,) if count == 1 else tuple(f"{stem}{i}" for i in range(count))


@dataclass(frozen=True)
class Names:
    """Identifiers of a design: the design itself, its units, its streams, and the far sides of its FIFOs by stream."""

    top: str
    units: dict[str, str]
    streams: dict[str, str]
    fifos: dict[str, str]

    @staticmethod
    def of(design: Design) -> Names:
        top = sanitise(design.name)
        counts = ["", *range(len(design.graph.inputs) + len(design.graph.outputs))]
        ports = [f"{stem}{i}" for stem in ("in", "out", "s_axis", "m_axis") for i in counts]
        arguments = (*ports, *REGISTERS, *RESTART)
        units = unique((n.name for n in design.nodes), (top, f"{top}_core", "top", "testbench", *arguments))
        streams = unique(design.streams(), (top, f"{top}_core", *arguments, *units.values()))
        sides = unique((f"{streams[t]}_fifo" for t, depth in design.fifo_depths.items() if depth), (*units.values(), *streams.values()))
        fifos = {t: sides[f"{streams[t]}_fifo"] for t, depth in design.fifo_depths.items() if depth}
        return Names(top, units, streams, fifos)
