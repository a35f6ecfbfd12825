"""The longest path of the units of `benchmarks.clock` as Yosys maps them for AMD's families, which no open tool places and routes.

    python -m benchmarks.levels_clock run [--family xcup] [--only NAME]   what is missing or has changed, into levels_clock.json
    python -m benchmarks.levels_clock table                               the same as Markdown beside `Unit.paths`, slowest first
    python -m benchmarks.levels_clock estimates                           what `Unit.paths` says of every unit there

The netlist is that of Yosys' own script (`synth_xilinx`, abc9), the unit between registers. Cells take what `DELAYS` says of the family, a
net what `NETS` assumes of its own fan-out; the nets of `DELAYS`, of which a path counts the fan-out of the widest alone, are fitted on what
is found here. A net takes nothing from a LUT, a chain or a multiplexer to the register beside it, nor from a LUT to the one chain that it
feeds.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log2
from pathlib import Path
from typing import Any

from benchmarks.clock import HARNESS, harness, units
from dfcompile.device.delay import Delays, slowest
from dfcompile.device.family import DELAYS
from dfcompile.synthesis.netlist import Sources, synthesise
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.units.base import Unit

TABLE = Path(__file__).with_name("levels_clock.json")
WANTED = {"xc7": 125.0, "xcup": 200.0}
"""MHz that each unit is to reach."""

NETS = {"xc7": (0.46, 0.12), "xcup": (0.2, 0.046)}
"""ns of a net with one input, and more for each doubling: of paths that others placed and routed with Vivado (docs/cost.md)."""

Bit = Any
"""A net: a number in a netlist, or a place in a carry chain."""
Cell = dict[str, Any]
_BESIDE = ("LUT", "chain", "mux")  # what has a register behind it in its slice
_LATE = {"SRL": 1.472 / 2.454, "RAM": 1.19 / 2.454}
"""Clock to output of a shift register and of distributed RAM against a block RAM's (Yosys' cells_sim.v, 7 series)."""


@dataclass
class _Timing:
    """Longest arrivals of a netlist. arcs: to a place -> (from, ns, name, whether a net lies between)."""

    delays: Delays
    nets: tuple[float, float]
    starts: dict[Bit, tuple[float, str]] = field(default_factory=dict)
    arcs: dict[Bit, list[tuple[Bit, float, str, bool]]] = field(default_factory=lambda: defaultdict(list))
    ends: list[tuple[Bit, float, str]] = field(default_factory=list)
    sinks: Counter[Bit] = field(default_factory=Counter)
    drivers: dict[Bit, str] = field(default_factory=dict)
    sums: Counter[Bit] = field(default_factory=Counter)

    def net(self, bit: Bit) -> float:
        return self.nets[0] + self.nets[1] * log2(max(1, self.sinks[bit]))

    def arrivals(self) -> dict[Bit, tuple[float, Bit, str]]:
        """place -> (ns, place before it, name of what lies between); places that nothing clocked reaches have none."""
        found: dict[Bit, tuple[float, Bit, str] | None] = {}
        for root in [*self.arcs, *self.starts]:
            stack = [root]
            while stack:
                missing = [a[0] for a in self.arcs.get(stack[-1], ()) if a[0] not in found]
                if missing and stack[-1] not in found:
                    stack += missing
                    continue
                at = stack.pop()
                if at not in found:
                    came = [(*self.starts[at], None)] if at in self.starts else []
                    for b, ns, name, far in self.arcs.get(at, ()):
                        if before := found[b]:
                            came.append((before[0] + ns + far * self.net(b), name, b))
                    best = max(came, key=lambda c: (c[0], str(c[2])), default=None)
                    found[at] = (best[0], best[2], best[1]) if best else None
        return {at: f for at, f in found.items() if f}


def _bits(cell: Cell, port: str) -> list[Bit]:
    return list(cell["connections"].get(port, []))


def _chain(t: _Timing, name: str, cell: Cell) -> None:
    """CARRY4 and CARRY8: from S, DI or the carry before to the sums and carries."""
    enter = t.delays.carry - t.delays.lut
    before = [*_bits(cell, "CI"), *_bits(cell, "CYINIT")]
    for b in before:
        near = t.drivers.get(b) == "chain"
        t.arcs[name, 0].append((b, 0.0 if near else enter, "" if near else "chain", not near))
    for i, (s, d, o, c) in enumerate(zip(*(_bits(cell, p) for p in ("S", "DI", "O", "CO")), strict=True)):
        alone = t.drivers.get(s) == "LUT" and t.sums[s] == 1
        into = [(s, enter + (0.0 if alone else t.delays.lut), "chain", not alone)]
        t.arcs[name, i + 1] += [((name, i), t.delays.bit, "bit", False), *into, (d, enter, "chain", True)]
        t.arcs[o] += [((name, i), 0.0, "", False), *into]
        t.arcs[c].append(((name, i + 1), 0.0, "", False))


def _product(t: _Timing, name: str, cell: Cell) -> None:
    """A DSP slice; each of its registers that is used takes a part of the way."""
    used = {p: int(str(cell["parameters"].get(p, "0")), 2) for p in ("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG")}
    d, half = t.delays, t.delays.product / 2
    outs = [b for p in ("P", "PCOUT") for b in _bits(cell, p)]
    if (used["AREG"] or used["BREG"] or used["ADREG"]) and (used["MREG"] or used["PREG"]):  # from register to register within it
        t.starts[name, "slice"] = (d.register, "register")
        t.ends.append(((name, "slice"), half if used["MREG"] else d.product, "product"))
    behind = 0.0 if used["PREG"] else half if used["MREG"] else d.product
    for b in outs:
        if any(used.values()):
            t.starts[b] = (d.register + behind, "product")
    for port, registered in (("A", used["AREG"]), ("B", used["BREG"]), ("C", used["CREG"]), ("D", used["DREG"]), ("PCIN", 0)):
        added = used["ADREG"] and port in "AD"  # to the register of the first adder
        way = half if port in ("C", "PCIN") or added else d.product
        stop = half if used["MREG"] and port in "ABD" else way
        for b in _bits(cell, port):
            if registered or added or used["PREG"] or (used["MREG"] and port in "ABD"):
                t.ends.append((b, d.store if registered else stop, "product"))
            else:
                for o in outs:
                    t.arcs[o].append((b, way, "product", port != "PCIN"))


def _read(netlist: Path, family: str) -> _Timing:
    t = _Timing(DELAYS[family], NETS[family])
    module = json.loads(netlist.read_text())["modules"][HARNESS]
    cells: dict[str, Cell] = module["cells"]
    for cell in cells.values():
        kind = cell["type"]
        what = "chain" if kind.startswith("CARRY") else "LUT" if kind.startswith(("LUT", "INV")) else "mux" if "MUXF" in kind else kind
        for port, way in cell["port_directions"].items():
            for b in _bits(cell, port):
                if way == "output":
                    t.drivers[b] = what
                else:
                    t.sinks[b] += 1
                    t.sums[b] += what == "chain" and port == "S"
    for name, cell in cells.items():
        _cell(t, name, cell)
    around = {b for n in ("given_q", "shift_q") for b in module["netnames"].get(n, {"bits": ()})["bits"]}
    t.starts |= {b: (t.delays.register, "register") for b in around & t.starts.keys()}  # the harness's are registers, not a shift register
    return t


def _cell(t: _Timing, name: str, cell: Cell) -> None:
    kind, d = cell["type"], t.delays
    ins = [(p, b) for p, w in cell["port_directions"].items() if w == "input" for b in _bits(cell, p) if not isinstance(b, str)]
    outs = [b for p, w in cell["port_directions"].items() if w == "output" for b in _bits(cell, p)]
    if kind.startswith("FD"):
        t.starts[outs[0]] = (d.register, "register")
        for p, b in ins:
            near = p == "D" and t.drivers.get(b) in _BESIDE
            if p != "C":
                t.ends.append((b, (0.0 if near else t.net(b)) + (0.0 if p == "D" else d.store / 2), "register" if p == "D" else p))
    elif kind.startswith("CARRY"):
        _chain(t, name, cell)
    elif kind.startswith(("LUT", "INV")):
        for o in outs:
            t.arcs[o] += [(b, d.lut, "LUT", True) for _, b in ins]
    elif "MUXF" in kind:
        t.arcs[outs[0]] += [(b, d.lut / 2, "mux", p == "S") for p, b in ins]
    elif kind.startswith("DSP"):
        _product(t, name, cell)
    elif kind.startswith(("RAMB", "URAM")):
        t.starts |= {o: (d.memory, "memory") for o in outs}
        t.ends += [(b, t.net(b) + d.store, "memory") for p, b in ins if "CLK" not in p]
    elif kind.startswith(("RAM", "SRL")):
        for o in outs:
            t.starts[o] = (d.memory * _LATE[kind[:3]], kind)
        t.ends += [(b, t.net(b) + d.store / 2, kind) for p, b in ins if "CLK" not in p]
        for p, b in ins:
            for o in _read_by(cell, p):
                t.arcs[o].append((b, d.lut, "LUT", True))
    elif kind not in ("BUFG", "IBUF", "OBUF", "VCC", "GND"):
        raise ValueError(f"no timing of {kind}")


def _read_by(cell: Cell, port: str) -> list[Bit]:
    """Outputs of distributed RAM or a shift register that follow an address."""
    if port.startswith("ADDR"):
        return _bits(cell, f"DO{port[4]}")
    if port.startswith("DPRA"):
        return _bits(cell, "DPO")
    return [b for p in ("SPO", "O", "Q") for b in _bits(cell, p)] if port.startswith("A") else []


def longest(netlist: Path, family: str) -> tuple[float, list[str]]:
    """(ns, what lies on it in order) of the longest path from register to register of a netlist of `HARNESS`."""
    t = _read(netlist, family)
    found = t.arrivals()
    ends = [(found[b][0] + ns, str(b), b, what) for b, ns, what in t.ends if b in found]
    ns, _, at, what = max(ends, key=lambda e: e[:2])
    return ns, [*reversed(list(_trace(found, at))), what]


def _trace(found: dict[Bit, tuple[float, Bit, str]], at: Bit) -> Iterator[str]:
    while at is not None:
        _, before, name = found[at]
        if name:
            yield name
        at = before


def read_table() -> dict[str, dict[str, Any]]:
    """ "family name" -> {"key", "ns", "path"}."""
    found: dict[str, dict[str, Any]] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def netlist(unit: Unit, family: str) -> Path:
    """The netlist of a unit between registers."""
    alone = unit_synthesis(unit, family)
    texts = {**dict(alone.memories), **dict(alone.sources), f"{HARNESS}.sv": harness(unit)}
    return synthesise(Sources(texts, HARNESS), family, pads=False) / "netlist.json"


def estimate(unit: Unit, family: str) -> tuple[float, str] | None:
    """(MHz, path) by `Unit.paths`."""
    found = slowest(unit.paths(family), DELAYS[family])
    return (found[0], found[1].what) if found else None


def run(family: str, only: str | None) -> None:
    """Measure what the table lacks or what has changed."""
    for name, unit in units(family).items():
        if only and only not in name:
            continue
        key, table = unit_synthesis(unit, family).key, read_table()
        if table.get(f"{family} {name}", {}).get("key") == key:
            continue
        ns, path = longest(netlist(unit, family), family)
        table[f"{family} {name}"] = {"key": key, "ns": round(ns, 3), "path": path}
        TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
        print(f"{1e3 / ns:6.1f} MHz {family} {name}: {in_words(path)}", flush=True)


def in_words(path: list[str]) -> str:
    """A path shortly: "2 LUT, chain of 7, memory"."""
    count = Counter(path[1:-1])
    parts = [f"{count['LUT']} LUT" * bool(count["LUT"]), f"{count['chain']} chains of {count['bit']} bits" * bool(count["chain"])]
    parts += [f"{count[k]} {k}" for k in ("mux", "product") if count[k]]
    return f"{path[0]} to {path[-1]}: " + (", ".join(p for p in parts if p) or "a net")


def table() -> None:
    """Print Markdown, slowest first."""
    print("| family, unit | netlist, MHz | estimate | error | path of the netlist | path of the estimate |")
    print("|---|---:|---:|---:|---|---|")
    every = {f: units(f) for f in WANTED}
    for full, row in sorted(read_table().items(), key=lambda item: (item[0].split()[0], -item[1]["ns"])):
        family, name = full.split(" ", 1)
        made = estimate(every[family][name], family)
        shown = f"{made[0]:.0f} | {made[0] * row['ns'] / 10 - 100:+.0f}%" if made else "| "
        print(f"| {family}, {name} | {1e3 / row['ns']:.0f} | {shown} | {in_words(row['path'])} | {made[1] if made else ''} |")


def estimates() -> None:
    """Print Markdown."""
    print(f"| unit | {' | '.join(f'{f}, MHz | slowest path' for f in WANTED)} |")
    print("|---|" + "---:|---|" * len(WANTED))
    every = {f: units(f) for f in WANTED}
    for name in units():
        made = [estimate(every[f][name], f) for f in WANTED]
        shown = [f"{m[0]:.0f} | {m[1]}" if m else " | " for m in made]
        print(f"| {name} | {' | '.join(shown)} |")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table", "estimates"])
    parser.add_argument("--family", choices=sorted(WANTED), default="xcup")
    parser.add_argument("--only")
    given = parser.parse_args()
    if given.what == "run":
        run(given.family, given.only)
    else:
        {"table": table, "estimates": estimates}[given.what]()


if __name__ == "__main__":
    main()
