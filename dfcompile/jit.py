"""One typed door to numba: functions compiled at their first call, the machine code kept on disk.

numba's own cache ends a program where no folder can be written, where a disk is full, and where a file of it has been damaged, and may run
what is left of damaged code. This one takes what it cannot trust for missing, and compiles.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching as numba_caching
from numba.core.runtime.nrt import rtsys
from numba.extending import intrinsic

from dfcompile.store.files import note, reason
from dfcompile.store.waiting import say

F = TypeVar("F", bound=Callable[..., Any])
caching: Any = numba_caching  # it carries no types
WAIT = "first use of this version: compile machine code"  # which later runs find on disk
_HASH = hashlib.sha256().digest_size
_all: set[str] = set()
_ready: set[str] = set()
"""Functions there are, and those of them whose machine code this process has found or is about to make."""


class _Sealed(caching.IndexDataCacheFile):  # type: ignore[misc]
    """Files that end with the hash of what is before it; pickle does not read on behind its end."""

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return data + hashlib.sha256(data).digest()

    def _load_data(self, name: str) -> Any:
        data = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(data[:-_HASH]).digest() != data[-_HASH:]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, whose failures are no failures of the program."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp, base = self._impl.locator.get_source_stamp(), self._impl.filename_base
        self._cache_file = _Sealed(self._cache_path, base, stamp)
        self._name = _name(function)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        try:
            found = self._kept(sig, target_context)
        except Exception:  # whatever pickle makes of a damaged file
            with contextlib.suppress(OSError):
                self.flush()
        _ready.add(self._name)
        if found is None:
            say(f"{WAIT} {len(_ready & _all)}/{len(_all)}")
        return found

    def _kept(self, sig: Any, target_context: Any) -> Any:
        """What is on disk, None for nothing. Its registries of what can be compiled take numba .5 s; machine code needs none of them."""
        with contextlib.suppress(Exception):
            rtsys.initialize(target_context)
            return self._load_overload(sig, target_context)
        return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as e:
            _not_kept(reason(e))


def _not_kept(why: str) -> None:
    note(f"machine code cannot be kept ({why}): every run compiles the timing model again, which takes seconds")


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@intrinsic
def _popcount(context: Any, word: Any) -> Any:
    signature = numba.types.uint64(numba.types.uint64)
    return signature, lambda target, builder, made, values: builder.ctpop(values[0])


popcount = cast(Callable[[Any], int], _popcount)
"""Ones of a uint64, within compiled functions."""


def compiled(function: F, **options: Any) -> F:
    """The function compiled by numba without Python objects; options are those of `numba.njit`."""
    made = numba.njit(nogil=True, **options)(function)
    if options.get("inline") != "always":  # those have no code of their own
        _all.add(_name(function))
    try:
        made._cache = _Cache(function)
    except (RuntimeError, OSError):
        _not_kept("no folder for it can be written")
    return cast(F, made)
