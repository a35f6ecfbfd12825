"""Designs to a JSON text and a file of arrays, and back."""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import math
import pkgutil
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

import dfcompile.ir
import dfcompile.units.parts
from dfcompile.dataflow.design import Design
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.mode.schema import Reader, SchemaError
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.value import Meaning
from dfcompile.text import one_line

SCHEMA = 2
DATAFLOW = {"design": Design, "host": HostSide, "options": dict[str, Any], "family": str, "meanings": tuple[Meaning, ...]}
LOOPBACK = {
    "graph": Graph,
    "host": HostSide,
    "config": dict[str, int],
    "batch": int,
    "options": dict[str, Any],
    "family": str,
    "meanings": tuple[Meaning, ...],
}
"""What is stored of a build of each mode, and its types; `dfcompile.mode.schema` reads nothing else."""
LARGEST_ARRAYS = 2**34
"""Bytes of all arrays of a design."""
_LEVEL = 1  # of compression: codes of few bits come out little larger than at the default, in a fraction of the time
_MODULES = ("dfcompile.streamline.value", "dfcompile.streamline.host", "dfcompile.dataflow.design")


@cache
def _classes() -> dict[str, type]:
    """Every dataclass that may be stored, by name."""
    names = [*_MODULES]
    for package in (dfcompile.ir, dfcompile.units, dfcompile.units.parts):
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


def write(folder: Path, **parts: Any) -> None:
    """Store named objects as design.json and design.npz in a folder."""
    writer = _Writer()
    text = json.dumps({"schema": SCHEMA, **{k: writer.encode(v) for k, v in parts.items()}}, indent=1)
    (folder / "design.json").write_text(text + "\n")
    with zipfile.ZipFile(folder / "design.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, array in writer.arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read(folder: Path) -> dict[str, Any]:
    """The objects of a folder; CompileError when it is none of ours, damaged, or of another version."""
    try:
        data = read_json(folder / "design.json")
        if data.pop("schema", None) != SCHEMA:
            raise SchemaError(f"its schema is not {SCHEMA}: build it again with this version")
        parts = LOOPBACK if data.pop("mode", "dataflow") == "loopback" else DATAFLOW
        if set(data) != set(parts):
            raise SchemaError(f"it has not exactly its parts: {', '.join(sorted(map(one_line, set(data) ^ set(parts))))}")
        reader = Reader(_classes(), read_arrays(folder / "design.npz"))
        return {k: reader.read(data[k], kind, k) for k, kind in parts.items()}
    except (OSError, SchemaError) as e:
        raise bad_build(folder, e) from e


def bad_build(folder: Path, error: Exception) -> CompileError:
    """That a folder is no build, or a damaged one."""
    why = f"{Path(error.filename or '').name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
    what = f"'{folder.resolve().name}' is not a build folder of this version, or it is damaged"
    return CompileError(Problem("bad-build", what, why=why, help="make one with: dfcompile build MODEL.onnx -o OUT"))


def part_of(folder: Path, name: str) -> Path:
    """The folder `name` of a build with the library's files in it. CompileError when it or one of them is missing."""
    place = folder / name
    needed = {"hls": ["dfc_common.hpp", "testbench.cpp"], "rtl": ["files.f"], "vivado": ["sources.tcl", "ooc.tcl", "package.tcl"]}[name]
    listed = [place / file for file in needed]
    if name == "rtl" and listed[0].is_file():
        listed += [place / line for line in listed[0].read_text(errors="replace").split() if not line.startswith("+")]
    missing = [f"{name}/{p.name}" for p in listed if not p.is_file()]
    if missing:
        raise bad_build(folder, SchemaError(f"{', '.join(missing[:8])}{', ...' if missing[8:] else ''}: missing"))
    return place


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. SchemaError when it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as e:
        raise SchemaError(f"{path.name}: it is nested too deeply") from e
    except ValueError as e:
        raise SchemaError(f"{path.name}: {e}") from e
    if not isinstance(found, dict):
        raise SchemaError(f"{path.name}: it is not a JSON object")
    return found


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file; never objects, and nothing larger than the file can hold. SchemaError when they cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {i.filename: i.file_size for i in archive.infolist()}
            if sum(sizes.values()) > LARGEST_ARRAYS:
                raise SchemaError(f"{path.name}: it unpacks to {sum(sizes.values()):,} bytes (limit {LARGEST_ARRAYS:,})")
            return {
                name.removesuffix(".npy"): read_array(io.BytesIO(archive.read(name)), size, f"{path.name}, {name}")
                for name, size in sizes.items()
            }
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as e:
        raise SchemaError(f"{path.name}: {e}") from e


def read_array(file: BinaryIO, size: int, name: str) -> Array:
    """The array in a .npy file of `size` bytes. SchemaError when there is none, or when its header claims more than follows it."""
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = header(file)
        wanted, left = math.prod(shape) * dtype.itemsize, size - file.tell()
        if dtype.hasobject or min(shape, default=0) < 0 or wanted != left:
            raise SchemaError(f"{name}: {one_line(str(dtype))} of shape {shape} takes {wanted:,} bytes, {left:,} follow its header")
        file.seek(0)
        found: Array = np.lib.format.read_array(file, allow_pickle=False)
        return found
    except SchemaError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, SyntaxError, RecursionError, MemoryError) as e:
        raise SchemaError(f"{name}: it is not a NumPy array of format 1 or 2: {one_line(str(e))[:200]}") from e
