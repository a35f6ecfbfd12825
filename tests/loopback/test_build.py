"""Every command on a loopback build, as a user gives it: what it says, what it leaves, its exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.device.boards import find_board
from dfcompile.errors import CompileError
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback_build import read_engine
from tests.test_cli import INPUTS, run, timeless, tree

MODEL = "digits_cnn_w2a2"
ENGINE = {"pe": 4, "simd": 4, "act_words": 4096, "weight_words": 1024, "acc_words": 1024, "weight_bits": 4, "bus_bits": 32, "batch": 2}
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def engine_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "engine.json"
    path.write_text(json.dumps({"engine": ENGINE}))
    return path


@pytest.fixture(scope="module")
def built(examples: Path, engine_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("loopback") / "out"
    assert run("build", examples / f"{MODEL}.onnx", "-o", out, "--mode", "loopback", "--folding", engine_file, "--quiet") == 0
    return out


@pytest.fixture(scope="module")
def design(examples: Path) -> DataflowAccelerator:
    return dfc.build(examples / f"{MODEL}.onnx", mode="loopback", folding={"engine": ENGINE})


def test_report_has_the_keys_of_a_dataflow_build(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    assert report["mode"] == "loopback" and report["engine"] | ENGINE == report["engine"]
    assert {"interval_cycles", "latency_cycles", "ideal_interval_cycles", "fps", "bottleneck"} <= set(report["timing"])
    assert report["timing"]["latency_cycles"] == 2 * report["timing"]["interval_cycles"]
    assert {u["name"] for u in report["units"]} >= {report["timing"]["bottleneck"]}
    assert {"model", "clock_mhz", "fifos", "resources", "budget", "folding", "verification", "seconds"} <= set(report)
    assert report["verification"] == {"streamline": "exact", "simulator": "exact"}


def test_python_interface(design: DataflowAccelerator, examples: Path, tmp_path: Path) -> None:
    test = np.load(examples / f"{MODEL}.npz")
    found = design.run(test["images"][:5])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, test["outputs"][:5], rtol=0, atol=1e-5 * np.abs(test["outputs"]).max())
    codes = design.host.encode(design.host.checked(test["images"][:5]))
    np.testing.assert_array_equal(next(iter(design.host.decode(design.run_codes(codes)).values())).astype(np.float32), found)
    design.save(tmp_path / "out")
    again = dfc.load(tmp_path / "out")
    assert again.timing == design.timing and again.resources == design.resources and again.report == design.report
    np.testing.assert_array_equal(again.run(test["images"][:5]), found)


def test_simulate(built: Path, examples: Path, tmp_path: Path) -> None:
    test = np.load(examples / f"{MODEL}.npz")
    np.save(tmp_path / "x.npy", test["images"][:3])
    for engine in ("python", "hls"):
        assert run("simulate", built, "-i", tmp_path / "x.npy", "-o", tmp_path / f"{engine}.npy", "--engine", engine, "--quiet") == 0
    found = [np.load(tmp_path / f"{e}.npy") for e in ("python", "hls")]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], test["outputs"][:3], rtol=0, atol=1e-5 * np.abs(test["outputs"]).max())


@pytest.mark.parametrize("case", INPUTS)
def test_refused_inputs(case: str, built: Path, tmp_path: Path, capsys: Capture) -> None:
    value = INPUTS[case]
    if isinstance(value, bytes):
        (tmp_path / "x.npy").write_bytes(value)
    else:
        np.save(tmp_path / "x.npy", value)
    assert run("simulate", built, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--quiet") == 1
    said = capsys.readouterr().err
    assert said.startswith("error[wrong-input]: ") and "Traceback" not in said
    assert not (tmp_path / "y.npy").exists()


def test_refused_codes(design: DataflowAccelerator, examples: Path) -> None:
    dataflow = dfc.build(examples / f"{MODEL}.onnx", verify=False)
    for made in (design, dataflow):
        ((name, codes),) = made.host.encode({k: np.zeros((1, *s)) for k, s in made.host.input_shapes.items()}).items()
        wrong: dict[str, Any] = {
            "is missing": {},
            "there is no input stream 'z'": {name: codes, "z": codes},
            "wrong shape or type": {name: codes[:, :1]},
            "no codes of": {name: codes + 1000},
        }
        for text, given in wrong.items():
            with pytest.raises(CompileError, match=text):
                made.run_codes(given)
        with pytest.raises(CompileError, match="no codes of"):
            made.run_codes({name: codes + 0.5})
        with pytest.raises(CompileError, match="there is no engine"):
            made.run_codes({name: codes}, "fpga")


def test_same_options_same_bytes(built: Path, examples: Path, engine_file: Path, tmp_path: Path) -> None:
    """From copies of the files elsewhere, into another folder; only the seconds may differ."""
    for file in (engine_file, examples / f"{MODEL}.onnx"):
        shutil.copyfile(file, tmp_path / file.name)
    again = tmp_path / "again"
    options = ("--mode", "loopback", "--folding", tmp_path / engine_file.name)
    assert run("build", tmp_path / f"{MODEL}.onnx", "-o", again, *options, "--quiet") == 0
    first, second = tree(built), tree(again)
    assert timeless(first.pop("report.json")) == timeless(second.pop("report.json"))
    assert first == second
    folders = (str(tmp_path), str(engine_file.parent), str(examples))
    assert [name for name, data in first.items() if any(f.encode() in data for f in folders)] == []


def test_options_that_mean_nothing_here(examples: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "units.json").write_text('{"mvtu_0": {"pe": 2}}')
    build = ("build", examples / f"{MODEL}.onnx", "-o", tmp_path / "out", "--mode", "loopback", "--quiet")
    assert run(*build, "--folding", tmp_path / "units.json") == 1
    said = capsys.readouterr().err
    assert said.startswith("error[bad-folding]: the folding names units of a dataflow design") and '{"engine": ' in said
    assert run(*build, "--interval", 100) == 1
    assert "error[does-not-fit]: the loopback engine makes no frame in 100 cycles" in capsys.readouterr().err
    assert run(*build, "--fps", 100) == 0
    assert run(*build, "--interval", 100_000, "--input-type", "uint8:1/255") == 0


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"pe": 3}, "must divide the other"),
        ({"rows": 4}, "rows"),
        ({"pe": 4.0}, "pe"),
        ({"batch": 0}, "batch=0"),
        ({"batch": 256}, "from 1 to 255"),
    ],
)
def test_engines_that_there_are_not(values: dict[str, Any], why: str) -> None:
    with pytest.raises(CompileError, match=why):
        read_engine({"engine": values})


def test_a_given_engine_must_fit_the_board(examples: Path) -> None:
    with pytest.raises(CompileError, match="the given engine does not fit pynq-z2"):
        dfc.build(examples / f"{MODEL}.onnx", mode="loopback", board="pynq-z2", folding={"engine": {"pe": 64, "simd": 64}})


def test_a_given_bus_is_no_wider_than_the_boards_ports(examples: Path) -> None:
    engine = {"pe": 16, "simd": 16, "bus_bits": 128}
    with pytest.raises(CompileError, match="its bus has 128 bits") as refused:
        dfc.build(examples / f"{MODEL}.onnx", mode="loopback", board="pynq-z2", folding={"engine": engine})
    assert refused.value.problems[0].help == 'give it "bus_bits": 64'


def test_a_board_file_leaves_no_path(examples: Path, tmp_path: Path) -> None:
    board = find_board("pynq-z2")
    keys = asdict(board)
    around = {name: keys.pop(name) for name in ("vivado", "power")}
    text = "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items() if k != "name" and v is not None)
    for name, table in around.items():
        text += f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
    (tmp_path / "mine.toml").write_text(text)
    for mode in ("dataflow", "loopback"):
        made = dfc.build(examples / "digits_mlp_w1a1.onnx", mode=mode, board=str(tmp_path / "mine.toml"))
        made.save(tmp_path / mode)
        dfc.load(tmp_path / mode).save(tmp_path / f"{mode}_again")
        assert made.options["board"] == "mine"
        assert [n for n, data in tree(tmp_path / mode).items() if str(tmp_path).encode() in data] == []
        assert tree(tmp_path / mode) == tree(tmp_path / f"{mode}_again")
    assert board.part in (tmp_path / "dataflow" / "hls" / "run_hls.tcl").read_text()


def make(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "target"),
    [("hls", "run"), pytest.param("sim", "cocotb", marks=pytest.mark.further), pytest.param("sim", "fast", marks=pytest.mark.further)],
)
def test_generated_makefiles(part: str, target: str, built: Path, tmp_path: Path) -> None:
    """`make` in hls/ and in sim/ runs the saved program; it fails when a byte of the result is wrong."""
    shutil.copytree(built, tmp_path / "out")
    stalls = ["STALLS=0.2"] if part == "sim" else []
    done = make(tmp_path / "out" / part, target, *stalls)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = np.fromfile(tmp_path / "out" / "sim" / "expected.bin", np.uint8)
    expected[np.flatnonzero(expected)[-1]] ^= 1
    expected.tofile(tmp_path / "out" / "sim" / "expected.bin")
    assert make(tmp_path / "out" / part, target).returncode != 0


@pytest.mark.slow
def test_verify(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built.parent)
    assert run("verify", built.name, "--frames", 3, "--json", tmp_path / "v.json", "--quiet") == 0
    engines = json.loads((tmp_path / "v.json").read_text())["engines"]
    for name in ("hls", "rtl"):
        assert engines[name]["pass"] and engines[name]["frames"] == 3 and engines[name]["mismatches"] == 0
        assert engines[name]["first_mismatch"] is None
    for what in ("interval", "latency"):
        assert engines["rtl"][f"{what}_cycles"] == pytest.approx(engines["rtl"][f"predicted_{what}_cycles"], rel=0.02)


@pytest.mark.slow
def test_verify_names_a_fault(built: Path, tmp_path: Path) -> None:
    """It runs the C++ of the folder: a change there is found."""
    shutil.copytree(built, tmp_path / "out")
    header = tmp_path / "out" / "hls" / "dfc_lb_core.hpp"
    text = header.read_text()
    assert "so_far + dot" in text
    header.write_text(text.replace("so_far + dot", "so_far - dot"))
    assert run("verify", tmp_path / "out", "--engine", "hls", "--json", tmp_path / "v.json", "--quiet") == 1
    found = json.loads((tmp_path / "v.json").read_text())["engines"]["hls"]
    assert not found["pass"] and found["mismatches"] > 0 and "frame 0" in found["first_mismatch"]


@pytest.mark.further
def test_synth(built: Path, capsys: Capture) -> None:
    assert run("synth", built, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tool"] == "yosys" and [u["name"] for u in found["units"]] == ["loopback_top"]
    real, estimated = found["total"]["synthesised"], found["total"]["estimated"]
    assert 0.9 * estimated["lut"] < real["lut"] < 1.1 * estimated["lut"] and real["bram36"] == estimated["bram36"]
