"""Damaged and hostile build folders and files: a clear error each, nothing allocated first, nothing unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph, Node, Op, Tensor
from dfcompile.ir.types import IntType
from dfcompile.mode.schema import Reader, SchemaError
from tests.tamper import failures, hostile_npy, replace_array

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
BUILDS = [("digits_cnn_w4a4", "dataflow"), ("digits_mlp_w1a1", "loopback")]


@pytest.fixture(scope="module", params=BUILDS, ids=[mode for _, mode in BUILDS])
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, mode = request.param
    out = tmp_path_factory.mktemp(mode) / "out"
    dfc.build(EXAMPLES / f"{model}.onnx", mode=mode).save(out)
    return out


def test_tampered_builds(build: Path) -> None:
    """Every change of a stored value ends in a result or in an error that says where and why."""
    assert failures(build, range(150)) == []


@pytest.mark.full
def test_many_tampered_builds(build: Path) -> None:
    assert failures(build, range(150, 2000)) == []


def refused(folder: Path, *texts: str) -> None:
    with pytest.raises(CompileError) as error:
        dfc.load(folder)
    (problem,) = error.value.problems
    assert problem.code == "bad-build" and problem.why and all(t in str(problem) for t in texts), problem


@pytest.fixture
def copied(build: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(build, tmp_path / "copy"))


def test_cut_files(copied: Path) -> None:
    for name in ("design.npz", "design.json", "report.json"):
        whole = (copied / name).read_bytes()
        for size in (0, 10, len(whole) // 2, len(whole) - 30):
            (copied / name).write_bytes(whole[:size])
            refused(copied, name)
        (copied / name).unlink()
        refused(copied, name)
        (copied / name).write_bytes(whole)
    dfc.load(copied)


def test_deep_and_foreign_json(copied: Path) -> None:
    texts = {"[" * 100_000: "deep", "[]": "not a JSON object", '{"schema": 0}': "schema", "{": "design.json", "\x00": "design.json"}
    for text, why in texts.items():
        (copied / "design.json").write_text(text)
        refused(copied, why)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (hostile_npy((2**40,)), "takes 4,398,046,511,104 bytes, 0 follow"),
        (hostile_npy((2**62, 2**62)), "bytes, 0 follow"),
        (hostile_npy((-1,)), "follow its header"),
        (hostile_npy((1,), "|O", pickle.dumps([1])), "follow its header"),
        (hostile_npy((2,), "<U4", b"\0" * 32), "does not hold finite numbers"),
        (hostile_npy((1,), "<f8", np.array(np.nan).tobytes()), "does not hold finite numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff", "not a NumPy array"),
        (b"", "not a NumPy array"),
    ],
)
def test_hostile_arrays(copied: Path, data: bytes, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace_array(copied / "design.npz", "a0", data)
    refused(copied, why)
    if "finite" not in why:  # the same as a file of frames
        (tmp_path / "x.npy").write_bytes(data or b"\x93NUMPY")
        assert main(["simulate", str(copied.parent / "copy"), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy"), "--quiet"]) == 1
        assert "is not a NumPy array file" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["hls", "rtl"])
def test_missing_folders(copied: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = copied / "hls" / "dfc_common.hpp" if engine == "hls" else min((copied / "rtl").glob("*.sv"))
    first.unlink()
    assert main(["verify", str(copied), "--engine", engine, "--quiet"]) == 1
    assert f"{engine}/{first.name}" in capsys.readouterr().err
    shutil.rmtree(copied / engine)
    assert main(["verify", str(copied), "--engine", engine, "--quiet"]) == 1
    assert "missing" in capsys.readouterr().err


def test_frames_must_be_of_the_build(copied: Path) -> None:
    """A frame's places, a stream's type and an edge that is gone."""
    data = json.loads((copied / "design.json").read_text())
    name = next(iter(data["host"]["fields"]["streams"]["map"]))
    data["host"]["fields"]["streams"]["map"][name][1]["fields"]["bits"] += 1
    (copied / "design.json").write_text(json.dumps(data))
    refused(copied, "host.streams", name)


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (True, int, "where an integer belongs"), (1.0, int, "an integer"), (2**63, int, "64 bits"),
        ("a\nb", str, "printable"), (1, str, "text"), ({"array": "x"}, Tensor, "no array 'x'"),
        ([1, 2, 3], tuple[int, int], "3 values where 2 belong"), ({"a": 1}, dict[str, int], "a table"),
        ({"class": "os", "fields": {}}, Op, "is not a Op"), ({"class": "Node", "fields": {}}, Op, "is not a Op"),
        ({"class": "IntType", "fields": {"bits": 3}}, IntType, "signed"),
        ({"class": "IntType", "fields": {"bits": 0, "signed": False, "bipolar": False}}, IntType, "no such integer type"),
        ({"class": "IntType", "fields": {"bits": 65, "signed": False, "bipolar": False}}, IntType, "limit 64"),
        (None, int | None, None), ({"float": "inf"}, float, None), (3, float, None), ([1, 2, 3], tuple[int, ...], None),
    ],
)  # fmt: skip
def test_reader(value: object, kind: object, why: str | None) -> None:
    classes: dict[str, type] = {c.__name__: c for c in (IntType, Node, Graph, Tensor, Design)}
    if value == {"array": "x"}:  # as a field
        value = {"class": "Tensor", "fields": {"shape": [1], "dtype": None, "lo": value, "hi": None}}
    if why is None:
        Reader(classes, {}).read(value, kind, "here")
        return
    with pytest.raises(SchemaError, match=r"^here") as error:
        Reader(classes, {}).read(value, kind, "here")
    assert why in str(error.value)
