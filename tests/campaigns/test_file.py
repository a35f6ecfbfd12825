"""The file of a campaign: what it asks for, and everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dfcompile.campaigns.file import KEYS, read_campaign
from dfcompile.command import cli
from dfcompile.errors import SettingError


def put(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        (folder / name).write_bytes(b"")
    (folder / "c.toml").write_text(text, encoding="utf-8")
    return folder / "c.toml"


def test_everything_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None],
                                          capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    put(
        Path(),
        'models = ["a.onnx", "b.onnx"]\nboard = "ulx3s"\nboards = ["pynq-z3", 7]\nmodes = ["dataflw"]\nfps = [1000]\nintervals = [64]\n'
        'verify = ["rtll"]\nsynth = 1\nclock = "fast"\nout = ""\n',
        "a.onnx",
    )
    assert cli.main(["campaign", "c.toml"]) == 2
    golden("errors/campaign.txt", capsys.readouterr().err)


def test_cases_are_in_the_order_of_models_boards_modes_and_rates(tmp_path: Path) -> None:
    text = 'models = ["a.onnx", "b.onnx"]\nboards = ["pynq-z2", "ulx3s"]\nmodes = ["dataflow", "loopback"]\nfps = [10, 20]\nclock = 50\n'
    found = read_campaign(put(tmp_path, text + 'argmax = true\nverify = ["hls", "hls"]\n', "a.onnx", "b.onnx"))
    told = [(c.model.name, c.options.board, c.options.mode, c.options.fps) for c in found.cases]
    assert len(told) == 16 and told[:3] == [("a.onnx", "pynq-z2", "dataflow", f) for f in (10, 20)] + [
        ("a.onnx", "pynq-z2", "loopback", 10)
    ]
    assert all(c.options.clock == 50 and c.options.argmax for c in found.cases)
    assert (found.verify, found.synth, found.bitstream, found.out) == (("hls",), False, False, tmp_path / "c")


def test_equal_cases_are_one_and_foldings_are_rates(tmp_path: Path) -> None:
    found = read_campaign(
        put(tmp_path, 'models = ["a.onnx"]\nfoldings = ["f.json", "g.json", "f.json"]\nout = "o"\n', "a.onnx", "f.json", "g.json")
    )
    assert [Path(str(c.options.folding)).name for c in found.cases] == ["f.json", "g.json"] and found.out == tmp_path / "o"


@pytest.mark.parametrize("text", ["", "models = []\n", "models = [\n", 'models = ["x.onnx"]\nmodes = []\n'])
def test_nothing_to_do_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingError):
        read_campaign(put(tmp_path, text))


def test_every_key_is_documented(root: Path) -> None:
    text = (root / "docs" / "campaigns.md").read_text(encoding="utf-8")
    assert [k for k in KEYS if f"`{k}`" not in text] == []
