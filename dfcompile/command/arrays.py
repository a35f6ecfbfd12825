"""Frames in ``.npy`` files: what `dfcompile simulate` reads and writes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dfcompile.errors import CompileError, Problem
from dfcompile.mode.schema import SchemaError
from dfcompile.mode.serialize import read_array
from dfcompile.store.files import writing

Array = NDArray[Any]


def read_frames(path: Path) -> Array:
    """The array of a ``.npy`` file; CompileError when it is not one (shape and values are checked by the design)."""
    with path.open("rb") as file:
        start = file.read(6)
    if start[:2] == b"PK":
        raise _wrong(f"'{path.name}' holds several arrays", "it is an .npz archive")
    try:
        with path.open("rb") as file:
            return read_array(file, path.stat().st_size, path.name)
    except SchemaError as e:
        raise _wrong(f"'{path.name}' is not a NumPy array file", str(e)) from e


def name_frames(frames: Sequence[Array], names: Sequence[str]) -> dict[str, Array]:
    """Arrays by graph input, in the model's order; CompileError when their number differs."""
    if len(frames) != len(names):
        raise _wrong(f"the model has {len(names)} inputs, {len(frames)} files are given", f"its inputs are {', '.join(names)}")
    return dict(zip(names, frames, strict=True))


def write_frames(results: Array | Mapping[str, Array], files: Mapping[Path, BinaryIO]) -> None:
    """Write each output as float32 into an open file; CompileError when their number is not that of the outputs, or a file is full."""
    arrays = list(results.values()) if isinstance(results, Mapping) else [results]
    if len(arrays) != len(files):
        raise _wrong(f"the model has {len(arrays)} outputs, {len(files)} files are given", "give -o once for each output")
    for array, (path, file) in zip(arrays, files.items(), strict=True):
        data = io.BytesIO()  # numpy cannot save into a pipe
        np.save(data, np.asarray(array, np.float32))
        with writing(path):
            file.write(data.getbuffer())


def _wrong(what: str, why: str) -> CompileError:
    return CompileError(Problem("wrong-input", what, why=why, help="save the frames with numpy.save: float32, batch axis first"))
