"""Units beside FINN's RTL in the same Yosys (UltraScale+): LUT + flip-flops, block RAM, DSP slices.

    python -m benchmarks.finn_rtl [--only NAME]      prints Markdown

FINN's SystemVerilog is taken from the wheel `finn-plus` of PyPI, which is fetched into a temporary folder; none of it is kept here.
Matrix units have their weights behind a port and no thresholds; ours is the cheapest form in LUT + flip-flops that the folding offers.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.calibration_units import dtype, mvtu, threshold, window
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.synthesis.unit import Synthesis, unit_synthesis
from dfcompile.synthesis.yosys import share_dir
from dfcompile.units.base import Unit
from dfcompile.units.fifo import Fifo
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.threshold import Threshold

WHEEL, FAMILY = "finn-plus==1.6.1", "xcup"
CELLS = FAMILIES[FAMILY].boxes
TOP = "finn_top"


@dataclass(frozen=True)
class Case:
    """A unit, FINN's module of the same, and how much of it ours may be.

    files:   FINN's, below finn-rtllib; body: an instance in the top, whose ports are `ports`
    limits:  form of FINN's (a text that `body` has instead of FORM) -> largest wanted ratio of LUT + flip-flops
    outside: whether weights come through ports; dsp: most DSP slices wanted; memories: files that FINN's module reads
    filled:  places of a template, and what stands there
    """

    unit: Unit
    files: tuple[str, ...]
    ports: str
    body: str
    limits: dict[str, float]
    outside: bool = False
    dsp: int | None = None
    memories: Mapping[str, str] = field(default_factory=dict)
    filled: Mapping[str, str] = field(default_factory=dict)


def matrix(bits: int, rows: int, columns: int, pe: int, simd: int, limits: dict[str, float], dsp: int | None = None) -> Case:
    """A matrix unit without thresholds."""
    unit = mvtu(f"u{bits}", f"s{bits}", "", rows, columns, pe, simd)
    acc = unit.acc_dtype.bits
    widths = {"w": pe * simd * bits, "x": simd * bits, "y": pe * acc}
    wide = {n: (w + 7) // 8 * 8 for n, w in widths.items()}
    ports = (
        f"input logic c, r, input logic [{wide['w'] - 1}:0] w, input logic wv, output logic wr, input logic [{wide['x'] - 1}:0] x, "
        f"input logic xv, output logic xr, output logic [{wide['y'] - 1}:0] y, output logic yv, input logic yr"
    )
    body = (
        f"mvu_vvu_axi #(.IS_MVU(1), .VERSION(2), .MW({columns}), .MH({rows}), .PE({pe}), .SIMD({simd}), .ACTIVATION_WIDTH({bits}), "
        f".WEIGHT_WIDTH({bits}), .ACCU_WIDTH({acc}), .FORCE_BEHAVIORAL(FORM)) u (.ap_clk(c), .ap_clk2x(1'b0), .ap_rst_n(r), "
        ".s_axis_weights_tdata(w), .s_axis_weights_tvalid(wv), .s_axis_weights_tready(wr), .s_axis_input_tdata(x), "
        ".s_axis_input_tvalid(xv), .s_axis_input_tready(xr), "
        ".m_axis_output_tdata(y), .m_axis_output_tvalid(yv), .m_axis_output_tready(yr));"
    )
    files = tuple(
        f"mvu/{f}" for f in ("mvu_pkg.sv", "add_multi.sv", "mvu.sv", "mvu_vvu_8sx9_dsp58.sv", "replay_buffer.sv", "mvu_vvu_axi.sv")
    )
    return Case(unit, files, ports, body, limits, True, dsp)


def stages(unit: Threshold) -> dict[str, str]:
    """Files of thresholds of FINN's module: of each lane and stage the nodes of the search, channel by channel."""
    bits, folds, lanes = unit.out_dtype.bits, unit.shape[2] // unit.pe, unit.pe
    found = {}
    for lane in range(lanes):
        for stage in range(bits):
            step = 1 << (bits - 1 - stage)
            words = [
                unit.thresholds[fold * lanes + lane, (n << (bits - stage)) + step - 1] for fold in range(folds) for n in range(1 << stage)
            ]
            digits = "".join(f"{int(w) & ((1 << unit.inputs[0].dtype.bits) - 1):x}\n" for w in words)
            found[f"threshs_{lane}_{stage}.dat"] = digits
    return found


