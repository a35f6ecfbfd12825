"""No `ready` input reaches any output of a module within a cycle: neither a `ready` before it nor the `valid` and data beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit.adders import rtl_adders
from dfcompile.emit.interface import Interface
from dfcompile.emit.memory import hex_lines
from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.loopback.config import EngineConfig
from dfcompile.synthesis.unit import SUMS, TOP, wrapper
from dfcompile.units import all_units
from dfcompile.units.add import Add
from dfcompile.units.argmax import Argmax
from dfcompile.units.base import Unit
from dfcompile.units.concat import Concat
from dfcompile.units.fifo import Fifo
from dfcompile.units.fork import Fork
from dfcompile.units.multiply import Multiply
from dfcompile.units.pool import Pool
from dfcompile.units.repack import Repack
from dfcompile.units.sliding_window import SlidingWindow
from dfcompile.units.split import Split
from dfcompile.units.table_add import TableAdd
from dfcompile.units.upsample import Upsample
from dfcompile.units.width_converter import WidthConverter
from tests.backend.designs import dense, residual, two_ports
from tests.examples import some
from tests.formal.prove import mutated
from tests.formal.structure import Netlist, netlist
from tests.units import (
    test_delay,
    test_matmul,
    test_mvtu,
    test_mvtu_graph,
    test_mvtu_sparse,
    test_rows,
    test_standardize,
    test_threshold,
    test_vvtu,
)
from tests.units.arithmetic_cases import Operands, lookup, mvtu, threshold, vvtu
from tests.units.test_mvtu_graph import graph_unit

INT3, UINT2 = IntType(3, signed=True), IntType(2)
RNG = np.random.default_rng(0)


def window(kernel: tuple[int, int] = (3, 3), pad: int = 1, **rest: object) -> SlidingWindow:
    given = {"shape": (5, 6, 4), "stride": (1, 1), "dilation": (1, 1), "dtype": INT3, "pad_value": 0, "simd": 2, **rest}
    return SlidingWindow(kernel=kernel, pads=(pad,) * 4, **given)  # type: ignore[arg-type]


UNITS: dict[str, list[Unit]] = {
    "add": [Add((1, 2, 4), (INT3, INT3), lanes=2), Add((1, 2, 4), (INT3, BIPOLAR), (3, -5), 7, lanes=4)],
    "argmax": [Argmax((1, 2, 6), INT3, None, pe) for pe in (1, 3, 6)],
    "below_max": [u for u in test_rows.CORNERS.values() if u.kind == "below_max"],
    "concat": [Concat(((1, 2, 4), (1, 2, 2)), INT3, lanes=2), Concat(((1, 2, 1), (1, 2, 1)), BIPOLAR, lanes=1)],
    "delay": list(test_delay.UNITS.values()),
    "fifo": [Fifo((1, 2, 6), INT3, 2, depth, s) for depth, s in ((1, "auto"), (2, "lut"), (3, "lutram"), (5, "bram"), (65, "auto"))],
    "fork": [Fork((1, 2, 4), INT3, lanes) for lanes in (1, 4)],
    "lookup": [lookup(RNG, INT3, UINT2, (1, 2, 4), shared, pe=pe) for shared in (False, True) for pe in (1, 3, 4)],
    "matmul": list(test_matmul.CORNERS.values()),
    "normalize": [u for u in test_rows.CORNERS.values() if u.kind == "normalize"],
    "multiply": [Multiply((1, 2, 4), (INT3, UINT2), None, lanes) for lanes in (1, 4)],
    "mvtu": [
        *(mvtu(RNG, types, *sizes, **fields) for types, sizes, fields in test_mvtu.CORNERS.values()),
        *(graph_unit(RNG, types, *sizes, **fields) for types, sizes, fields in test_mvtu_graph.CORNERS.values()),
        *map(test_mvtu_sparse.corner, test_mvtu_sparse.CORNERS),
    ],
    "pool": [Pool(m, (1, 2, 4), 3, UINT2, IntType(4), pe, pe < 4) for m in ("max", "sum") for pe in (1, 3, 4)],
    "repack": [Repack((1, 6, 3), INT3, *sides) for sides in ((1, 3, 2, 3), (2, 3, 1, 3), (3, 9, 2, 0), (3, 0, 2, 3))],
    "sliding_window": [
        window(), window((2, 2), 0, stride=(2, 2), channels_outer=True), window((1, 1), -1), window(depth=60, style="bram"), window(simd=3),
    ],
    "standardize": list(test_standardize.CORNERS.values()),
    "split": [Split((1, 2, 6), (4, 2), INT3, lanes=2), Split((1, 2, 2), (1, 1), INT3)],
    "table_add": [TableAdd((1, 2, 4), (INT3, UINT2), INT3, RNG.integers(0, 30, 128), 2, lanes) for lanes in (1, 4)],
    "threshold": [threshold(RNG, Operands(x, BIPOLAR, out, True), shape, **f) for x, out, shape, f in test_threshold.CORNERS.values()],
    "upsample": [Upsample((2, 3, 4), factors, INT3, lanes) for factors in ((1, 2), (2, 1), (2, 2)) for lanes in (1, 4)],
    "vvtu": [vvtu(RNG, types, *sizes, **fields) for types, sizes, fields in test_vvtu.CORNERS.values()],
    "width_converter": [WidthConverter((1, 1, 12), INT3, a, b) for a, b in ((1, 1), (1, 3), (3, 1), (2, 3), (3, 2), (12, 1))],
}  # fmt: skip


def netlist_of(unit: Unit, folder: Path, sources: Sequence[Path] = ()) -> Netlist:
    """The netlist of a unit with its memories."""
    folder.mkdir(exist_ok=True)
    top = folder / f"{TOP}.sv"
    top.write_text(wrapper(unit) + (rtl_adders(unit.adders, SUMS) if unit.adders else ""))
    for memory in unit.memories():
        (folder / f"{memory.name}.mem").write_text(hex_lines(memory.words, memory.width))
    return netlist(TOP, {}, folder, [*sources, top])


def test_every_unit_has_cases() -> None:
    assert UNITS.keys() == set(all_units())


@pytest.mark.parametrize("kind", UNITS)
def test_ready_reaches_nothing(kind: str, tmp_path: Path) -> None:
    for i, unit in enumerate(UNITS[kind]):
        assert netlist_of(unit, tmp_path / str(i)).paths("ready", "") == set(), unit


@pytest.mark.parametrize("make", [residual, two_ports, dense])
def test_ready_reaches_nothing_in_designs(make: Callable[[], Design], tmp_path: Path) -> None:
    design = make()
    emit_rtl(design, tmp_path)
    top = Interface.of(design).names.top
    found = netlist(top, {}, tmp_path, sorted(tmp_path.glob("*.sv")))
    assert any("tready" in name for name, (way, _) in found.ports.items() if way == "input")
    assert found.paths("ready", "") == set()


ENGINES = [
    EngineConfig(pe=4, simd=8, act_words=16, weight_words=8, acc_words=4, tree_levels=2),
    EngineConfig(
        pe=8, simd=8, act_words=16, weight_words=8, acc_words=4, tree_levels=3, weight_bits=4, list_words=8, code_bits=2, bus_bits=32
    ),
    EngineConfig(
        pe=8,
        simd=24,
        act_words=16,
        weight_words=8,
        acc_words=4,
        tree_levels=3,
        weight_bits=4,
        act_bits=4,
        pixels=2,
        dsp_rows=10,
        bus_bits=32,
    ),
]


@pytest.mark.parametrize("config", ENGINES, ids=["64", "32", "digits, two pixels, 24 columns"])
def test_ready_reaches_nothing_in_loopback_engines(config: EngineConfig, tmp_path: Path) -> None:
    found = netlist("dfc_loopback", config.rtl_parameters(), tmp_path)
    assert sum("ready" in name and way == "input" for name, (way, _) in found.ports.items()) == 6
    assert found.paths("ready", "") == set()


def test_a_join_shows_its_paths(tmp_path: Path) -> None:
    """What is there is found: either input of a sum is taken only with the other."""
    found = netlist_of(UNITS["add"][0], tmp_path).paths("valid", "ready")
    assert found == {("in0_valid_i", "in1_ready_o"), ("in1_valid_i", "in0_ready_o")}


# The units whose input does not wait for the credit of `dfc_stream_out`.
PLANTED = {
    "fifo": ("assign in_ready_o  = ready_q;", "assign in_ready_o  = ready_q || pop;"),
    "fork": ("assign in_ready_o = credit_q;", "assign in_ready_o = credit_q || pop == 2'b11;"),
    "repack": ("level_q <= level_t'(Places - InLanes / Step);", "level_q <= level_t'(Places - InLanes / Step) || out_ready_i;"),
    "sliding_window": ("assign ready_o = used_q[Bits-1];", "assign ready_o = used_q[Bits-1] || step_i;"),
    "upsample": ("assign in_ready_o   = level_q != level_t'(Depth);", "assign in_ready_o   = level_q != level_t'(Depth) || step;"),
}
for _kind, _width in (("below_max", "Wide"), ("normalize", "DenBits"), ("standardize", "SumBits + RootBits")):
    _rows = f"""  dfc_row_buffer #(.Width(Lanes * InBits), .ResultWidth({_width}), .Beats(Beats), .Pages(Pages), .Style(RamStyle)) u_rows (
    .clk_i, .rst_ni, .in_data_i, .in_valid_i, .in_ready_o,"""
    _held = "  logic held;\n  assign in_ready_o = held || out_ready_i;\n"
    PLANTED[_kind] = (_rows, _held + _rows.replace(".in_ready_o,", ".in_ready_o(held),"))
THROUGH = ("assign credit_o    = credit_q;", "assign credit_o    = credit_q || pop;")


@pytest.mark.parametrize("kind", some(UNITS, always=[*PLANTED, "mvtu", "add"]))
def test_a_ready_through_any_unit_is_found(kind: str, tmp_path: Path) -> None:
    module = "dfc_window_room" if kind == "sliding_window" else f"dfc_{kind}" if kind in PLANTED else "dfc_stream_out"
    changed = mutated(tmp_path, module, *PLANTED.get(kind, THROUGH))
    assert netlist_of(UNITS[kind][0], tmp_path, [changed]).paths("out.*ready", "in.*ready")


@pytest.mark.parametrize(("module", "old", "new", "path"), [
    ("dfc_fifo", "out_valid_o = valid_q;", "out_valid_o = valid_q && out_ready_i;", ("out_ready_i", "out_valid_o")),
    ("dfc_fork", "out1_valid_o = valid_q[1];", "out1_valid_o = valid_q[1] && out0_ready_i;", ("out0_ready_i", "out1_valid_o")),
    ("dfc_fifo", "assign out_data_o = beats[rd_q];", "assign out_data_o = beats[out_ready_i ? rd_q : 0];", ("out_ready_i", "out_data_o")),
], ids=["valid", "valid of another", "data"])  # fmt: skip
def test_valid_and_data_that_wait_are_found(module: str, old: str, new: str, path: tuple[str, str], tmp_path: Path) -> None:
    found = netlist(module, {}, tmp_path, [mutated(tmp_path, module, old, new)])
    assert found.paths("ready", "") == {path}


@pytest.mark.parametrize(("module", "old", "new"), [
    ("dfc_lb_store", "assign aw_valid_o = burst_valid && lens_room;", "assign aw_valid_o = burst_valid && lens_room && aw_ready_i;"),
    ("dfc_lb_store", "assign w_valid_o = words_valid && lens_valid;", "assign w_valid_o = words_valid && lens_valid && aw_ready_i;"),
    ("dfc_lb_burst", "assign valid_o   = !idle_o;", "assign valid_o   = !idle_o && ready_i;"),
    ("dfc_axi_lite", "assign ar_ready_o = !r_valid_o;", "assign ar_ready_o = !r_valid_o || r_ready_i;"),
])  # fmt: skip
def test_an_axi_channel_that_waits_is_found(module: str, old: str, new: str, tmp_path: Path) -> None:
    assert netlist("dfc_loopback", ENGINES[0].parameters(), tmp_path, [mutated(tmp_path, module, old, new)]).paths("ready", "")
