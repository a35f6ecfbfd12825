"""How many examples a property test takes: few in `make test`, more where tools/mutate.py plants a fault, 2,000 under --full."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

FULL = 2000
# Where each example compiles C++ or a simulator, which takes seconds.
SIMULATED = 200


def examples(count: int, full: int = FULL, **options: Any) -> settings:
    """Settings of a property: `count` examples, `full` under --full (or --hypothesis-profile=nightly); other settings as they are."""
    is_full = settings.default is not None and settings.default.max_examples >= FULL
    return settings(max_examples=full if is_full else count, **options)


def simulated(count: int, full: int = SIMULATED) -> settings:
    """`examples` of a property that compiles something for each: `count` where a fault is planted, half of them in `make test`."""
    return examples(fewer(count), full)


def fewer(count: int) -> int:
    """`count` where a fault is planted, half of it in `make test`: of properties whose examples take long."""
    return count if settings.get_current_profile_name() == "planted" else (count + 1) // 2


T = TypeVar("T")


def drawn(strategy: SearchStrategy[T], count: int, full: int = SIMULATED) -> list[T]:
    """What `simulated` would draw, all at once: for what is cheaper together."""
    found: list[T] = []

    @simulated(count, full)
    @given(strategy)
    def keep(value: T) -> None:
        found.append(value)

    keep()
    return found


def some(cases: Iterable[Any], always: Collection[Any]) -> list[Any]:
    """Parameters of a test, each of one value; those that are not among `always` are marked further."""
    return [pytest.param(c, marks=[] if c in always else [pytest.mark.further]) for c in cases]
