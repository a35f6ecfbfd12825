"""The cache of builds: it heals, it may be closed, it stays small, and its keys hold all that a build depends on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import pytest

from dfcompile import toolchain
from dfcompile.emit import resource
from dfcompile.emit.engine import emit_hls_engine, emit_rtl_engine
from dfcompile.emit.hls import emit_hls
from dfcompile.emit.rtl import emit_rtl
from dfcompile.loopback.config import EngineConfig
from dfcompile.run import compile
from dfcompile.run import hls as run_hls
from dfcompile.run import loopback as run_loopback
from dfcompile.store import cache
from dfcompile.store.cache import cached
from dfcompile.store.files import note
from dfcompile.store.marker import MARKER
from dfcompile.synthesis import unit as synthesis
from dfcompile.toolchain import ToolKind, require_tool, verilator_root
from tests.backend.designs import residual
from tests.conftest import ROOT
from tests.output.disk import ordinary

Build = Callable[[Path], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    return use(tmp_path / "cache", monkeypatch)


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "cache_dir", lambda: folder)
    new_process()
    return folder


def new_process() -> None:
    cache._checked.clear()
    cache._temporary.cache_clear()
    note.cache_clear()


class Counted:
    """A build that counts how often it runs."""

    def __init__(self, size: int = 1000) -> None:
        self.runs, self.size = 0, size

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"a" * self.size)
        (folder / "other").write_bytes(b"b")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_it_builds_once(place: Path) -> None:
    build = Counted()
    first = cached("kind", "key", build)
    assert cached("kind", "key", build) == first == place / "kind" / "key" and build.runs == 1
    new_process()
    assert cached("kind", "key", build) == first and build.runs == 1 and names(place / "kind") == ["key"]


def test_two_that_want_the_same_build_it_once(place: Path) -> None:
    """The second waits; where the first fails, it builds."""
    for fails, runs in ((False, 1), (True, 2)):
        build, begun = Counted(), threading.Event()

        def slow(folder: Path, build: Counted = build, begun: threading.Event = begun, fails: bool = fails) -> None:
            build(folder)
            if build.runs == 1:
                begun.set()
                time.sleep(0.3)
                if fails:
                    raise RuntimeError("no room")

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(cached, "kind", f"key{runs}", slow)
            begun.wait()
            second = pool.submit(cached, "kind", f"key{runs}", slow)
            assert (first.exception() is not None) == fails and second.result() == place / "kind" / f"key{runs}"
        assert build.runs == runs
    assert names(place / "kind") == ["key1", "key2"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda entry: os.truncate(entry / "deep" / "file", 10),
    "a_bit_flipped": lambda entry: flip(entry / "deep" / "file"),
    "a_file_missing": lambda entry: (entry / "other").unlink(),
    "a_folder_missing": lambda entry: shutil.rmtree(entry / "deep"),
    "no_list": lambda entry: (entry / MARKER).unlink(),
    "half_a_list": lambda entry: os.truncate(entry / MARKER, 20),
    "a_file_in_its_place": lambda entry: (shutil.rmtree(entry), entry.write_text("x")),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_build_is_made_again(how: str, place: Path) -> None:
    build = Counted()
    entry = cached("kind", "key", build)
    DAMAGE[how](entry)
    new_process()
    assert cached("kind", "key", build) == entry and build.runs == 2
    assert (entry / "deep" / "file").read_bytes() == b"a" * 1000 and (entry / "other").exists()
    new_process()
    assert cached("kind", "key", build) == entry and build.runs == 2 and names(place / "kind") == ["key"]


def test_a_build_deleted_while_we_run(place: Path) -> None:
    build = Counted()
    shutil.rmtree(cached("kind", "key", build))
    assert cached("kind", "key", build).is_dir() and build.runs == 2


def test_a_failed_build_leaves_nothing(place: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached("kind", "key", build)
    assert names(place / "kind") == []


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    use(tmp_path / "file" / "cache", monkeypatch)
    build = Counted()
    for kind in ("kind", "other"):
        for _ in range(2):
            assert (cached(kind, "key", build) / "other").read_bytes() == b"b"
    said = capsys.readouterr().err
    assert build.runs == 2 and said.count("note: the cache ") == 1 and "Not a directory" in said


def test_a_cache_that_is_read_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with TemporaryDirectory() as around:
        place, old, new = use(Path(around) / "cache", monkeypatch), Counted(), Counted()
        entry = cached("kind", "old", old)
        with ordinary(Path(around)):
            for folder in (entry, entry.parent, place):
                folder.chmod(0o555)
            new_process()
            assert cached("kind", "old", old) == entry and old.runs == 1
            assert capsys.readouterr().err == ""
            made = cached("kind", "new", new)
            assert cached("kind", "new", new) == made and new.runs == 1 and not made.is_relative_to(place)
            assert "Permission denied" in capsys.readouterr().err
            os.truncate(entry / "other", 0)
            new_process()
            assert cached("kind", "old", old) != entry and old.runs == 2, "a damaged build that cannot be healed"
            for folder in (place, entry.parent, entry):
                folder.chmod(0o755)


KILLED = """
import os, signal, sys
from pathlib import Path
from dfcompile.store import cache
cache.cache_dir = lambda: Path(sys.argv[1])
def build(folder):
    (folder / "half").write_text("")
    os.kill(os.getpid(), signal.SIGKILL)
