"""The documentation: generated pages are as they would be made, and the site builds without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.command_page import PAGE, render


def test_the_page_of_commands_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "write it again: python -m tools.command_page"


def test_the_site_builds_strictly(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs comes with the extra [test]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    pages = {p.name for p in (tmp_path / "site").glob("*.html")}
    assert {f"{p.stem}.html" for p in (root / "docs").glob("*.md")} <= pages
    api = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    assert "Everything that stops a model" in api and "Run random and extreme frames" in api
