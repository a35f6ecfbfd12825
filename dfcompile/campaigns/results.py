"""The folder of a campaign's results, by the content of what they are results of: each appears whole or not at all, and is made once.

results/KEY.json   numbers of a task, or the problems that it ended with
builds/NAME-KEY/   a build, as `dfcompile build` makes it
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dfcompile.campaigns.step import Files, files_of, write_files
from dfcompile.emit.name import sanitise
from dfcompile.errors import CompileError, Problem
from dfcompile.store.files import new_file, try_lock, writing
from dfcompile.store.marker import MARKER
from dfcompile.store.output import add_files, new_folder
from dfcompile.tasks.task import Outcome

PASSING = frozenset({"lost-task", "worker-version", "missing-tool", "disk", "cannot-write", "busy"})
"""Problems of a machine and not of a design: not kept, so that the next run tries again."""


@dataclass(frozen=True)
class Results:
    """Results below a folder."""

    folder: Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other campaigns out of the folder. CompileError where one is at work in it."""
        with writing(self.folder):
            (self.folder / "results").mkdir(parents=True, exist_ok=True)
            lock = try_lock(self.folder / "results" / "lock")
        if lock is None:
            what = f"another campaign is at work in '{self.folder}'"
            raise CompileError(Problem("busy", what, help="wait until it has ended, or set another `out`"))
        try:
            yield
        finally:
            os.close(lock)

    def find(self, key: str) -> Outcome | None:
        """What is kept of a task; None where nothing is, or what cannot be read."""
        try:
            data = json.loads((self.folder / "results" / f"{key}.json").read_text(encoding="utf-8"))
            return Outcome(data["value"], tuple(Problem(**p) for p in data["problems"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep(self, key: str, outcome: Outcome) -> None:
        """Write down a result that can be written as JSON, unless a machine is at fault and not the design."""
        if PASSING.isdisjoint(p.code for p in outcome.problems):
            data = {"value": outcome.value, "problems": [asdict(p) for p in outcome.problems]}
            with new_file(self.folder / "results" / f"{key}.json") as file:
                file.write(json.dumps(data, indent=1).encode() + b"\n")

    def build(self, model: str, key: str) -> Path:
        """Where a build lies."""
        return self.folder / "builds" / f"{sanitise(Path(model).stem)}-{key[:16]}"

    def is_built(self, model: str, key: str) -> bool:
        """Whether a build is there, whole."""
        found = self.find(key)
        return found is not None and bool(found.problems or (self.build(model, key) / MARKER).is_file())

    def put_build(self, model: str, key: str, files: Files) -> None:
        """Write a build, whole or not at all."""
        place = self.build(model, key)
        with new_folder(place, files) as folder, writing(place):
            write_files(files, folder)

    def read_build(self, model: str, key: str) -> Files:
        """The files of a build."""
        return files_of(self.build(model, key))

    def add_to_build(self, model: str, key: str, files: Files) -> None:
        """Put files into a build, in place of its own of their names."""
        place = self.build(model, key)
        with add_files(place, files) as folder, writing(place):
            write_files(files, folder)
