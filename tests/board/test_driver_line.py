"""The build's own driver over the serial line of a simulated board: real numbers in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import dfcompile as dfc
from dfcompile.run.board import build_board

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
np.save(sys.argv[5], driver.run(np.load(sys.argv[4])))
driver.close()
"""


def test_the_driver_runs_a_model_over_the_line(model: Path, tmp_path: Path) -> None:
    made, out = dfc.build(model, board="ulx3s"), tmp_path / "out"
    made.save(out)
    facts = json.loads((out / "board" / "board.json").read_text())
    harness = build_board(out / "rtl", facts["top"], [out / "board" / s for s in facts["sources"]])
    x = np.random.default_rng(0).uniform(-3, 3, (20, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    files = (tmp_path / "x.npy", tmp_path / "y.npy")
    command = [sys.executable, "-c", RUN, out, harness, facts["divisor"], *files]
    subprocess.run([str(c) for c in command], check=True, timeout=600)
    assert np.array_equal(np.load(files[1]).astype(np.float32), made.run(x))
