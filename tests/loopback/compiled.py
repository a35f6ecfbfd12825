"""Programs on compiled engines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.loopback.predict import predict
from dfcompile.loopback.program import Program
from dfcompile.run.loopback import run_loopback


def check_compiled(program: Program, codes: Mapping[str, Array], engine: str, wanted: Mapping[str, Array], name: str) -> None:
    """Assert that engine "hls" or "rtl" gives the wanted codes (n, h, w, c) of each output, and "rtl" in the predicted cycles."""
    run = run_loopback(program, codes, engine)
    for t in (p.name for p in program.outputs):
        np.testing.assert_array_equal(run.outputs[t], wanted[t], name)
    if engine == "rtl":
        assert run.cycles[0] == predict(program).cycles, name