cache.cached("kind", "dead", build)
"""


def test_what_a_killed_build_left_is_cleared(place: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(place)], cwd=ROOT, check=False)
    assert names(place / "kind") and all(n.startswith(cache.NEW) for n in names(place / "kind"))

    def build(folder: Path) -> None:
        cached("kind", "inner", Counted())  # clears the dead, not us, who are at work
        (folder / "file").write_text("")

    cached("kind", "outer", build)
    assert names(place / "kind") == ["inner", "outer"]


def test_one_limit_for_all_kinds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT_BYTES", 2000)
    for i, kind in enumerate(("a", "b", "c")):
        os.utime(cached(kind, "key", Counted(600)), (i, i))
    assert [k for k in "abc" if (place / k / "key").exists()] == ["b", "c"], "the oldest goes, whatever its kind"
    cached("d", "key", Counted(5000))
    assert [k for k in "abcd" if (place / k / "key").exists()] == ["d"], "what was asked for stays, however large"


# Keys


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Emitted projects, and copies of the headers that tools carry, in a folder that may be edited."""
    emit_hls(residual(), tmp_path / "hls")
    (tmp_path / "hls" / "memory").mkdir(exist_ok=True)
    (tmp_path / "hls" / "memory" / "weights.inc").write_text("0x1,")  # as larger designs have
    emit_rtl(residual(), tmp_path / "rtl")
    emit_rtl_engine(ENGINE, tmp_path / "engine_rtl")
    emit_hls_engine(ENGINE, tmp_path / "engine_hls")
    shutil.copytree(require_tool("ap_int").path, tmp_path / "ap")
    shutil.copytree(verilator_root() / "include", tmp_path / "verilator" / "include")
    for name, found in (("ap_int", "ap"), ("verilator", "verilator/bin/verilator_bin"), ("g++", "g++")):
        kind = ToolKind(lambda found=found: tmp_path / found, "" if name == "g++" else toolchain.TOOLS[name].package, "", "")  # type: ignore[misc]
        monkeypatch.setitem(toolchain.TOOLS, name, kind)
    compiler(tmp_path, "1.0")
    return tmp_path


ENGINE = EngineConfig()


def compiler(project: Path, version: str) -> None:
    (project / "g++").write_text(f"#!/bin/sh\necho g++ {version}\n")
    (project / "g++").chmod(0o755)


