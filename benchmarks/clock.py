"""The clock that units of most kinds reach on ECP5-85F, each placed and routed by itself.

    python -m benchmarks.clock run [--kind mvtu] [--only NAME] [--seeds 2]   what is missing or has changed, into clock.json
    python -m benchmarks.clock table                                         the same as Markdown, slowest first

A unit stands between registers: its streams come out of a shift register and go into one, so that four pins serve it, and every path
that is counted ends or begins within the unit or is a wire. The target is above the goal, since place and route stops trying at it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.calibration_units import (
    dtype,
    lookup,
    matmul,
    mvtu,
    scaled,
    shares,
    sparse,
    standardize,
    table_add,
    threshold,
    vvtu,
    window,
)
from dfcompile.device.delay import slowest
from dfcompile.device.family import DELAYS, FAMILIES
from dfcompile.emit.name import port_names
from dfcompile.synthesis.netlist import Sources, synthesise
from dfcompile.synthesis.place import Placed, Target, count, place
from dfcompile.synthesis.unit import TOP, unit_synthesis
from dfcompile.units.add import Add
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Unit
from dfcompile.units.below_max import BelowMax
from dfcompile.units.concat import Concat
from dfcompile.units.delay import Delay
from dfcompile.units.fifo import Fifo
from dfcompile.units.fork import Fork
from dfcompile.units.multiply import Multiply
from dfcompile.units.pool import Pool
from dfcompile.units.repack import Repack
from dfcompile.units.split import Split
from dfcompile.units.upsample import Upsample
from dfcompile.units.width_converter import WidthConverter

TABLE = Path(__file__).with_name("clock.json")
GOAL, WANTED = 110.0, 125.0
"""MHz: what every unit is to reach, and what place and route is asked for."""
HARNESS = "clock_top"
PINS = {"clk_i": "G2", "rst_ni": "D6", "bit_i": "M1", "bit_o": "L4"}
TARGET = Target("ecp5", "85k", "CABGA381", "6", "LFE5U-85F-6BG381C", "pins.lpf", WANTED)


def units(family: str = TARGET.family) -> dict[str, Unit]:
    """What is measured, by what it is: each in a form that the optimiser chooses from on a family (`Unit.styles`)."""
    # 32 slices miss the clock; AMD's devices have 4 bits in LUTs, or several products in a slice.
    few, many = ("dsp", "lut") if family == TARGET.family else ("auto", "auto")
    slices = {"xc7": "packed25", "xcup": "packed27"}.get(family, "dsp")
    starts = {} if family == TARGET.family else {"threshold_style": "start", "input_style": "lutram"}
    chains = FAMILIES[family].carry or "auto"
    u4, u8, s8 = (dtype(t) for t in ("u4", "u8", "s8"))
    return {
        "binary matrix 64x64, 16x32": mvtu("b", "b", "b", 64, 64, 16, 32, arithmetic=chains, **starts),
        "binary matrix 64x576, 4x64": mvtu("b", "b", "b", 64, 576, 4, 64, weight_style="bram", **starts),
        "2-bit matrix 16x144, 8x16": mvtu("u2", "s2", "u2", 16, 144, 8, 16, arithmetic="lut", weight_style="bram"),
        "4-bit matrix 32x288, 4x8": mvtu("u4", "s4", "u4", 32, 288, 4, 8, arithmetic=many, weight_style="bram"),
        "4-bit matrix in slices 32x288, 4x8": mvtu("u4", "s4", "u4", 32, 288, 4, 8, arithmetic=slices, weight_style="bram"),
        "8-bit matrix 16x72, 2x9": mvtu("u8", "s8", "u8", 16, 72, 2, 9, arithmetic="dsp", weight_style="bram"),
        "8-bit sums 16x72, 4x4": mvtu("u8", "s8", "", 16, 72, 4, 4, arithmetic="dsp", weight_style="bram"),
        "8-bit matrix in LUTs 8x64, 2x4": mvtu("u8", "s8", "u4", 8, 64, 2, 4, arithmetic="lut", weight_style="bram"),
        "binary matrix of adders 32x64": mvtu("b", "b", "b", 32, 64, 32, 64, arithmetic="graph"),
        "2-bit sparse matrix 32x144, 4x8": sparse("u2", "s2", "u2", 32, 144, 4, 8, "skip"),
        "4-bit 2:4 matrix 32x144, 4x16": sparse("u4", "s4", "u4", 32, 144, 4, 16, "2:4", arithmetic=many),
        "4-bit depthwise 16x9, 4": vvtu("u4", "s4", "u4", 16, 9, 4, arithmetic=few),
        "8-bit depthwise 32x9, 2": vvtu("u8", "s8", "u8", 32, 9, 2, arithmetic="dsp"),
        "3 thresholds of 12 bits, 4": threshold("s12", "u2", 64, 4),
        "15 thresholds of 16 bits, 8": threshold("s16", "u4", 32, 8),
        "255 thresholds of 20 bits, 2": threshold("s20", "u8", 16, 2),
        "requantization by products, 4": scaled("s20", "u8", 64, 4, "multiply18"),
        "requantization by shifts, 4": scaled("s20", "u8", 64, 4, "shift_add"),
        "table of 256, 2": lookup("u8", "s8", 8, 2, False),
        "window 3x3 of 32x32x3, 8-bit": window(32, 3, 3, "u8", 3),
        "window 3x3 of 16x16x32, padded": window(16, 32, 3, "u2", 8, pad=1),
        "window 3x3 of 14x14x64, stride 2": window(14, 64, 3, "u4", 16, pad=1, stride=2),
        "window 5x5 of 12x12x16, padded": window(12, 16, 5, "s8", 4, pad=2),
        "window 7x7 of 224x224x3, stride 2": window(224, 3, 7, "u8", 3, pad=3, stride=2),
        "window 3x3 of 56x56x32, by channels": window(56, 32, 3, "u4", 8, pad=1, channels_outer=True),
        "maximum of 2x2": Pool("max", (8, 8, 32), 4, u4, u4, 8),
        "sum of 49": Pool("sum", (1, 1, 64), 49, u4, dtype("u10"), 4, channels_outer=False),
        "converter 32 to 4": WidthConverter((4, 4, 64), u4, 32, 4),
        "converter 6 to 4": WidthConverter((4, 4, 24), u4, 6, 4),
        "repacking 10 by 3 to 4": Repack((4, 4, 10), u4, 3, 10, 4, 10),
        "FIFO of 64 in LUTs": Fifo((8, 8, 16), u4, 8, 60),
        "FIFO of 600 in block RAM": Fifo((16, 16, 16), u8, 8, 600),
        "sum of two streams": Add((4, 4, 16), (s8, u4), (3, 5), 7, lanes=2),
        "sum by tables": table_add((1013, 640), 1019, 4),
        "product of two streams": Multiply((4, 4, 16), (u8, s8), lanes=2),
        "concatenation": Concat(((4, 4, 16), (4, 4, 32)), u4, lanes=8),
        "upsampling": Upsample((8, 8, 16), (2, 2), u4, lanes=4),
        "largest of 10": Argmax((1, 1, 10), dtype("s12")),
        "4-bit matrix of streams, 4x8": matmul("s4", "s4", "s4", 64, 32, 64, 4, 8, True, arithmetic=many),
        "8-bit matrix of streams, 4x4": matmul("u8", "s8", "s8", 32, 32, 16, 4, 4, False, arithmetic="dsp"),
        "below the row's maximum": BelowMax((1, 64, 64), s8, 255, 1),
        "shares of a row": shares("u24", (1, 64, 64), 16, 1, 15, 1),
        "a stream to two readers": Fork((4, 4, 32), u4, 8),
        "channels to two readers": Split((4, 4, 48), (16, 32), u4, 8),
        "a pixel later": Delay((1, 16, 16), u4, 3, 8, keep=True),
        "row over its root": standardize("s4", (1, 64, 64), True, 26, 12, 1),
    }


def harness(unit: Unit) -> str:
    """A top of four pins around `TOP`."""
    names = [(n, s.width) for n, s in zip(port_names("in", len(unit.inputs)), unit.inputs, strict=True)]
    made = [(n, s.width) for n, s in zip(port_names("out", len(unit.outputs)), unit.outputs, strict=True)]
    taken, links, given = [], [".clk_i", ".rst_ni(rst_q)"], []
    at = 0
    for name, width in names:
        links += [
            f".{name}_data_i(given_q[{at + width - 1}:{at}])",
            f".{name}_valid_i(given_q[{at + width}])",
            f".{name}_ready_o({name}_ready)",
        ]
        taken.append((f"{name}_ready", 1))
        at += width + 1
    for name, width in made:
        links += [f".{name}_data_o({name}_data)", f".{name}_valid_o({name}_valid)", f".{name}_ready_i(given_q[{at}])"]
        taken += [(f"{name}_data", width), (f"{name}_valid", 1)]
        at += 1
    given = [f"  logic [{w - 1}:0] {n};" for n, w in taken]
    total = sum(w for _, w in taken)
    return "\n".join(
        [
            f"module {HARNESS} (input logic clk_i, input logic rst_ni, input logic bit_i, output logic bit_o);",
            *given,
            "  logic rst_q;",
            f"  logic [{at - 1}:0] shift_q, given_q;",
            f"  logic [{total - 1}:0] taken_q, out_q;",
            f"  {TOP} u_unit ({', '.join(links)});",
            "  always_ff @(posedge clk_i) begin",
            "    rst_q <= rst_ni;",
            f"    shift_q <= {at}'({{shift_q, bit_i}});",
            "    given_q <= shift_q;",
            f"    taken_q <= {{{', '.join(n for n, _ in taken)}}};",
            "    out_q <= bit_i ? taken_q : out_q >> 1;",
            "  end",
            "  assign bit_o = out_q[0];",
            "endmodule",
            "",
        ]
    )


def netlist(unit: Unit) -> str:
    """A unit between registers, mapped, as JSON without what only tells where in the sources it stood: the same for the same circuit."""
    alone = unit_synthesis(unit, TARGET.family)
    texts = {**dict(alone.memories), **dict(alone.sources), f"{HARNESS}.sv": harness(unit)}
    made = json.loads((synthesise(Sources(texts, HARNESS), TARGET.family, pads=True) / "netlist.json").read_text())
    for module in made["modules"].values():
        for part in (module, *module["cells"].values(), *module["netnames"].values()):
            part.get("attributes", {}).pop("src", None)
    return json.dumps(made)


def measure(mapped: str, seed: int) -> Placed:
    """A `netlist` placed and routed."""
    lines = [f'LOCATE COMP "{p}" SITE "{site}";\nIOBUF PORT "{p}" IO_TYPE=LVCMOS33;\n' for p, site in PINS.items()]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "netlist.json").write_text(mapped)
        (work / TARGET.pins).write_text("".join([*lines, f'FREQUENCY PORT "clk_i" {WANTED} MHz;\n']))
        return place(work, replace(TARGET), seed)


def read_table() -> dict[str, dict[str, Any]]:
    """name -> {"key", "netlist": its hash, "mhz": {seed: MHz}, "lut", "ff", "path"}."""
    found: dict[str, dict[str, Any]] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def run(kind: str | None, only: str | None, seeds: int) -> None:
    """Measure what the table lacks or what has changed."""
    for name, unit in units().items():
        if (kind and unit.kind != kind) or (only and only not in name):
            continue
        key, row = unit_synthesis(unit, TARGET.family).key, read_table().get(name, {})
        if row.get("key") == key and len(row["mhz"]) >= seeds:
            continue
        mapped = netlist(unit)
        circuit = hashlib.sha256(mapped.encode()).hexdigest()[:16]
        if row.get("netlist") != circuit:
            row = {"netlist": circuit, "kind": unit.kind, "mhz": {}}
        row["key"] = key
        for seed in (s for s in range(1, seeds + 1) if str(s) not in row["mhz"]):
            placed = measure(mapped, seed)
            if not row["mhz"] or placed.fmax_mhz < min(row["mhz"].values()):
                row |= {**count(placed, TARGET.family), "path": list(placed.path)}
            row["mhz"][str(seed)] = round(placed.fmax_mhz, 1)
            _keep(name, row)
            print(f"{placed.fmax_mhz:6.1f} MHz seed {seed} {name}: {' '.join(dict.fromkeys(placed.path))[-160:]}", flush=True)
        _keep(name, row)


def _keep(name: str, row: dict[str, Any]) -> None:
    TABLE.write_text(json.dumps({**read_table(), name: row}, indent=1, sort_keys=True) + "\n")


def table() -> None:
    """Print Markdown, slowest first; rows of units that have changed since are marked."""
    every = units()
    print("| unit | MHz, seed by seed | estimate | error | slowest path by the estimate | LUT | FF | block RAM | DSP |")
    print("|---|---:|---:|---:|---|---:|---:|---:|---:|")
    for name, row in sorted(read_table().items(), key=lambda item: min(item[1]["mhz"].values())):
        figures = ", ".join(f"{row['mhz'][s]:.1f}" for s in sorted(row["mhz"]))
        made, old = (
            slowest(every[name].paths(TARGET.family), DELAYS[TARGET.family]),
            unit_synthesis(every[name], TARGET.family).key != row["key"],
        )
        shown = f"{made[0]:.1f} | {100 * made[0] / min(row['mhz'].values()) - 100:+.0f}% | {made[1].what}" if made else "| |"
        print(f"| {name}{' (changed since)' * old} | {figures} | {shown} | {row['lut']:,} | {row['ff']:,} | {row['ram']} | {row['dsp']} |")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--kind")
    parser.add_argument("--only")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    if given.what == "run":
        run(given.kind, given.only, given.seeds)
    else:
        table()


if __name__ == "__main__":
    main()
