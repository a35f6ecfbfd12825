"""What a compiled test bench or simulator is made of is in its key: every file of the project, and the settings (tools: test_cache.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dfcompile.emit.hls import emit_hls
from dfcompile.emit.rtl import emit_rtl
from dfcompile.run import compile as compiling
from dfcompile.run import hls as run_hls
from tests.backend.designs import dense

Key = Callable[[], str]


def keys_of(build: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Key:
    """The key under which `build` would keep its result; nothing is compiled."""

    def key() -> str:
        asked: list[str] = []

        def cached(kind: str, key: str, *rest: Any) -> Path:
            asked.append(f"{kind}/{key}")
            return Path("nowhere")

        with monkeypatch.context() as patch:
            patch.setattr(compiling, "cached", cached)
            build()
        return asked[-1]

    return key


@pytest.fixture
def hls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Key]:
    emit_hls(dense(), tmp_path)
    return tmp_path, keys_of(lambda: run_hls.build_testbench(tmp_path, 2000), monkeypatch)


@pytest.fixture
def rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Key]:
    emit_rtl(dense(), tmp_path)
    return tmp_path, keys_of(lambda: compiling.build_harness(tmp_path, "top", "ports", 0), monkeypatch)


@pytest.mark.parametrize(("project", "suffixes"), [("hls", {".cpp", ".hpp", ".inc"}), ("rtl", {".sv", ".svh", ".f"})])
def test_every_file_that_is_compiled(project: str, suffixes: set[str], request: pytest.FixtureRequest) -> None:
    folder, key = request.getfixturevalue(project)
    before = key()
    assert before == key()
    files = sorted(p for p in folder.rglob("*") if p.suffix in suffixes)
    assert {p.suffix for p in files} == suffixes
    for path in files:
        good = path.read_bytes()
        path.write_bytes(good + b"\n")
        assert key() != before, f"{path.name} is not in the key"
        path.write_bytes(good)
    files[0].rename(files[0].with_stem("renamed"))
    assert key() != before


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emit_rtl(dense(), tmp_path)
    calls = [("top", "ports", 0), ("other", "ports", 0), ("top", "other", 0), ("top", "ports", compiling.FAST_CYCLES + 1)]
    found = {keys_of(lambda c=c: compiling.build_harness(tmp_path, *c), monkeypatch)() for c in calls}  # type: ignore[misc]
    assert len(found) == len(calls)
