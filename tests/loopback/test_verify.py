"""`verify` of a loopback build: extreme frames among the random ones, and the layer, frame and beat of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dfcompile as dfc
from dfcompile.emit.engine import emit_hls_engine
from dfcompile.ir.graph import Array
from dfcompile.ir.intop import IntAdd, IntPool, Window
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.loopback.validate import ErrorCode
from dfcompile.mode import verify_loopback as verify_loopback_module
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.mode.verify_loopback import verify_loopback
from dfcompile.run.loopback import LoopbackRun
from tests.loopback.cases import CASES, Net, outputs

ENGINE = EngineConfig(pe=8, simd=8, act_words=2048, weight_words=256)
JOIN = "d.op == acc_op_min ? now < best"


@pytest.fixture
def made(examples: Path) -> LoopbackAccelerator:
    found = dfc.build(examples / "digits_mlp_w1a1.onnx", mode="loopback", verify=False)
    assert isinstance(found, LoopbackAccelerator)
    return found


def test_frames_hold_the_extremes(made: LoopbackAccelerator) -> None:
    ((name, codes),) = made.frames(3).items()
    tensor = made.graph.tensors[name]
    assert (codes[1] == tensor.lo).all() and (codes[2] == tensor.hi).all() and len(set(codes[0].ravel().tolist())) > 1


@pytest.mark.parametrize("late", [0, 1])
def test_cycles_that_were_not_predicted_fail(late: int, made: LoopbackAccelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of a batch counts, not the first alone; the results may be right."""

    def slow(program: Program, codes: dict[str, Array], engine: str, latency: int, *more: Any, **options: Any) -> LoopbackRun:
        cycles = [predict(program, latency).cycles] * 2
        cycles[late] += 1
        return LoopbackRun(run_program(program, codes), tuple(cycles), ErrorCode.NONE, 0)

    monkeypatch.setattr(verify_loopback_module, "run_loopback", slow)
    found = made.verify(["rtl"], frames=2)["engines"]["rtl"]
    cycles = found["predicted_latency_cycles"]
    assert found["mismatches"] == 0 and not found["pass"]
    assert found["first_mismatch"] == f"the run from frame {late} on takes {cycles + 1} cycles, predicted {cycles}"


def joined() -> Net:
    """The minimum and, beside it, the maximum of a window, added: of the two branches the first is the one that breaks."""
    n = Net(5, x=((6, 6, 8), -20, 50))
    low = n.node(IntPool("min", Window((2, 2), (2, 2))), "x")
    high = n.node(IntPool("max", Window((2, 2), (2, 2))), "x")
    n.node(IntAdd((1, 1)), low, high)
    return n


@pytest.mark.parametrize(
    ("case", "broken"), [pytest.param(CASES["pools"], False, marks=pytest.mark.further), (CASES["pools"], True), (joined, True)]
)
def test_a_wrong_layer_is_found(case: Callable[[], Net], broken: bool, tmp_path: Path) -> None:
    """An engine whose minimum is a maximum: the first layer that takes one is named, not those before it that are right."""
    net = case()
    graph = net.graph(*outputs(net))
    program = compile_program(graph, ENGINE)
    emit_hls_engine(ENGINE, tmp_path / "hls")
    if broken:
        header = tmp_path / "hls" / "dfc_lb_value.hpp"
        text = header.read_text()
        assert text.count(JOIN) == 1
        header.write_text(text.replace(JOIN, "d.op == acc_op_min ? now > best"))
    said: list[str] = []
    found: dict[str, Any] = verify_loopback(program, graph, net.codes(2), ["hls"], 0.0, said.append, tmp_path)["engines"]["hls"]
    assert said == ["verify (hls)"] and found["frames"] == 2 and found["pass"] is not broken
    if broken:
        (wrong,) = (n for n in graph.nodes if getattr(n.op, "mode", "") == "min")
        assert found["mismatches"] > 0 and f"; layer {wrong.name}, " in found["first_mismatch"]
        assert ", frame " in found["first_mismatch"] and ", beat " in found["first_mismatch"]
    else:
        assert found["mismatches"] == 0 and found["first_mismatch"] is None
