"""What lists of steps and levels of weights add to an engine, estimated and by Yosys: python -m benchmarks.loopback_area

The weight buffer with and without levels, and the address generator with and without the steps of a list, each by itself; the differences
are what is added, beside the memory of the lists and the choice of a step in a bus word.
"""

from __future__ import annotations

from dataclasses import replace

from dfcompile.device.resources import Resources
from dfcompile.emit.resource import library_files, resource_dir
from dfcompile.loopback.area import levels, lists
from dfcompile.loopback.config import EngineConfig
from dfcompile.synthesis.unit import TOP, Synthesis

FAMILIES = ("xc7",)
SMALL = EngineConfig(pe=4, simd=8, act_words=64, weight_words=64, acc_words=16, tree_levels=2, weight_bits=4)
LEVELS = [
    replace(SMALL, pe=pe, simd=simd, bus_bits=bus, weight_bits=bits, code_bits=code)
    for pe, simd, bus, bits in ((4, 8, 32, 4), (4, 8, 64, 8), (8, 8, 64, 8), (8, 16, 64, 8))
    for code in (1, 2, 4)
    if code < bits
]
LISTS = [replace(SMALL, list_words=64, bus_bits=bus) for bus in (32, 64)]
_ENTRY = "  input  logic [31:0]     entry_i,\n"
PORTS = {"dfc_lb_weights": ("Pe", "Simd", "WeightWords", "WeightBits", "CodeBits", "BusBits"), "dfc_lb_walk": ("WeightBits", "BusBits")}


def synthesis(module: str, config: EngineConfig, family: str) -> Synthesis:
    """A module of the engine by itself, with the parameters that it has there."""
    values = {"Pe": config.pe, "Simd": config.simd, "WeightWords": config.weight_words, "WeightBits": config.weight_bits}
    values |= {"CodeBits": config.code_bits, "BusBits": config.bus_bits}
    folder = resource_dir("rtl")
    texts = [(f, (folder / f).read_text()) for f in library_files(folder, [f"{module}.sv"])]
    name = next(i for i, (f, _) in enumerate(texts) if f == f"{module}.sv")
    text = texts.pop(name)[1]
    for key in PORTS[module]:
        text = _set(text, key, values[key])
    if module == "dfc_lb_walk" and not config.list_words:
        text = text.replace(_ENTRY, "").replace(");\n", ");\n  logic [31:0] entry_i;\n  assign entry_i = '0;\n", 1)
    return Synthesis((*texts, (f"{TOP}.sv", text.replace(f"module {module} ", f"module {TOP} "))), (), TOP, family)


def _set(text: str, name: str, value: int) -> str:
    """The text of a module with another default of a parameter."""
    head, _, rest = text.partition(f"parameter int unsigned {name} ")
    return f"{head}parameter int unsigned {name} = {value}{rest[rest.index(',' if rest.index(',') < rest.index(chr(10)) else chr(10)) :]}"


def dot(simd: int, act_bits: int, weight_bits: int, pairs: int, block: int, family: str) -> Resources:
    """A row's dot product by itself: with `pairs` in DSP slices, on carry chains of so many places a cell, or else by lanes."""
    folder, bits = resource_dir("rtl"), act_bits + weight_bits + simd.bit_length() - 1
    texts = [(f, (folder / f).read_text()) for f in library_files(folder, ["dfc_lb_dot.sv", "dfc_dot_carry.sv"])]
    values = {"Simd": simd, "ActBits": act_bits, "WeightBits": weight_bits, "Pairs": pairs, "Block": block}
    sizes = {"codes_i": simd * act_bits, "weights_i": simd * weight_bits, "offset_i": bits}
    ports = ["input logic clk_i", *(f"input logic [{n - 1}:0] {name}" for name, n in sizes.items()), f"output logic [{bits - 1}:0] sum_o"]
    given = ", ".join(f".{k}({v})" for k, v in values.items())
    top = f"module {TOP} ({', '.join(ports)});\n  dfc_lb_dot #({given}) u_dot (.*);\nendmodule\n"
    return Synthesis((*texts, (f"{TOP}.sv", top)), (), TOP, family).run()


def added(module: str, config: EngineConfig, family: str) -> Resources:
    """What the synthesised module has more than without lists and levels."""
    plain = replace(config, list_words=0, code_bits=0)
    more, less = (synthesis(module, c, family).run() for c in (config, plain))
    return Resources(more.lut - less.lut, more.ff - less.ff, more.bram36 - less.bram36)


def main() -> None:
    """Print the tables."""
    print("| engine | family | LUT estimated | LUT | FF estimated | FF |\n|---|---|---:|---:|---:|---:|")
    for family in FAMILIES:
        for module, configs in (("dfc_lb_weights", LEVELS), ("dfc_lb_walk", LISTS)):
            for c in configs:
                estimate, real = levels(c) if c.code_bits else lists(c, family), added(module, c, family)
                what = f"levels of {c.code_bits} bits" if c.code_bits else f"lists of {c.list_words} words"
                name = f"{c.pe} x {c.simd}, {c.weight_bits}-bit weights, {c.bus_bits}-bit bus, {what}"
                print(f"| {name} | {family} | {estimate.lut:.0f} | {real.lut:.0f} | {estimate.ff:.0f} | {real.ff:.0f} |", flush=True)


if __name__ == "__main__":
    main()
