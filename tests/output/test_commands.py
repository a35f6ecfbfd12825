"""The commands: what they refuse before they start, what they leave when they are stopped, and where they cannot write."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.errors import CompileError, Problem
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.store.files import PREFIX
from dfcompile.store.marker import MARKER, digest, read_marker
from dfcompile.store.output import new_folder
from tests.conftest import ROOT

MODEL = ROOT / "examples" / "digits_mlp_w1a1.onnx"
Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


class Made:
    """A build that writes two files."""

    report: ClassVar[dict[str, Any]] = {"mode": "dataflow", "clock_mhz": 100.0}

    def write(self, folder: Path, progress: Any = None) -> None:
        (folder / "design.json").write_text("new")
        (folder / "rtl").mkdir()
        (folder / "rtl" / "top.sv").write_text("new")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Builds that would have started, in an empty current folder with a model in it; none takes any time."""
    found: list[Path] = []

    def build(model: Path, *options: Any) -> Made:
        found.append(model)
        return Made()

    monkeypatch.setattr(import_module("dfcompile.pipeline"), "compile_model", build)
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(b"model")
    return found


def names(folder: str | Path = ".") -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*"))


BUILD = [MARKER, "build.toml", "design.json", "rtl", "rtl/top.sv"]


def test_a_thesis_beside_a_design(calls: list[Path], capsys: Capture) -> None:
    Path("out").mkdir()
    for name in ("design.json", "thesis.tex"):
        Path("out", name).write_text("mine")
    assert run("build", "m.onnx", "-o", "out", "--quiet") == 1
    assert "error[foreign-folder]" in capsys.readouterr().err and calls == []
    assert names("out") == ["design.json", "thesis.tex"]


