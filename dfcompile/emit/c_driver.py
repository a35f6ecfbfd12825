"""The C99 part of the driver/ folder: tables of a design's ports for dfc_driver.c."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.emit.resource import render, resource_dir
from dfcompile.ir.graph import Array

FILES = ("dfc_driver.h", "dfc_driver.c")
ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
"""As dfc_driver.h numbers them."""


class _Tables:
    """Constant arrays of the C file, each once."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, bytes], dict[str, Any]] = {}

    def add(self, kind: str, values: Array) -> str:
        key = kind, values.tobytes()
        if key not in self.found:
            texts = [_real(v) if kind == "double" else str(int(v)) for v in values.ravel()]
            self.found[key] = {"name": f"table_{len(self.found)}", "type": kind, "values": texts}
        return str(self.found[key]["name"])

    def index(self, index: Array, size: int) -> str:
        """An index, or NULL where it is the identity."""
        flat = np.asarray(index).ravel()
        return "NULL" if flat.size == size and (flat == np.arange(size)).all() else self.add("uint32_t", flat.astype(np.uint32))


def _real(value: Any) -> str:
    """A double as C99 writes it exactly."""
    return float(value).hex() if math.isfinite(value) else ("-" if value < 0 else "") + "INFINITY"


def _text(name: str) -> str:
    """A C string: letters that could end it or begin a trigraph are escaped, others than ASCII are written as UTF-8 bytes in octal."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in name.encode()) + '"'


def _bounds(data: Mapping[str, Any]) -> tuple[int, int]:
    bits, signed = data["bits"], data["signed"]
    return (-1, 1) if data["bipolar"] else (-(1 << (bits - 1)) if signed else 0, (1 << (bits - signed)) - 1)


def _port(data: Mapping[str, Any]) -> dict[str, Any]:
    elements = math.prod(data["shape"])
    run, lanes = data["run"], data["lanes"]
    beats = elements // run * -(-run // lanes) if run else elements // lanes
    lo, hi = _bounds(data)
    numbers = {k: data[k] for k in ("lanes", "run", "taps", "bytes", "bits")} | {k: int(data[k]) for k in ("signed", "bipolar")}
    limits = {"lo": f"INT64_C({lo})" if lo > -(2**63) else "INT64_MIN", "hi": f"INT64_C({hi})" if hi < 2**63 else "INT64_MAX"}
    return {"name": _text(data["name"]), "elements": elements, "channels": data["shape"][-1], "beats": beats, **numbers, **limits}


def _quantizer(data: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    """How real numbers become codes: one affine map, or one quantizer of one scale; anything else is the host's, in Python."""
    plain = {"quantized": 0, "rounding": 0, "zero_after": 0, "zero": "0.0", "least": "0.0", "most": "0.0"}
    affine = {"scale": _real(data["scale"]), "offset": _real(data["offset"])}
    step, *more = data["steps"] or [None]
    if step is None:
        return plain | affine
    constants = [arrays[name] for name in step["in"][1:] if name in arrays]
    single = step["op"] == "quantize" and len(constants) == 2 and all(c.size == 1 for c in constants)
    if not single or step["attributes"]["weight"] or not all(map(_clips_codes, more)):
        return plain | affine | {"quantized": -1}
    attributes = step["attributes"]
    scale, zero = (_real(c.ravel()[0]) for c in constants)
    # A clip of codes behind the quantizer narrows its range: rounding keeps the order, and integers.
    lo, hi = attributes["lo"], attributes["hi"]
    for clip in more:
        lo, hi = (min(max(v, clip["attributes"]["alpha"]), clip["attributes"]["beta"]) for v in (lo, hi))
    return affine | {
        "quantized": 1, "rounding": ROUNDINGS.index(attributes["rounding"]), "zero_after": int(attributes["zero_after"]), "scale": scale,
        "zero": zero, "least": _real(lo), "most": _real(hi),
    }  # fmt: skip


def _clips_codes(step: Mapping[str, Any]) -> bool:
    bounds = [step["attributes"].get(k) for k in ("alpha", "beta")]
    return step["attributes"].get("fn") == "clip" and bounds[0] <= bounds[1] and all(b == round(b) for b in bounds)


def emit_c_driver(data: Mapping[str, Any], arrays: Mapping[str, Array], folder: Path) -> None:
    """Write dfc_driver.h, dfc_driver.c and the design's own dfc_design.h and dfc_design.c, from what driver.json and driver.npz hold."""
    tables = _Tables()
    inputs, outputs = [], []
    for d in data["inputs"]:
        port = _port(d)
        index = arrays[d["index"]]
        inputs.append(port | _quantizer(d, arrays) | {"model_items": index.size, "index": tables.index(index, port["elements"])})
    for d in data["outputs"]:
        port = _port(d)
        tensors = []
        for t in d["tensors"]:
            index, scale, offset = (arrays[t[k]] for k in ("index", "scale", "offset"))
            where = {"index": tables.index(index, port["elements"]), "elements": index.size}
            reals = {
                "scale": tables.add("double", scale),
                "offset": tables.add("double", offset),
                "scales": scale.size,
                "offsets": offset.size,
            }
            tensors.append({"name": _text(t["tensor"]), **where, **reals})
        outputs.append(port | {"tensors": tensors})
    wide = any(d["bits"] > 32 or (d["bits"] == 32 and not d["signed"]) for d in (*data["inputs"], *data["outputs"]))
    values = {
        "title": data["name"], "hash": data["hash"], "code": "int64_t" if wide else "int32_t",
        "inputs": inputs, "outputs": outputs, "tables": list(tables.found.values()),
    }  # fmt: skip
    for file in ("dfc_design.h", "dfc_design.c"):
        (folder / file).write_text(render(f"driver/{file}.j2", **values))
    for file in FILES:
        shutil.copyfile(resource_dir("templates") / "driver" / file, folder / file)
