"""Tables and thresholds are as large as what is proved of their input needs, whatever its type could hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.modelop import Binary, Quantize, Unary
from dfcompile.ir.types import IntType
from dfcompile.streamline.extract import extract_thresholds
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.step import Step, StepFunction
from dfcompile.units.base import Unit


def behind(lo: list[int], hi: list[int], function: StepFunction) -> Graph:
    """A step function on an input whose range is proved for each channel."""
    low, high = np.array(lo), np.array(hi)
    tensors = {"x": Tensor((1, 2, len(lo)), IntType.holding(min(lo), max(hi)), low, high), "y": Tensor((1, 2, len(lo)))}
    return Graph("g", (Node("f", function, ("x",), ("y",)),), tensors, {}, ("x",), ("y",))


def chain(*steps: Step, gain: Any = 1.0) -> StepFunction:
    last = Step(Quantize(-128, 127), 0, (np.array(1.0), np.array(0.0)))
    return StepFunction(Grid.of(1, 0), (Step(Binary("mul"), 0, (np.asarray(gain, np.float64),)), *steps, last), Grid.of(1, 0))


def codes_of(lo: list[int], hi: list[int]) -> Array:
    """All codes of every channel, in frames of two positions."""
    size = max(b - a for a, b in zip(lo, hi, strict=True)) + 1
    rows = np.minimum(np.array(lo) + np.arange(size + size % 2)[:, None], hi)
    return rows.reshape(-1, 1, 2, len(lo)).astype(np.float64)


CASES: dict[str, tuple[list[int], list[int], StepFunction]] = {
    "one constant": ([-8_746_207], [-8_746_207], chain(gain=1e-5)),
    "constants far apart": ([0, 18_331_114, 7], [0, 18_331_114, 7], chain(gain=[1.0, 1e-6, 3.0])),
    "few codes far apart": ([0, 10**8, -(10**9)], [40, 10**8 + 3, 3 - 10**9], chain(gain=[1.0, 1e-7, 1e-8])),
    "not monotone, far apart": ([-20, 10**8], [20, 10**8 + 3], chain(Step(Unary("abs")), gain=[1.0, 1e-7])),
    "a code for each value": ([10**8], [10**8 + 50], chain(Step(Binary("sub"), 0, (np.array(1e8),)))),
}


@pytest.mark.parametrize("case", CASES)
def test_wide_codes_of_which_few_come(case: str) -> None:
    lo, hi, function = CASES[case]
    graph = behind(lo, hi, function)
    made = extract_thresholds(graph)
    x = codes_of(lo, hi)
    wanted = function.execute(x)[0]
    np.testing.assert_array_equal(made.execute({"x": x})["y"], wanted)
    units, _ = lower(made)
    np.testing.assert_array_equal(units.execute({"x": x})[units.outputs[0]], wanted)
    words = sum(m.depth for n in units.nodes if isinstance(n.op, Unit) for m in n.op.memories())
    assert words <= 64 * len(lo) * max(b - a + 1 for a, b in zip(lo, hi, strict=True))
    assert sum(n.op.resources("xc7").bram36 for n in units.nodes if isinstance(n.op, Unit)) == 0


def test_thresholds_beyond_any_use_are_refused() -> None:
    """16-bit codes of 512 channels: more than 33 million thresholds."""
    steps = Step(Quantize(0, 65535), 0, (np.linspace(1, 2, 512), np.array(0.0)))
    with pytest.raises(CompileError, match=r"would need 65535 thresholds for each of 512 channels(.|\n)*16777216 thresholds over all"):
        extract_thresholds(behind([0] * 512, [10**6] * 512, StepFunction(Grid.of(1, 0), (steps,), Grid.of(1, 0))))
