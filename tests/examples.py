"""How many examples a property test takes: few in `make test`, 2,000 under --full."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

FULL = 2000
# Where each example compiles C++ or a simulator, which takes seconds.
SIMULATED = 200


def examples(count: int, full: int = FULL, **options: Any) -> settings:
    """Settings of a property: `count` examples, `full` under --full (or --hypothesis-profile=nightly); other settings as they are."""
    is_full = settings.default is not None and settings.default.max_examples >= FULL
    return settings(max_examples=full if is_full else count, **options)


def simulated(count: int) -> settings:
    """`examples` of a property that compiles something for each."""
    return examples(count, SIMULATED)
