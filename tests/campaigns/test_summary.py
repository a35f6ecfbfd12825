"""Which builds no other beats, against the definition; the page of a campaign whatever its cases are called."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dfcompile.campaigns.page import render_campaign
from dfcompile.campaigns.summary import on_front
from tests.examples import examples


def case(fps: float, used: float | None, model: str = "m", board: str | None = "b", mode: str = "dataflow") -> dict[str, Any]:
    resources = {"lut": 100.0 * (used or 1), "ff": 0.0, "bram36": 0.0, "uram": 0.0, "dsp": 0.0}
    figures = {"fps": fps, "used": used, "resources": resources, "mode": mode, "synthesised": False, "fmax_mhz": None}
    figures |= {"interval_cycles": 4, "latency_cycles": 9, "clock_mhz": 100.0}
    asked = {"model": model, "board": board, "mode": "auto", "fps": None, "interval": 4, "folding": None}
    return {**asked, "build": "builds/x", "steps": {"build": {"state": "done", "problems": []}}, "figures": figures, "front": True}


@examples(60)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from("xy")), min_size=1, max_size=7))
def test_the_front_is_what_no_other_beats(points: list[tuple[int, int, str]]) -> None:
    cases = [case(float(f), u / 10, board=b) for f, u, b in points]
    wanted = [not any(b2 == b and f2 >= f and u2 <= u and (f2, u2) != (f, u) for f2, u2, b2 in points) for f, u, b in points]
    assert on_front(cases) == wanted


def test_a_case_that_was_not_built_is_on_no_front() -> None:
    failed = {**case(1.0, 0.1), "figures": None}
    assert on_front([failed, case(1.0, 0.5)]) == [False, True]


def test_the_page_takes_any_names_and_sizes() -> None:
    cases = [
        case(10.0**k, 0.1 * 2**-k, model="a<b>&.onnx", mode=mode) for k, mode in zip(range(6), itertools.cycle(["dataflow", "loopback"]))
    ]
    cases += [case(5.0, None, board=None), {**case(1.0, 0.1), "figures": None, "build": None}]
    cases[-1]["steps"]["build"] = {"state": "failed", "problems": [{"code": "c", "what": "<i>", "where": "", "why": "w", "help": "h"}]}
    page = render_campaign("c<d", {"cases": cases})
    assert "a<b>" not in page and "a&lt;b&gt;&amp;.onnx" in page and "<i>" not in page and "c&lt;d" in page
    assert page.count("<circle") == 7 and page.count("loopback") > 3 and "LUT" in page