def thresholds(kind: str, out: str, channels: int, pe: int, limit: float) -> Case:
    """Thresholds that are constants, none beyond the input's type."""
    unit = threshold(kind, out, channels, pe)
    k, o, n = unit.inputs[0].dtype.bits, unit.out_dtype.bits, (1 << unit.out_dtype.bits) - 1
    ports = (
        f"input logic c, r, input logic [{pe * k - 1}:0] x, input logic xv, output logic xr, output logic [{pe * o - 1}:0] y, "
        "output logic yv, input logic yr"
    )
    body = (
        f'thresholding #(.K({k}), .N({n}), .C({channels}), .PE({pe}), .SIGNED(1), .USE_CONFIG(FORM), .THRESHOLDS_PATH("./")) u (.clk(c), '
        ".rst(r), .cfg_en(1'b0), .cfg_we(1'b0), .cfg_a('0), .cfg_d('0), .cfg_rack(), .cfg_q(), .irdy(xr), .ivld(xv), .iset('0), .idat(x), "
        ".ordy(yr), .ovld(yv), .odat(y));"
    )
    return Case(unit, ("thresholding/hdl/thresholding.sv",), ports, body, {"0": limit}, memories=stages(unit))


def fifo(lanes: int, depth: int, style: str, limit: float) -> Case:
    """A FIFO of bytes."""
    unit = Fifo((16, 16, 16), dtype("u8"), lanes, depth)
    wide = 8 * lanes
    ports = (
        f"input logic c, r, input logic [{wide - 1}:0] x, input logic xv, output logic xr, output logic [{wide - 1}:0] y, "
        "output logic yv, input logic yr"
    )
    body = (
        f"fifo #(.DEPTH({depth}), .DATA_WIDTH({wide}), .RAM_STYLE(FORM)) u (.clk(c), .rst(r), .idat(x), .ivld(xv), .irdy(xr), .odat(y), "
        ".ovld(yv), .ordy(yr), .count(), .maxcount());"
    )
    return Case(unit, ("fifo/hdl/fifo.sv",), ports, body, {f'"{style}"': limit})


def places(unit: SlidingWindow) -> dict[str, int | str]:
    """What FINN's template of a window's unit leaves open, for windows without stride and pad: how often each loop of its walk runs (less
    two), how far its reads move behind each and how far back its oldest element, and sizes, in beats.
    """
    (h, w, channels), (rows, columns) = unit.inputs[0].shape, unit.kernel
    beats = channels // unit.simd
    kept = ((rows - 1) * w + columns) * beats  # of a window, from its first beat to its last
    loops = {"H": h - rows + 1, "W": w - columns + 1, "KH": rows, "KW": columns, "SIMD": beats - 1}
    head = {"SIMD": 1, "KW": 1, "KH": (w - columns) * beats + 1, "W": beats + 1 - kept, "H": columns * beats + 1 - kept}
    tail = {"W": beats, "H": columns * beats, "LAST": kept - 1}
    bits = 1 + max(abs(v) for v in (*head.values(), *tail.values())).bit_length()
    return {
        **{f"LOOP_{k}_ITERATIONS": n - 2 for k, n in loops.items()},
        **{f"HEAD_INCR_{k}": n for k, n in head.items()},
        **{f"TAIL_INCR_{k}": n for k, n in tail.items()},
        "INCR_BITWIDTH": bits, "BUF_ELEM_TOTAL": kept, "ELEM_PER_WINDOW": rows * columns * beats, "LAST_READ_ELEM": h * w * beats - 1,
        "LAST_WRITE_ELEM": h * w * beats - 1, "IS_DEPTHWISE": 0, "INNERMOST_STATE": "STATE_LOOP_SIMD", "TOP_MODULE_NAME": "swg",
        "RAM_STYLE": '"auto"',
    }  # fmt: skip


def sliding(unit: SlidingWindow, limit: float) -> Case:
    """Windows of several beats a pixel, without stride and pad."""
    wide = unit.simd * unit.inputs[0].dtype.bits
    ports = (
        f"input logic c, r, input logic [{wide - 1}:0] x, input logic xv, output logic xr, output logic [{wide - 1}:0] y, "
        "output logic yv, input logic yr"
    )
    body = (
        f"swg_impl #(.BIT_WIDTH({unit.inputs[0].dtype.bits}), .SIMD({unit.simd}), .MMV_IN(1), .MMV_OUT(1)) u (.ap_clk(c), .ap_rst_n(r), "
        ".in0_V_V_TVALID(xv), .in0_V_V_TREADY(xr), .in0_V_V_TDATA(x), .out_V_V_TVALID(yv), .out_V_V_TREADY(yr), .out_V_V_TDATA(y));"
    )
    files = tuple(f"swg/{f}" for f in ("swg_pkg.sv", "swg_common.sv", "swg_template_default.sv"))
    return Case(unit, files, ports, body, {"": limit}, filled={f"${k}$": str(v) for k, v in places(unit).items()})


