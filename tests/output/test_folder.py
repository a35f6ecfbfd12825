"""Folders that dfcompile fills: nothing of the user's is lost, whatever lies in them and whenever a process dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dfcompile.errors import CompileError
from dfcompile.store import files, output
from dfcompile.store.files import PREFIX, claim, exchange, release
from dfcompile.store.marker import MARKER, collisions, read_marker
from tests.conftest import ROOT
from tests.examples import some
from tests.output.disk import ordinary, small_files
from tests.output.killed import ADDED, NEW, OLD, USERS, add, fill, found, litter, save, users_there, whole

SCENARIOS = ("first", "exchange", "aside", "inside", "no_links", "stuck", "add")
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # thousands of files, which a disk would write out one by one
Text = dict[str, str]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The place of a build folder; nothing is there yet."""
    return tmp_path / "around" / "out"


@pytest.fixture
def old(out: Path) -> Path:
    """A build with files of the user's in it."""
    save(out, OLD)
    fill(out, USERS)
    (out / "mine" / "empty").mkdir()
    (out / "mine" / "link").symlink_to("nowhere")
    return out


def refused(out: Path, code: str, *names: str, work: Callable[[], None] | None = None) -> str:
    """The message of a build into `out` that must be refused before it starts and change nothing."""
    before = state(out.parent)
    started = False

    def build() -> None:
        nonlocal started
        with output.new_folder(out) as folder:
            started = True
            fill(folder, NEW)

    with pytest.raises(CompileError) as caught:
        (work or build)()
    said = str(caught.value)
    assert not started and said.startswith(f"error[{code}]: ") and "\n  help: " in said, said
    assert [n for n in names if n not in said] == []
    assert state(out.parent) == before
    return said


def state(folder: Path) -> dict[str, str | None]:
    """Everything in a folder, with its text."""
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("scenario", some(SCENARIOS, always=["first", "exchange", "aside", "add"]))
def test_killed_before_every_step(scenario: str) -> None:
    with TemporaryDirectory(dir=MEMORY) as place:
        command = [sys.executable, "-m", "tests.output.killed", scenario, place]
        *wrong, steps = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert wrong == [] and int(steps) >= 30


def test_a_build_is_replaced_and_the_users_files_stay(old: Path) -> None:
    inode = (old / "thesis.tex").stat().st_ino
    save(old, NEW)
    assert whole(old, [NEW]) and users_there(old) and not litter(old)
    assert (old / "thesis.tex").stat().st_ino == inode, "the file itself is carried over, not a copy"
    assert not (old / "rtl" / "old.sv").exists() and (old / "gone" / "kept").exists()


def test_the_list_is_the_same_for_the_same_build(tmp_path: Path) -> None:
    texts = []
    for name, seconds in (("a", 1.5), ("b", 2.25)):
        report = json.dumps({"mode": "dataflow", "seconds": {"import": seconds, "fold": seconds}}, indent=1)
        save(tmp_path / name, {**NEW, "report.json": report})
        texts.append((tmp_path / name / MARKER).read_bytes())
    assert texts[0] == texts[1]
    (tmp_path / "a" / "report.json").write_text(report.replace("dataflow", "loopback"))
    assert "report.json" in refused(tmp_path / "a", "would-overwrite")


