"""A search by halves where some questions have no answer."""

from __future__ import annotations

from collections.abc import Callable


def first_true(decide: Callable[[int], bool | None], count: int) -> tuple[int, int]:
    """(least index that is not proven false, least index known to be true or `count`) of answers that are false below some index and
    true from it on; None is no answer.
    """
    proven, known = -1, count  # false up to the one; true from the other on
    silent: list[int] = []
    while True:
        if known - max(silent, default=proven) > 1:
            at = (max(silent, default=proven) + known) // 2
        elif silent and silent[0] - proven > 1:
            at = (proven + silent[0]) // 2
        else:
            return proven + 1, known
        answer = decide(at)
        if answer is None:
            silent = sorted([*silent, at])
        elif answer:
            known = at
        else:
            proven = at
        silent = [s for s in silent if proven < s < known]
