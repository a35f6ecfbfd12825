"""Names of the user's in what we write: the model's and its file's may hold anything, so none goes unfiltered into a message or a file."""

from __future__ import annotations

import re

LONGEST = 200
"""Most characters of a name in a comment."""


def one_line(text: str) -> str:
    """The text with everything that does not print, line ends among it, as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def comment(text: str) -> str:
    """The text as it may stand in a line comment of any language: ASCII on one line, without what a language could read there."""
    plain = re.sub(r"[^A-Za-z0-9 _.,:;/+=()<>@-]", "_", " ".join(text.split()))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."


def word(text: str) -> str:
    """The text as one word of a script or a configuration file, e.g. the name of a device."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", text)[:LONGEST]
