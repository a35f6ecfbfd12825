"""What a user sets, in a file or an option: TOML that is read whole or refused, and numbers within their ranges."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfcompile.errors import Problem, SettingError

NUMBERS: Mapping[str, tuple[float, float]] = {
    "fps": (1e-9, 1e12), "interval": (1, 1e15), "clock": (1e-3, 1e5), "max_port_bits": (1, 1e6), "watts": (1e-3, 1e4),
}  # fmt: skip
"""Least and most of the options that are numbers."""
INTEGERS = ("interval", "max_port_bits")
"""Those that are whole."""


def wrong_number(name: str, value: Any) -> str:
    """What to give in place of the value of one of `NUMBERS`; "" where that is right or None."""
    least, most = NUMBERS[name]
    kinds = (int,) if name in INTEGERS else (int, float)
    if value is None or (isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most):
        return ""
    return f"give {'an integer' if name in INTEGERS else 'a number'} from {least:,g} to {most:,g}{' (MHz)' if name == 'clock' else ''}"


def shown(value: Any) -> str:
    """A value of any kind in a message."""
    return f"an integer of {value.bit_length()} bits" if isinstance(value, int) and value.bit_length() > 64 else repr(value)[:80]


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file; SettingError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise wrong_file("file", f"'{path}' cannot be read", "give the path of a TOML file", e.strerror or "") from e
    except RecursionError as e:
        raise wrong_file("syntax", f"'{path}' is nested too deeply", "a setting is a value or a list of text", str(path)) from e
    except ValueError as e:  # malformed, not UTF-8, or an integer of thousands of digits
        raise wrong_file("syntax", f"'{path}' is not TOML", "see toml.io for the syntax", f"{path}: {e}") from e


def wrong_file(code: str, what: str, help: str, where: str = "") -> SettingError:
    """That a configuration file is at fault."""
    return SettingError(Problem(f"config-{code}", what, where=where, help=help))
