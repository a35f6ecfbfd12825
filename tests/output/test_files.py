"""Single files and locks: written whole or not at all."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from dfcompile.errors import CompileError
from dfcompile.store.files import new_file, try_lock
from tests.output.disk import small_files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "y.npy"
    path.write_text("before")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ValueError), new_file(path) as file:
        file.write(b"half")
        raise ValueError
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 2
    with new_file(link) as file:
        file.write(b"after")
        assert path.read_text() == "before"
        with pytest.raises(CompileError, match="another process is writing"), new_file(path):
            pass
    assert path.read_text() == "after" and link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "y.npy", Path("/proc/y.npy"), tmp_path):
        with pytest.raises(CompileError, match=r"error\[cannot-write\]"), new_file(path):
            raise AssertionError("the work has started")
    said = r"error\[cannot-write\](.|\n)*help: free some space"
    for path in (Path("/dev/full"), tmp_path / "y.npy"):
        with pytest.raises(CompileError, match=said), small_files(100), new_file(path) as file:
            file.write(b"x" * 1000)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_ends_with_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_lock(path)
    assert first is not None and try_lock(path) is None
    path.unlink()
    second = try_lock(path)  # the name is free again, whoever still holds the old file
    assert second is not None and try_lock(path) is None
    os.close(first)
    os.close(second)
    third = try_lock(path)
    assert third is not None
    os.close(third)


def test_a_lock_on_a_file_that_is_removed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, lock, calls = tmp_path / "lock", fcntl.flock, []

    def late(file: int, how: int) -> None:
        if not calls:
            path.unlink()  # its last owner, between our opening and our locking it
        calls.append(file)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    file = try_lock(path)
    assert file is not None and len(calls) == 2 and os.path.samestat(os.fstat(file), path.stat())
    os.close(file)
