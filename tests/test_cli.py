"""The command line: what each command prints, what it leaves, and its exit status."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.front import FRONT, Job
from tests.bad_models import BAD_MODELS

COMMANDS = (
    "build",
    "check",
    "explain",
    "simulate",
    "verify",
    "evaluate",
    "compare",
    "explore",
    "synth",
    "report",
    "boards",
    "units",
    "doctor",
)
OPTIONS = ("--board", "pynq-z2", "--interval", "512")
Golden = Callable[[str, str], None]
Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def built(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 1-bit MLP, built once."""
    out = tmp_path_factory.mktemp("cli") / "mlp"
    assert run("build", examples / "digits_mlp_w1a1.onnx", "-o", out, *OPTIONS, "--quiet") == 0
    return out


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one, so that messages hold short paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Usage


@pytest.mark.parametrize(
    ("command", "late"),
    [
        (("--help",), "numpy onnx networkx"),
        (("check", "digits_mlp_w1a1.onnx"), "scipy.optimize dfcompile.pipeline dfcompile.timing dfcompile.folding dfcompile.emit"),
    ],
)
def test_a_command_loads_what_it_needs(command: tuple[str, ...], late: str, examples: Path) -> None:
    """Most of the time that a short command takes is that of loading modules."""
    assert all(importlib.util.find_spec(m) for m in late.split())
    code = "import sys; from dfcompile.command.cli import main; status = main(sys.argv[2:])\n"
    code += "print([m for m in sys.argv[1].split() if m in sys.modules], status)"
    done = subprocess.run([sys.executable, "-c", code, late, *command], cwd=examples, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"


def test_help_names_every_command(capsys: Capture) -> None:
    assert run("--help") == 0
    said = capsys.readouterr().out
    assert [c for c in COMMANDS if f"\n  {c} " not in said] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    assert run(command, "--help") == 0
    assert f"Usage: dfcompile {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["bild"], ["build"], ["build", "nowhere.onnx", "-o", "out"], ["boards", "--jsn"], ["explore", "pyproject.toml"]]
)
def test_usage_errors(arguments: list[str], capsys: Capture) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and "Error:" in said.err and "Traceback" not in said.err


SETTINGS = {
    "unknown_key": "intervall = 1024\n",
    "wrong_type": 'interval = "fast"\n',
    "bool_for_number": "fps = true\n",
    "unknown_mode": 'mode = "data-flow"\n',
    "two_rates": "fps = 100\ninterval = 1024\n",
    "negative_clock": "clock = -5\n",
    "syntax": "mode = dataflow\n",
    "bad_input_type": 'input_type = "float32"\n',
    "input_type_zero_scale": 'input_type = "uint8:0"\n',
    "input_type_endless": 'input_type = "uint8:1e999999999"\n',
    "unknown_board": 'board = "pink-z2"\n',
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_errors(case: str, examples: Path, here: Path, capsys: Capture, golden: Golden) -> None:
    Path("build.toml").write_text(SETTINGS[case], encoding="utf-8")
    assert run("build", examples / "digits_mlp_w1a1.onnx", "-o", "out", "--config", "build.toml", "--quiet") == 2
    golden(f"settings/{case}.txt", capsys.readouterr().err)
    assert not Path("out").exists()


def test_board_file_errors(here: Path, examples: Path, capsys: Capture, golden: Golden) -> None:
    Path("mine.toml").write_text('family = "xc7"\nlut = 1000\nff = 2000\nbram = 10\n', encoding="utf-8")
    assert run("build", examples / "digits_mlp_w1a1.onnx", "-o", "out", "--board", "mine.toml", "--quiet") == 2
    golden("settings/board_file.txt", capsys.readouterr().err)


def test_unexpected_error_is_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture) -> None:
    def fail() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("dfcompile.command.doctor.examine", fail)
    monkeypatch.setattr("platformdirs.user_log_path", lambda name: tmp_path)
    assert run("doctor") == 3
    said = capsys.readouterr().err
    assert "this is a bug in dfcompile: RuntimeError: boom" in said and "Traceback" not in said
    assert "Traceback" in (tmp_path / "last-error.log").read_text(encoding="utf-8")
    assert run("--debug", "doctor") == 3
    assert "Traceback" in capsys.readouterr().err


# Commands that need no model


