"""The Makefile of sim/ compiles again what an edit makes old, and nothing else: with stand-ins for the compiler and for Verilator."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfcompile.emit.engine import emit_rtl_engine
from dfcompile.emit.golden import golden, random_inputs
from dfcompile.emit.resource import render
from dfcompile.emit.rtl import emit_rtl
from dfcompile.emit.sim import emit_sim
from dfcompile.loopback.config import EngineConfig
from tests.backend.designs import two_ports
from tests.conftest import ROOT

# As a compiler leaves files, but for their contents: the object, and with -MMD the headers that it read.
COMPILER = """#!{python}
import pathlib, subprocess, sys
given = sys.argv[1:]
out = pathlib.Path(given[given.index("-o") + 1])
out.write_text("")
with open("log", "a") as log:
    log.write(out.name + "\\n")
if "-MMD" in given:
    flags = [a for a in given if a.startswith(("-I", "-D", "-std"))]
    subprocess.run(["g++", *flags, "-MM", "-MP", "-MT", str(out), "-MF", str(out.with_suffix(".d")), given[-1]], check=True)
"""
VERILATOR = """#!/bin/sh
while [ "$1" != --Mdir ]; do shift; done
echo Verilator >> "$2/../../log"
for name in Vdut Vdut__{more}; do echo '#include "Vdut.h"' > "$2/$name.cpp"; done
: > "$2/Vdut.h"
"""
MODEL = ["Verilator", "Vdut.o", "Vdut__a.o"]
RUNTIME = ["verilated.o", "verilated_threads.o"]


@pytest.fixture
def sim(tmp_path: Path) -> Path:
    """sim/ and rtl/ of a small design."""
    design = two_ports()
    frozen = golden(design, random_inputs(design, 1))
    emit_rtl(design, tmp_path / "rtl")
    emit_sim(design, tmp_path / "sim", frozen.inputs, frozen.outputs, tmp_path / "rtl")
    return tools(tmp_path / "sim")


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """As `sim`, of the loopback engine."""
    emit_rtl_engine(EngineConfig(), tmp_path / "rtl")
    sim = tmp_path / "sim"
    sim.mkdir()
    (sim / "harness.cpp").write_bytes((ROOT / "templates" / "loopback" / "harness.cpp").read_bytes())
    run = {"bus": 64, "address": 0, "size": 0, "limit": 0, "again": "expected.bin"}
    (sim / "Makefile").write_text(render("loopback/Makefile.j2", names={"top": "top"}, rtl="../rtl", **run))
    return tools(sim)


def tools(sim: Path) -> Path:
    for name, text in (("compiler", COMPILER.format(python=sys.executable)), ("verilator", VERILATOR.format(more="a"))):
        (sim / name).write_text(text)
        (sim / name).chmod(0o755)
    return sim


def made(sim: Path) -> list[str]:
    """What `make` of the C++ harness runs, in no order."""
    (sim / "log").write_text("")
    command = ["make", f"PYTHON={sys.executable}", f"CXX={sim}/compiler", f"VERILATOR={sim}/verilator", "build/fast/simulator"]
    done = subprocess.run(command, cwd=sim, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted((sim / "log").read_text().split())


def edit(path: Path) -> None:
    """Newer than what `settle` has set back, older than what `make` makes now."""
    at = time.time() - 5
    os.utime(path, (at, at))


def check(sim: Path, wanted: dict[str, list[str]]) -> None:
    """wanted: what an edit of each file makes old."""
    for name, objects in wanted.items():
        edit(sim / name)
        assert made(sim) == sorted([*objects, "simulator"]), name
        settle(sim)
        assert made(sim) == [], "nothing is old now"


def settle(sim: Path) -> None:
    """Set all times back: products newer than any source, and each newer than what it is made of."""
    ages = {".cpp": 0, ".h": 0, ".d": 0, ".o": 1, "": 2}
    now = time.time() - 10
    for path in sim.parent.rglob("*"):
        if path.is_file():
            at = now + ages[path.suffix] if path.parent.name == "fast" else 1
            os.utime(path, (at, at))


def test_a_harness_that_is_edited(sim: Path) -> None:
    assert made(sim) == sorted([*MODEL, *RUNTIME, "harness.o", "ports.o", "server.o", "simulator"])
    assert made(sim) == []
    settle(sim)
    check(sim, {
        "harness.cpp": ["harness.o"], "server.cpp": ["server.o"],
        "harness.hpp": ["harness.o", "ports.o", "server.o"], "ports.cpp": ["ports.o"],
        "../rtl/files.f": [*MODEL, "ports.o"], "Makefile": [*MODEL, "ports.o"],
    })  # fmt: skip


def test_a_harness_of_the_engine_that_is_edited(engine: Path) -> None:
    assert made(engine) == sorted([*MODEL, *RUNTIME, "harness.o", "simulator"])
    settle(engine)
    check(engine, {"harness.cpp": ["harness.o"], "../rtl/files.f": [*MODEL, "harness.o"]})


def test_nothing_of_an_earlier_design_is_linked(sim: Path) -> None:
    """Products of make stay in a build folder when it is built anew, as all files that are not the build's own do."""
    made(sim)
    settle(sim)
    (sim / "verilator").write_text(VERILATOR.format(more="b"))
    edit(sim.parent / "rtl" / "files.f")
    assert "Vdut__b.o" in made(sim)
    assert sorted(p.name for p in (sim / "build" / "fast").glob("Vdut*.o")) == ["Vdut.o", "Vdut__b.o"]
