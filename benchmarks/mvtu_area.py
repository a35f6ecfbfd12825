"""Area of matrix-vector units of 64 x 576 weights in block RAM, by bits, folding and thresholds: the baseline of docs/cost.md.

    python -m benchmarks.mvtu_area run [--largest 512] [--family xc7]   synthesise what mvtu_area.json lacks, small ones first
    python -m benchmarks.mvtu_area table                                print it as a Markdown table

`area` maps logic as `dfcompile synth` does, `default` with the tool's default options.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.calibration_units import mvtu
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.units.base import Unit

TABLE = Path(__file__).with_name("mvtu_area.json")
TYPES = {"W1A1": ("b", "b"), "W2A2": ("u2", "s2"), "W4A4": ("u4", "s4"), "W8A8": ("u8", "s8")}
FOLDINGS = ((4, 16), (16, 32), (32, 64))


def units() -> dict[str, Unit]:
    """Name -> unit, rising in lanes."""
    found: dict[str, Unit] = {}
    for pe, simd in FOLDINGS:
        for name, (x, w) in TYPES.items():
            for out in ("", x):
                text = f"{name} PE {pe} SIMD {simd} {'thresholds' if out else 'sums'}"
                found[text] = mvtu(x, w, out, 64, 576, pe, simd, weight_style="bram")
    return found


def read_table() -> dict[str, dict[str, Any]]:
    """Name -> mapping -> resources."""
    found: dict[str, dict[str, Any]] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def run(family: str, largest: int) -> None:
    """Synthesise units of at most `largest` lanes, with both mappings."""
    for name, unit in units().items():
        for mapping in ("area", "default"):
            lanes = unit.folding["pe"] * unit.folding["simd"]
            if lanes > largest or (mapping == "default" and lanes > 512):
                continue
            real = unit_synthesis(unit, family, default=mapping == "default").run()
            table = read_table()
            table.setdefault(name, {})[mapping] = real._asdict()
            TABLE.write_text(json.dumps(table, indent=1) + "\n")
            print(name, mapping, real, flush=True)


def table() -> None:
    """Print Markdown: measured, LUTs a lane, estimated."""
    print("| unit | LUT | FF | BRAM36 | DSP | LUT a lane | LUT, tool's default | estimate: LUT | FF | BRAM36 | DSP |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    measured = read_table()
    for name, unit in units().items():
        real = measured.get(name, {}).get("area")
        if not real:
            continue
        e = unit.resources("xc7")
        other = measured[name].get("default")
        lanes = unit.folding["pe"] * unit.folding["simd"]
        cells = [f"{real['lut']:,.0f}", f"{real['ff']:,.0f}", f"{real['bram36']:g}", f"{real['dsp']:g}", f"{real['lut'] / lanes:.1f}"]
        cells += [f"{other['lut']:,.0f}" if other else "", f"{e.lut:,.0f}", f"{e.ff:,.0f}", f"{e.bram36:g}", f"{e.dsp:g}"]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--family", default="xc7")
    parser.add_argument("--largest", type=int, default=2048)
    given = parser.parse_args()
    if given.what == "run":
        run(given.family, given.largest)
    else:
        table()


if __name__ == "__main__":
    main()
