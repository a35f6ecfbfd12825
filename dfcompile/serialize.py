"""Designs to a JSON text and a file of arrays, and back."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import dfcompile.ir
import dfcompile.units
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array

SCHEMA = 1
_MODULES = ("dfcompile.streamline.value", "dfcompile.streamline.host", "dfcompile.dataflow.design")


@cache
def _classes() -> dict[str, type]:
    """Every dataclass that may be stored, by name."""
    names = [*_MODULES]
    for package in (dfcompile.ir, dfcompile.units):
        names += [f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)]
    found: dict[str, type] = {}
    for name in names:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == name:
                found[value.__name__] = value
    return found


class _Writer:
    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def encode(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            key = f"a{len(self.arrays)}"
            self.arrays[key] = value
            return {"array": key}
        if isinstance(value, np.generic):
            return self.encode(value.item())
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": str(value)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: self.encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return {"class": type(value).__name__, "fields": fields}
        if hasattr(value, "items"):
            return {"map": {k: self.encode(v) for k, v in value.items()}}
        if isinstance(value, tuple | list):
            return [self.encode(v) for v in value]
        return value


def _decode(value: Any, arrays: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(v, arrays) for v in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "float" in value:
        return float(value["float"])
    if "map" in value:
        return {k: _decode(v, arrays) for k, v in value["map"].items()}
    return _classes()[value["class"]](**{k: _decode(v, arrays) for k, v in value["fields"].items()})


def write(folder: Path, **parts: Any) -> None:
    """Store named objects as design.json and design.npz in a folder."""
    writer = _Writer()
    text = json.dumps({"schema": SCHEMA, **{k: writer.encode(v) for k, v in parts.items()}}, indent=1)
    (folder / "design.json").write_text(text + "\n")
    np.savez_compressed(folder / "design.npz", **writer.arrays)  # type: ignore[arg-type]


def read(folder: Path) -> dict[str, Any]:
    """The objects of a folder; CompileError when it is none of ours or of another version."""
    try:
        data = json.loads((folder / "design.json").read_text())
        with np.load(folder / "design.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        if data.pop("schema", None) != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}: build it again with this version")
        return {k: _decode(v, arrays) for k, v in data.items()}
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise CompileError(
            Problem(
                "bad-build",
                f"'{folder.name}' is not a build folder of this version",
                why=f"{type(e).__name__}: {e}",
                help="make one with: dfcompile build MODEL.onnx -o OUT",
            )
        ) from e
