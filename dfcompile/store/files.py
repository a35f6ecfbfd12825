"""Files and folders that appear whole or not at all, and leave nothing behind when a process is killed.

What is still being made lies beside its place under a name of `PREFIX`, locked by the process that makes it. The system drops the lock
when that process ends, however it ends, so the next run can tell the leftovers of dead processes and clear them (`sweep`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dfcompile.errors import CompileError, Problem

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: no locks, so two processes must not write the same thing there
    fcntl = None

PREFIX = ".dfcompile-"
LOCK = "lock"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors that say that nothing more can be written."""
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h
_HERE = -100  # AT_FDCWD


@functools.cache
def note(text: str) -> None:
    """Say something on stderr, once."""
    print(f"note: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """CompileError with the system's reason where the block cannot write `path`."""
    try:
        yield
    except OSError as e:
        raise CompileError(Problem("cannot-write", f"'{path}' cannot be written", why=reason(e), help=_way_out(e, Path(path)))) from e


def reason(error: OSError) -> str:
    """What the system says of an error, and of which of the user's files where it says so."""
    text = error.strerror or str(error) or type(error).__name__
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return f"{text}: {name}" if name and PREFIX not in name else text


def _way_out(error: OSError, path: Path) -> str:
    if error.errno in FULL:
        return "free some space, or choose a place on another disk"
    if not path.absolute().parent.is_dir():
        return f"make the folder '{path.parent}' first, or choose another place"
    return "choose another place"


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off the signals that ask the process to end until the block has ended."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)):
            if signal.getsignal(number) not in (None, signal.SIG_IGN):
                before[number] = signal.signal(number, lambda n, frame: came.append(n))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def try_lock(path: Path) -> int | None:
    """The descriptor of a file, made where it is missing, that is locked until it is closed; None while another holds the lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError:
            pass  # some network file systems have no locks: two processes must not write the same thing there
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)  # its last owner has removed it meanwhile


def claim(folder: Path) -> int | None:
    """Make a working folder and lock it, or take over that of a dead process; None while another process has it."""
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        with contextlib.suppress(FileNotFoundError):  # its last owner has removed it meanwhile
            return try_lock(folder / LOCK)


def release(folder: Path, lock: int) -> None:
    """Give up a working folder and remove it; what is still in it stays, for the next run to bring in order."""
    with contextlib.suppress(OSError):
        if os.listdir(folder) == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()
    os.close(lock)


def sweep(place: Path, recover: Callable[[Path], None] = lambda folder: None, pattern: str = f"{PREFIX}*") -> None:
    """Clear what dead processes left in the folder `place`; `recover` empties their working folders."""
    with contextlib.suppress(OSError):
        for path in sorted(place.glob(pattern)):
            with contextlib.suppress(OSError, CompileError):  # of another user, perhaps: then it is theirs to clear
                _clear(path, recover)


def _clear(path: Path, recover: Callable[[Path], None]) -> None:
    if not path.is_dir():
        lock = try_lock(path)
        if lock is not None:
            path.unlink(missing_ok=True)
            os.close(lock)
    elif (path / LOCK).exists():
        lock = try_lock(path / LOCK)
        if lock is not None:
            try:
                recover(path)
            finally:
                release(path, lock)
    else:
        path.rmdir()  # only where it is empty


def working_name(name: str) -> str:
    """Name of the working file or folder for what is to be called `name`; any length of that will do."""
    return f"{PREFIX}{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


@contextlib.contextmanager
def new_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends without an error.

    What is there and no regular file (a pipe, a device) is written directly. CompileError, before the block where that is known by then,
    when `path` cannot be written.
    """
    whole = os.path.isfile(path) or not os.path.exists(path)
    place = Path(os.path.realpath(path) if whole else path)
    work = place.with_name(f"{working_name(place.name)}.part")
    with writing(path):
        if whole:
            sweep(place.parent, pattern=f"{PREFIX}*.part")
        lock = try_lock(work) if whole else os.open(place, os.O_WRONLY)
    if lock is None:
        raise CompileError(Problem("busy", f"another process is writing '{path}'", help="wait until it has ended, or choose another file"))
    file = os.fdopen(os.dup(lock), "wb")  # closing it keeps the lock until the file is in its place
    try:
        if whole:
            file.truncate()
        yield file
        with writing(path):
            file.close()
            if whole:
                if place.exists():
                    shutil.copymode(place, work)
                work.replace(place)
    finally:
        with contextlib.suppress(OSError):
            file.close()
        if whole:
            work.unlink(missing_ok=True)
        os.close(lock)


@contextlib.contextmanager
def new_files(paths: Iterable[str | Path]) -> Iterator[list[BinaryIO]]:
    """As `new_file`, for several."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(new_file(p)) for p in paths]


def _renameat2() -> Any:
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: CDLL(None) on Windows
        return ctypes.CDLL(None, use_errno=True).renameat2
    return None


def exchange(a: Path, b: Path) -> bool:
    """Let two folders take each other's places in one step; False where the system or the file system cannot."""
    call = _renameat2()
    if call is None:
        return False
    if call(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(b))
