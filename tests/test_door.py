"""The public door: typed functions, options in one place, short words about a design."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dfcompile as dfc
from dfcompile.errors import KeywordError, SettingError
from tests.conftest import ROOT

MODEL = ROOT / "examples" / "digits_mlp_w1a1.onnx"
DOOR = {"Accelerator", "CompileError", "build", "campaign", "check", "compare", "explain", "explore", "load"}
USER = f"""
import dfcompile as dfc
design = dfc.build("{MODEL}", mode="loopback")
reveal_type(design)
reveal_type(dfc.load("out"))
"""


@pytest.fixture(scope="module", params=["dataflow", "loopback"])
def made(request: pytest.FixtureRequest) -> dfc.Accelerator:
    return dfc.build(MODEL, mode=request.param, verify=False)


def test_what_the_door_shows() -> None:
    assert set(dfc.__all__) == DOOR and set(dir(dfc)) >= DOOR
    assert all(callable(getattr(dfc, name)) for name in DOOR)
    assert not any((Path(dfc.__file__).parent / f"{name}.py").exists() for name in DOOR), "a module would hide a function"


def test_importing_every_module_hides_no_function() -> None:
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sorted((ROOT / "dfcompile").rglob("*.py"))]
    imports = "\n".join(f"import {n.removesuffix('.__init__')}" for n in names if not n.endswith("__main__"))
    functions = sorted(DOOR - {"Accelerator", "CompileError"})
    check = f"{imports}\nimport inspect\nassert all(inspect.isfunction(getattr(dfcompile, n)) for n in {functions})"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


def test_the_types_that_a_user_sees(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    said = subprocess.run([sys.executable, "-m", "mypy", "--strict", "user.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout.count('Revealed type is "dfcompile.mode.accelerator.Accelerator"') == 2, said.stdout
    assert (Path(dfc.__file__).parent / "py.typed").exists()


def test_signatures_name_every_option() -> None:
    for name in DOOR - {"Accelerator", "CompileError"}:
        parameters = inspect.signature(getattr(dfc, name)).parameters.values()
        assert parameters and all(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters), name


def test_a_misspelt_keyword() -> None:
    wrong: Any = {"baord": "pynq-z2"}
    with pytest.raises(KeywordError, match="build\\(\\) has no option 'baord'\n  help: did you mean 'board'\\?"):
        dfc.build(MODEL, **wrong)
    with pytest.raises(TypeError):
        dfc.check(MODEL, **{"input_typ": "uint8"})  # type: ignore[arg-type]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"clock": 0}, "clock = 0 is out of range\n  help: give a number from"),
    ({"interval": True}, "interval = True is out of range\n  help: give an integer"),
    ({"interval": 1.5}, "interval = 1.5 is out of range"),
    ({"fps": 1e12}, "fps = 1e\\+12 is more than a frame a cycle|is more than a frame a cycle"),
    ({"fps": 10.0, "interval": 10}, "fps and interval both set the speed"),
    ({"input_type": 5}, "input_type = 5 is no text"),
    ({"input_type": "uint8:1/0"}, "'uint8:1/0' is not an input type"),
    ({"mode": "fast"}, "mode = 'fast' is not known"),
    ({"mode": 3}, "mode = 3 is not known"),
    ({"board": "pynq-z9"}, "there is no board 'pynq-z9'\n  help: did you mean 'pynq-z"),
    ({"board": 7}, "board = 7 is no name"),
    ({"argmax": "yes"}, "argmax = 'yes' is neither true nor false"),
    ({"folding": 4}, "folding = 4 is neither a file nor a dict"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[str(o) for o, _ in WRONG])
def test_wrong_values(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        dfc.build(MODEL, **options)


def test_all_wrong_values_at_once() -> None:
    with pytest.raises(SettingError) as caught:
        dfc.build(MODEL, mode="fast", clock=-1, board="nowhere", input_type="uint99x")
    assert len(caught.value.problems) == 4


def test_a_design_in_one_line(made: dfc.Accelerator) -> None:
    line = repr(made)
    assert "\n" not in line and len(line) < 200
    for fact in (made.name, made.mode, f"{made.report['timing']['interval_cycles']:,} cycles a frame", "LUT"):
        assert fact in line
    html = made._repr_html_()
    assert html.startswith("<table>") and html.count("<tr>") >= 8 and made.name in html
    assert len(repr(made.timing)) < 300 and len(repr(made.graph)) < 300


def test_both_modes_are_accelerators(made: dfc.Accelerator) -> None:
    assert isinstance(made, dfc.Accelerator) and made.report["mode"] == made.mode
    assert made.codes.keys() == {*made.graph.inputs, *made.graph.outputs}
    with pytest.raises(dfc.CompileError, match="there is no engine 'python' here"):
        made.verify(["python"])
