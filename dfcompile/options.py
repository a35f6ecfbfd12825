"""Options of a build: read from the command line and from ``build.toml``, written back with every value in effect."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dfcompile.errors import CompileError, Problem

MODES = ("auto", "dataflow", "loopback")


NUMBERS: Mapping[str, tuple[float, float]] = {"fps": (1e-9, 1e12), "interval": (1, 1e15), "clock": (1e-3, 1e5)}
"""Least and most of the options that are numbers."""


class SettingError(CompileError):
    """An option, a configuration file or a board is at fault, not the model (exit status 2)."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    choices = sorted(known)
    near = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(choices)}"


@dataclass(frozen=True)
class Config:
    """Options of `dfcompile.build.build`; the fields are the keys of ``build.toml``.

    mode:       "auto", "dataflow" or "loopback"
    board:      name of a known board or path of a TOML file (see `dfcompile.device.boards`)
    fps:        asked frames per second; excludes `interval`
    interval:   asked cycles per frame; excludes `fps`
    clock:      MHz; None means the board's own
    folding:    path of a JSON file with the folding of each unit
    input_type: what raw input streams carry: ``TYPE[:scale[:offset]]`` for all, ``INPUT=TYPE[:scale[:offset]]`` for one
    from_, to:  tensors between which the part of the model lies that is compiled (in the file: ``from``)
    argmax:     append a hardware ArgMax to the outputs
    verify:     run the streamlined and the unit graph against the model during the build
    """

    mode: str = "auto"
    board: str | None = None
    fps: float | None = None
    interval: int | None = None
    clock: float | None = None
    folding: str | None = None
    input_type: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    argmax: bool = False
    verify: bool = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise _wrong("mode", f"mode '{self.mode}' is not known", did_you_mean(self.mode, MODES))
        if self.fps is not None and self.interval is not None:
            raise _wrong("conflict", "both fps and interval are given", "give one: fps = clock / interval")
        for name in NUMBERS:
            help_ = wrong_number(name, getattr(self, name))
            if help_:
                raise _wrong("value", f"{name} = {shown_number(getattr(self, name))} is out of range", help_)
        for text in self.input_type:
            parse_input_type(text)

    def merged(self, given: Mapping[str, Any]) -> Config:
        """This configuration with the values in `given` that are not None or empty in place of its own.

        A given `fps` takes the place of an `interval`, and the other way round.
        """
        new = {k: v for k, v in given.items() if v is not None and v != ()}
        for name, other in (("fps", "interval"), ("interval", "fps")):
            if name in new and other not in new:
                new[other] = None
        return replace(self, **new)

    def toml(self) -> str:
        """The text of a ``build.toml`` that sets every option; options without a value stand as comments."""
        return "".join(_line(key, getattr(self, name)) for key, name in _FIELDS.items())


_FIELDS = {f.name.rstrip("_"): f.name for f in fields(Config)}
"""Key of ``build.toml`` -> field: `from` is a word of Python's own."""


def wrong_number(name: str, value: Any) -> str:
    """What to give in place of the value of fps, interval or clock; "" where that is right or None."""
    least, most = NUMBERS[name]
    kinds = (int,) if name == "interval" else (int, float)
    if value is None or (isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most):
        return ""
    return f"give {'an integer' if name == 'interval' else 'a number'} from {least:,g} to {most:,g}{' (MHz)' if name == 'clock' else ''}"


def shown_number(value: Any) -> str:
    """A value of any kind in a message."""
    return f"an integer of {value.bit_length()} bits" if isinstance(value, int) and value.bit_length() > 64 else repr(value)[:80]


def _wrong(code: str, what: str, help: str, where: str = "") -> SettingError:
    return SettingError(Problem(f"config-{code}", what, where=where, help=help))


def _line(name: str, value: Any) -> str:
    if value is None:
        return f"# {name}: not set\n"
    if isinstance(value, bool):
        return f"{name} = {str(value).lower()}\n"
    if isinstance(value, str):
        return f"{name} = {_quoted(value)}\n"
    if isinstance(value, tuple):
        return f"{name} = [{', '.join(map(_quoted, value))}]\n"
    return f"{name} = {value}\n"


def _quoted(text: str) -> str:
    """A TOML basic string: what does not print, line ends among it, as escapes."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file; SettingError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise _wrong("file", f"'{path}' cannot be read", "give the path of a TOML file", e.strerror or "") from e
    except RecursionError as e:
        raise _wrong("syntax", f"'{path}' is nested too deeply", "a setting is a value or a list of text", str(path)) from e
    except ValueError as e:  # malformed, not UTF-8, or an integer of thousands of digits
        raise _wrong("syntax", f"'{path}' is not TOML", "see toml.io for the syntax", f"{path}: {e}") from e


def read_config(path: Path) -> dict[str, Any]:
    """Fields and values of a ``build.toml``, checked against those of `Config`.

    A relative `folding` or board file is taken from the folder of the configuration file.
    """
    found: dict[str, Any] = {}
    for key, value in read_toml(path).items():
        if key not in _FIELDS:
            raise _wrong("key", f"unknown key '{key}'", did_you_mean(key, _FIELDS), str(path))
        found[_FIELDS[key]] = _typed(key, value, path)
    for key in ("folding", "board"):
        if str(found.get(key, "")).endswith((".json", ".toml")):
            found[key] = str(path.parent / found[key])
    return found


_KINDS: dict[str, tuple[type, ...]] = {
    "mode": (str,), "board": (str,), "fps": (int, float), "interval": (int,), "clock": (int, float),
    "folding": (str,), "input_type": (str, list), "from": (str, list), "to": (str, list), "argmax": (bool,), "verify": (bool,),
}


def _typed(key: str, value: Any, path: Path) -> Any:
    kinds = _KINDS[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(k.__name__ for k in kinds)
        raise _wrong("type", f"key '{key}' is {value!r}", f"give a value of type {wanted}", str(path))
    if list not in kinds:
        return value
    items: list[Any] = [value] if not isinstance(value, list) else value
    if not all(isinstance(item, str) for item in items):
        raise _wrong("type", f"key '{key}' is {value!r}", "give a list of strings", str(path))
    return tuple(items)


def parse_input_type(text: str) -> tuple[str, Fraction, Fraction]:
    """Split ``[INPUT=]TYPE[:scale[:offset]]``: type name, scale and offset as exact fractions (1 and 0 when absent).

    Numbers may be decimal (``0.5``, ``1e-3``) or a ratio (``1/255``). SettingError when malformed.
    """
    from dfcompile.ir.types import IntType

    example = "examples: uint8:1/255, bipolar, int4:0.5, uint8:1/128:-1"
    name, *numbers = text.rpartition("=")[2].lower().split(":")
    try:
        IntType.parse(name)
        if len(numbers) > 2:
            raise ValueError("too many fields")
        scale, offset = ([_number(n) for n in numbers] + [Fraction(1), Fraction(0)][len(numbers):])
        if scale <= 0:
            raise ValueError("the scale must be above 0")
    except (ValueError, ZeroDivisionError) as e:
        raise SettingError(Problem("input-type", f"'{text}' is not an input type", why=str(e), help=example)) from e
    return name, scale, offset


def _number(text: str) -> Fraction:
    parts = [p.strip() for p in text.split("/")]
    for part in parts:
        if not abs(float(part)) < 1e30 or len(part) > 60:  # an exact 1e999999999 would fill the memory
            raise ValueError(f"'{text}' is out of range")
    over, *under = (Fraction(p) for p in parts)
    if len(under) > 1:
        raise ValueError(f"'{text}' is not a number")
    return over / under[0] if under else over
