"""The front of frame rate against resources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dfcompile.boards import USABLE, find_board
from dfcompile.errors import CompileError
from dfcompile.explore import explore, picture
from tests.conftest import ROOT

MODEL = ROOT / "examples" / "digits_cnn_w2a2.onnx"


def test_the_front_of_a_small_network(tmp_path: Path) -> None:
    found = explore(MODEL, board="pynq-z2", clock=50.0, out=tmp_path)
    points = found["points"]
    assert found["mode"] == "dataflow" and found["board"] == "pynq-z2" and found["clock_mhz"] == 50.0
    assert len(points) == len(found["foldings"]) >= 3
    assert [p["fps"] for p in points] == sorted((p["fps"] for p in points), reverse=True)
    assert [p["cost"] for p in points] == sorted((p["cost"] for p in points), reverse=True)
    assert all(p["gap"] == 0 for p in points)
    assert all(p["fps"] == pytest.approx(50e6 / p["interval"], rel=1e-3) for p in points)
    assert all(p["lut"] <= find_board("pynq-z2").lut * USABLE["lut"] for p in points)
    assert json.loads((tmp_path / "explore.json").read_text())["points"] == points
    assert (tmp_path / "explore.svg").read_text().count("<circle") == len(points)


def test_a_picture_escapes_its_title() -> None:
    row = {"fps": 10.0, "cost": 5, "lut": 1.0, "bram36": 0.5, "dsp": 0.0}
    assert "a&lt;b" in picture("a<b", [row, row])


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(CompileError, match="mode 'sideways'"):
        explore(MODEL, board="pynq-z2", mode="sideways")
