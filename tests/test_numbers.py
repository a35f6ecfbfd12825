"""Numbers that somebody gives: every one is in range, or refused for what it is; constants of any size stay exact or are refused."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import dfcompile as dfc
from dfcompile import check
from dfcompile.command.cli import main
from dfcompile.errors import CompileError
from dfcompile.options import NUMBERS, wrong_number
from dfcompile.streamline.grid import whole_numbers
from dfcompile.units.base import quotients

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "digits_mlp_w1a1.onnx"
WRONG: list[Any] = [math.nan, math.inf, -math.inf, 0, -1, 0.0, -0.0, 5e-324, 1e-320, 1e308, 10**400, True, "x", [1], (1,), {}]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", WRONG, ids=lambda v: str(v)[:20])
def test_wrong_numbers_from_python(name: str, value: Any) -> None:
    with pytest.raises(CompileError, match="out of range") as error:
        dfc.build(EXAMPLE, **{name: value})
    assert "from" in error.value.problems[0].help


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e-320", "1e400", "-0.0", "true", '"x"', "[]", "9" * 5000])
@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers_in_a_file(name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(f"{name} = {text}\n")
    assert main(["build", str(EXAMPLE), "-o", str(tmp_path / "o"), "--config", str(tmp_path / "c.toml")]) == 2
    assert "bug" not in capsys.readouterr().err


def test_right_numbers() -> None:
    for name, (least, most) in NUMBERS.items():
        assert not any(wrong_number(name, v) for v in (None, int(most), math.ceil(least))), name


@pytest.mark.parametrize("text", ["x = " + "[" * 50_000, "x = " + "{a=" * 50_000, "[" + "a." * 50_000 + "b]"])
def test_deep_files(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(text)
    (tmp_path / "c.json").write_text("[" * 100_000)
    for option, status in (("--config", 2), ("--board", 2), ("--folding", 1)):
        file = tmp_path / ("c.json" if option == "--folding" else "c.toml")
        assert main(["build", str(EXAMPLE), "-o", str(tmp_path / "o"), option, str(file)]) == status
        assert "bug" not in capsys.readouterr().err


def test_more_than_a_frame_a_cycle() -> None:
    with pytest.raises(CompileError, match=r"fps = 1e\+09 is more than a frame a cycle") as error:
        dfc.build(EXAMPLE, fps=1e9, clock=100.0)
    assert "1e+08 cycles a second" in error.value.problems[0].why


def test_a_folding_that_misses_the_rate() -> None:
    """A rate and a folding are both asked for: where they contradict each other nothing is built."""
    slow = {"conv_matmul_0": {"pe": 1, "simd": 1}}
    with pytest.raises(CompileError, match="misses the asked rate") as error:
        dfc.build(EXAMPLE, interval=1024, folding=slow)
    assert "8,192 cycles a frame, 1,024 are asked for" in error.value.problems[0].why
    assert dfc.build(EXAMPLE, interval=8192, folding=slow).timing.interval_cycles == 8192


def quant(name: str, x: str, y: str, scale: str, zero: str, elem: str = "z") -> list[onnx.NodeProto]:
    """A quantizer of 4 signed bits."""
    attributes = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    return [helper.make_node("Quant", [x, scale, zero, "b"], [y], name=name, **attributes)]


def model(path: Path, nodes: list[onnx.NodeProto], shape: list[int], **constants: Any) -> Path:
    values = {k: numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in ({"b": 4.0, "one": 1.0, "nil": 0.0} | constants).items()}
    ends = [helper.make_tensor_value_info("x", 1, shape)], [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", *ends, list(values.values()))
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.mark.parametrize("bounds", [(3.0, 1.0), (100.0, 50.0), (-20.0, -30.0), (20.0, 30.0), (-3.0, 2.0)])
def test_clip_with_bounds_crossed(bounds: tuple[float, float], tmp_path: Path) -> None:
    """ONNX: min above max gives max everywhere; bounds beyond the codes give a constant."""
    nodes = [
        *quant("q", "x", "a", "one", "nil"), helper.make_node("Clip", ["a", "lo", "hi"], ["c"], name="clip"),
        *quant("r", "c", "y", "one", "nil"),
    ]  # fmt: skip
    path = model(tmp_path / "m.onnx", nodes, [1, 4], lo=bounds[0], hi=bounds[1])
    x = np.arange(-12, 12, dtype=np.float32).reshape(6, 4)
    codes = np.clip(x, -8, 7)
    wanted = np.clip(np.minimum(np.maximum(codes, bounds[0]), bounds[1]), -8, 7)
    assert check(path) == ()
    np.testing.assert_array_equal(dfc.build(path).run(x), wanted)


@pytest.mark.parametrize("zero", [1e30, -1e30, 2.0**62, 1e19])
def test_a_code_for_zero_far_away(zero: float, tmp_path: Path) -> None:
    """A zero-point beyond any stream: padding with it is refused, by `check` too, and not found to be a bug."""
    nodes = [
        *quant("q", "x", "a", "one", "far"), *quant("w", "v", "k", "one", "nil"),
        helper.make_node("Conv", ["a", "k"], ["c"], name="conv", pads=[1, 1, 1, 1]), *quant("r", "c", "y", "one", "nil"),
    ]  # fmt: skip
    path = model(tmp_path / "m.onnx", nodes, [1, 2, 4, 4], far=zero, v=np.ones((2, 2, 3, 3)))
    problems = check(path)
    assert problems and {p.code for p in problems} <= {"too-wide", "no-code-for-zero"}, problems


@pytest.mark.parametrize("size", [1e30, 1e36, 2.0**63, 1e-30, 2.0**53])
@pytest.mark.parametrize("where", ["weight scale", "activation scale", "weights"])
def test_constants_of_any_size(where: str, size: float, tmp_path: Path) -> None:
    """Scales and weights far beyond 64 bits: the same codes as in exact arithmetic."""
    wide = {"weight scale": {"sw": size}, "activation scale": {"sa": size}, "weights": {}}[where]
    scale = {"sw": 1.0, "sa": 1.0} | wide
    w = np.array([[1, -2, 3], [-4, 5, 7]], np.float64)
    stored = w * np.float32(size if where == "weights" else scale["sw"])
    weights = [*quant("w", "v", "k", "sw", "nil")] if where != "weights" else [helper.make_node("Identity", ["v"], ["k"], name="i")]
    factor = float(np.float32(size))
    nodes = [
        *quant("q", "x", "a", "sa", "nil"), *weights, helper.make_node("MatMul", ["a", "k"], ["c"], name="mm"),
        *quant("r", "c", "y", "so", "nil"),
    ]  # fmt: skip
    path = model(tmp_path / "m.onnx", nodes, [1, 2], v=stored, so=factor, **scale)
    x = np.array([[1, 2], [-3, 1], [7, -8], [0.4, 0.6]])
    codes = np.clip(np.rint(x), -8, 7)
    sums = codes @ w
    wanted = np.clip(np.rint(sums), -8, 7) * factor
    made = dfc.build(path)
    np.testing.assert_array_equal(made.run((x * float(np.float32(scale["sa"]))).astype(np.float32)), wanted.astype(np.float32))


def test_whole_numbers() -> None:
    held = np.array([2.0**53 - 1, -(2.0**53) + 1, 0.0, -0.0])
    found = whole_numbers(held)
    assert found is not None and [Fraction(v) for v in found.tolist()] == [Fraction(v) for v in held.tolist()]
    for wrong in ([0.5], [2.0**53], [-(2.0**63)], [1e30], [np.inf], [np.nan]):
        assert whole_numbers(np.array(wrong)) is None


def test_quotients_are_the_fewest_lanes_for_each_number_of_folds() -> None:
    for n in [*range(1, 200), 960, 1023, 1024, 4096, 25088]:
        assert quotients(n) == sorted({math.ceil(Fraction(n, folds)) for folds in range(1, n + 1)}), n
