"""docs/boards.md: its commands work as they stand, in order, and its board of one's own can be built for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dfcompile as dfc
from dfcompile.store.cache import cache_dir


def blocks(root: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (root / "docs" / "boards.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_open_board_of_the_docs_is_one(root: Path, tmp_path: Path) -> None:
    (text,) = blocks(root, "toml")
    (tmp_path / "my.toml").write_text(text)
    made = dfc.build(root / "examples" / "digits_mlp_w1a1.onnx", board=str(tmp_path / "my.toml"), interval=1024, verify=False)
    made.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "board" / "board.json").read_text())["package"] == "CABGA256"


@pytest.mark.full
def test_commands_of_the_tutorial(root: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("dfcompile", f"{sys.executable} -m dfcompile"), ("python", sys.executable)):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    shutil.copytree(root / "examples", tmp_path / "examples")
    script = "set -e\n" + "".join(blocks(root, "sh"))
    assert script.count("dfcompile ") == 7
    environment = {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(root),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(cache_dir().parent),
    }
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    made = json.loads((tmp_path / "cnn" / "report.json").read_text())["implementation"]
    assert made["fmax_mhz"] >= made["clock_mhz"] == 100
    assert (tmp_path / "cnn" / "board" / "digits_cnn_w2a2_board.bit").stat().st_size > 100_000
