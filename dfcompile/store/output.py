"""Folders that dfcompile fills, and how nothing of the user's in them is ever lost.

A filled folder holds `MARKER`, the names and hashes of the files that dfcompile wrote. Only files that are listed there and unchanged are
ever removed or replaced. What else lies in the folder is the user's: it is carried over, or the work is refused before it starts.

A new build is made in a working folder beside its place, ``work``, whose parts say how far it came when the process died:

    new     being made: to be thrown away
    swap    complete, about to take the place of the old, or the old that it took the place of
    aside   the old, where the system cannot exchange folders: to be put back while its place is empty
    commit  complete, its files are being moved into the folder one by one: to be finished
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from dfcompile.errors import CompileError, Problem
from dfcompile.store.files import LOCK, PREFIX, claim, exchange, release, sweep, uninterrupted, working_name, writing
from dfcompile.store.marker import MARKER, Marker, collisions, digest, entries, parents, read_marker

BUILD_FILES = ("design.json", "design.npz", "report.json", "report.html")
"""Files of every build, whatever the network."""
_SHOWN = 8


def _error(code: str, what: str, names: Iterable[str] = (), why: str = "", help: str = "") -> CompileError:
    shown = sorted(names)
    where = ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else "")
    return CompileError(Problem(code, what, where=where, why=why, help=help))


# Moving files


def _dissolve(old: Path, place: Path) -> None:
    """Remove folder `old`; what may be the user's and is not in `place` is moved there, under another name where its own is taken."""
    if not old.exists():
        return
    marker = read_marker(old) or Marker()
    for name in sorted(entries(old), key=lambda n: n == MARKER):
        path, same = old / name, place / name
        if path.is_dir() and not path.is_symlink():
            continue  # empty: an own folder of the user's has been carried over
        if marker.lists(old, name) or (os.path.lexists(same) and os.path.samestat(path.lstat(), same.lstat())):
            path.unlink()
        else:
            path.rename(_free(same))
    _remove_empty(old)


def _free(path: Path) -> Path:
    """A path like this one at which there is nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, found = 1, path
    while os.path.lexists(found):
        number, found = number + 1, path.with_name(f"{path.name}.kept{number}")
    return found


def _remove_empty(folder: Path) -> None:
    """Remove a folder and all in it, as long as they are empty."""
    for root, _, _ in os.walk(folder, topdown=False):
        Path(root).rmdir()


def _install(commit: Path, place: Path) -> None:
    """Move the files of a complete folder into `place`, remove those of ours there that it does not have, the list last.

    Whatever part of this has been done already, doing it again does the rest.
    """
    new, old = read_marker(commit), read_marker(place) or Marker()
    if new is None:
        return
    kept = {**new.files, **new.added}
    for name in entries(place):
        if name not in kept and name != MARKER and old.lists(place, name):
            (place / name).unlink()
            _prune(place / p for p in reversed(parents(name)))
    for name in sorted(entries(commit), key=lambda n: n == MARKER):
        target = place / name
        if (commit / name).is_dir():
            continue  # emptied before
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target) and not old.lists(place, name):
            target.rename(_free(target))
        os.replace(commit / name, target)


def _carry(old: Path, new: Path, names: Iterable[str]) -> bool:
    """Give the user's files in `old` a second name in `new`; False, and `new` as it was, where the file system cannot."""
    done: list[str] = []
    try:
        shutil.copystat(old, new)
        for name in names:
            for parent in parents(name):
                if not (new / parent).exists():
                    (new / parent).mkdir()
                    done.append(parent)
                    shutil.copystat(old / parent, new / parent)
            if (old / name).is_dir() and not (old / name).is_symlink():
                (new / name).mkdir()
            else:
                os.link(old / name, new / name, follow_symlinks=False)
            done.append(name)
    except (OSError, NotImplementedError):
        _put_down(new, done)
        return False
    return True


def _put_down(new: Path, names: Iterable[str]) -> None:
    """Take files of the user's out of `new`, and the folders that are empty then."""
    for name in sorted(names, reverse=True):
        if (new / name).is_symlink() or not (new / name).is_dir():
            (new / name).unlink()
    _prune(new / p for p in sorted({*names, *(p for n in names for p in parents(n))}, reverse=True))


