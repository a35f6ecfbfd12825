"""What the optimiser chose for memories and products is in the pragmas that a compiler finds in each unit's live code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.hls import emit_hls
from dfcompile.ir.types import IntType
from dfcompile.toolchain import require_tool
from dfcompile.units import all_units
from dfcompile.units.base import Unit
from dfcompile.units.below_max import BelowMax
from dfcompile.units.normalize import Normalize
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.upsample import Upsample
from tests.backend.designs import residual
from tests.examples import some
from tests.three_way import one_unit
from tests.units.arithmetic_cases import Operands, lookup, mvtu, threshold, vvtu
from tests.units.test_matmul import CORNERS
from tests.units.test_requantization import scaled
from tests.units.test_standardize import CORNERS as STANDARDIZE

UINT4, INT4 = IntType(4), IntType(4, signed=True)
OPERANDS = Operands(UINT4, INT4, UINT4)
RNG = np.random.default_rng(0)
UNITS: dict[str, Any] = {
    "mvtu": mvtu(RNG, OPERANDS, (1, 2), 1, 4, 6, pe=2, simd=3),
    "vvtu": vvtu(RNG, OPERANDS, (1, 2), 4, 3, pe=2),
    "threshold": threshold(RNG, OPERANDS, (1, 2, 4), pe=2),
    "lookup": lookup(RNG, UINT4, INT4, (1, 2, 4), False, pe=2),
    "sliding_window": SlidingWindow((4, 5, 2), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), UINT4),
    "upsample": Upsample((2, 3, 4), (2, 2), UINT4, 2),
    "matmul": CORNERS["attention_scores"],
    "below_max": BelowMax((1, 3, 8), INT4, 15, 2),
    "standardize": STANDARDIZE["layer_norm"],
    "normalize": Normalize((1, 3, 8), UINT4, 15, 1, 15, 0, "half_even", UINT4, 2),
}
ROM, RAM, MUL = (
    "bind_storage variable = memory type = rom_np",
    "bind_storage variable = memory type = ram_s2p",
    "bind_op variable = found op = mul",
)
# Field of a unit -> the parameter that carries it, and of each style the pragma that it must make ("": none).
MEMORY = {"lutram": f"{ROM} impl = lutram", "bram": f"{ROM} impl = bram"}
SEARCH = {"auto": "", "lut": f"{ROM} impl = lutram"}
BUFFER = {"lutram": f"{RAM} impl = lutram", "uram": f"{RAM} impl = uram"}
PRODUCTS = {"auto": "", "lut": f"{MUL} impl = fabric", "dsp": f"{MUL} impl = dsp"}
CHOICES: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("mvtu", "WeightsStyle"): ("weight_style", MEMORY),
    ("mvtu", "ThresholdsStyle"): ("threshold_style", SEARCH),
    ("mvtu", "Arithmetic"): ("arithmetic", PRODUCTS),
    ("vvtu", "WeightsStyle"): ("weight_style", MEMORY),
    ("vvtu", "ThresholdsStyle"): ("threshold_style", SEARCH),
    ("vvtu", "Arithmetic"): ("arithmetic", PRODUCTS),
    ("threshold", "ThresholdsStyle"): ("threshold_style", {"auto": "", **MEMORY}),
    ("lookup", "TableStyle"): ("table_style", MEMORY),
    ("sliding_window", "RamStyle"): ("style", BUFFER),
    ("upsample", "RamStyle"): ("style", BUFFER),
    ("matmul", "MatrixStyle"): ("matrix_style", BUFFER),
    ("matmul", "ThresholdsStyle"): ("threshold_style", SEARCH),
    ("matmul", "Arithmetic"): ("arithmetic", PRODUCTS),
    ("below_max", "RamStyle"): ("ram_style", BUFFER),
    ("normalize", "RamStyle"): ("ram_style", BUFFER),
    ("standardize", "RamStyle"): ("ram_style", BUFFER),
}
# One of each kind of style.
ALWAYS = {("mvtu", "WeightsStyle"), ("vvtu", "ThresholdsStyle"), ("upsample", "RamStyle"), ("matmul", "Arithmetic")}
# Where the weights lie while another choice is tried: where no style of the thresholds here lies.
BESIDE = {"mvtu": {"weight_style": "bram"}, "vvtu": {"weight_style": "bram"}}


def pragmas(unit: Unit, folder: Path) -> list[str]:
    """The pragmas of the code that is left of a unit's function, shown as comments of its assembly."""
    emit_hls(one_unit(unit), folder)
    common = folder / "dfc_common.hpp"
    text, count = re.subn(
        r"#else\n#define DFC_PRAGMA\(Text\)\n", '#else\n#define DFC_PRAGMA(Text) asm volatile("# " #Text);\n', common.read_text()
    )
    assert count == 1
    common.write_text(text)
    command = [
        require_tool("g++").path,
        "-std=c++14",
        "-O0",
        "-w",
        "-S",
        "-Isimulation",
        "-isystem",
        require_tool("ap_int").path,
        "unit.cpp",
        "-o",
        "unit.s",
    ]
    subprocess.run(command, cwd=folder, check=True)
    return re.findall(r"# HLS (.*)", (folder / "unit.s").read_text())


@pytest.mark.parametrize("choice", some(CHOICES, ALWAYS), ids=" ".join)
def test_each_style_is_a_pragma(choice: tuple[str, str], tmp_path: Path) -> None:
    kind, parameter = choice
    field, styles = CHOICES[choice]
    codes, found = set(), {}
    for style in styles:
        unit = UNITS[kind].folded(**{**BESIDE.get(kind, {}), field: style})
        codes.add(unit.parameters()[parameter])
        found[style] = pragmas(unit, tmp_path / style)
    assert len(codes) == len(styles)
    for style, wanted in styles.items():
        assert wanted == "" or wanted in found[style]
        assert not [p for p in {*styles.values()} - {"", wanted} if p in found[style]], f"{style} makes the pragma of another style"


@pytest.mark.parametrize(("style", "impl"), [("multiply", "dsp"), ("shift_add", "fabric")])
def test_requantization_by_a_product(style: str, impl: str, tmp_path: Path) -> None:
    assert f"{MUL} impl = {impl}" in pragmas(scaled(UNITS["threshold"], style, shared=False, flipped=False), tmp_path)


def test_every_choice_is_tried(root: Path) -> None:
    """All parameters of units that say what something is made of."""
    found = set()
    for kind in all_units():
        text = (root / "hls" / f"dfc_{kind}.hpp").read_text()
        heads = re.findall(rf"template <([^<>]*)>\nvoid {kind}\(", text)
        assert heads, kind
        found |= {(kind, name) for head in heads for name in re.findall(r"\w*Style|Arithmetic", head)}
    assert found == {*CHOICES}


def test_styles_of_streams(tmp_path: Path) -> None:
    """LUTs or block RAM by the size of the FIFO, as in the SystemVerilog."""
    emit_hls(residual(short=1, largest=9000), tmp_path)
    text = (tmp_path / "residual_1.cpp").read_text()
    assert dict(re.findall(r"DFC_BIND_FIFO\((\w+), (\w+)\)", text)) == {"n_short": "lutram", "largest": "bram"}
