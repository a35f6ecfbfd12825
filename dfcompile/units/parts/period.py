"""Constants of channels that repeat."""

import math

import numpy as np

from dfcompile.units.base import Array


def period(rows: int, lanes: int, channels: int) -> int:
    """Channels after which rows of constants come again in the same lanes: whole rows and whole beats, or all channels.

    Channel c has row c % rows, and a beat has `lanes` channels.
    """
    whole = math.lcm(rows, lanes)
    return whole if rows < channels and channels % whole == 0 else channels


def check_rows(constants: Array, channels: int, what: str) -> None:
    """ValueError unless there is a row of constants for every channel, which may come again and again."""
    rows = len(constants) if np.ndim(constants) else 0
    if rows < 1 or channels % rows:
        raise ValueError(f"{what} for {rows} channels do not serve {channels}")
