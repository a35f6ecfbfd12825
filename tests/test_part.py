"""A part of a model from the command line: compiled, written down, repeated, simulated; what `check` proposes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dfcompile as dfc
from dfcompile.command import cli
from dfcompile.propose import Proposal, propose
from tests import exact_oracle
from tests.frontend.make import model
from tests.frontend.small import QONNX, constants, quant, random

Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return cli.main([str(a) for a in arguments])


def stages(*between: str, channels: int = 3) -> onnx.ModelProto:
    """1x1 convolutions q0 -> k1 -> q1 -> ..., an operator behind each: `Det` has no hardware."""
    nodes = [quant("x", "q0"), quant("w", "wq", "ws")]
    for i, kind in enumerate(between, 1):
        nodes += [helper.make_node("Conv", [f"q{i - 1}", "wq"], [f"k{i}"], name=f"conv{i}"),
                  helper.make_node(kind, [f"k{i}"], [f"r{i}"], name=f"op{i}"), quant(f"r{i}", f"q{i}")]  # fmt: skip
    held = constants(w=random(channels, channels, 1, 1), ws=np.float32([0.3]))
    proto = model(nodes, {"x": [1, channels, 4, 4]}, (f"q{len(between)}",), held, domains={QONNX: 1})
    proto.graph.value_info.extend(
        helper.make_tensor_value_info(f"r{i}", TensorProto.FLOAT, [1, channels, 4, 4]) for i in range(1, len(between) + 1)
    )
    return proto


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(folder: str) -> dict[str, Any]:
    files = {str(p.relative_to(folder)): p for p in sorted(Path(folder).rglob("*")) if p.is_file() and p.name != ".dfcompile.json"}
    return {k: {**json.loads(p.read_text()), "seconds": None} if k == "report.json" else p.read_bytes() for k, p in files.items()}


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_a_part_is_built_repeated_and_run(mode: str, here: Path, capsys: Capture) -> None:
    proto = stages("Relu", "Relu", "Abs")
    onnx.save(proto, "m.onnx")
    assert run("build", "m.onnx", "-o", "out", "--mode", mode, "--from", "q1", "--to", "q2") == 0
    said = capsys.readouterr().out
    assert "the part from 'q1' to 'q2'; left to the host: before it 4 nodes (quant_q0, conv1, op1, quant_q1); behind it 3 nodes" in said
    assert "part" in said and run("build", "m.onnx", "-o", "again", "--config", "out/build.toml", "--quiet") == 0
    assert tree("out") == tree("again")
    assert Path("out/build.toml").read_text().count('\nfrom = ["q1"]\nto = ["q2"]\n') == 1
    report = json.loads(Path("out/report.json").read_text())
    assert report["part"] == {
        "from": ["q1"],
        "to": ["q2"],
        "before": ["quant_q0", "conv1", "op1", "quant_q1"],
        "behind": ["conv3", "op3", "quant_q3"],
    }
    page = Path("out/report.html").read_text()
    assert "<h2>Part of the model</h2>" in page and "<code>conv3</code>" in page
    x = random(1, 3, 4, 4) * 2
    values = exact_oracle.run_tensors(proto, {"x": x})
    inner, wanted = (np.vectorize(float)(values[t]).astype(np.float32) for t in ("q1", "q2"))
    np.save("x.npy", inner)
    assert run("simulate", "out", "-i", "x.npy", "-o", "y.npy", "--quiet") == 0
    np.testing.assert_allclose(np.load("y.npy"), wanted, rtol=1e-6)
    np.save("x.npy", inner[:, :2])
    assert run("simulate", "out", "-i", "x.npy", "-o", "y.npy", "--quiet") == 1
    assert "input 'q1' has the wrong shape" in capsys.readouterr().err


def test_the_whole_model_has_no_part(here: Path) -> None:
    onnx.save(stages("Relu"), "m.onnx")
    made = dfc.build("m.onnx")
    assert made.report["part"] is None and made.options["from"] == ()
    part = dfc.build("m.onnx", from_="q0", to=("k1",))
    assert part.report["part"]["behind"] == ["op1", "quant_q1"] and part.options["to"] == ("k1",)


def test_explain_and_check_of_a_part(here: Path, capsys: Capture) -> None:
    onnx.save(stages("Relu", "Det", "Relu"), "m.onnx")
    assert run("explain", "m.onnx", "--from", "r2") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("the part from 'r2' to 'q3'; left to the host: before it 6 nodes (")
    assert any(r.startswith("op2 ") and r.endswith("left to the host, before the part") for r in rows)
    assert run("check", "m.onnx", "--from", "r2") == 0
    assert run("check", "m.onnx", "--from", "r2", "--to", "q9") == 1
    assert "did you mean 'q3'?" in capsys.readouterr().err


def test_check_proposes_the_largest_part(here: Path, capsys: Capture) -> None:
    """The command that is printed compiles; it is the larger side of the operator without hardware."""
    onnx.save(stages("Relu", "Det", "Relu", "Abs", "Relu"), "m.onnx")
    assert run("check", "m.onnx") == 1
    said = capsys.readouterr().err
    assert "error[unsupported-op]: operator 'Det' is not supported" in said
    assert "the largest part that compiles, with 432 of the model's 720 multiplications:\n" in said
    command = said.splitlines()[-1].strip()
    assert command == "dfcompile build m.onnx -o OUT --from r2"
    assert run(*shlex.split(command)[1:], "--quiet") == 0
    capsys.readouterr()
    assert run("build", "m.onnx", "-o", "none", "--quiet") == 1 and not Path("none").exists()
    assert capsys.readouterr().err.splitlines()[-1].strip() == command
    assert run("build", "m.onnx", "-o", "none", "--quiet", "--from", "r9") == 1
    assert "the largest part" not in capsys.readouterr().err


def test_a_proposal_with_a_declared_input(here: Path, capsys: Capture) -> None:
    """The command that is printed says again what the input carries."""
    proto = stages("Relu", "Det")
    del proto.graph.node[0]  # the quantizer of the input
    next(n for n in proto.graph.node if n.name == "conv1").input[0] = "x"
    onnx.save(proto, "m.onnx")
    assert run("check", "m.onnx", "--input-type", "int4:0.25") == 1
    command = capsys.readouterr().err.splitlines()[-1].strip()
    assert command.endswith("--input-type int4:0.25")
    assert run(*shlex.split(command)[1:], "--quiet") == 0


@pytest.mark.parametrize(
    ("between", "wanted"),
    [
        (("Det", "Relu"), Proposal(("r1",), (), 144, 288)),
        (("Relu", "Relu", "Det"), Proposal((), ("k3",), 432, 432)),
        (("Det", "Det"), Proposal((), ("k1",), 144, 288)),  # of equal parts the one with more nodes, then the earlier
        (("Relu", "Det", "Relu", "Relu", "Det"), Proposal(("r2",), ("k5",), 432, 720)),
    ],
)
def test_proposals(between: tuple[str, ...], wanted: Proposal, here: Path) -> None:
    onnx.save(stages(*between), "m.onnx")
    assert propose(Path("m.onnx")) == wanted


def test_check_in_loopback(here: Path, capsys: Capture) -> None:
    """A product of sums is wider than the engine multiplies: units take it. What is proposed compiles in the mode that was asked for."""
    nodes = [quant("x", "q0", bits="wide"), quant("w", "wq", "ws"), quant("u", "uq", "ws")]
    nodes += [helper.make_node("Conv", ["q0", f"{w}q"], [f"k{w}"], name=f"conv_{w}") for w in "wu"]
    nodes += [helper.make_node("Mul", ["kw", "ku"], ["p"], name="product"), quant("p", "q1")]
    nodes += [helper.make_node("Conv", ["q1", "wq"], ["k"], name="last"), quant("k", "q2")]
    weights = random(3, 3, 1, 1)
    held = constants(w=weights, u=weights[::-1].copy(), ws=np.float32([0.3]), wide=16.0)
    onnx.save(model(nodes, {"x": [1, 3, 4, 4]}, ("q2",), held, domains={QONNX: 1}), "m.onnx")
    assert run("check", "m.onnx") == run("check", "m.onnx", "--mode", "dataflow") == 0
    assert run("check", "m.onnx", "--mode", "loopback") == 1
    said = capsys.readouterr().err
    assert "node mul_binary_0 (ONNX: product)" in said and "is wider than 18 bits" in said
    command = said.splitlines()[-1].strip()
    assert command == "dfcompile build m.onnx -o OUT --from p --mode loopback"
    assert run(*shlex.split(command)[1:], "--quiet") == 0
    assert dfc.check("m.onnx", mode="loopback") and not dfc.check("m.onnx")


@pytest.mark.parametrize("mode", ["dataflow", "auto"])
def test_the_largest_part_that_fits(mode: str, here: Path, capsys: Capture) -> None:
    """Eight layers of which the board holds some: what is printed fits it, one layer more does not."""
    onnx.save(stages(*["Relu"] * 8, channels=12), "m.onnx")
    given = ("--board", "icebreaker", "--interval", "16")
    assert run("build", "m.onnx", "-o", "out", "--mode", mode, *given, "--quiet") == 1
    said = capsys.readouterr().err
    assert said.startswith("error[does-not-fit]") and "the largest part that fits, with " in said
    command = shlex.split(said.splitlines()[-1])
    assert command[-6:] == ["--mode", mode, *given] and command[5] in ("--from", "--to")
    assert run(*command[1:], "--quiet") == 0
    name = command[6]
    more = f"{name[0]}{int(name[1:]) + (1 if command[5] == '--to' else -1)}"
    assert run("build", "m.onnx", "-o", "more", command[5], more, *command[-6:], "--quiet") == 1
    assert "does-not-fit" in capsys.readouterr().err


def test_nothing_to_propose(here: Path) -> None:
    Path("m.onnx").write_bytes(b"no model")
    assert propose(Path("m.onnx")) is None
    onnx.save(model([helper.make_node("Det", ["x"], ["y"])], {"x": [1, 4]}), "m.onnx")
    assert propose(Path("m.onnx")) is None