LONG: dict[str, Callable[[Path, int], object]] = {
    "hls": lambda p, cycles: run_hls.build_testbench(p / "hls", cycles),
    "rtl": lambda p, cycles: compile.build_harness(p / "rtl", "residual_1", "ports", cycles),
    "loopback_rtl": lambda p, cycles: run_loopback.build_rtl_engine(ENGINE, p / "engine_rtl", cycles),
    "loopback_hls": lambda p, cycles: run_loopback.build_hls_engine(ENGINE, p / "engine_hls", cycles),
}
BUILDS: dict[str, Callable[[Path], object]] = {
    **{name: lambda p, build=build: build(p, 2000) for name, build in LONG.items()},  # type: ignore[misc]
    "cocotb": lambda p: compile.build_cocotb(p / "sim", p / "rtl", "residual_1"),
    "ap_headers": lambda p: run_hls.ap_headers(p / "hls", "-O1"),
    "verilator_headers": lambda p: compile.precompiled("verilated", compile.VERILATED, ["-O1"], ["verilator"]),
    "runtime": lambda p: compile.verilated_runtime(),
}
EDITS: dict[str, tuple[str, ...]] = {
    "hls": ("hls/*.cpp", "hls/*.hpp", "hls/memory/*.inc", "ap/*.h", "ap/etc/*.h", "g++"),
    "rtl": ("rtl/*.sv", "rtl/*.svh", "rtl/files.f", "verilator/include/*.h", "verilator/include/vltstd/*", "g++"),
    "cocotb": ("rtl/*.sv", "rtl/*.svh", "rtl/files.f", "verilator/include/*.h", "g++"),
    "loopback_rtl": ("engine_rtl/*.sv", "engine_rtl/*.svh", "verilator/include/*.h", "g++"),
    "loopback_hls": ("engine_hls/*.cpp", "engine_hls/*.hpp", "ap/*.h", "g++"),
    "ap_headers": ("ap/*.h", "ap/etc/*.h", "g++"),
    "verilator_headers": ("verilator/include/*.h", "g++"),
    "runtime": ("verilator/include/*.h", "verilator/include/verilated.cpp", "g++"),
}


def key_of(project: Path, build: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch) -> str:
    """The key under which a build is looked for."""
    found: list[str] = []

    def look(kind: str, key: str, _: Build) -> Path:
        found.append(f"{kind}/{key}")
        return project

    for module in (compile, synthesis):
        monkeypatch.setattr(module, "cached", look)
    for memory in (compile.tool_key, compile._gxx, compile._verilator_flags):
        memory.cache_clear()
    build(project)
    return found[0]