def test_boards(capsys: Capture) -> None:
    assert run("boards", "--json") == 0
    found = {b["name"]: b for b in json.loads(capsys.readouterr().out)}
    assert {
        "pynq-z1",
        "pynq-z2",
        "ultra96-v2",
        "zcu104",
        "kv260",
        "zcu102",
        "arty-a7-100t",
        "alveo-u250",
        "ecp5-85f",
        "ulx3s",
        "ulx3s-12f",
    } <= set(found)
    assert all(b["source"] and b["bandwidth"] > 0 and b["clock"] > 0 for b in found.values())
    assert (found["pynq-z2"]["lut"], found["pynq-z2"]["bram36"], found["pynq-z2"]["dsp"]) == (53200, 140, 220)


def test_units_have_a_description(capsys: Capture) -> None:
    from dfcompile.units import all_units

    assert run("units", "--json") == 0
    found = {u["kind"]: u for u in json.loads(capsys.readouterr().out)}
    assert set(found) == set(all_units())
    assert {"mvtu", "sliding_window", "threshold", "pool"} <= set(found)
    assert [kind for kind, u in found.items() if len(u["does"]) < 20] == []


def test_doctor_names_the_install_command(capsys: Capture) -> None:
    assert run("doctor", "--json") == 0
    found = {t["name"]: t for t in json.loads(capsys.readouterr().out)}
    assert found["verilator"]["found"] and found["verilator"]["version"]
    assert all(t["install"] for t in found.values())


# Models


@pytest.mark.parametrize("case", BAD_MODELS)
def test_refused_models(case: str, here: Path, capsys: Capture, golden: Golden) -> None:
    model = BAD_MODELS[case](Path("bad.onnx"))
    assert run("build", model, "-o", "out", "--quiet") == 1
    said = capsys.readouterr()
    assert said.out == "" and "Traceback" not in said.err
    golden(f"errors/{case}.txt", said.err)
    assert [p.name for p in here.iterdir()] == ["bad.onnx"]
    assert run("check", model) == 1
    assert capsys.readouterr().err == said.err


