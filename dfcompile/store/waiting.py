"""What takes long where nobody has been given a progress to report to: said to whoever shows one at the time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_shown: list[Callable[[str], None]] = []


@contextlib.contextmanager
def shown_by(report: Callable[[str], None]) -> Iterator[None]:
    """Let `report` show, within the block, what `say` says."""
    _shown.append(report)
    try:
        yield
    finally:
        _shown.remove(report)


def say(text: str) -> None:
    """Say what is being waited for, and why."""
    if _shown:
        _shown[-1](text)