def test_the_current_folder(calls: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("build", "m.onnx", "-o", "out", "--quiet") == 0
    monkeypatch.chdir("out")
    Path("thesis.tex").write_text("mine")
    assert run("build", "../m.onnx", "-o", ".", "--quiet") == 0
    assert names() == sorted([*BUILD, "thesis.tex"]) and names("..") == sorted(["m.onnx", "out", *(f"out/{n}" for n in names())])


def test_a_model_in_the_output_folder(calls: list[Path], capsys: Capture) -> None:
    assert run("build", "m.onnx", "-o", "out", "--quiet") == 0
    Path("out", "m.onnx").write_bytes(b"model")
    Path("f.json").write_text("{}")
    for arguments in (["out/m.onnx"], ["m.onnx", "--config", "out/build.toml"], ["m.onnx", "--folding", "out/design.json"],
                      ["m.onnx", "--dump-ir", "out/ir"], ["m.onnx", "--dump-ir", "out"]):  # fmt: skip
        assert run("build", *arguments, "-o", "out", "--quiet") in (1, 2)
        assert arguments[-1] in capsys.readouterr().err or "design.json" in arguments[-1]
    assert run("build", "m.onnx", "-o", "ir/out", "--dump-ir", "ir", "--quiet") == 1
    assert run("build", "m.onnx", "-o", "out", "--folding", "f.json", "--quiet") == 0  # a copy of it belongs to the build
    assert len(calls) == 2 and names("out") == sorted([*BUILD, "f.json", "m.onnx"])
    Path("out", "f.json").write_text("edited")
    assert run("build", "m.onnx", "-o", "out", "--folding", "f.json", "--quiet") == 1
    assert "f.json" in capsys.readouterr().err and len(calls) == 2


def test_a_folding_file_called_like_one_of_ours(calls: list[Path], capsys: Capture) -> None:
    Path("design.json").write_text("{}")
    assert run("build", "m.onnx", "-o", "out", "--folding", "design.json", "--quiet") == 2
    assert "may not be called 'design.json'" in capsys.readouterr().err and calls == [] and not Path("out").exists()


def test_links_files_and_places_that_cannot_be_written(calls: list[Path], capsys: Capture) -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    assert run("build", "m.onnx", "-o", "link", "--quiet") == 0
    assert names("real") == BUILD and Path("link").is_symlink() and len(calls) == 1
    for out in ("m.onnx", "m.onnx/out", "/proc/out"):
        assert run("build", "m.onnx", "-o", out, "--quiet") == 1
        assert "\n  help: " in capsys.readouterr().err
    assert len(calls) == 1 and Path("m.onnx").read_bytes() == b"model"


def test_a_model_that_does_not_compile(calls: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise CompileError(Problem("x", "y"))

    monkeypatch.setattr(import_module("dfcompile.pipeline"), "compile_model", refuse)
    assert run("build", "m.onnx", "-o", "a/b/out", "--quiet") == 1 and names() == ["m.onnx"]


def test_a_dump_holds_one_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    dfc.build(MODEL, dump_ir="ir", verify=False)
    first = names("ir")
    assert first[1].startswith("00_import") and len(first) >= 5
    Path("bad.onnx").write_bytes(b"no model")
    Path("ir", "notes.txt").write_text("mine")
    with pytest.raises(CompileError):
        dfc.build("bad.onnx", dump_ir="ir")
    assert names("ir") == [MARKER, "notes.txt"], "not even the graphs of another build"
    Path("mine").mkdir()
    Path("mine", "00_import.txt").write_text("mine")
    with pytest.raises(CompileError, match="foreign-folder"):
        dfc.build(MODEL, dump_ir="mine")
    assert names("mine") == ["00_import.txt"]


@pytest.fixture(scope="module")
def made() -> Any:
    """A real design."""
    return dfc.build(MODEL, verify=False)


@pytest.fixture
def built(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    out = tmp_path_factory.mktemp("real") / "out"
    made.save(out)
    return out


def test_the_list_of_a_build(built: Path) -> None:
    marker = read_marker(built)
    files = {p.relative_to(built).as_posix(): p for p in built.rglob("*") if p.is_file()}
    assert marker and marker.added == {} and {*marker.files, MARKER} == set(files)
    assert all(digest(files[n]) == h for n, h in marker.files.items())


def test_the_report_replaces_only_its_own(made: Any, built: Path, capsys: Capture) -> None:
    page = built / "report.html"
    first = page.read_bytes()
    assert run("report", built) == 0 and page.read_bytes() == first
    page.write_text("edited")
    capsys.readouterr()
    assert run("report", built) == 1 and page.read_text() == "edited"
    assert "error[would-overwrite]" in capsys.readouterr().err
    page.unlink()
    assert run("report", built) == 0 and page.read_bytes() == first
    made.save(built)  # the folder is as a build left it


def test_frames_that_cannot_be_written(built: Path, tmp_path: Path, capsys: Capture) -> None:
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.zeros((2, 64), np.float32))
    y.write_text("before")
    for out, why in ((tmp_path / "missing" / "y.npy", "No such file"), ("/dev/full", "No space left"), ("/proc/y.npy", "No such file")):
        assert run("simulate", built, "-i", x, "-o", out, "--quiet") == 1
        said = capsys.readouterr().err
        assert said.startswith("error[cannot-write]") and why in said and "help: " in said
    assert run("simulate", built, "-i", x, "-o", y, "-o", tmp_path / "z.npy", "--quiet") == 1
    assert y.read_text() == "before" and names(tmp_path) == ["x.npy", "y.npy"]
    assert run("simulate", built, "-i", x, "-o", y, "--quiet") == 0 and np.load(y).shape == (2, 10)
    assert names(tmp_path) == ["x.npy", "y.npy"]


def test_results_that_cannot_be_written(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    runs: list[Any] = []

    def verify(*arguments: Any, **_: Any) -> dict[str, Any]:
        runs.append(arguments)
        return {"engines": {}}

    monkeypatch.setattr(DataflowAccelerator, "verify", verify)
    assert run("verify", built, "--json", tmp_path / "missing" / "v.json", "--quiet") == 1 and runs == []
    assert run("verify", built, "--json", "/dev/full", "--quiet") == 1
    assert capsys.readouterr().err.count("error[cannot-write]") == 2
    assert run("verify", built, "--json", tmp_path / "v.json", "--quiet") == 0
    assert json.loads((tmp_path / "v.json").read_text()) == {"engines": {}} and names(tmp_path) == ["v.json"]


def test_a_disk_that_is_full_anywhere(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device", "/tmp/x")

    monkeypatch.setattr("dfcompile.command.doctor.examine", fail)
    assert run("doctor") == 1
    assert capsys.readouterr().err.startswith("error[disk]: a file cannot be written\n  why: No space left on device: /tmp/x\n  help: ")


def test_a_folder_of_explore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    import dfcompile.exploration as module

    def found(search: Any) -> dict[str, Any]:
        module._write(search.out, {"mode": "dataflow", "points": []}, "<svg/>")
        return {"mode": "dataflow", "points": []}

    monkeypatch.setitem(module.MODES, "auto", found)
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    for _ in range(2):
        assert run("explore", MODEL, "--board", "pynq-z2", "-o", out, "--quiet") == 0
    assert names(out) == [MARKER, "explore.json", "explore.svg", "thesis.tex"]
    (out / "explore.svg").write_text("edited")
    assert run("explore", MODEL, "--board", "pynq-z2", "-o", out, "--quiet") == 1
    assert "explore.svg" in capsys.readouterr().err and (out / "explore.svg").read_text() == "edited"
    assert run("explore", MODEL, "--board", "pynq-z2", "-o", "/proc/out", "--quiet") == 1


def start(out: Path) -> subprocess.Popen[str]:
    """A build in a process of its own, once its working folder is there."""
    command = [sys.executable, "-m", "dfcompile", "build", str(MODEL), "-o", str(out), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(out.parent.glob(f"{PREFIX}*/new")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


def test_builds_at_the_same_time_and_builds_that_are_killed(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    first = start(out)
    assert run("build", MODEL, "-o", out, "--quiet") == 1
    assert "error[busy]" in capsys.readouterr().err
    first.send_signal(signal.SIGTERM)
    assert first.communicate()[1] == "terminated\n" and first.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [], "SIGTERM clears up at once"
    second = start(out)
    second.kill()
    second.communicate()
    assert [p.name[: len(PREFIX)] for p in tmp_path.iterdir()] == [PREFIX]
    with pytest.raises(CompileError), new_folder(out):
        raise CompileError(Problem("x", "y"))
    assert list(tmp_path.iterdir()) == [], "the next run clears up, even one that fails"
