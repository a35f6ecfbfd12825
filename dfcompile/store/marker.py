"""The list that a folder of ours carries of its files: which of them dfcompile wrote, and whether somebody has changed them since."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dfcompile.store.files import PREFIX

MARKER = ".dfcompile.json"
SCHEMA = 1
_SECONDS = re.compile(rb'"seconds": \{[^{}]*\}')


def digest(path: Path) -> str:
    """Hash of a file's bytes; those of a report without the seconds that the build took, the only figures that differ between builds."""
    if path.name == "report.json":
        return hashlib.sha256(_SECONDS.sub(b"", path.read_bytes())).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Marker:
    """What a folder's list says, by path with forward slashes: files of the build, and those that later commands added to it."""

    files: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)

    def lists(self, folder: Path, name: str) -> bool:
        """Whether `name` in `folder` is a file of ours that nobody has changed."""
        path = folder / name
        wanted = self.files.get(name) or self.added.get(name)
        return name == MARKER or (wanted is not None and path.is_file() and not path.is_symlink() and digest(path) == wanted)

    def joined(self, found: Mapping[str, str]) -> Marker:
        """This list with files that a later command wrote, new ones or in place of older ones."""
        added = {n: h for n, h in found.items() if n not in self.files}
        return Marker({n: found.get(n, h) for n, h in self.files.items()}, self.added | added)

    def write(self, folder: Path) -> None:
        """Store the list in a folder."""
        data = {"schema": SCHEMA, "files": dict(sorted(self.files.items())), "added": dict(sorted(self.added.items()))}
        (folder / MARKER).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def read_marker(folder: Path) -> Marker | None:
    """The list of a folder, None where there is none that can be read."""
    try:
        data = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        parts = [data["files"], data["added"]]
        valid = data["schema"] == SCHEMA and all(isinstance(v, str) for part in parts for v in part.values())
        return Marker(*parts) if valid else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def entries(folder: Path) -> list[str]:
    """Everything in a folder that is no folder, and the empty ones, by path with forward slashes; without our own working folders."""
    found: list[str] = []

    def visit(place: Path, prefix: str) -> None:
        for entry in sorted(os.scandir(place), key=lambda e: e.name):
            if not prefix and entry.name.startswith(PREFIX):
                continue
            name, before = f"{prefix}{entry.name}", len(found)
            if entry.is_dir(follow_symlinks=False):
                visit(place / entry.name, f"{name}/")
            if len(found) == before:
                found.append(name)

    visit(folder, "")
    return found


def collisions(users: Iterable[str], written: Collection[str]) -> list[str]:
    """Those of `users` that cannot stand beside files `written`: names that are the same, or of a folder here and of a file there."""
    names = set(written)
    folders = {parent for n in names for parent in parents(n)}
    return [u for u in users if u in names or u in folders or not names.isdisjoint(parents(u))]


def parents(name: str) -> list[str]:
    """The folders that a path lies in, outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]
