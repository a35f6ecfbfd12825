"""The build's own driver over the serial line of a simulated board: real numbers in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import dfcompile as dfc
from dfcompile.run.board import build_board
from tests.recurrent import Network

RUN = """
import sys
import numpy as np
sys.path[:0] = [sys.argv[1] + "/driver"]
from driver import Driver
from uart import Uart
from dfcompile.run.board import SimulatedLine
from pathlib import Path
line = SimulatedLine(Path(sys.argv[2]), Path(sys.argv[1]) / "rtl", int(sys.argv[3]), 2_000_000)
driver = Driver()
driver.connect(Uart(line=line, gap=0))
x = np.load(sys.argv[4])
parts = [driver.run(x)]
if len(sys.argv) > 6:  # from where it was, then from the start
    parts.append(driver.run(x))
    driver.reset()
    parts.append(driver.run(x))
np.save(sys.argv[5], np.concatenate(parts))
driver.close()
"""


def over_the_line(made: dfc.Accelerator, x: np.ndarray, folder: Path, *more: str) -> np.ndarray:
    out = folder / "out"
    made.save(out)
    facts = json.loads((out / "board" / "board.json").read_text())
    harness = build_board(out / "rtl", facts["top"], [out / "board" / s for s in facts["sources"]])
    np.save(folder / "x.npy", x)
    files = (folder / "x.npy", folder / "y.npy")
    command = [sys.executable, "-c", RUN, out, harness, facts["divisor"], *files, *more]
    subprocess.run([str(c) for c in command], check=True, timeout=600)
    return np.asarray(np.load(files[1]), np.float32)


def test_the_driver_runs_a_model_over_the_line(model: Path, tmp_path: Path) -> None:
    made = dfc.build(model, board="ulx3s")
    x = np.random.default_rng(0).uniform(-3, 3, (20, 8)).astype(np.float32)
    assert np.array_equal(over_the_line(made, x, tmp_path), made.run(x))


@pytest.mark.further
def test_a_reset_begins_with_the_first_states(tmp_path: Path) -> None:
    """Calls go on from one another until the link is reset, which resets the design."""
    network = Network("elman", 3, 4, 3, outputs=("h",))
    onnx.save(network.proto(), tmp_path / "net.onnx")
    made = dfc.build(tmp_path / "net.onnx", board="ulx3s", mode="dataflow", streaming=True)
    x = network.inputs(2)
    twice = made.run(np.concatenate([x, x]))
    assert not np.array_equal(twice[:2], twice[2:]), "or nothing would be seen of the states"
    found = over_the_line(made, x, tmp_path, "again")
    assert np.array_equal(found.reshape(6, -1), np.concatenate([twice, twice[:2]]).reshape(6, -1))