FOREIGN: dict[str, Text] = {
    "a_design": {"design.json": "{}", "thesis.tex": "mine"},
    "an_older_build": {"design.json": '{\n "schema": 1,\n "design": {}}', "report.json": "{}", "thesis.tex": "mine"},
    "no_list": {"notes.txt": "mine"},
    "a_broken_list": {MARKER: '{"schema": 1, "files"', "design.json": "{}", "thesis.tex": "mine"},
    "a_list_of_another_kind": {MARKER: '{"schema": 1, "files": [], "added": {}}', "thesis.tex": "mine"},
    "a_deep_list": {MARKER: "[" * 100_000, "thesis.tex": "mine"},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_folders(case: str, out: Path, golden: Callable[[str, str], None]) -> None:
    fill(out, FOREIGN[case])
    golden(f"output/{case}.txt", refused(out, "foreign-folder").replace(str(out), "out"))


def test_what_the_user_has_changed(old: Path, golden: Callable[[str, str], None]) -> None:
    (old / "rtl" / "same.sv").write_text("edited")
    (old / "design.json").unlink()
    (old / "design.json").symlink_to("thesis.tex")
    said = refused(old, "would-overwrite", "rtl/same.sv", "design.json")
    golden("output/would_overwrite.txt", said.replace(str(old), "out"))


def test_a_folder_of_ours_that_is_now_a_link(old: Path, tmp_path: Path) -> None:
    (old / "rtl").rename(tmp_path / "elsewhere")
    (old / "rtl").symlink_to(tmp_path / "elsewhere")
    refused(old, "would-overwrite", "rtl")


def test_a_file_of_the_users_in_the_way_of_an_unknown_one(old: Path) -> None:
    fill(old, {"came": "mine"})
    with pytest.raises(CompileError, match=r"would-overwrite.*\n.*came"):
        save(old, NEW)
    assert whole_with(old, OLD, {"came": "mine"}) and users_there(old) and not litter(old)


def whole_with(out: Path, tree: Text, more: Text) -> bool:
    held = found(out)
    return {n: t for n, t in held.items() if n != MARKER and n not in USERS} == {**tree, **more}


def test_edits_while_the_build_runs(old: Path) -> None:
    with pytest.raises(CompileError, match="would-overwrite"), output.new_folder(old) as folder:
        fill(folder, NEW)
        (old / "design.json").write_text("edited meanwhile")
    assert (old / "design.json").read_text() == "edited meanwhile" and users_there(old) and not litter(old)


def test_edits_while_the_folders_are_exchanged(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(a: Path, b: Path) -> bool:
        fill(old, {"design.json": "edited late", "late.txt": "mine", "thesis.tex": "mine"})
        return exchange(a, b)

    monkeypatch.setattr(output, "exchange", late)
    save(old, NEW)
    assert (old / "late.txt").read_text() == "mine" and (old / "design.json").read_text() == "new"
    assert (old / "design.json.kept1").read_text() == "edited late" and users_there(old)


@pytest.mark.parametrize("given", ["out/m.onnx", "out", "out/deep/ir", "link.onnx", "to_out/m.onnx"])
def test_a_folder_that_holds_an_input(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("out"), OLD)
    fill(Path("out"), {"m.onnx": "model"})
    Path("link.onnx").symlink_to("out/m.onnx")
    Path("to_out").symlink_to("out")
    refused(tmp_path / "out", "input-in-output", given, work=lambda: output.new_folder("to_out", inputs=["x", given]).__enter__() and None)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    refused(tmp_path / "out", "bad-output")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(CompileError, match=r"error\[cannot-write\]"), output.new_folder(place):
            raise AssertionError("the build has started")


def test_folders_that_are_read_only() -> None:
    with TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        old = Path(place) / "around" / "out"
        save(old, OLD)
        fill(old, USERS)
        with ordinary(Path(place)):
            for folder in (old, old / "rtl"):
                folder.chmod(0o555)
                refused(old, "cannot-write", "Permission denied")
                folder.chmod(0o755)
            (old / "mine" / "deep").chmod(0o555)
            old.parent.chmod(0o555)
            with output.new_folder(old) as folder:  # only what is around it cannot be written, and what is the user's
                fill(folder, NEW)
            (old / "mine" / "deep").chmod(0o755)
            save(old, NEW)
            old.parent.chmod(0o755)
        assert whole(old, [NEW]) and all(found(old).get(n) == t for n, t in USERS.items()) and not litter(old)
        with pytest.raises(CompileError, match=r"error\[cannot-write\](.|\n)*Permission denied"), ordinary(Path(place)):
            old.parent.chmod(0o555)
            save(old.parent / "other", NEW)


def test_a_link_stays_a_link(old: Path, tmp_path: Path) -> None:
    link, nowhere = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to(old)
    nowhere.symlink_to(tmp_path / "around" / "other")
    save(link, NEW)
    save(nowhere, NEW)
    assert link.is_symlink() and whole(old, [NEW]) and users_there(old) and whole(tmp_path / "around" / "other", [NEW])


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused(tmp_path / "a", "bad-output")


@pytest.mark.parametrize("inside", ["", "rtl"])
def test_the_folder_that_we_stand_in(inside: str, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old / inside)
    inode = old.stat().st_ino
    save(Path(os.path.relpath(old)), NEW)
    assert whole(old, [NEW]) and users_there(old) and not litter(old)
    assert old.stat().st_ino == inode and Path.cwd() == old / inside, "a shell that stands there would be lost"


def test_a_mount_point(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be made beside a mount point that could be exchanged with it."""
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == old)
    inode = old.stat().st_ino
    with output.new_folder(old) as folder:
        fill(folder, NEW)
        assert folder.is_relative_to(old) and [p.name for p in old.parent.iterdir()] == ["out"]
    assert whole(old, [NEW]) and users_there(old) and not litter(old) and old.stat().st_ino == inode


def test_a_long_name_and_a_strange_one(tmp_path: Path) -> None:
    for name in ("n" * 255, "a\nb \udcff"):
        save(tmp_path / name, OLD)
        save(tmp_path / name, NEW)
        assert whole(tmp_path / name, [NEW])


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), output.new_folder(tmp_path / "a" / "b" / "out") as folder:
        fill(folder, NEW)
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_of_two_builds_into_one_folder_one_wins(old: Path) -> None:
    with output.new_folder(old) as folder:
        fill(folder, NEW)
        before = found(old)
        for second in (lambda: save(old, OLD), lambda: add(old)):
            with pytest.raises(CompileError, match=r"error\[busy\].*another process is writing"):
                second()
        assert found(old) == before
    assert whole(old, [NEW]) and users_there(old) and not litter(old)


def test_leftovers_of_others_are_brought_in_order(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build into another folder beside it restores an interrupted exchange too."""
    work = old.parent / files.working_name("out")
    lock = claim(work)
    assert lock is not None
    os.write(lock, b"out")
    fill(work / "new", NEW)
    old.rename(work / "aside")
    release(work, lock)
    (old.parent / f"{PREFIX}empty").mkdir()
    (old.parent / f"{PREFIX}dead.part").write_text("half")
    save(old.parent / "other", NEW)
    assert whole(old, [OLD]) and users_there(old) and not litter(old)


def test_a_full_disk(old: Path) -> None:
    with pytest.raises(CompileError, match=r"error\[cannot-write\](.|\n)*help: free some space"), small_files(2000), files.writing(old):
        save(old, {**NEW, "large": "x" * 5000})
    with pytest.raises(CompileError, match=r"error\[cannot-write\](.|\n)*File too large"), small_files(10):
        save(old, {"tiny": "x"})  # the list itself does not fit
    assert whole(old, [OLD]) and users_there(old) and not litter(old)


# Files added to a build


def test_files_added_to_a_build(old: Path) -> None:
    add(old)
    marker = read_marker(old)
    assert marker and whole(old, [{**OLD, **ADDED}]) and users_there(old)
    assert list(marker.added) == ["board/x.bit"], "a file of the build stays one"
    fill(old, {"board/x.bit": "edited"})
    refused(old, "would-overwrite", "board/x.bit", work=lambda: add(old))
    save(old, NEW)  # which has no such file
    assert (old / "board" / "x.bit").read_text() == "edited" and whole_with(old, NEW, {"board/x.bit": "edited"})


def test_a_bitstream_of_the_users(old: Path) -> None:
    fill(old, {"design.bit": "mine"})
    save(old, NEW)
    assert (old / "design.bit").read_text() == "mine"


def test_files_added_to_a_folder_of_the_users(tmp_path: Path) -> None:
    for folder in (tmp_path / "new", tmp_path / "full"):
        fill(tmp_path / "full", {"thesis.tex": "mine"})
        add(folder)
        add(folder)
        assert {n: t for n, t in found(folder).items() if n in ADDED} == ADDED
    assert (tmp_path / "full" / "thesis.tex").read_text() == "mine"
    fill(tmp_path / "other", {"report.json": "mine"})
    refused(tmp_path / "other", "would-overwrite", "report.json", work=lambda: add(tmp_path / "other"))


def test_names_that_collide() -> None:
    users = ["a", "b/c", "b/d", "e", "f/g/h"]
    assert collisions(users, ["a"]) == ["a"] and collisions(users, ["b/x"]) == [] and collisions(users, ["b"]) == ["b/c", "b/d"]
    assert collisions(users, ["e/x/y"]) == ["e"] and collisions(users, ["f/g"]) == ["f/g/h"] and collisions(users, []) == []
