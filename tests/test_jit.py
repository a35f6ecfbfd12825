"""Compiled functions: the machine code that is kept heals, and need not be kept."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba.core.caching import UserWideCacheLocator

from dfcompile.jit import compiled
from dfcompile.store.files import note
from dfcompile.store.waiting import shown_by
from tests.output.disk import small_files

Function = Callable[[int], int]


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Function:
    """A function in a file of its own, beside which numba keeps its code."""
    monkeypatch.setitem(sys.modules, "twice", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # __pycache__ is numba's alone
    (tmp_path / "twice.py").write_text("def twice(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("twice", tmp_path / "twice.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "twice", module)
    spec.loader.exec_module(module)
    note.cache_clear()
    found: Function = module.twice
    return found


def loads(function: Function) -> bool:
    """Whether a new process would find the code; it must give the right number in any case."""
    made: Any = compiled(function)
    assert made(21) == 42
    return sum(made.stats.cache_hits.values()) == 1


def kept(folder: Path, end: str) -> Path:
    (found,) = (folder / "__pycache__").glob(f"*.{end}")
    return found


def test_code_is_kept(function: Function) -> None:
    said: list[str] = []
    with shown_by(said.append):
        assert [loads(function), loads(function)] == [False, True]
    assert len(said) == 1 and said[0].startswith("first use of this version: "), "a wait is told, and only where there is one"


def test_how_far_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of three functions, one that is in the others' code: of those that are made or found, each counts once."""
    monkeypatch.setattr("dfcompile.jit._all", set())
    monkeypatch.setattr("dfcompile.jit._ready", set())
    text = "from dfcompile.jit import compiled\n@compiled\ndef a(x):\n    return 2 * x\n"
    text += "def b(x):\n    return x\nb = compiled(b, inline='always')\n@compiled\ndef c(x):\n    return a(b(x))\n"
    (tmp_path / "three.py").write_text(text)
    spec = importlib.util.spec_from_file_location("three", tmp_path / "three.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "three", module)
    spec.loader.exec_module(module)
    said: list[str] = []
    with shown_by(said.append):
        assert (module.a(1), module.c(1), module.a(1.5)) == (2, 2, 3.0)
    assert [t.rsplit(" ", 1)[1] for t in said] == ["1/2", "2/2", "2/2"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty_index": lambda f: os.truncate(kept(f, "nbi"), 0),
    "half_an_index": lambda f: os.truncate(kept(f, "nbi"), 40),
    "no_index": lambda f: kept(f, "nbi").write_text("no index"),
    "empty_code": lambda f: os.truncate(kept(f, "nbc"), 0),
    "half_the_code": lambda f: os.truncate(kept(f, "nbc"), kept(f, "nbc").stat().st_size // 2),
    "no_code": lambda f: kept(f, "nbc").write_bytes(b"no code" * 100),
    "a_bit_of_the_code": lambda f: flip(kept(f, "nbc"), kept(f, "nbc").stat().st_size // 2),
    "code_deleted": lambda f: kept(f, "nbc").unlink(),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_code_is_made_again(how: str, function: Function, tmp_path: Path) -> None:
    assert not loads(function)
    DAMAGE[how](tmp_path)
    assert [loads(function), loads(function)] == [False, True]


def test_where_nothing_can_be_kept(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "__pycache__").write_text("in the way")
    monkeypatch.setattr(UserWideCacheLocator, "from_function", lambda *_: None)
    assert [loads(function), loads(function)] == [False, False]
    assert capsys.readouterr().err.count("note: machine code cannot be kept") == 1


def test_a_full_disk(function: Function, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_files(10):
        assert not loads(function)
    assert "note: machine code cannot be kept (File too large)" in capsys.readouterr().err
    assert [loads(function), loads(function)] == [False, True]
