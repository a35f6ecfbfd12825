"""Names of models, nodes and files may hold anything: nothing of it comes to life in what is generated."""

from __future__ import annotations

import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.emit.name import sanitise
from dfcompile.options import Options
from dfcompile.run.compile import lint
from dfcompile.text import comment, one_line, word
from dfcompile.toolchain import find_tool

LIVE = "exec touch /tmp/x"
"""What must never begin a line."""
HASH = re.compile(r"(?<=0x)[0-9a-f]{8}|(?<=64'h)[0-9a-f]{16}")
"""Of the design, names and all."""
PAYLOADS = {
    "line ends": f"a\n{LIVE}\r{LIVE}\v{LIVE}\f{LIVE}\x85{LIVE}\u2028{LIVE}\u2029{LIVE}",
    "backslash": "a\\",
    "trigraph": "a??/",
    "comment ends": "a*/ int x; /* */ //",
    "scripts": "a`$[exit]{}%@#!$(shell id)\"'\"\"\"'''",
    "markup": "a</title><script>alert(1)</script>&amp;{{ 7*7 }}{% raw %}",
    "directive": "verilator lint_off WIDTH synthesis translate_off",
    "control": "a\x01\x1b[31m\x7f\u202e\ud83d",
    "long": "a" * 10_000,
    "foreign": "größe 模型 \U0001f600",
}


def write_model(path: Path, name: str) -> Path:
    """One matrix product between quantizers; every name in it is `name` with something behind it."""
    quant = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    values = {"s": 0.5, "s2": 2.0, "z": 0.0, "b": 4.0, "w": np.arange(32).reshape(8, 4) % 7 - 3}
    names = {k: f"{k}{name}" for k in (*values, "x", "xq", "wq", "h", "y")}

    def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
        return helper.make_node(op, [names[i] for i in inputs.split()], [names[output]], name=f"{output}{name}", **attributes)

    nodes = [
        node("Quant", "x s z b", "xq", **quant), node("Quant", "w s z b", "wq", **quant),
        node("MatMul", "xq wq", "h"), node("Quant", "h s2 z b", "y", **quant),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(names["x"], 1, [1, 8])], [helper.make_tensor_value_info(names["y"], 1, [1, 4])],
        [numpy_helper.from_array(np.asarray(v, np.float32), names[k]) for k, v in values.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


STRING = re.compile(r'"(?:[^"\\?]|\\[0-7]{3})*"')
"""As the driver's C has them: no quote, no trigraph, no escape but octal ones."""


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def assert_dead(hostile: Path, plain: Path, mode: str) -> None:
    """The build is the plain one but for comments, data and the text of the report."""
    built, wanted = files(hostile), files(plain)
    assert set(built) == set(wanted)
    for name, data in built.items():
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        assert not [x for x in lines if x.lstrip().startswith(LIVE)], name
        if name.endswith(".html"):
            assert sorted(_Tags(data.decode()).found) == sorted(_Tags(wanted[name].decode()).found), name
        elif name.endswith(".json"):
            json.loads(data)
        elif name.partition("/")[0] in ("rtl", "hls", "sim", "driver") and data != wanted[name] and not name.endswith((".npz", ".bin")):
            old = wanted[name].decode().splitlines()
            assert len(lines) == len(old), name
            if name == "driver/dfc_design.c":  # names are strings there: what is left of a line without them is the same
                lines, old = ([STRING.sub("", x) for x in text] for text in (lines, old))
            changed = [x for x, y in zip(lines, old, strict=True) if HASH.sub("", x) != HASH.sub("", y)]
            dead = [x.lstrip().startswith(("//", "#")) and x.isascii() and not x.endswith(("\\", "??/")) for x in changed]
            assert all(dead), (name, changed)


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
@pytest.mark.parametrize("kind", PAYLOADS)
def test_hostile_names(kind: str, mode: str, tmp_path: Path) -> None:
    payload = PAYLOADS[kind].encode("utf-8", "replace").decode()  # what protobuf takes
    stem = PAYLOADS[kind].replace("/", "|").encode("utf-8", "replace")[:200].decode("utf-8", "ignore").rstrip(".")
    made = dfc.build(write_model(tmp_path / f"{stem}.onnx", payload), mode=mode)
    made.save(tmp_path / "hostile")
    plain = f"{sanitise(made.name)}_"  # has the same identifier
    dfc.build(write_model(tmp_path / f"{plain}.onnx", "n"), mode=mode).save(tmp_path / "plain")
    assert_dead(tmp_path / "hostile", tmp_path / "plain", mode)
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.testing.assert_array_equal(dfc.load(tmp_path / "hostile").run(x), dfc.load(tmp_path / "plain").run(x))


@pytest.mark.skipif(find_tool("verilator") is None, reason="Verilator is not installed")
def test_generated_files_still_parse(tmp_path: Path) -> None:
    """All payloads at once, in the files' own tools."""
    name = " ".join(PAYLOADS.values()).encode("utf-8", "replace").decode()
    out = tmp_path / "out"
    dfc.build(write_model(tmp_path / "a\\\n.onnx", name), mode="dataflow").save(out)
    lint(out / "rtl", "a_n")
    assert main(["verify", str(out), "--engine", "hls", "--quiet"]) == 0


def test_settings_survive_any_text(tmp_path: Path) -> None:
    for text in PAYLOADS.values():
        text = text.encode("utf-8", "replace").decode()
        made = Options().toml(board=text, folding=text)
        assert tomllib.loads(made)["board"] == tomllib.loads(made)["folding"] == text


@pytest.mark.parametrize("text", PAYLOADS.values())
def test_filters(text: str) -> None:
    assert one_line(text).isprintable()
    for found in (comment(text), word(text)):
        assert found.isascii() and found.isprintable() and len(found) <= 200 and not set(found) & set("\\*`$[]{}\"'#%!?")


def test_a_part_that_is_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'family = "xc7"\npart = "xc7; exec id"\nlut = 20000\nff = 90000\nbram36 = 12\ndsp = 90\nbandwidth = 1.0\nclock = 100\n'
    (tmp_path / "own.toml").write_text(text)
    model = write_model(tmp_path / "m.onnx", "n")
    assert main(["build", str(model), "-o", str(tmp_path / "o"), "--board", str(tmp_path / "own.toml")]) == 2
    assert "part = 'xc7; exec id'" in capsys.readouterr().err
