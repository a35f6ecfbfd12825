"""How a command ends when it is told to: what it has half written goes first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


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
