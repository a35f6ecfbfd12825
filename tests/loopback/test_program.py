"""Programs: exact on every kind of layer and engine shape, by tokens that are proven, refused where they cannot run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import AccOp, Compute, Opcode, Target, Transfer
from dfcompile.loopback.engine import Engine, run_program
from dfcompile.loopback.group import cycles
from dfcompile.loopback.lower import lower
from dfcompile.loopback.program import Program
from dfcompile.loopback.search.sweep import widths
from dfcompile.loopback.storage import digits, undigits
from dfcompile.loopback.validate import Fault
from tests.loopback.cases import CASES, Net, outputs, sixteen_bits, very_wide
from tests.loopback.resnet import resnet

SHAPES = {
    "square": EngineConfig(
        pe=8, simd=8, act_words=1024, weight_words=128, acc_words=64, scale_bits=28, root_bits=66, list_words=64, code_bits=4
    ),
    "tall": EngineConfig(pe=32, simd=8, act_words=2048, weight_words=64, acc_words=64, root_bits=66, list_words=32, code_bits=2),
    "wide": EngineConfig(
        pe=4, simd=16, act_words=1024, weight_words=64, acc_words=64, tree_banks=4, tree_levels=5, scale_bits=32, root_bits=66
    ),
    "small": EngineConfig(pe=8, simd=8, act_words=256, weight_words=16, acc_words=64, root_bits=66),
    "deep": EngineConfig(pe=8, simd=8, act_words=1024, weight_words=128, acc_words=64, acc_bits=64, scale_bits=48, root_bits=66),
    "tiny": EngineConfig(pe=8, simd=8, act_words=128, weight_words=32, acc_words=64, root_bits=66),
}


def assert_exact(net: Net, config: EngineConfig, batch: int = 1) -> Program:
    graph = net.graph(*outputs(net))
    codes = net.codes(2 * batch - 1)
    program = compile_program(graph, config, batch)
    wanted, found = graph.execute(codes), run_program(program, codes)
    for t in graph.outputs:
        np.testing.assert_array_equal(found[t], wanted[t])
    return program


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", ["square", "tall", "wide", "deep"])
@pytest.mark.parametrize("case", CASES)
def test_exact(case: str, shape: str, batch: int) -> None:
    assert_exact(CASES[case](), SHAPES[shape], batch)


def test_exact_in_strips() -> None:
    """A memory so small that tensors go outside and come back by rows."""
    assert assert_exact(CASES["convolutions"](), SHAPES["tiny"]).spilled


def test_partial_sums() -> None:
    n = Net(5, x=((2, 2, 300), 0, 15))
    n.steps(n.conv("x", 8), 4)
    program = assert_exact(n, SHAPES["small"])
    assert sum(isinstance(s.descriptor, Compute) and s.descriptor.acc_load for s in program.steps) > 0


@pytest.mark.parametrize("net", [CASES["partial"](), very_wide()])
def test_partial_sums_of_wide_products(net: Net) -> None:
    """With room for two outputs at a time, and weights that do not fit at once."""
    program = assert_exact(net, replace(SHAPES["deep"], weight_words=64, acc_words=8))
    assert any(isinstance(s.descriptor, Compute) and s.descriptor.acc_load and s.descriptor.passes for s in program.steps)


def test_large_network_is_exact() -> None:
    graph = resnet((1, 1, 1), True, size=40, base=16, classes=20)
    config = EngineConfig(pe=16, simd=16, act_words=512, weight_words=256, weight_bits=4)
    program = compile_program(graph, config)
    assert program.spilled
    codes = {"x": np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3))}
    wanted, found = graph.execute(codes), run_program(program, codes)
    np.testing.assert_array_equal(found[graph.outputs[0]], wanted[graph.outputs[0]])
    assert np.ptp(wanted[graph.outputs[0]]) > 0


REFUSED: list[tuple[dict[str, int], str]] = [
    ({"kernel_h": 0}, "LOOP"), ({"levels": 15}, "TREE"), ({"lookup": 1, "levels": 8}, "TREE"), ({"lookup": 1, "levels": 0}, "TREE"),
    ({"scale": 1, "lookup": 1}, "TREE"), ({"scale": 1, "scale_shift": 60}, "TREE"),
    ({"weight": 128}, "WEIGHT"), ({"listed": 1, "tap_h": 64}, "WEIGHT"), ({"listed": 1, "op": AccOp.MAX}, "WEIGHT"),
    ({"op": 6}, "RESULT"), ({"op": AccOp.ARGMAX, "acc_load": 1}, "RESULT"),
    ({"op": AccOp.MAX, "acc_store": 1}, "RESULT"), ({"op": AccOp.MUL}, "RESULT"), ({"op": AccOp.ARGMAX_LAST, "passes": 1}, "RESULT"),
    ({"writes": 0}, "RESULT"), ({"planes": 4}, "RESULT"), ({"dst": 5000}, "ACT_RANGE"), ({"src": 5000}, "ACT_RANGE"),
]  # fmt: skip
"""A change of a sound tile, and the error that ends the run."""


@pytest.mark.parametrize(("change", "code"), REFUSED)
def test_engine_refuses(change: dict[str, int], code: str) -> None:
    program = corrupted(change)
    memory = program.image()
    with pytest.raises(Fault) as e:
        Engine(program.config, memory).run(program.program_address, len(program.code))
    assert e.value.code.name == code


def corrupted(change: dict[str, int]) -> Program:
    """A program whose first tile is wrong."""
    net = CASES["convolutions"]()
    program = compile_program(net.graph(*outputs(net)), SHAPES["square"])
    steps = list(program.steps)
    i = next(i for i, s in enumerate(steps) if isinstance(s.descriptor, Compute))
    steps[i] = replace(steps[i], descriptor=replace(steps[i].descriptor, **change))
    return replace(program, steps=tuple(steps))


UNREADABLE: list[dict[str, int]] = [{"target": Target.ACT}, {"opcode": Opcode.STORE}, {"beats": 1}, {"beats": 2}, {"beats": 3}]
"""A change of a sound load of numbers of two bits: of levels are weights alone, behind their table, and in whole words."""


@pytest.mark.parametrize(("change", "code_bits"), [*((change, 4) for change in UNREADABLE), ({"coded": 3}, 2)])
def test_engine_refuses_levels(change: dict[str, int], code_bits: int) -> None:
    program = miscoded(change, code_bits)
    with pytest.raises(Fault) as e:
        Engine(program.config, program.image()).run(program.program_address, len(program.code))
    assert e.value.code.name == "TRANSFER"


def miscoded(change: dict[str, int], code_bits: int = 4) -> Program:
    """A program whose first load of numbers of two bits is wrong."""
    net = CASES["levels"]()
    program = compile_program(net.graph(*outputs(net)), replace(SHAPES["square"], code_bits=code_bits))
    steps = list(program.steps)
    i = next(i for i, s in enumerate(steps) if isinstance(s.descriptor, Transfer) and s.descriptor.coded == 2)
    steps[i] = replace(steps[i], descriptor=replace(steps[i].descriptor, **change))
    return replace(program, steps=tuple(steps))


@pytest.mark.parametrize(("planes", "shift", "lo", "hi"), [(1, 128, 0, 255), (2, 128, -3000, 3000), (4, 0x808080, -(2**31), 2**31 - 1)])
def test_digits(planes: int, shift: int, lo: int, hi: int) -> None:
    codes = np.concatenate([np.random.default_rng(0).integers(lo, hi, 100), [lo, hi]])
    np.testing.assert_array_equal(undigits(digits(codes, planes, shift), shift), codes)


@pytest.mark.parametrize(
    ("top", "config", "why"),
    [(5000, replace(SHAPES["square"], weight_bits=4, code_bits=2), "are wider than 4 bits"),
     (2_000_000_000, SHAPES["square"], "are wider than 32 bits")],
)  # fmt: skip
def test_weights_too_wide(top: int, config: EngineConfig, why: str) -> None:
    n = Net(6, x=((1, 1, 4), 0, 3 if top > 1_000_000 else 3000))
    n.steps(n.conv("x", 4, top=top), 2)
    with pytest.raises(CompileError, match=why):
        compile_program(n.graph("n1"), config)


def wide_sums() -> Net:
    """Sums of 41 bits, compared with thresholds."""
    n = Net(6, x=((2, 3, 20), -128, 127))
    n.steps(n.conv("x", 9, Window((2, 2)), top=2_000_000_000), 4)
    return n


def test_wide_sums() -> None:
    net = wide_sums()
    assert int(net.ranges["n0"][1].max()) > 1 << 40
    assert_exact(net, SHAPES["deep"], 2)
    with pytest.raises(CompileError, match="are wider than 32 bits"):
        compile_program(net.graph("n1"), SHAPES["square"])


def test_codes_of_five_bytes() -> None:
    """Sums of 36 bits that are kept: an engine of 64-bit sums is chosen; one of 32 bits has four bytes to write."""
    net = Net(6, x=((2, 3, 20), -128, 127))
    net.conv("x", 9, Window((2, 2)), top=20_000_000)
    graph = net.graph("n0")
    assert widths([graph])["acc_bits"] == 64
    assert assert_exact(net, SHAPES["deep"], 1)
    with pytest.raises(CompileError, match="need more than 32 bits"):
        compile_program(graph, SHAPES["square"])


def test_sixteen_bits() -> None:
    """One requantization a layer where a tree would take 257 parts; the multipliers need the bits that they have."""
    config = replace(SHAPES["deep"], tree_levels=5)
    net = sixteen_bits()
    assert len(assert_exact(net, config).layers) == 3
    bits = widths([net.graph(*outputs(net))])["scale_bits"]
    assert 32 < bits <= 48
    assert len(lower(net.graph(*outputs(net)), replace(config, scale_bits=bits)).layers) == 3
    assert len(lower(net.graph(*outputs(net)), replace(config, scale_bits=bits - 1)).layers) > 257


def test_too_large_a_row() -> None:
    n = Net(7, x=((4, 400, 8), 0, 3))
    n.steps(n.conv("x", 8), 2)
    with pytest.raises(CompileError, match="does not fit into the activation memory"):
        compile_program(n.graph("n1"), SHAPES["small"])


def test_config_reasons() -> None:
    with pytest.raises(ValueError, match="weight_words=12 must be a power of two"):
        EngineConfig(weight_words=12)
    with pytest.raises(ValueError, match="one of pe=12 and simd=16 must divide the other"):
        EngineConfig(pe=12)
    with pytest.raises(ValueError, match="pe=6 and simd=6 must be powers of two or multiples of 4"):
        EngineConfig(pe=6, simd=6)
    with pytest.raises(ValueError, match="words of every memory must be whole bus words of 64 bits"):
        EngineConfig(pe=12, simd=12)
    with pytest.raises(ValueError, match="must fit into a word of every memory"):
        EngineConfig(pe=1, simd=8)
    assert isinstance(compile_program(CASES["pools"]().graph("n0"), SHAPES["square"]).code, bytes)
    assert Graph is not None


@pytest.mark.parametrize("window", [Window((3, 3), (2, 1), (1, 2, 0, 1), (2, 1)), Window((4, 2), (1, 3))])
def test_packed_windows(window: Window) -> None:
    """The first layer reads its windows side by side where all of one take fewer words than its rows."""
    n = Net(9, x=((9, 11, 1), -5, 200))
    n.steps(n.conv("x", 30, window, pad=3), 3)
    program = assert_exact(n, SHAPES["square"], 2)
    columns = program.inputs[0].columns
    assert columns is not None and columns.rows > 1
    tile = next(s.descriptor for s in program.steps if isinstance(s.descriptor, Compute))
    assert tile.taps == -(-window.kernel[0] * window.kernel[1] // 8) < window.kernel[0]


@pytest.mark.parametrize(
    ("window", "channels", "rows"),
    [
        (Window((5, 5), (1, 1), (2, 2, 2, 2)), 3, 2),
        (Window((7, 7), (2, 2), (3, 3, 3, 3)), 1, 4),
        (Window((5, 3), (3, 1), (1, 0, 0, 2), (2, 1)), 3, 3),
        (Window((4, 3), (3, 1), (1, 0, 0, 2), (2, 1)), 3, 2),
    ],
)
def test_packed_rows_of_windows(window: Window, channels: int, rows: int) -> None:
    """Some rows of a window side by side, several of which make a window; those that the kernel does not have are no work."""
    n = Net(9, x=((23, 13, channels), -5, 200))
    n.steps(n.conv("x", 30, window, pad=3), 3)
    program = assert_exact(n, replace(SHAPES["square"], simd=32, act_words=8192, weight_words=256), 2)
    columns, (h, w, _) = program.inputs[0].columns, n.tensors["n0"].shape
    assert columns is not None and columns.rows == rows
    tile = next(s.descriptor for s in program.steps if isinstance(s.descriptor, Compute))
    assert tile.kernel_h == -(-window.kernel[0] // rows)
    assert program.layers[0].macs == h * w * 30 * window.kernel[0] * window.kernel[1] * channels


def test_windows_that_load_more_than_they_save() -> None:
    """Rows of windows side by side where whole ones keep the bus busy for longer than the array."""
    n = Net(9, x=((9, 11, 3), -5, 200))
    n.steps(n.conv("x", 4, Window((3, 3), (1, 1))), 3)
    columns = assert_exact(n, SHAPES["wide"], 1).inputs[0].columns
    assert columns is not None and columns.rows == 1


def test_windows_that_load_as_much() -> None:
    """Whole windows where a word holds one, and the bus brings a word a pixel either way: the array has a third of the steps."""
    n = Net(9, x=((8, 8, 3), -5, 120))
    n.steps(n.conv("x", 4, Window((3, 3), (1, 1), (1, 1, 1, 1))), 3)
    config = EngineConfig(pe=4, simd=32, act_words=4096, weight_words=64, acc_words=256, tree_levels=3, bus_bits=32)
    program = assert_exact(n, config, 1)
    columns = program.inputs[0].columns
    assert columns is not None and columns.rows == 3
    assert sum(cycles(s.descriptor, config) for s in program.steps if isinstance(s.descriptor, Compute)) == 64


@pytest.mark.parametrize("window", [Window((3, 3), (1, 2), (1, 1, 1, 2), (1, 2)), Window((2, 4), (2, 1))])
def test_packed_columns(window: Window) -> None:
    """The first layer reads its windows' columns side by side: fewer steps, the same numbers."""
    n = Net(8, x=((8, 11, 2), -5, 200))
    n.steps(n.conv("x", 6, window, pad=3), 3)
    program = assert_exact(n, SHAPES["square"], 2)
    assert program.inputs[0].columns is not None
    tile = next(s.descriptor for s in program.steps if isinstance(s.descriptor, Compute))
    assert tile.taps == window.kernel[0]
