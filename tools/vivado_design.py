"""A block design as a strict stand-in for Vivado's IP integrator keeps it: cells, nets, addresses, and what validation asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tools.vivado_catalogue import IPS, Interface, Pin, Shape, check_value


class Refused(Exception):
    """What the tool would refuse, or documentation does not name."""


@dataclass
class Cell:
    """shape: what it has with its present parameters; fixed: of a packaged IP, which has none"""

    ip: str
    values: dict[str, str] = field(default_factory=dict)
    fixed: Shape | None = None

    @property
    def shape(self) -> Shape:
        if self.fixed is not None:
            return self.fixed
        given = {k: v for k, (v, _) in IPS[self.ip].parameters.items()}
        try:
            return IPS[self.ip].shape(given | self.values)
        except ValueError as e:
            raise Refused(f"{self.ip}: {e}") from e


@dataclass
class BlockDesign:
    """drivers: sink pin -> its source; links: interface -> its partner; ports: external pins

    placed: (master, segment) -> (offset, range), None where the tool chooses
    """

    name: str
    cells: dict[str, Cell] = field(default_factory=dict)
    ports: dict[str, Pin] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    placed: dict[tuple[str, str], tuple[int, int] | None] = field(default_factory=dict)
    valid: bool = False
    saved: bool = False

    def add(self, name: str, cell: Cell) -> None:
        if name in self.cells:
            raise Refused(f"there is a cell {name} already")
        self.cells[name] = cell

    def configure(self, name: str, values: dict[str, str]) -> None:
        """Set parameters; what is connected must still be there."""
        cell = self.cells[name]
        if cell.fixed is not None:
            raise Refused(f"{name} has no parameters")
        for key, value in values.items():
            try:
                check_value(IPS[cell.ip], key, value)
            except ValueError as e:
                raise Refused(f"{name} ({cell.ip}): {e}") from e
        cell.values |= values

    def pin(self, path: str) -> Pin:
        name, _, pin = path.partition("/")
        found = self.cells[name].shape.pins.get(pin) if name in self.cells else None
        if found is None:
            raise Refused(f"there is no pin {path}")
        return found

    def interface(self, path: str) -> Interface:
        name, _, bus = path.partition("/")
        found = self.cells[name].shape.interfaces.get(bus) if name in self.cells else None
        if found is None:
            raise Refused(f"there is no interface {path}")
        return found

    def wire(self, ends: dict[str, Pin]) -> None:
        """Connect pins, one of which drives. A port of the design that is an input drives inside."""
        sources = [p for p, pin in ends.items() if pin.is_out]
        if len(ends) < 2 or len(sources) != 1:
            raise Refused(f"a net needs one driver and a sink: {', '.join(ends)}")
        for sink in ends.keys() - set(sources):
            if sink in self.drivers:
                raise Refused(f"{sink} is driven already, by {self.drivers[sink]}")
            kinds = {ends[sources[0]].kind, ends[sink].kind}
            if len(kinds) > 1 and kinds & {"clk", "resetn", "reset"}:
                raise Refused(f"{sources[0]} ({ends[sources[0]].kind}) drives {sink} ({ends[sink].kind})")
            self.drivers[sink] = sources[0]

    def link(self, first: str, second: str) -> None:
        """Connect two interfaces of one protocol, a master and a slave."""
        ends = {p: self.interface(p) for p in (first, second)}
        if len(ends) < 2 or len({e.is_master for e in ends.values()}) < 2:
            raise Refused(f"{first} and {second} are not a master and a slave")
        a, b = ends.values()
        if a.protocol != b.protocol:
            raise Refused(f"{first} ({a.protocol}) does not fit {second} ({b.protocol})")
        if a.protocol == "aximm" and not a.variants & b.variants:
            raise Refused(f"{first} ({', '.join(a.variants)}) does not fit {second} ({', '.join(b.variants)})")
        if a.protocol == "axis" and a.bits and b.bits and a.bits != b.bits:
            raise Refused(f"{first} has {a.bits} bits, {second} {b.bits}")
        for path in ends:
            if path in self.links:
                raise Refused(f"{path} is connected already")
        self.links |= {first: second, second: first}

    def segments(self) -> dict[str, str]:
        """Segment -> the slave that it belongs to."""
        found = {}
        for name, cell in self.cells.items():
            found |= {f"{name}/{bus}/{i.segment}": f"{name}/{bus}" for bus, i in cell.shape.interfaces.items() if i.segment}
        return found

    def reached(self, master: str) -> set[str]:
        """Segments that a master reaches through interconnects."""
        partner = self.links.get(master)
        if partner is None:
            return set()
        name = partner.partition("/")[0]
        shape = self.cells[name].shape
        if not shape.crosses:
            return {s for s, slave in self.segments().items() if slave == partner}
        found: set[str] = set()
        for bus, i in shape.interfaces.items():
            if i.is_master:
                found |= self.reached(f"{name}/{bus}")
        return found

    def masters(self) -> list[str]:
        """Interfaces with an address space of their own."""
        return [
            f"{name}/{bus}"
            for name, cell in self.cells.items()
            if not cell.shape.crosses
            for bus, i in cell.shape.interfaces.items()
            if i.is_master and i.protocol == "aximm"
        ]

    def place(self, segment: str, offset: int, size: int) -> None:
        """Give a segment its address in every space that reaches it."""
        masters = [m for m in self.masters() if segment in self.reached(m)]
        if not masters:
            raise Refused(f"no master reaches {segment}")
        if size & (size - 1) or offset % size:
            raise Refused(f"{segment}: a range of {size} bytes does not lie at 0x{offset:X}")
        for m in masters:
            for (other, seg), at in self.placed.items():
                if other == m and at and at[0] < offset + size and offset < at[0] + at[1]:
                    raise Refused(f"{segment} overlaps {seg} in the addresses of {m}")
            self.placed[m, segment] = (offset, size)

    def place_rest(self) -> None:
        for m in self.masters():
            for s in self.reached(m):
                self.placed.setdefault((m, s), None)

    def problems(self) -> list[str]:
        """What validation would tell."""
        found = []
        for name, cell in self.cells.items():
            shape = cell.shape
            for pin, p in shape.pins.items():
                if not p.is_out and p.needed and f"{name}/{pin}" not in self.drivers:
                    found.append(f"{name}/{pin} is not connected")
            for bus, i in shape.interfaces.items():
                if i.needed and f"{name}/{bus}" not in self.links:
                    found.append(f"{name}/{bus} is not connected")
                if i.protocol in ("aximm", "axis") and i.clock not in shape.pins:
                    found.append(f"{name}/{bus} has no clock")
            for known in (*self.links, *self.drivers):
                if known.partition("/")[0] == name and known.partition("/")[2] not in {**shape.pins, **shape.interfaces}:
                    found.append(f"{known} is connected but is no longer there")
        if found:
            return found
        for one, other in self.links.items():
            clocks = {self.clock_of(one), self.clock_of(other)} - {""}
            if len(clocks) > 1:
                found.append(f"{one} and {other} have different clocks: {', '.join(sorted(clocks))}")
        for m in self.masters():
            reached = self.reached(m)
            found += [f"{m} reaches no address"] if not reached else []
            found += [f"{s} has no address for {m}" for s in sorted(reached) if (m, s) not in self.placed]
        return found

    def clock_of(self, path: str) -> str:
        """Source of the clock of an interface; "" for one without, and for an external one."""
        name = path.partition("/")[0]
        if name not in self.cells:
            return ""
        clock = self.interface(path).clock
        return self.drivers.get(f"{name}/{clock}", "none") if clock else ""


def packaged_shape(text: str) -> Shape:
    """Pins and interfaces of an IP from the attributes of its plain-Verilog top (UG994). Refused where they make no whole ones."""
    port = re.compile(r"((?:\(\*[^*]*\*\)\s*)*)(input|output) wire (\[[^\]]+\] )?(\w+)")
    clocks: dict[str, str] = {}
    pins: dict[str, Pin] = {}
    signals: dict[str, dict[str, tuple[str, str]]] = {}
    settings: dict[str, dict[str, str]] = {}
    kinds: dict[str, str] = {}
    for attributes, direction, width, name in port.findall(text):
        info = re.search(r'X_INTERFACE_INFO = "([^"]+)"', attributes)
        if not info:
            raise Refused(f"port {name} belongs to no interface")
        vlnv, bus, logical = info[1].split()
        if extra := re.search(r'X_INTERFACE_PARAMETER = "XIL_INTERFACENAME (\w+), ([^"]+)"', attributes):
            settings[extra[1]] = dict(s.split(" ", 1) for s in extra[2].split(", "))
        if vlnv.startswith("xilinx.com:signal:"):
            is_clock = vlnv == "xilinx.com:signal:clock:1.0"
            if not is_clock and settings.get(bus, {}).get("POLARITY") != "ACTIVE_LOW":
                raise Refused(f"{name}: a reset without POLARITY is taken as active high")
            pins[name] = CLOCK if is_clock else RESET
            clocks |= {b: name for b in settings.get(bus, {}).get("ASSOCIATED_BUSIF", "").split(":")} if is_clock else {}
            if is_clock and settings.get(bus, {}).get("ASSOCIATED_RESET") is None:
                raise Refused(f"{name}: no ASSOCIATED_RESET")
            continue
        kinds[bus] = vlnv
        signals.setdefault(bus, {})[logical] = (direction, width.strip())
    unknown = {s["ASSOCIATED_RESET"] for s in settings.values() if "ASSOCIATED_RESET" in s} - set(pins) | set(clocks) - set(signals)
    if unknown:
        raise Refused(f"attributes name what there is not: {', '.join(sorted(unknown))}")
    return Shape(pins, {b: _interface(b, kinds[b], found, settings.get(b, {}), clocks.get(b, "")) for b, found in signals.items()})


CLOCK, RESET = Pin(False, "clk"), Pin(False, "resetn")
AXIS = {"TDATA": True, "TKEEP": True, "TLAST": True, "TVALID": True, "TREADY": False}
CHANNELS = {
    "AW": ("ADDR", "PROT", "VALID", "ID", "LEN", "SIZE", "BURST"),
    "AR": ("ADDR", "PROT", "VALID", "ID", "LEN", "SIZE", "BURST"),
    "W": ("DATA", "STRB", "VALID", "LAST"),
    "B": ("READY",),
    "R": ("READY",),
}
ANSWERS = {"AWREADY", "ARREADY", "WREADY", "BVALID", "BRESP", "BID", "RVALID", "RDATA", "RRESP", "RID", "RLAST"}
NEEDED = {"R": {"ARADDR", "ARVALID", "ARREADY", "RDATA", "RVALID", "RREADY"}, "W": {"AWADDR", "WDATA", "BVALID", "BREADY"}}


def _interface(name: str, vlnv: str, signals: dict[str, tuple[str, str]], settings: dict[str, str], clock: str) -> Interface:
    asked = AXIS if vlnv == "xilinx.com:interface:axis:1.0" else {c + s: True for c, all_ in CHANNELS.items() for s in all_}
    if asked is not AXIS:
        if vlnv != "xilinx.com:interface:aximm:1.0":
            raise Refused(f"{name}: no interface {vlnv}")
        asked = asked | dict.fromkeys(ANSWERS, False)
    is_master = name.startswith("m_")
    for logical, (direction, _) in signals.items():
        if logical not in asked:
            raise Refused(f"{name}: no signal {logical}")
        if (direction == "output") != (asked[logical] == is_master):
            raise Refused(f"{name}: {logical} points the wrong way")
    if not clock:
        raise Refused(f"{name} is in no ASSOCIATED_BUSIF")
    if asked is AXIS:
        if set(signals) != set(AXIS):
            raise Refused(f"{name}: {', '.join(sorted(set(AXIS) - set(signals)))} is missing")
        bits = width_of(signals["TDATA"][1])
        if bits & (bits - 1) or bits < 8 or width_of(signals["TKEEP"][1]) != bits // 8 or 8 * int(settings["TDATA_NUM_BYTES"]) != bits:
            raise Refused(f"{name}: {bits} bits with TKEEP {signals['TKEEP'][1]}, TDATA_NUM_BYTES {settings['TDATA_NUM_BYTES']}")
        return Interface(is_master, "axis", clock, bits)
    mode = settings["READ_WRITE_MODE"]
    needed = set().union(*(NEEDED[side] for side in "RW" if mode in ("READ_WRITE", {"R": "READ_ONLY", "W": "WRITE_ONLY"}[side])))
    if needed - set(signals):
        raise Refused(f"{name}: {', '.join(sorted(needed - set(signals)))} is missing")
    bits = width_of(signals.get("RDATA", signals.get("WDATA", ("", "")))[1])
    if bits != int(settings["DATA_WIDTH"]):
        raise Refused(f"{name}: {bits} bits, DATA_WIDTH {settings['DATA_WIDTH']}")
    return Interface(is_master, "aximm", clock, bits, frozenset({settings["PROTOCOL"]}), "" if is_master else "reg0")


def width_of(text: str) -> int:
    """Bits of a range of numbers; 1 without one."""
    if not text:
        return 1
    first = re.fullmatch(r"\[([\d/]+)(-1)?:0\]", text)
    if first is None:
        raise Refused(f"no range: {text}")
    value, *divisors = map(int, first[1].split("/"))
    for d in divisors:
        value //= d
    return value + (not first[2])