def test_check_accepts(examples: Path, capsys: Capture) -> None:
    assert run("check", examples / "digits_cnn_w2a2.onnx", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_explain_names_every_node(examples: Path, capsys: Capture) -> None:
    import onnx

    model = examples / "digits_cnn_w2a2.onnx"
    assert run("explain", model, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    nodes = [n for n in onnx.load(model).graph.node if n.op_type != "Constant"]
    assert {n.name for n in nodes} <= {r["node"] for r in rows}
    assert all(r["fate"] for r in rows)


def test_build_writes_every_value_in_effect(built: Path) -> None:
    import tomllib

    settings = tomllib.loads((built / "build.toml").read_text(encoding="utf-8"))
    report = json.loads((built / "report.json").read_text(encoding="utf-8"))
    assert settings["board"] == "pynq-z2" and settings["verify"] is True
    assert (settings["mode"], settings["clock"]) == (report["mode"], report["clock_mhz"]) == ("dataflow", 100)


def test_report_keys(built: Path) -> None:
    report: dict[str, Any] = json.loads((built / "report.json").read_text(encoding="utf-8"))
    wanted = {
        "model": {"name", "macs", "params"},
        "timing": {"interval_cycles", "latency_cycles", "ideal_interval_cycles", "fps", "bottleneck"},
        "folding": {"optimal", "bound", "gap"},
        "verification": {"streamline", "simulator"},
        "resources": {"lut", "ff", "bram36", "uram", "dsp"},
        "budget": {"lut", "ff", "bram36", "uram", "dsp"},
    }
    assert {key: names - set(report[key]) for key, names in wanted.items() if names - set(report[key])} == {}
    assert {"mode", "clock_mhz", "units", "fifos"} <= set(report)
    for unit in report["units"]:
        assert {"name", "kind", "source", "folding", "cycles", "resources"} <= set(unit)
        assert unit["resources"]["lut"] > 0, unit["name"]
    streams = report["hls_streams"]
    top = "".join(p.read_text(encoding="utf-8") for p in sorted((built / "hls").glob("*.cpp")))
    emitted = [int(d) for d in re.findall(r"DFC_STREAM\(\w+, (\d+)\)", top)]
    assert emitted and sorted(emitted) == sorted(streams["depths"].values()) and streams["resources"]["lut"] > 0
    assert report["timing"]["fps"] == pytest.approx(report["clock_mhz"] * 1e6 / report["timing"]["interval_cycles"])


def timeless(data: bytes) -> dict[str, Any]:
    """A report without the seconds that the build took, the only figures that may differ."""
    report: dict[str, Any] = json.loads(data)
    del report["seconds"]
    return report


def test_same_options_same_bytes(built: Path, examples: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere"
    assert run("build", examples / "digits_mlp_w1a1.onnx", "-o", again, *OPTIONS, "--quiet") == 0
    first, second = tree(built), tree(again)
    assert timeless(first.pop("report.json")) == timeless(second.pop("report.json"))
    assert first == second
    assert [name for name, data in first.items() if str(tmp_path.parent).encode() in data or str(examples).encode() in data] == []


def test_a_build_folder_repeats_its_build(built: Path, examples: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert run("build", examples / "digits_mlp_w1a1.onnx", "-o", again, "--config", built / "build.toml", "--quiet") == 0
    for part in ("hls", "rtl", "driver"):
        assert tree(built / part) == tree(again / part)
    first, second = (timeless((f / "report.json").read_bytes()) for f in (built, again))
    assert first.pop("mode_choice")["mode"] == first["mode"]  # build.toml names the mode, which is not chosen a second time
    assert first == second


def test_simulate_equals_the_float_reference(built: Path, examples: Path, tmp_path: Path) -> None:
    test = np.load(examples / "digits_mlp_w1a1.npz")
    np.save(tmp_path / "x.npy", test["images"])
    assert run("simulate", built, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--quiet") == 0
    found = np.load(tmp_path / "y.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, test["outputs"], rtol=0, atol=1e-5 * np.abs(test["outputs"]).max())


INPUTS: dict[str, Any] = {
    "wrong_shape": np.zeros((2, 8, 8), np.float32),
    "no_batch_axis": np.zeros(64, np.float32),
    "not_a_number": np.full((1, 64), np.nan, np.float32),
    "text": np.full((1, 64), "a"),
    "complex": np.zeros((1, 64), np.complex64),
    "no_array": b"hello",
}


@pytest.mark.parametrize("case", INPUTS)
def test_refused_inputs(case: str, built: Path, here: Path, capsys: Capture, golden: Golden) -> None:
    value = INPUTS[case]
    if isinstance(value, bytes):
        Path("x.npy").write_bytes(value)
    else:
        np.save("x.npy", value)
    assert run("simulate", built, "-i", "x.npy", "-o", "y.npy", "--quiet") == 1
    said = capsys.readouterr().err
    assert said.startswith("error[wrong-input]: ") and "Traceback" not in said
    golden(f"inputs/{case}.txt", said)
    assert not Path("y.npy").exists()


@pytest.mark.slow
def test_verify(built: Path, tmp_path: Path) -> None:
    assert run("verify", built, "--frames", 3, "--json", tmp_path / "v.json", "--quiet") == 0
    engines = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))["engines"]
    for name in ("hls", "rtl"):
        assert engines[name]["pass"] and engines[name]["frames"] == 3 and engines[name]["mismatches"] == 0
    for what in ("interval", "latency"):
        assert engines["rtl"][f"{what}_cycles"] == engines["rtl"][f"predicted_{what}_cycles"]


def test_progress_within_streamlining(examples: Path) -> None:
    said: list[str] = []
    made = FRONT(Job(examples / "digits_mlp_w1a1.onnx", progress=said.append), examples / "digits_mlp_w1a1.onnx")
    model, graph = made.integer.model.nodes, made.integer.graph.nodes
    within = [f"streamline {i}/{len(model)}" for i in range(len(model))]
    lowered = [t for t in said if t.startswith("lower ")]
    assert said == ["import", "streamline", *within, "lower", *lowered] and len(within) > 5
    assert 1 < len(lowered) <= len(graph) and lowered[0] == f"lower 0/{len(graph)}"


def test_progress_within_each_long_step(examples: Path, tmp_path: Path) -> None:
    """Every step whose work grows with the network says how far it is, up to its end, and never backwards."""
    said: list[str] = []
    made = dfc.build(examples / "digits_mlp_w1a1.onnx", progress=said.append)
    made.write(tmp_path, said.append)
    for step in ("streamline", "lower", "fold", "check", "write"):
        at = [tuple(map(int, t.split()[1].split("/"))) for t in said if t.startswith(f"{step} ")]
        assert at == sorted(at) and len({total for _, total in at}) == 1 and at[-1][0] >= at[-1][1] - 1, step
