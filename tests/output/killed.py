"""Kill a process that writes a folder before each of its steps in the file system, and see what is left.

    python -m tests.output.killed SCENARIO FOLDER

Every step that Python tells its audit hooks of is counted; SIGKILL comes before the n-th, for every n until the process gets through.
Prints what it found wrong, a line each, and last the number of steps.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from dfcompile.store import files, output
from dfcompile.store.marker import digest, read_marker

STEPS = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.chmod", "shutil.rmtree", "fcntl.flock",
    "ctypes.dlopen", "ctypes.dlsym",
}  # fmt: skip
OLD = {"design.json": "old", "report.json": "old", "rtl/same.sv": "same", "rtl/old.sv": "old", "gone/x": "old", "file": "old"}
NEW = {"design.json": "new", "report.json": "new", "rtl/same.sv": "same", "rtl/new.sv": "new", "came/y": "new", "file/folder": "new"}
USERS = {"thesis.tex": "mine", "rtl/notes.txt": "mine", "mine/deep/data": "mine", "gone/kept": "mine"}
ADDED = {"report.json": "added", "board/x.bit": "added"}


GOT_IT = 7


class Stop(Exception):
    """A build that fails."""


def fill(folder: Path, tree: dict[str, str]) -> None:
    for name, text in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()} if folder.exists() else {}


def save(out: Path, tree: dict[str, str], fail: bool = False) -> None:
    with output.new_folder(out) as folder:
        fill(folder, tree)
        if fail:
            raise Stop


def save_here(out: Path) -> None:
    os.chdir(out)
    save(Path("."), NEW)


def add(out: Path) -> None:
    with output.add_files(out, list(ADDED)) as folder:
        fill(folder, ADDED)


def set_up(scenario: str, out: Path) -> Callable[[], None]:
    """What is to be killed, in a folder that has been filled for it."""
    shutil.rmtree(out.parent, ignore_errors=True)
    out.parent.mkdir()
    if scenario != "first":
        save(out, OLD)
        fill(out, USERS)
        (out / "mine/empty").mkdir()
        (out / "mine/link").symlink_to("nowhere")
    if scenario == "add":
        return lambda: add(out)
    return lambda: save_here(out) if scenario == "inside" else save(out, NEW)


class Interrupted(BaseException):
    """What the handler of a signal raises."""


def interrupt(number: int, frame: object) -> None:
    raise Interrupted


def killed(work: Callable[[], None], step: int, by: signal.Signals = signal.SIGKILL) -> bool:
    """Whether the work, in a process of its own, got a signal before that step; False when it has fewer."""
    child = os.fork()
    if child == 0:
        count = 0
        if by != signal.SIGKILL:
            signal.signal(by, interrupt)

        def hook(event: str, _: object) -> None:
            nonlocal count
            if event in STEPS:
                count += 1
                if count == step:
                    os.kill(os.getpid(), by)

        sys.addaudithook(hook)
        with contextlib.suppress(Interrupted):
            work()
        os._exit(GOT_IT if by != signal.SIGKILL and count >= step else 0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, GOT_IT, -signal.SIGKILL):
        raise RuntimeError(f"step {step}: the work failed by itself")
    return code != 0


def whole(out: Path, trees: list[dict[str, str]]) -> bool:
    """Whether a folder is one of these builds, with its list, beside files of the user's."""
    held, marker = found(out), read_marker(out)
    ours = {n: t for n, t in held.items() if n not in USERS and n != output.MARKER}
    listed = {**marker.files, **marker.added} if marker else {}
    return ours in trees and listed == {n: digest(out / n) for n in ours}


def users_there(out: Path) -> bool:
    held = found(out)
    return all(held.get(n) == t for n, t in USERS.items()) and (out / "mine/link").is_symlink() and (out / "mine/empty").is_dir()


def litter(out: Path) -> list[str]:
    return [str(p) for p in out.parent.rglob("*") if p.name.startswith(files.PREFIX) or ".kept" in p.name]


def check(scenario: str, out: Path, when: str, done: dict[str, str]) -> list[str]:
    """What is wrong after a kill: at once, after the next run although it fails, and after one that does not."""
    wrong, before, first = [], [done] if scenario == "first" else [OLD, done], scenario == "first"
    if scenario in ("first", "exchange") and not (whole(out, before) or (first and not out.exists())):
        wrong.append(f"{when}: neither the old nor the new build: {found(out)}")
    if scenario not in ("first", "aside") and not users_there(out):
        wrong.append(f"{when}: the user's files are not all there: {found(out)}")
    for fail in (True, False):
        try:
            save(out, NEW, fail)
        except Stop:
            if not (whole(out, before) or (first and not out.exists())):
                wrong.append(f"{when}, next run: neither the old nor the new build: {found(out)}")
        if not first and not users_there(out):
            wrong.append(f"{when}, next run: the user's files are not all there: {found(out)}")
        if litter(out):
            wrong.append(f"{when}, next run: it leaves {litter(out)}")
    if not whole(out, [NEW]):
        wrong.append(f"{when}: the next build is not whole: {found(out)}")
    return wrong


def main(scenario: str, place: Path) -> list[str]:
    """Everything that is wrong after an interruption or a kill before any step, and after a second kill of the next run in between."""
    out = place / "around" / "out"
    done = {**OLD, **ADDED} if scenario == "add" else NEW
    if scenario == "aside":
        output.exchange = lambda a, b: False  # type: ignore[assignment]
    if scenario == "stuck":

        def stuck(*_: object) -> bool:
            raise OSError(errno.EXDEV, "the old folder cannot be moved")

        output.exchange = stuck
    if scenario == "no_links":

        def link(*_: object, **__: object) -> None:
            raise OSError(1, "no links here")

        os.link = link
    wrong, step = [], 1
    while killed(set_up(scenario, out), step, signal.SIGTERM):
        if litter(out) or not (whole(out, [OLD, done]) or not out.exists()) or not (scenario == "first" or users_there(out)):
            wrong.append(f"interrupted before step {step}: {litter(out)}, {found(out)}")
        step += 1
    step = 1
    while killed(set_up(scenario, out), step):
        wrong += check(scenario, out, f"killed before step {step}", done)
        if step % 3 == 0:
            killed(set_up(scenario, out), step)
            again = 1 + 7 * step % 23
            if killed(lambda: save(out, NEW), again):
                wrong += check(scenario, out, f"killed before step {step}, and the next run before step {again}", done)
        step += 1
    return [*wrong, str(step - 1)]


if __name__ == "__main__":
    print("\n".join(main(sys.argv[1], Path(sys.argv[2]))))
