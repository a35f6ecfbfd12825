"""The driver's way over a PYNQ-Z2 with each network of the corpus, through the strict stand-in for PYNQ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfcompile.emit.golden import golden, random_inputs
from dfcompile.errors import CompileError
from dfcompile.folding.problem import FoldProblem
from dfcompile.front import FRONT, Job
from dfcompile.options import Options
from dfcompile.timing.solve import solve
from tests.backend.test_driver_board import settled
from tests.shared import MODELS, needs_models
from tests.test_corpus import MODELS_BY_NAME, built, declared

BATCHES = (8, 20)
"""Frames of a transfer."""


def fewest_cycles(model: dict[str, Any]) -> int:
    """Of the unit that is slowest where each is as parallel as it can be: a window gives a tap of a pixel a cycle at best."""
    path = MODELS / model["file"]
    try:
        units = FRONT(Job(path), path).units
    except CompileError:
        units = FRONT(Job(path, Options(input_type=(declared(model),))), path).units
    return FoldProblem(units, "xc7").fastest()


@pytest.mark.full
@needs_models
@MODELS_BY_NAME
def test_every_model(model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are those of the Python engine, and a batch takes the cycles that the timing model says: the design rests before each."""
    interval = max(1024, model["macs"] // 1000, fewest_cycles(model))
    one = settled(built(model, board="pynq-z2", mode="dataflow", interval=interval, verify=False), tmp_path)
    one.board(monkeypatch)
    driver, design = one.driver(seconds=600), one.made.design  # the clock is a simulator's
    predicted = solve(design, frames=max(BATCHES)).frame_done
    cycles = []
    for frames in BATCHES:
        frozen = golden(design, random_inputs(design, frames))
        found = driver.transfer([p.pack(x) for p, x in zip(driver.inputs, frozen.inputs, strict=True)])
        for port, beats, wanted in zip(driver.outputs, found, frozen.outputs, strict=True):
            np.testing.assert_array_equal(port.unpack(beats), wanted)
        cycles.append(driver.counters()["cycles"])
    assert cycles[1] <= predicted[-1] + 1 and cycles[1] - cycles[0] == predicted[BATCHES[1] - 1] - predicted[BATCHES[0] - 1]
    one.devices[0].close()