def _swap(work: Path, place: Path) -> bool:
    """Let the folder ``swap`` take the place of `place`; ``swap`` or ``aside`` holds the old afterwards.

    False, and all as it was, where the system does not move the old one, e.g. one of an image of a container.
    """
    swap, aside = work / "swap", work / "aside"
    if not place.exists():
        swap.rename(place)
        return True
    try:
        if not exchange(swap, place):
            place.rename(aside)
            swap.rename(place)
    except OSError as e:
        if aside.exists() and not place.exists():
            aside.rename(place)
        if e.errno not in (errno.EXDEV, errno.EBUSY, errno.EPERM, errno.EACCES):
            raise
        return False
    return True


def _recover(work: Path) -> None:
    """Bring the place that a working folder belongs to into one state, old or new, and empty the working folder."""
    name = (work / LOCK).read_bytes()
    if not name:
        return  # it died before it made anything
    place = work.parent / os.fsdecode(name)
    for part in ("new", "probe"):
        shutil.rmtree(work / part, ignore_errors=True)
    if (work / "aside").exists() and not place.exists():
        (work / "aside").rename(place)
    if (work / "commit").exists():
        _install(work / "commit", place)
        shutil.rmtree(work / "commit")
    for part in ("swap", "aside"):
        _dissolve(work / part, place)


# What the rest of the compiler calls


def refuse_inputs(target: str | Path, inputs: Iterable[str | Path]) -> None:
    """CompileError when folder `target` is, or holds, a file or folder that the work reads."""
    place = Path(os.path.realpath(target))
    wrong = []
    for given in inputs:
        path = Path(given)
        real = {Path(os.path.realpath(path)), Path(os.path.realpath(path.parent)) / path.name}
        wrong += [str(given)] if any(place == p or place in p.parents for p in real) else []
    if wrong:
        why = "the folder is replaced by the new build, and what it is built from would go with it"
        raise _error("input-in-output", f"'{target}' holds an input of this build", wrong, why, "choose an output folder that holds none")


@contextlib.contextmanager
def new_folder(target: str | Path, names: Collection[str] = (), inputs: Iterable[str | Path] = (), always: bool = False) -> Iterator[Path]:
    """An empty folder that becomes `target` when the block ends without an error; an older build there is replaced as a whole.

    names:  files that it will hold, as far as they are known before
    inputs: files and folders that the block reads
    always: also when the block ends with an error that is no interruption
    What the user has put into an older build, or changed there, is carried over. CompileError, before the block, where `target` is no
    folder of ours, is being written by another process, holds an input, cannot be written, or holds files of the user's of `names` or of
    the names of the older build; behind the block when a file of the user's is in the way of one that was not known.
    """
    refuse_inputs(target, inputs)
    place = Path(os.path.realpath(target))
    if os.path.lexists(place) and not place.is_dir():
        raise _error("bad-output", f"'{target}' is no folder", help="choose another name for the output folder")
    with _working(place, target) as work:
        _users(place, target, names)
        new = work / "new"
        with writing(target):
            new.mkdir()
        try:
            yield new
        except Exception:
            if always:
                _put(work, place, target)
            raise
        _put(work, place, target)


@contextlib.contextmanager
def add_files(target: str | Path, names: Collection[str]) -> Iterator[Path]:
    """An empty folder whose files, of these names, are put into `target` and listed there when the block ends without an error.

    `target` is a build or any other folder; it is made where it is missing. CompileError, before the block, where it cannot be written or
    holds files of the user's of these names.
    """
    place = Path(os.path.realpath(target))
    with _working(place, target) as work:
        _users(place, target, names, adding=True)
        new = work / "new"
        with writing(target):
            new.mkdir()
        yield new
        _put(work, place, target, adding=True)


def _users(place: Path, target: str | Path, names: Collection[str], adding: bool = False) -> list[str]:
    """The user's files in the folder; CompileError where files of `names`, or of the older build there, cannot stand beside them.

    adding: the older build stays, and the folder need not be of ours
    """
    if not place.exists():
        return []
    with writing(target):
        found, marker = entries(place), read_marker(place)
        if marker is None and found and not adding:
            raise _foreign(place, target)
        old = marker or Marker()
        users = [n for n in found if not old.lists(place, n)]
        for name in () if adding else set(found) - set(users):
            if not os.access((place / name).parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place / name))
    wrong = collisions(users, names if adding else {*names, *old.files})
    if wrong:
        why = "they are not, or no longer, as dfcompile wrote them, and it replaces no files but its own"
        raise _error(
            "would-overwrite",
            f"'{target}' holds files of yours where new ones are to be written",
            wrong,
            why,
            "move or rename them, or choose another output folder",
        )
    return users


