"""What commands show while they run, and the files of frames they read and write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dfcompile.command.arrays import name_frames, read_frames, write_frames
from dfcompile.command.console import progress, show_table
from dfcompile.errors import CompileError
from dfcompile.store.files import new_files

Capture = pytest.CaptureFixture[str]


def test_each_step_is_one_line_where_there_is_no_terminal(capsys: Capture) -> None:
    with progress(quiet=False) as report:
        for text in ("import", "streamline: encode", "verify rtl 1/3", "verify rtl 2/3", "verify rtl 3/3", "write"):
            report(text)
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split("] ")[1] for line in said.err.splitlines()] == ["import", "streamline: encode", "verify rtl", "write"]


def test_a_bar_that_is_taken_up_again_is_no_new_line(capsys: Capture) -> None:
    with progress(quiet=False) as report:
        for text in ("fold", "machine code 1/9", "machine code 2/9", "fold", "check", "machine code 3/9", "machine code 4/9", "check"):
            report(text)
    said = [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()]
    assert said == ["fold", "machine code", "fold", "check"]


def test_quiet_is_quiet(capsys: Capture) -> None:
    with progress(quiet=True) as report:
        report("import")
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress(quiet=False) as report:
        report("fold [a]")
        report("verify rtl 2/3")
    assert capsys.readouterr().out == ""


def test_tables_fold_nothing_in_a_pipe(capsys: Capture) -> None:
    show_table("", ["name", "LUT"], [["x" * 150, 12345], ["[bold]", 1]])
    said = capsys.readouterr().out
    assert "x" * 150 + "  12,345" in said and "[bold]" in said


def test_frames_are_written_as_float32(tmp_path: Path) -> None:
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    with new_files(paths) as files:
        write_frames({"logits": np.eye(2), "label": np.array([[1], [0]])}, dict(zip(paths, files, strict=True)))
    assert [read_frames(p).dtype for p in paths] == [np.float32, np.float32]
    np.testing.assert_array_equal(read_frames(paths[1]), [[1], [0]])
    with pytest.raises(CompileError, match="the model has 1 outputs, 2 files are given"), new_files(paths) as files:
        write_frames(np.eye(2), dict(zip(paths, files, strict=True)))
    assert sorted(tmp_path.iterdir()) == paths


def test_frames_are_named_in_order() -> None:
    assert list(name_frames([np.eye(2), np.eye(3)], ("left", "right"))) == ["left", "right"]
    with pytest.raises(CompileError, match="its inputs are left, right"):
        name_frames([np.eye(2)], ("left", "right"))


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.eye(2))
    with pytest.raises(CompileError, match="holds several arrays"):
        read_frames(tmp_path / "x.npz")


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CompileError, match="is not a NumPy array file"):
        read_frames(tmp_path / "x.npy")
