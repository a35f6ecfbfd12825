"""The C99 part of the driver/ folder: tables of a design's ports for dfc_driver.c, or of an engine's memory for dfc_loopback.c."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.emit.resource import render, resource_dir
from dfcompile.ir.graph import Array

ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
"""As dfc_host.h numbers them."""
PAGE = 4096
"""What the engine's memory begins at a multiple of."""


class _Tables:
    """Constant arrays of the C file, and indices made of them, each once."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, bytes], dict[str, Any]] = {}
        self.indices: dict[tuple[tuple[int, ...], tuple[str, ...]], str] = {}

    def add(self, kind: str, values: Array) -> str:
        key = kind, values.tobytes()
        if key not in self.found:
            texts = list(map(_real if kind == "double" else str, values.ravel().tolist()))
            self.found[key] = {"name": f"table_{len(self.found)}", "type": kind, "values": texts}
        return str(self.found[key]["name"])

    def index(self, index: Array, size: int) -> str:
        """An index as a C expression: NULL where it is the identity."""
        flat = np.asarray(index).ravel()
        if flat.size == size and (flat == np.arange(size)).all():
            return "NULL"
        steps = by_axes(np.asarray(index))
        key = tuple(map(len, steps)), tuple(self.add("int32_t", s.astype(np.int32)) for s in steps)
        return f"&{self.indices.setdefault(key, f'index_{len(self.indices)}')}"


def by_axes(index: Array) -> list[Array]:
    """An index as a sum of an array for each axis, as what moves, repeats or mirrors along axes is; else all of it as the only one."""
    axes = [a for a in range(index.ndim) if index.shape[a] > 1]
    first = index[(0,) * index.ndim]
    steps = [index[(0,) * a + (slice(None),) + (0,) * (index.ndim - a - 1)] - first for a in axes]
    if len(axes) < 2 or not np.array_equal(index.squeeze(), first + sum(np.ix_(*steps))):
        return [index.ravel()]
    return [first + steps[0], *steps[1:]]


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
    lo, hi = _bounds(data)
    numbers = {"bits": data["bits"]} | {k: int(data[k]) for k in ("signed", "bipolar")}
    limits = {"lo": f"INT64_C({lo})" if lo > -(2**63) else "INT64_MIN", "hi": f"INT64_C({hi})" if hi < 2**63 else "INT64_MAX"}
    return {"name": _text(data["name"]), "elements": math.prod(data["shape"]), "channels": data["shape"][-1], **numbers, **limits}


def _beats(data: Mapping[str, Any]) -> dict[str, Any]:
    """How a stream's codes lie in beats."""
    elements, run, lanes = math.prod(data["shape"]), data["run"], data["lanes"]
    beats = elements // run * -(-run // lanes) if run else elements // lanes
    layout = {k: data[k] for k in ("lanes", "run", "taps")} | {"beats": beats, "bytes": data["bytes"]}
    return {"layout": layout, "frame_bytes": beats * data["bytes"]}


def _image(data: Mapping[str, Any], arrays: Mapping[str, Array], tables: _Tables) -> dict[str, Any]:
    """How a tensor's codes lie in the engine's memory."""
    place, columns, slots = data["storage"], data["columns"], arrays[data["storage"]["slots"]]
    elements, (tall, picture) = math.prod(data["shape"]), data["shape"][:2]
    layout = {k: place[k] for k in ("height", "width", "planes", "start", "row", "col", "plane", "shift", "base", "bits", "lanes")}
    layout |= {"address": data["address"], "bytes": data["image_bytes"]}
    if columns:
        span = picture + columns["left"] + columns["right"] - (columns["kernel"] - 1) * columns["dilation"]
        made = -(-span // columns["stride"])
        layout |= {k: columns[k] for k in ("kernel", "stride", "dilation", "left", "pad", "rows", "row_stride", "row_dilation", "top")}
        layout |= {"picture": picture, "columns": made, "tall": tall}
        elements = elements // (tall * picture) * place["height"] * made * columns["kernel"] * columns["rows"]
    layout["channels"] = elements // (place["height"] * place["width"])
    layout |= {"slots": tables.add("int32_t", slots.astype(np.int32)), "slot_count": slots.size}
    return {"layout": layout, "frame_bytes": data["image_bytes"]}


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
    """Write dfc_driver.h and .c, what they need, and the design's own dfc_design.h and .c, from what driver.json and driver.npz hold."""
    tables = _Tables()
    constants = {"HASH": f"UINT64_C(0x{data['hash']})", "STREAMING": int(data["streaming"])}
    _emit("dfc_driver", data, arrays, {"constants": constants, "descriptor_bytes": ()}, _beats, tables, folder)


def emit_c_loopback(data: Mapping[str, Any], arrays: Mapping[str, Array], memory: int, folder: Path) -> None:
    """The same for a loopback engine, with dfc_loopback.h and .c. memory: bytes of memory.bin."""
    tables = _Tables()
    descriptors, program = data["descriptors"], data["program"]
    bit = descriptors["address_bit"] + PAGE.bit_length() - 1
    assert bit % 8 == 0, "a page of the address begins with a byte"
    constants: dict[str, Any] = {
        "BATCH": data["batch"], "MEMORY_BYTES": memory, "PAGE": PAGE, "PAGE_BYTE": bit // 8,
        "PROGRAM_ADDRESS": program["address"], "PROGRAM_BYTES": program["bytes"],
        "MOVING": f"0x{sum(1 << int(o) for o in descriptors['moving']):x}",
    }  # fmt: skip
    constants |= {f"STATES_{name.upper()}": value for name, value in (data["states"] or {"address": 0, "first": 0, "bytes": 0}).items()}
    constants |= {f"REGISTER_{name.upper()}": f"0x{at:02x}" for name, at in data["registers"].items()}
    sizes = [descriptors["bytes"].get(str(o), min(descriptors["bytes"].values())) for o in range(16)]
    values = {"constants": constants, "descriptor_bytes": sizes}
    _emit("dfc_loopback", data, arrays, values, lambda d: _image(d, arrays, tables), tables, folder)


def _emit(
    library: str,
    data: Mapping[str, Any],
    arrays: Mapping[str, Array],
    values: Mapping[str, Any],
    layout: Callable[[Mapping[str, Any]], Any],
    tables: _Tables,
    folder: Path,
) -> None:
    """The files of a mode. layout: "layout", fields of its `struct dfc_layout`, and "frame_bytes" of a port."""
    inputs, outputs = [], []
    for d in data["inputs"]:
        port = _port(d) | layout(d)
        if "fixed" in d:
            inputs.append(port | {"fixed": _text(d["fixed"])})
            continue
        index = arrays[d["index"]]
        inputs.append(port | _quantizer(d, arrays) | {"model_items": index.size, "index": tables.index(index, port["elements"])})
    for d in data["outputs"]:
        port = _port(d) | layout(d)
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
    code = "int64_t" if wide else "int32_t"
    given = {"title": data["name"], "header": f"{library}.h", "code": code, "inputs": inputs, "outputs": outputs}
    for file in ("dfc_design.h", "dfc_design.c"):
        (folder / file).write_text(
            render(f"driver/{file}.j2", **given, **values, tables=list(tables.found.values()), indices=tables.indices)
        )
    for file in ("dfc_host.h", "dfc_host.c", f"{library}.h", f"{library}.c"):
        shutil.copyfile(resource_dir("templates") / "driver" / file, folder / file)
