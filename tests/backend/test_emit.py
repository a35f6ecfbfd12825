"""What is written: golden texts, lint, determinism."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dfcompile.dataflow.design import Design
from dfcompile.emit import hls as emitted_hls
from dfcompile.emit.golden import golden as golden_frames
from dfcompile.emit.golden import random_inputs
from dfcompile.emit.hls import Target, compiled_together, emit_hls
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import emit_sim, write_vectors
from dfcompile.run.compile import lint
from tests.backend.designs import dense, residual, two_ports
from tools.hls_lint import lint_folder

DESIGNS = [residual(short=20, windows=2), two_ports(), dense()]
IDS = [d.name for d in DESIGNS]
Golden = Callable[[str, str], None]


@pytest.mark.parametrize("file", ["residual_1_core.sv", "residual_1.sv", "files.f"])
def test_rtl_texts(file: str, tmp_path: Path, golden: Golden) -> None:
    emit_rtl(DESIGNS[0], tmp_path)
    golden(f"backend/rtl/{file}", (tmp_path / file).read_text())


def test_wrapper_of_several_ports(tmp_path: Path, golden: Golden) -> None:
    emit_rtl(two_ports(), tmp_path)
    golden("backend/rtl/two_ports.sv", (tmp_path / "two_ports.sv").read_text())


@pytest.mark.parametrize("file", ["residual_1.cpp", "residual_1.hpp", "parameters.hpp", "testbench.cpp", "run_hls.tcl", "hls_config.cfg"])
def test_hls_texts(file: str, tmp_path: Path, golden: Golden) -> None:
    emit_hls(DESIGNS[0], tmp_path, Target("xczu7ev-ffvc1156-2-e", 3.0))
    golden(f"backend/hls/{file}", (tmp_path / file).read_text())


def test_hls_memories(tmp_path: Path, golden: Golden) -> None:
    emit_hls(dense(), tmp_path)
    golden("backend/hls/fc.cpp", (tmp_path / "fc.cpp").read_text())


@pytest.mark.parametrize("design", DESIGNS, ids=IDS)
def test_emitted_rtl_lints_clean(design: Design, tmp_path: Path) -> None:
    emit_rtl(design, tmp_path)
    lint(tmp_path, Interface.of(design).names.top)


@pytest.mark.parametrize("design", DESIGNS, ids=IDS)
def test_emitted_hls_keeps_to_the_dialect(design: Design, tmp_path: Path) -> None:
    emit_hls(design, tmp_path)
    assert lint_folder(tmp_path) == []


def _write_all(design: Design, folder: Path) -> dict[str, bytes]:
    frozen = golden_frames(design, random_inputs(design, 3))
    emit_rtl(design, folder / "rtl")
    emit_hls(design, folder / "hls")
    emit_sim(design, folder / "sim", frozen.inputs, frozen.outputs, folder / "rtl")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_same_design_same_bytes_wherever(tmp_path: Path) -> None:
    first, second = _write_all(dense(), tmp_path / "a"), _write_all(dense(), tmp_path / "deeper" / "b")
    assert first == second
    assert not [name for name, text in first.items() if str(tmp_path).encode() in text]


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={sys.executable}", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


CLANG = f"CXX={sys.executable} -m ziglang c++"


CLANG_OBJECTS = ["dense.o", "fc.o", "unit/fc.o", "testbench.o", CLANG]
COMPILED = {
    "g++": (["lint"], ""),
    "g++ with Vitis' pragmas": (["lint"], "-D__VITIS_HLS__ -Wno-unknown-pragmas"),
    "g++ with Bambu's pragmas": (["lint"], "-D__BAMBU__ -Wno-unknown-pragmas"),
    "clang": (CLANG_OBJECTS, "-Wno-unused-command-line-argument"),
}


@pytest.mark.parametrize("form", [pytest.param(f, marks=[pytest.mark.further] if "pragmas" in f else []) for f in COMPILED])
def test_hls_project_compiles_without_warnings(form: str, tmp_path: Path) -> None:
    """`__SYNTHESIS__` itself is refused by the open ap_int headers: the strict ones are compiled with it."""
    emit_hls(dense(), tmp_path)
    arguments, flags = COMPILED[form]
    done = _make(tmp_path, *arguments, f"CXXFLAGS=-O0 -Werror -Wshadow -Wcast-qual {flags}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_part_that_vitis_does_not_know_gets_no_scripts(tmp_path: Path) -> None:
    emit_hls(dense(), tmp_path, Target("LFE5U-85F-6BG381C"))
    assert (tmp_path / "Makefile").exists() and not [p for name in ("*.tcl", "*.cfg") for p in tmp_path.glob(name)]


@pytest.mark.full
def test_hls_project_passes_with_clang(tmp_path: Path) -> None:
    """Linking takes clang a minute and more the first time: it compiles libc++."""
    design = dense()
    _with_vectors(design, tmp_path)
    done = _make(tmp_path, CLANG)
    assert done.stdout.endswith("3 frames, 0 beats differ\n"), done.stderr[-3000:]


def _with_vectors(design: Design, folder: Path) -> None:
    interface = Interface.of(design)
    frozen = golden_frames(design, random_inputs(design, 3))
    emit_hls(design, folder)
    write_vectors(folder / "vectors", (*interface.inputs, *interface.outputs), (*frozen.inputs, *frozen.outputs))


def test_a_project_without_the_types_says_what_is_missing(tmp_path: Path) -> None:
    emit_hls(dense(), tmp_path)
    done = _make(tmp_path, "PYTHON=no-such-python")
    assert done.returncode != 0 and "no ap_int.h in ''" in done.stderr and "pip install hls4ml" in done.stderr
    assert _make(tmp_path, "PYTHON=no-such-python", "clean").returncode == 0


def test_many_units_are_compiled_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{i}.cpp" for i in range(23)]
    groups = compiled_together(names)
    assert sorted(n for g in groups for n in g) == sorted(names) and max(map(len, groups)) == 8
    assert list(map(len, compiled_together(names[:7]))) == [4, 3] and compiled_together(names[:6]) == [names[:6]]
    monkeypatch.setattr(emitted_hls, "GROUP", 2)
    _with_vectors(dense(), tmp_path)
    done = _make(tmp_path, "CXXFLAGS=-O1")
    assert done.stdout.endswith("3 frames, 0 beats differ\n"), done.stderr[-3000:]
    assert len(list(tmp_path.glob("group_*.o"))) == 2


def test_hls_project_makes_and_passes_by_itself(tmp_path: Path) -> None:
    _with_vectors(dense(), tmp_path)
    done = _make(tmp_path, "CXXFLAGS=-O1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("3 frames, 0 beats differ\n")
    path = tmp_path / "vectors" / "m_axis.hex"
    lines = path.read_text().splitlines()
    lines[5] = "f" if lines[5] != "f" else "0"
    path.write_text("\n".join(lines) + "\n")
    done = _make(tmp_path, "CXXFLAGS=-O1")
    assert done.returncode != 0
    assert "vectors/m_axis.hex: frame 1, beat 1 differs" in done.stdout
