"""A campaign's TOML file: which builds it asks for and what is done with each; read whole, or refused with all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from dfcompile.errors import Problem, SettingError, did_you_mean
from dfcompile.mode.accelerator import VERIFIED
from dfcompile.options import Options
from dfcompile.store.setting import read_toml, shown

KEYS: Mapping[str, tuple[str, str]] = {
    "models": ("files", "ONNX files"),
    "boards": ("texts", "names of `dfcompile boards`, or your own as .toml files"),
    "modes": ("texts", "auto, dataflow or loopback"),
    "fps": ("numbers", "frames per second to reach"),
    "intervals": ("numbers", "cycles per frame to reach"),
    "foldings": ("files", "JSON files as `build --folding` takes them"),
    "clock": ("number", "MHz"),
    "input_type": ("texts", "what raw input streams carry"),
    "argmax": ("flag", "find the largest output in hardware"),
    "verify": ("texts", "engines: hls, rtl, netlist"),
    "synth": ("flag", "synthesise every unit"),
    "bitstream": ("flag", "place and route, and make the bitstream"),
    "out": ("text", "folder of the results"),
}
"""Key -> kind of its value, and what it gives."""
_EXAMPLES = {
    "files": 'a list of paths, e.g. ["a.onnx"]', "texts": 'a list of texts, e.g. ["dataflow"]', "numbers": "a list of numbers, e.g. [1000]",
    "number": "a number", "flag": "true or false", "text": "a text",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One build of a campaign."""

    model: Path
    options: Options


@dataclass(frozen=True)
class Campaign:
    """Builds in the order of their models, boards, modes and rates; what is done with each; the folder of the results."""

    cases: tuple[Case, ...]
    verify: tuple[str, ...]
    synth: bool
    bitstream: bool
    out: Path


def read_campaign(path: Path) -> Campaign:
    """The campaign of a file, with paths relative to its folder. SettingError with every problem of it."""
    table = read_toml(path)
    problems = [_problem("config-key", f"unknown key '{k}'", did_you_mean(k, KEYS), path) for k in table if k not in KEYS]
    wrong = [k for k in table if k in KEYS and not _fits(table[k], KEYS[k][0])]
    problems += [
        _problem("config-type", f"key '{k}' is {shown(table[k])}", f"give {_EXAMPLES[KEYS[k][0]]}: {KEYS[k][1]}", path) for k in wrong
    ]
    given = {k: v for k, v in table.items() if k in KEYS and k not in wrong}
    problems += _missing(given, wrong, path)
    cases: dict[Case, None] = {}
    for model, options in product(_paths(path, given.get("models", [])), _settings(path, given)):
        try:
            cases[Case(model, Options().merged(options))] = None
        except SettingError as e:
            problems += [Problem(p.code, p.what, p.where or str(path), p.why, p.help) for p in e.problems]
    if problems:
        raise SettingError(dict.fromkeys(problems))
    engines = tuple(dict.fromkeys(given.get("verify", [])))
    out = path.parent / given.get("out", path.stem)
    return Campaign(tuple(cases), engines, given.get("synth", False), given.get("bitstream", False), out)


def _problem(code: str, what: str, help: str, path: Path) -> Problem:
    return Problem(code, what, where=str(path), help=help)


def _missing(given: Mapping[str, Any], wrong: list[str], path: Path) -> Iterator[Problem]:
    """What is not there, or contradicts."""
    if "models" not in given and "models" not in wrong:
        yield _problem("config-key", "no models are given", f"give {_EXAMPLES['files']}", path)
    speeds = [k for k in ("fps", "intervals", "foldings") if k in given]
    if len(speeds) > 1:
        yield _problem("bad-option", f"{' and '.join(speeds)} each set the speed", "give one of them, or a campaign for each", path)
    for key in ("models", "foldings"):
        for file in _paths(path, given.get(key, [])):
            if not file.is_file():
                yield _problem(
                    "no-file", f"{key}: there is no file '{file}'", "correct its path: it is taken from the campaign's folder", path
                )
    for engine in given.get("verify", []):
        if engine not in VERIFIED:
            yield _problem("bad-option", f"verify: there is no engine '{engine}'", did_you_mean(engine, VERIFIED), path)


def _settings(path: Path, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Options of the builds of one model."""
    boards = [str(path.parent / b) if b.endswith(".toml") else b for b in given.get("boards", [])] or [None]
    speeds: list[tuple[str, Any]] = [("folding", f) for f in _paths(path, given.get("foldings", []))]
    speeds += [("fps", v) for v in given.get("fps", [])] + [("interval", v) for v in given.get("intervals", [])]
    common = {"clock": given.get("clock"), "input_type": tuple(given.get("input_type", ())), "argmax": given.get("argmax")}
    for board, mode, (key, value) in product(boards, given.get("modes", ["auto"]), speeds or [("fps", None)]):
        yield {"board": board, "mode": mode, key: value, **common}


def _paths(path: Path, names: list[str]) -> list[Path]:
    return [path.parent / n for n in names]


def _fits(value: Any, kind: str) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str) and value != ""
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    items = value if isinstance(value, list) else []
    return bool(items) and all(_fits(v, "number" if kind == "numbers" else "text") for v in items)