def _foreign(place: Path, target: str | Path) -> CompileError:
    with contextlib.suppress(OSError), (place / "design.json").open("rb") as file:
        if re.match(rb'\{\s*"schema"', file.read(100)):
            why = f"it has no list {MARKER} of its files, so which of them are yours cannot be told"
            help = "move what is yours out of it and delete the rest, or choose another output folder"
            return _error("foreign-folder", f"'{target}' is a build of an older version", why=why, help=help)
    what, why = f"'{target}' is not empty and not a folder of dfcompile's", f"it has no list {MARKER} that can be read"
    return _error("foreign-folder", what, why=why, help="choose another output folder: an empty or a new one")


def _put(work: Path, place: Path, target: str | Path, adding: bool = False) -> None:
    """Make ``new`` ready to replace `place`, or to be added to it, and let it where that is one step; `_recover` does the rest."""
    new = work / "new"
    with uninterrupted(), writing(target):
        found = {n: digest(new / n) for n in entries(new) if (new / n).is_file()}
        users = _users(place, target, found, adding)
        ((read_marker(place) or Marker()).joined(found) if adding else Marker(found)).write(new)
        if place.exists() and (adding or work.parent == place or not _movable(place) or not _carry(place, new, users)):
            new.rename(work / "commit")
        else:
            new.rename(work / "swap")
            if not _swap(work, place):
                _put_down(work / "swap", users)
                (work / "swap").rename(work / "commit")


def _movable(place: Path) -> bool:
    """Whether nobody would miss the folder itself: it is not where we stand, and all that is in it can be taken out."""
    with contextlib.suppress(OSError):  # where we stand may have been deleted
        here = Path(os.getcwd()).resolve()
        if here == place or place in here.parents:
            return False
    return all(os.access(folder, os.W_OK | os.X_OK) for folder, _, _ in os.walk(place))


@contextlib.contextmanager
def _working(place: Path, target: str | Path) -> Iterator[Path]:
    """The locked working folder of `place`, after what dead processes left has been brought in order."""
    missing = [p for p in place.parents if not p.exists()]
    with contextlib.ExitStack() as stack:
        with uninterrupted(), writing(target):
            place.parent.mkdir(parents=True, exist_ok=True)
            stack.callback(_prune, missing)
            work, lock = _claim(place, target)
            stack.callback(_finish, work, lock, target)
            sweep(place.parent, _recover)
            if place.is_dir():
                sweep(place, _recover)
        yield work


def _finish(work: Path, lock: int, target: str | Path) -> None:
    with uninterrupted():
        try:
            with writing(target):
                _recover(work)
        finally:
            release(work, lock)


def _prune(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()


def _claim(place: Path, target: str | Path) -> tuple[Path, int]:
    """Claim a working folder beside `place`, or in it where it is a mount point or what is around it cannot be written."""
    for folder, name in ((place.parent, place.name), (place, ".")):
        last = name == "." or not place.is_dir()
        if not last and os.path.ismount(place):
            continue
        work = folder / working_name(name)
        try:
            lock = claim(work)
        except OSError:
            if last:
                raise
            continue
        if lock is None:
            raise _error("busy", f"another process is writing '{target}'", help="wait until it has ended, or choose another folder")
        try:
            if not (work / LOCK).stat().st_size:
                os.write(lock, os.fsencode(name))
            _recover(work)
            if last or _same_mount(work, place):
                return work, lock
        except BaseException:
            release(work, lock)
            raise
        release(work, lock)
    raise AssertionError


def _same_mount(work: Path, place: Path) -> bool:
    """Whether folders can be moved from `work` to `place`; OSError where `place` cannot be written."""
    probe, there = work / "probe", place / f"{PREFIX}probe"
    probe.mkdir()
    try:
        probe.rename(there)
    except OSError as e:
        probe.rmdir()
        if e.errno != errno.EXDEV:
            raise
        return False
    there.rmdir()
    return True
