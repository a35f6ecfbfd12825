"""One typed door to numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile a function over flat arrays at its first call; the machine code is kept on disk."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


def inline(function: F) -> F:
    """As `jit`, but for a helper of an inner loop: put into its callers, since a call with many arrays is dear."""
    return cast(F, numba.njit(cache=True, nogil=True, inline="always")(function))
