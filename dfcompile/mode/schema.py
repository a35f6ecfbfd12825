"""Values of a stored design read back by their types: nothing is made that its annotation does not allow.

A stored value is JSON: ``{"class": name, "fields": {...}}`` for a dataclass, ``{"map": {...}}`` for a mapping, ``{"array": key}`` for an
array beside it, ``{"float": "inf"}`` for what JSON has no number for, lists for tuples. See `dfcompile.mode.serialize`.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from dfcompile.ir.graph import Array, Op
from dfcompile.text import one_line

LARGEST = 2**63
"""Integers are below it in size."""


class SchemaError(ValueError):
    """A stored value is not what its place asks for; the text begins with the place."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads values of a design.

    classes: dataclasses that may be made, by name; arrays: what ``{"array": key}`` may mean
    """

    classes: Mapping[str, type]
    arrays: Mapping[str, Array]

    def read(self, value: Any, kind: Any, where: str) -> Any:
        """The value of type `kind` that is stored at `where`. SchemaError when it is none."""
        origin, inner = get_origin(kind), get_args(kind)
        if kind is Any:
            return self._plain(value, where)
        if origin in (Union, types.UnionType):
            return self._one_of(value, inner, where)
        if origin is tuple:
            return self._tuple(value, inner, where)
        if origin is not None and issubclass(origin, Mapping):
            return {k: self.read(v, inner[1], f"{where}[{k!r}]") for k, v in _map(value, where).items()}
        if origin is np.ndarray:
            return self._array(value, where)
        if kind in (bool, int, float, str, type(None)):
            return _scalar(value, kind, where)
        return self._object(value, kind, where)

    def _one_of(self, value: Any, kinds: tuple[Any, ...], where: str) -> Any:
        if type(None) in kinds and value is None:
            return None
        (kind,) = (k for k in kinds if k is not type(None))
        return self.read(value, kind, where)

    def _tuple(self, value: Any, kinds: tuple[Any, ...], where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(kinds) != len(value):
            raise SchemaError(f"{where}: {len(value)} values where {len(kinds)} belong")
        return tuple(self.read(v, k, f"{where}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True)))

    def _array(self, value: Any, where: str) -> Array:
        key = value.get("array") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(key, str):
            raise _wrong(where, "an array", value)
        if key not in self.arrays:
            raise SchemaError(f"{where}: there is no array '{one_line(key)}'")
        found = self.arrays[key]
        if found.dtype.kind not in "iufb" or not np.isfinite(found).all():
            raise SchemaError(f"{where}: array '{key}' of {found.dtype} does not hold finite numbers")
        return found

    def _object(self, value: Any, kind: Any, where: str) -> Any:
        if not isinstance(value, dict) or set(value) != {"class", "fields"} or not isinstance(value["fields"], dict):
            raise _wrong(where, f"a {kind.__name__}", value)
        made = self.classes.get(value["class"]) if isinstance(value["class"], str) else None
        if made is None or not (made is kind or (kind is Op and hasattr(made, "kind"))):
            raise SchemaError(f"{where}: {_shown(value['class'])} is not a {kind.__name__}")
        hints, given = field_types(made), value["fields"]
        if set(given) != set(hints):
            odd = ", ".join(sorted(map(one_line, set(given) ^ set(hints))))
            raise SchemaError(f"{where}: {made.__name__} has not exactly its fields: {odd}")
        fields = {k: self.read(given[k], t, f"{where}.{k}") for k, t in hints.items()}
        try:
            if hasattr(made, "check_fields"):  # before anything is computed of them
                made.check_fields(fields)
            found = made(**fields)
            if hasattr(found, "check_constants"):
                found.check_constants()
            return found
        except (ValueError, ArithmeticError) as e:
            raise e if isinstance(e, SchemaError) else SchemaError(f"{where}: {e}") from e

    def _plain(self, value: Any, where: str) -> Any:
        """Options of a build: numbers, text, lists and tables of them."""
        if isinstance(value, list):
            return tuple(self._plain(v, where) for v in value)
        if isinstance(value, dict) and "float" in value:
            return _scalar(value, float, where)
        if isinstance(value, dict):
            return {k: self._plain(v, f"{where}[{k!r}]") for k, v in _map(value, where).items()}
        return value


@cache
def field_types(made: type) -> dict[str, Any]:
    """Field -> type of a dataclass."""
    hints = get_type_hints(made)
    return {f.name: hints[f.name] for f in dataclasses.fields(made)}


def _map(value: Any, where: str) -> dict[str, Any]:
    inner = value.get("map") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(inner, dict):
        raise _wrong(where, "a table", value)
    return inner


def _scalar(value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, dict) and value.get("float") in ("inf", "-inf", "nan") and len(value) == 1:
        return float(value["float"])
    wanted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, {int: "an integer", float: "a number", str: "text", bool: "true or false"}.get(kind, "null"), value)
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise SchemaError(f"{where}: an integer of {value.bit_length()} bits")
    if isinstance(value, str) and value != one_line(value):
        raise SchemaError(f"{where}: '{one_line(value)}' is not one printable line")
    return float(value) if kind is float and isinstance(value, int) else value


def _wrong(where: str, wanted: str, value: Any) -> SchemaError:
    return SchemaError(f"{where}: {_shown(value)} where {wanted} belongs")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST:
        return f"an integer of {value.bit_length()} bits"
    return one_line(repr(value))[:80]