@pytest.mark.parametrize("name", BUILDS)
def test_a_key_holds_all_that_the_build_reads(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = key_of(project, BUILDS[name], monkeypatch)
    assert key_of(project, BUILDS[name], monkeypatch) == first
    for pattern in EDITS[name]:
        files = sorted(project.glob(pattern))
        assert files, pattern
        for path in (files[0], files[-1]):
            before = path.read_bytes()
            path.write_bytes(before + b"\n# \n")
            if path.name == "g++":
                compiler(project, "2.0")
            assert key_of(project, BUILDS[name], monkeypatch) != first, path
            path.write_bytes(before)
    assert key_of(project, BUILDS[name], monkeypatch) == first


FLAGS: dict[str, list[tuple[object, str, object]]] = {
    "hls": [(run_hls, "HLS_STANDARD", "-std=c++20"), (run_hls, "WARNINGS", ("-Wall",))],
    "rtl": [(compile, "TRANSLATE", ["--cc"]), (compile, "STANDARD", "-std=c++20"), (compile, "MODEL", [])],
    "cocotb": [(compile, "TRANSLATE", ["--cc"]), (compile, "STANDARD", "-std=c++20")],
    "loopback_rtl": [(compile, "TRANSLATE", ["--cc"]), (run_loopback, "STANDARD", "-std=c++20"), (run_loopback, "MODEL", [])],
    "loopback_hls": [(run_hls, "HLS_STANDARD", "-std=c++20"), (run_hls, "WARNINGS", ("-Wall",))],
    "ap_headers": [(run_hls, "HLS_STANDARD", "-std=c++20")],
    "runtime": [(compile, "MODEL", [])],
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_key_holds_the_flags(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = key_of(project, BUILDS[name], monkeypatch)
    for module, flag, value in FLAGS[name]:
        with monkeypatch.context() as other:
            other.setattr(module, flag, value)
            assert key_of(project, BUILDS[name], monkeypatch) != first, flag


def test_a_key_holds_the_level_of_optimisation(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(cycles: int) -> str:
        return key_of(project, lambda p: run_hls.build_testbench(p / "hls", cycles), monkeypatch)

    assert len({key(cycles) for cycles in (100, 15_000, 30_000)}) == 3


CYCLES: dict[str, tuple[int, ...]] = {
    "hls": (0, run_hls.BRIEF_CYCLES + 1, run_hls.FAST_CYCLES + 1),
    "rtl": (0, compile.BRIEF_CYCLES, compile.FAST_CYCLES + 1),
    "loopback_hls": (0, run_loopback.BRIEF_CYCLES["hls"], compile.FAST_CYCLES),
    "loopback_rtl": (0, run_loopback.BRIEF_CYCLES["rtl"], compile.FAST_CYCLES),
}


@pytest.mark.parametrize("kind", CYCLES)
def test_a_simulator_compiled_for_long_runs_serves_brief_ones(kind: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one for brief runs no long one."""

    def key(cycles: int, there: str = "") -> str:
        monkeypatch.setattr(compile, "held", lambda kind, key: f"{kind}/{key}" == there)
        return key_of(project, lambda p: LONG[kind](p, cycles), monkeypatch)

    brief, long, longest = map(key, CYCLES[kind])
    assert len({brief, long, longest}) == 3
    assert [key(0, there) for there in (long, longest)] == [long, longest]
    assert [key(c, brief) for c in CYCLES[kind][1:]] == [long, longest]


def test_looking_makes_no_folder(place: Path) -> None:
    assert not cache.held("kind", "key") and not cache._temporary.cache_info().currsize and not place.exists()
    cached("kind", "key", Counted())
    assert cache.held("kind", "key") and not cache.held("kind", "other")


def test_the_key_of_a_synthesis_holds_the_command_that_reads(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: Path) -> None:
        with pytest.raises(FileNotFoundError):
            synthesis.Synthesis((("a.sv", "module a; endmodule"),), (), "a", "xc7").run()

    first = key_of(project, build, monkeypatch)
    monkeypatch.setattr(synthesis, "read_command", lambda *given, **more: "read_verilog")
    assert key_of(project, build, monkeypatch) != first


def test_templates_are_compiled_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = loaded().render(period="5.000")
    (entry,) = (place / "templates").iterdir()
    monkeypatch.setattr(jinja2.Environment, "compile", None)
    assert loaded().render(period="5.000") == expected
    with pytest.raises(TypeError, match="not callable"):
        loaded("vivado/sources.tcl.j2")
    monkeypatch.undo()
    use(place, monkeypatch)
    code = entry / "code"
    code.write_bytes(code.read_bytes()[:-9] + bytes(9))
    assert loaded().render(period="5.000") == expected
    new_process()
    assert b"\0" * 9 not in code.read_bytes()[-9:]


def loaded(template: str = "vivado/ooc.xdc.j2") -> jinja2.Template:
    """A template, as a process finds it that has none yet."""
    return resource.environment("", autoescape=False).get_template(template)


def test_templates_of_pages_are_others(place: Path) -> None:
    """A template that escapes what it is given is compiled apart from one that does not."""
    for escapes in (False, True):
        made = resource.environment("", autoescape=escapes).get_template("vivado/ooc.xdc.j2")
        assert ("&lt;" in made.render(period="<")) == escapes
