"""Constants of channels that repeat."""

import math


def period(rows: int, lanes: int, channels: int) -> int:
    """Channels after which rows of constants come again in the same lanes: whole rows and whole beats, or all channels.

    Channel c has row c % rows, and a beat has `lanes` channels.
    """
    whole = math.lcm(rows, lanes)
    return whole if rows < channels and channels % whole == 0 else channels
