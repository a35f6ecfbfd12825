"""What a campaign does, as calls that any machine with this dfcompile can make: files in memory go in, files or numbers come out."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcompile.campaigns.file import Case
from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.onnx_file import external_files
from dfcompile.options import Options
from dfcompile.store.cache import content_key
from dfcompile.store.marker import MARKER, Marker, digest
from dfcompile.synthesis.part import Part
from dfcompile.tasks.version import compiler_key

Files = dict[str, bytes]
"""A folder: contents by path with forward slashes."""


@dataclass(frozen=True)
class BuildInput:
    """All that a build is made from.

    files:   the model as ``model/NAME``, with files of its data beside it; a board and a folding of the user's as ``set/NAME``
    model:   NAME of the model; options: fields of `Options`, those files by their paths here
    """

    files: Mapping[str, bytes]
    model: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, case: Case) -> BuildInput:
        """Read what a case needs."""
        folder = case.model.parent
        files = {f"model/{n}": (folder / n).read_bytes() for n in (case.model.name, *external_files(case.model))}
        options = {k: v for k, v in vars(case.options).items() if k in Options.__dataclass_fields__}
        for key in ("board", "folding"):
            if str(options[key]).endswith((".toml", ".json")):
                path = Path(options[key])
                files[f"set/{path.name}"] = path.read_bytes()
                options[key] = f"set/{path.name}"
        return cls(files, case.model.name, options)

    @property
    def key(self) -> str:
        """The same for equal inputs and compilers."""
        parts = (part for pair in sorted(self.files.items()) for part in pair)
        return content_key(["build", compiler_key(), self.model, repr(sorted(self.options.items())), *parts])


def build(given: BuildInput) -> Files:
    """The files of a build, the same bytes wherever it is made: without the seconds that it took."""
    from dfcompile.written import built

    with folder_of(given.files) as folder:
        paths = {k: str(folder / given.options[k]) for k in ("board", "folding") if str(given.options[k]).startswith("set/")}
        built(folder / "model" / given.model, folder / "out", Options(**{**given.options, **paths}))
        files = files_of(folder / "out")
        report = json.loads(files["report.json"]) | {"seconds": {}}
        return files | {"report.json": (json.dumps(report, indent=1) + "\n").encode()}


def verify(files: Files, engine: str) -> dict[str, Any]:
    """What `Accelerator.verify` says of one engine; CompileError where it differs from the model."""
    from dfcompile.mode.saved import load

    with folder_of(files) as folder:
        found: dict[str, Any] = load(folder).verify([engine], folder=folder)["engines"][engine]
    if not found["pass"]:
        why = f"{found['mismatches']:,} mismatches in {found['frames']:,} frames; first: {found['first_mismatch']}"
        help_ = "please report it with the build folder"
        raise CompileError(Problem("mismatch", f"the {engine} differs from the model", why=why, help=help_))
    return found


def parts(files: Files) -> list[Part]:
    """What is synthesised of a build."""
    from dfcompile.mode.saved import load
    from dfcompile.mode.serialize import part_of

    with folder_of(files) as folder:
        made = load(folder)
        return made.parts(made.family, part_of(folder, "rtl"))


def bitstream(files: Files) -> tuple[Files, tuple[Problem, ...]]:
    """Files of the build that place and route has made or changed, and what is wrong with them: a clock that is missed."""
    from dfcompile.mode.bitstream import bitstream as make

    problems: tuple[Problem, ...] = ()
    with folder_of(files) as folder:
        Marker({name: digest(folder / name) for name in files}).write(folder)
        try:
            make(folder)
        except CompileError as e:
            problems = e.problems
        changed = {n: data for n, data in files_of(folder).items() if files.get(n) != data}
    if problems and not changed:
        raise CompileError(problems)
    return changed, problems


@contextlib.contextmanager
def folder_of(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary folder with these files."""
    with tempfile.TemporaryDirectory(prefix="dfcompile-") as temporary:
        folder = Path(temporary)
        write_files(files, folder)
        yield folder


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def files_of(folder: Path) -> Files:
    """The files of a folder, without the list of them that dfcompile keeps there."""
    found = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MARKER}
