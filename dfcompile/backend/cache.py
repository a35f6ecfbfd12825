"""Builds kept by content in the user's cache folder, so that nothing is compiled twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

KEPT_BYTES = 2 << 30
TRIM_EVERY = 64


def cache_dir() -> Path:
    """Folder of all builds; safe to delete at any time."""
    return Path(platformdirs.user_cache_dir("dfcompile"))


def content_key(parts: Iterable[str | bytes]) -> str:
    """Hash of the parts in order."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()[:40]


def folder_key(folder: Path, suffixes: tuple[str, ...]) -> str:
    """Hash of the names and contents of a folder's files with these suffixes."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in suffixes)
    return content_key(part for p in files for part in (p.relative_to(folder).as_posix(), p.read_bytes()))


def cached(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """Folder ``<cache>/<kind>/<key>``, filled by `build` when it is not there yet.

    `build` fills a temporary folder that takes its place at once, so two processes may build the same thing.
    """
    place = cache_dir() / kind / key
    if place.is_dir():
        os.utime(place)
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    try:
        build(work)
        try:
            work.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if int(key[:4], 16) % TRIM_EVERY == 0:
        trim(place.parent)
    return place


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def trim(folder: Path, kept: int = KEPT_BYTES) -> None:
    """Delete the builds used longest ago until at most `kept` bytes remain."""
    places = sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("new-")), key=lambda p: p.stat().st_mtime)
    sizes = [_size(p) for p in places]
    total = sum(sizes)
    for place, size in zip(places, sizes, strict=True):
        if total <= kept:
            return
        shutil.rmtree(place, ignore_errors=True)
        total -= size
