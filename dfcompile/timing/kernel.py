"""Functions of the timing model, compiled."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dfcompile.jit import compiled

F = TypeVar("F", bound=Callable[..., Any])


def _sources() -> str:
    """A sum over the files of the timing model."""
    total = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"


_SOURCES = _sources()


def _compiled(function: F, **options: Any) -> F:
    # The cache on disk goes by a function's name and file, but machine code also holds constants from other files.
    function.__qualname__ += f"_{_SOURCES}"
    return compiled(function, **options)


def jit(function: F) -> F:
    """Compile a function over flat arrays at its first call; the machine code is kept on disk."""
    return _compiled(function)


def inline(function: F) -> F:
    """As `jit`, but for a helper of an inner loop: put into its callers, since a call with many arrays is dear."""
    return _compiled(function, inline="always")


def bare(function: F) -> F:
    """As `jit`, of a function that makes no array: references to arrays are not counted, which took two fifths of an inner loop's time."""
    return _compiled(function, _nrt=False)
