"""The commands of the README work, in order, as written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dfcompile.store.cache import cache_dir


def blocks(root: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_commands_of_the_readme(root: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("dfcompile", f"{sys.executable} -m dfcompile"), ("python", sys.executable)):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    shutil.copytree(root / "examples", tmp_path / "examples")
    script = "set -e\n" + "".join(blocks(root))
    assert script.count("dfcompile ") >= 6
    environment = {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(root), "HOME": str(tmp_path)}
    environment["XDG_CACHE_HOME"] = str(cache_dir().parent)
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(root),
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(cache_dir().parent),
        },
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert (tmp_path / "y.npy").exists() and (tmp_path / "mlp" / "report.json").exists()


def test_every_named_file_exists(root: Path) -> None:
    texts = [(root / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    named = {m for text in texts for m in re.findall(r"`((?:dfcompile|tests|examples|benchmarks|docs|hls|rtl)/[\w./]*)`", text)}
    assert named
    assert [name for name in named if not (root / name).exists()] == []
