"""`verify` fails a frame that ends in another cycle than predicted, whatever its numbers say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfcompile.mode.verify_dataflow import _cycles


@pytest.mark.parametrize("frame", [None, 0, 2, 3])
def test_every_frame_must_end_in_its_cycle(frame: int | None) -> None:
    predicted = np.array([10, 20, 30, 40])
    measured = predicted.copy()
    if frame is not None:
        measured[frame] += 1
    run: Any = SimpleNamespace(frame_done=measured + 5, first_take=5, latency_cycles=11)
    timing: Any = SimpleNamespace(frame_done=predicted, interval_cycles=10, latency_cycles=11)
    found = _cycles({"pass": True, "first_mismatch": None}, run, timing)
    if frame is None:
        assert "pass" not in found and found["interval_cycles"] == found["predicted_interval_cycles"] == 10
    else:
        assert found["pass"] is False and f"frame {frame} ends in cycle {predicted[frame] + 1}, predicted" in found["first_mismatch"]
