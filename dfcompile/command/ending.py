"""A command's process: what it leaves uncollected, and how it ends when it is told to: what it has half written goes first."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
from collections.abc import Iterator


def collect_seldom() -> None:
    """A process of one command ends before cycles of objects fill its memory, and to look for them takes a second in fifteen."""
    gc.set_threshold(50_000, 20)


class Terminated(BaseException):
    """The system asks the process to end."""


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as an exception, so that nothing half-made is left behind."""
    names = [getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    if threading.current_thread() is not threading.main_thread():
        names = []
    before = {n: signal.signal(n, _terminate) for n in names if signal.getsignal(n) is signal.SIG_DFL}
    try:
        yield
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
