"""Builds that somebody changed: random mutations of design.json, design.npz and report.json, and what must hold for each.

Run by itself for more of them: ``python -m tests.tamper COUNT [SEED] [BUILD...]``.
"""

from __future__ import annotations

import copy
import io
import json
import shutil
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dfcompile as dfc
from dfcompile.errors import CompileError
from dfcompile.mode.page import draw_report

Path_ = tuple[Any, ...]
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 255, 2**31, 2**40, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, "", "x", "bram", "dsp", "ROUND",
    "a\nb", "\ud800", [], {}, [0], [[1]], {"map": {}}, {"array": "a0"}, {"float": "inf"}, {"float": "nan"}, {"float": "x"},
    {"class": "Graph", "fields": {}}, {"class": "IntType", "fields": {"bits": 3, "signed": True, "bipolar": False}}, {"class": []},
)  # fmt: skip


def places(tree: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where a value stands in a JSON tree, all of them."""
    yield at
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*at, key))


def get(tree: Any, at: Path_) -> Any:
    for key in at:
        tree = tree[key]
    return tree


def mutate(tree: Any, rng: np.random.Generator) -> tuple[Any, str]:
    """A copy with one value changed, and what was done."""
    tree = copy.deepcopy(tree)
    known = list(places(tree))
    at = known[rng.integers(1, len(known))]
    holder, key = get(tree, at[:-1]), at[-1]
    old = holder[key]
    kind = rng.choice(["scalar", "other", "delete", "number", "list", "key"])
    if kind == "other":  # a value from elsewhere
        holder[key] = copy.deepcopy(get(tree, known[rng.integers(1, len(known))]))
    elif kind == "delete":
        del holder[key]
    elif kind == "number" and isinstance(old, int | float):
        holder[key] = int(old + rng.choice([-1, 1, -8, 8, old, -2 * old]))
    elif kind == "list" and isinstance(old, list):
        holder[key] = [old[::-1], old * 2, old[1:], [*old, 1]][rng.integers(4)]
    elif kind == "key" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder[key] = SCALARS[rng.integers(len(SCALARS))]
    return tree, f"{kind} at {'.'.join(map(str, at))}: {str(old)[:60]}"


def mutate_arrays(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], str]:
    """One array of another shape, type or with other values, or none."""
    key = list(arrays)[rng.integers(len(arrays))]
    x, kind = arrays[key], rng.integers(10)
    some: list[Any] = [
        x.reshape(-1), x[..., None], x.T, x.astype(np.float32) + 0.5, x.astype(np.complex64), np.full_like(x, 127),
        x.astype(np.float64) * 1e6, np.full(x.shape, np.nan), x[:0] if x.ndim else x[None][:0], None,
    ]  # fmt: skip
    changed = {k: v for k, v in arrays.items() if k != key} | ({} if some[kind] is None else {key: some[kind]})
    return changed, f"array {key} of {x.shape} changed by {kind}"


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """A file cut off, or with a byte changed."""
    at = int(rng.integers(len(data)))
    return data[:at] if rng.random() < 0.5 else data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :]


def use(folder: Path) -> None:
    """Load a build and use it: everything that reads what was changed."""
    made = dfc.load(folder)
    rng = np.random.default_rng(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        made.run({k: rng.normal(size=(1, *shape)).astype(np.float32) for k, shape in made.host.input_shapes.items()})
        assert made.timing and made.resources
        draw_report(made, folder).encode("utf-8", "replace")


def tampered(build: Path, scratch: Path, seed: int) -> str:
    """Write the build with one random change into `scratch`; what was changed."""
    rng = np.random.default_rng(seed)
    for name in ("design.json", "design.npz", "report.json"):
        shutil.copyfile(build / name, scratch / name)
    kind = rng.choice(["json", "arrays", "bytes", "report"], p=[0.7, 0.12, 0.08, 0.1])
    if kind in ("json", "report"):
        name = "design.json" if kind == "json" else "report.json"
        tree, text = mutate(json.loads((build / name).read_text()), rng)
        (scratch / name).write_text(json.dumps(tree))
        return f"{name}: {text}"
    if kind == "arrays":
        changed, text = mutate_arrays(dict(np.load(build / "design.npz")), rng)
        np.savez(scratch / "design.npz", **changed)  # type: ignore[arg-type]
        return text
    name = ["design.json", "design.npz", "report.json"][rng.integers(3)]
    (scratch / name).write_bytes(mutate_bytes((build / name).read_bytes(), rng))
    return f"bytes of {name}"


def failures(build: Path, seeds: range) -> list[str]:
    """Changes that end in anything but a result or an error with a reason."""
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary) / "build"
        scratch.mkdir()
        for seed in seeds:
            text = tampered(build, scratch, seed)
            try:
                use(scratch)
            except CompileError as e:
                if not all(p.why or p.help for p in e.problems):
                    found.append(f"seed {seed}, {text}: no reason: {e}")
            except Exception as e:
                place = traceback.extract_tb(e.__traceback__)[-1]
                found.append(f"seed {seed}, {text}: {type(e).__name__}: {str(e)[:120]} at {Path(place.filename).name}:{place.lineno}")
    return found


def hostile_npy(shape: tuple[int, ...], dtype: str = "<f4", data: bytes = b"") -> bytes:
    """A .npy file whose header says whatever it is given."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": dtype})
    return file.getvalue() + data


def replace_array(npz: Path, name: str, data: bytes) -> None:
    """Put these bytes in the place of an array of an .npz file."""
    with zipfile.ZipFile(npz) as old:
        parts = {i.filename: old.read(i.filename) for i in old.infolist()}
    with zipfile.ZipFile(npz, "w", zipfile.ZIP_DEFLATED) as new:
        for key, value in (parts | {f"{name}.npy": data}).items():
            new.writestr(key, value)


if __name__ == "__main__":
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for folder in map(Path, sys.argv[3:]):
        bad = failures(folder, range(first, first + count))
        print(*bad, f"{folder}: {len(bad)} of {count}", sep="\n")
