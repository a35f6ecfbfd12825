"""A build checks itself: what is planted between two stages stops it, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile import front
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph
from dfcompile.mode import loopback_build


def negated(graph: Graph) -> Graph:
    """The integer graph with the weights of its first layer negated."""
    name = next(n for n in graph.constants if n.endswith("weights"))
    return graph.replace(constants={**graph.constants, name: -graph.constants[name]})


def spoiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda graph, *rest, **options: function(negated(graph), *rest, **options)


def test_units_of_another_network(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "lower", spoiled(front.lower))
    with pytest.raises(CompileError, match="the units do not compute what the integer graph does"):
        dfc.build(examples / "digits_mlp_w1a1.onnx")
    dfc.build(examples / "digits_mlp_w1a1.onnx", verify=False)


def test_a_program_of_another_network(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode="loopback")
    run = loopback_build.run_program

    def spoil(program: Any, codes: Any) -> Any:
        found = run(program, codes)
        return {t: x + (np.arange(x.size).reshape(x.shape) == x.size - 1) for t, x in found.items()}

    monkeypatch.setattr(loopback_build, "run_program", spoil)
    with pytest.raises(CompileError, match="the loopback program does not compute what the integer graph does"):
        dfc.build(examples / "digits_mlp_w1a1.onnx", mode="loopback")
    assert made.report["verification"]["simulator"] == "exact"  # type: ignore[attr-defined]