def cases() -> dict[str, Case]:
    """What is compared, and the ratios that are wanted: FINN's form in LUTs is FORCE_BEHAVIORAL 1, that in slices 0."""
    return {
        "W4A4 64x64, 8x8": matrix(4, 64, 64, 8, 8, {"1": 0.45, "0": 0.75}),
        "W2A2 64x64, 8x8": matrix(2, 64, 64, 8, 8, {"1": 0.25}),
        "W8A8 32x288, 4x9": matrix(8, 32, 288, 4, 9, {"0": 0.5}, dsp=18),
        "15 thresholds of 16 bits, 8": thresholds("s16", "u4", 32, 8, 0.75),
        "255 thresholds of 20 bits, 2": thresholds("s20", "u8", 16, 2, 0.75),
        "FIFO of 600 in block RAM": fifo(8, 600, "block", 1.0),
        "windows 3x3 of 18x18x32, 4 bits, 8": sliding(window(18, 32, 3, "u4", 8), 0.9),
        "windows 5x5 of 12x12x16, 8 bits, 4": sliding(window(12, 16, 5, "s8", 4), 0.9),
        "windows 3x3 of 56x56x32, 4 bits, 8": sliding(window(56, 32, 3, "u4", 8), 0.9),
    }


def ours(case: Case) -> tuple[Resources, str]:
    """The cheapest by the estimate of what the folding offers, synthesised, and its form; of DSP slices no more than `dsp`."""
    forms = [case.unit.folded(**s) for s in case.unit.styles(FAMILY)] or [case.unit]
    most = 0 if case.dsp is None else case.dsp
    allowed = [f for f in forms if f.resources(FAMILY).dsp <= most]
    best = min(allowed, key=lambda f: f.resources(FAMILY).lut + f.resources(FAMILY).ff)
    form = getattr(best, "arithmetic", "") or getattr(best, "threshold_style", "")
    return unit_synthesis(best, FAMILY, outside=case.outside).run(), form


def readable(text: str) -> str:
    """A file of FINN's as Yosys' reader takes it: without assertions, and with a constant in front of the block whose function finds it."""
    text = re.sub(r"assert *[(].*?[)] else begin.*?\bend\b", ";", text, flags=re.DOTALL)
    text = (
        text.replace("#100ns;", "")
        .replace("Dirty <= 0;", "Dirty = 0;")
        .replace("`default_nettype none", "")
        .replace("`default_nettype wire", "")
    )
    text = re.sub(r"Scope <= [(]SCOPE_REDUCE == 0[)][?] 1 :.*?;", "Scope <= 1;", text)  # all thresholds of a code are there
    start, end, place = text.find("typedef int unsigned  leaf_load_t"), text.find("// Adder Tree"), "uwire [SUM_WIDTH-1:0]  sum0;"
    return text if start < 0 else (text[:start] + text[end:]).replace(place, text[start:end] + place, 1)


def filled(text: str, places: Mapping[str, str]) -> str:
    """A template with its places filled."""
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def cells() -> str:
    """Ports and parameters of the cells that FINN's RTL names, as Yosys' libraries have them."""
    text = "".join((share_dir() / "xilinx" / f).read_text() for f in ("cells_sim.v", "cells_xtra.v"))
    found = [re.search(rf"^module {cell} *[(].*?^endmodule", text, re.DOTALL | re.MULTILINE) for cell in CELLS]
    return "\n".join(m.group() for m in found if m) + "\n"


def theirs(case: Case, library: Path, form: str) -> Resources:
    """FINN's module, mapped as ours is."""
    texts = [(Path(f).name, filled(readable((library / f).read_text()), case.filled)) for f in case.files]
    texts.append(("cells.sv", cells()))
    texts.append((f"{TOP}.sv", f"module {TOP} ({case.ports});\n  {case.body.replace('FORM', form)}\nendmodule\n"))
    return Synthesis(tuple(texts), tuple(case.memories.items()), TOP, FAMILY).run()


def fetched(folder: Path) -> Path:
    """FINN's library of RTL, out of the wheel."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder, [n for n in wheel.namelist() if "/finn-rtllib/" in n])
    return folder / "finn" / "finn-rtllib"


def figures(found: Resources) -> str:
    """LUT, flip-flops, block RAM and DSP slices."""
    return f"{found.lut:,.0f} | {found.ff:,.0f} | {found.bram36:g} | {found.dsp:g}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    print("| unit | ours | LUT | FF | block RAM | DSP | FINN's form | LUT | FF | block RAM | DSP | LUT + FF, ours / FINN's | wanted |")
    print("|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        library = fetched(Path(folder))
        for name, case in cases().items():
            if only not in name:
                continue
            own, form = ours(case)
            for other, limit in case.limits.items():
                made = theirs(case, library, other)
                ratio = (own.lut + own.ff) / (made.lut + made.ff)
                print(f"| {name} | {form} | {figures(own)} | {other} | {figures(made)} | {ratio:.2f} | {limit:g} |", flush=True)


if __name__ == "__main__":
    main()
