"""Which ONNX operators models of a corpus hold, and what became of those models: python -m tools.operators_tried FOLDER...

Every model of the folders (with NAME.npz beside it: `inputs` and the `outputs` that must come out, further ones with suffixes _1, _2) is
compiled to units and to a program of the loopback engine, both run in Python on the first frame. Writes docs/operators_tried.json:
for each operator the models that hold it, how many of them came out exact in each mode, and the files of tests/ that name it.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.dataflow.lower import lower
from dfcompile.errors import CompileError
from dfcompile.front import Job, repeated
from dfcompile.frontend.call import CONVERTERS
from dfcompile.frontend.onnx_file import read_model
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.search.sweep import widths
from dfcompile.options import Options
from dfcompile.streamline.pipeline import Streamlined
from tests.test_corpus import declared

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "operators_tried.json"
MOST_MACS = 20_000_000
"""Larger networks are left out: their operators are those of the smaller ones."""

MODES = ("dataflow", "loopback")
Arrays = dict[str, Any]


def suffixed(stored: Arrays, key: str) -> list[Any]:
    """First frames of the arrays of a name: inputs, inputs_1, ..."""
    names = [k for k in (key, *(f"{key}_{i}" for i in range(1, 9))) if k in stored]
    return [np.asarray(stored[n][:1]) for n in names]


def run(done: Streamlined, mode: str, feeds: Arrays) -> list[Any]:
    """The model's outputs in a mode. CompileError where it is refused."""
    codes = done.host.encode(done.host.checked(feeds))
    if mode == "dataflow":
        units, _ = lower(done.graph)
        made = units.execute(codes)
        made = {k: made[t] for k, t in zip(done.graph.outputs, units.outputs, strict=True)}
    else:
        config = EngineConfig(**widths([done.graph]))
        made = run_program(compile_program(done.graph, config), codes)
    return list(done.host.decode(made).values())


def is_equal(found: list[Any], stored: Arrays) -> bool:
    """Whether outputs are those of the float32 or of the float64 reference, to the precision of float32."""

    def near(y: Any, wanted: Any) -> bool:
        size = 1e-5 * max(1e-12, float(np.abs(wanted).max()))
        return bool(y.size == wanted.size and np.all(np.abs(y.ravel() - wanted.ravel()) <= size + 1e-6 * np.abs(wanted.ravel())))

    references = [r for r in (suffixed(stored, "outputs"), suffixed(stored, "outputs_f64")) if r]
    return any(len(r) == len(found) and all(map(near, found, r)) for r in references)


def streamlined(model: Path, case: dict[str, Any]) -> Streamlined | None:
    """The integer graph, with the declared input type where the model needs one; None where it is refused."""
    types = case.get("input_type") or (declared(case) if case.get("input_scale") else ())
    for given in dict.fromkeys(((), (types,) if isinstance(types, str) else tuple(types))):
        with suppress(CompileError):
            return repeated(Job(model, Options.of(input_type=given)), model).streamlined
    return None


def attempt(model: Path, case: dict[str, Any], stored: Arrays) -> dict[str, str]:
    """What became of a model in each mode: exact, refused, or WRONG."""
    done = streamlined(model, case)
    if done is None:
        return dict.fromkeys(MODES, "refused")
    shapes = done.host.input_shapes
    feeds = {t: x.reshape(-1, *shape) for (t, shape), x in zip(shapes.items(), suffixed(stored, "inputs"), strict=True)}
    found = {}
    for mode in MODES:
        try:
            found[mode] = "exact" if is_equal(run(done, mode, feeds), stored) else "WRONG"
        except CompileError:
            found[mode] = "refused"
    return found


def models(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Models with references in a folder, and their entries in its manifest.json."""
    listed = json.loads((folder / "manifest.json").read_text())
    cases = {c["name"]: c for c in listed.get("cases") or listed["models"]}
    for path in sorted(folder.glob("*.onnx")):
        case = cases.get(path.stem)
        if case and path.with_suffix(".npz").exists() and case.get("macs", 0) <= MOST_MACS:
            yield path, case


def named_in_tests() -> dict[str, list[str]]:
    """Operators that the importer takes -> the files of tests/ that hold their names as words of texts, docstrings left out."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in prose]
        words = {word for text in texts for word in text.split()}
        for name in CONVERTERS:
            if name.rpartition("/")[2] in words and ("/" not in name or any("channels_last" in w for w in words)):
                found.setdefault(name, []).append(path.relative_to(ROOT / "tests").as_posix().removesuffix(".py"))
    return dict(sorted(found.items()))


def main() -> None:
    """Try all, write the counts, print what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--leave-out", action="append", default=[], metavar="NAME", help="a model whose reference is wrong")
    given, counts = parser.parse_args(), dict[str, Counter[str]]()
    for folder in given.folders:
        for path, case in models(folder):
            if path.stem in given.leave_out:
                continue
            found = attempt(path, case, dict(np.load(path.with_suffix(".npz"))))
            print(f"{path.name}: {found}", flush=True)
            if "WRONG" in found.values():
                raise SystemExit(f"{path.name} is wrong")
            read, _ = read_model(path)
            for op in {f"channels_last/{n.op_type}" if "channels_last" in n.domain else n.op_type for n in read.nodes}:
                counts.setdefault(op, Counter()).update({"models": 1} | {k: int(v == "exact") for k, v in found.items()})
    found = {"models": {k: dict(v) for k, v in sorted(counts.items())}, "tests": named_in_tests()}
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
