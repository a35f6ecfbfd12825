"""Builds kept by content in the user's cache folder, so that nothing is compiled twice."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

from dfcompile.store.files import LOCK, claim, note, release, sweep
from dfcompile.store.marker import MARKER, Marker, digest, entries, read_marker

KEPT_BYTES = 2 << 30
"""Of all kinds together."""
NEW = "new-"
PART = 64
"""A process looks at the whole cache after its first build, and again where it has added this part of the limit: many thousand entries are
half a second to look at."""
_checked: set[Path] = set()
_added = [KEPT_BYTES]  # bytes since the cache was last looked at


def cache_dir() -> Path:
    """Folder of all builds; safe to delete at any time."""
    return Path(platformdirs.user_cache_dir("dfcompile"))


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder in place of the cache that ends with this process."""
    return tempfile.TemporaryDirectory(prefix="dfcompile-")


def content_key(parts: Iterable[str | bytes]) -> str:
    """Hash of the parts in order."""
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8, "little") + raw)
    return found.hexdigest()[:40]


def folder_key(folder: Path, suffixes: tuple[str, ...] = ()) -> str:
    """Hash of the names and contents of a folder's files: those with these suffixes, or all."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and (not suffixes or p.suffix in suffixes))
    return content_key(part for p in files for part in (p.relative_to(folder).as_posix(), p.read_bytes()))


def cached(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """Folder ``<cache>/<kind>/<key>``, filled by `build` when it is not there yet or damaged.

    `build` fills a temporary folder that takes its place at once; where two processes want the same, one waits for the other. Where the
    cache cannot be written, what is built lasts as long as this process.
    """
    place = cache_dir() / kind / key
    if _is_whole(place):
        return place
    try:
        mine = _claim(place)
    except OSError as e:
        note(f"the cache {cache_dir()} cannot be written ({e.strerror}): what is compiled lasts for this run only")
        place = Path(_temporary().name) / kind / key
        mine = _claim(place)
    try:
        if _is_whole(place):  # what another process built meanwhile
            return place
        _build(place, build)
    finally:
        release(*mine)
    with contextlib.suppress(OSError):  # another process deletes it
        _added[0] += _size(place)
    if _added[0] * PART >= KEPT_BYTES:
        trim(place.parent.parent, keep=place)
        _added[0] = 0
    return place


def held(kind: str, key: str) -> Path | None:
    """The folder where `cached` would build nothing."""
    roots = [cache_dir(), *([Path(_temporary().name)] if _temporary.cache_info().currsize else [])]
    return next((root / kind / key for root in roots if _is_whole(root / kind / key)), None)


def _is_whole(place: Path) -> bool:
    """Whether a build is there as it was made; each is looked at once in a process."""
    if place not in _checked:
        marker = read_marker(place)
        try:
            if marker is None or any(digest(place / n) != h for n, h in marker.files.items()):
                return False
        except OSError:
            return False
        _checked.add(place)
    try:
        os.utime(place)
    except OSError:  # it cannot be written, or has been deleted meanwhile
        return place.is_dir()
    return True


def _claim(place: Path) -> tuple[Path, int]:
    """The right to build something, as a folder and its lock; another process that builds the same is waited for. OSError where
    nothing can be written."""
    place.parent.mkdir(parents=True, exist_ok=True)
    right = place.parent / f"{NEW}{place.name}"
    while (lock := claim(right)) is None:
        time.sleep(0.05)
    return right, lock


def _build(place: Path, build: Callable[[Path], None]) -> None:
    """Fill a place; in a folder that is nobody else's, since there may be no locks."""
    work = place.parent / f"{NEW}{uuid.uuid4().hex[:12]}"
    lock = claim(work)
    assert lock is not None, "nobody else knows a folder of a random name"
    sweep(place.parent, _empty, f"{NEW}*")
    try:
        _make(work, place, build)
    finally:
        _empty(work)
        release(work, lock)


def _make(work: Path, place: Path, build: Callable[[Path], None]) -> None:
    entry = work / "entry"
    entry.mkdir()
    build(entry)
    Marker({n: digest(entry / n) for n in entries(entry) if (entry / n).is_file()}).write(entry)
    if place.exists() and not _is_whole(place):
        place.rename(work / "damaged")
    try:
        entry.rename(place)
    except OSError:
        if not _is_whole(place):  # else another process was faster
            raise


def _empty(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink()


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def trim(root: Path, keep: Path | None = None) -> None:
    """Delete the builds used longest ago, of whatever kind, until at most `KEPT_BYTES` remain; never the build `keep`."""
    try:
        places = [p for p in root.glob("*/*") if p.is_dir() and not p.name.startswith(NEW)]
        ages = {p: p.stat().st_mtime for p in places}
        sizes = {p: _size(p) for p in places}
    except OSError:
        return  # another process deletes them
    total = sum(sizes.values())
    for place in sorted(places, key=lambda p: ages[p]):
        if total <= KEPT_BYTES:
            return
        if place != keep:
            (place / MARKER).unlink(missing_ok=True)  # first, so that nobody takes the half of it for the whole
            shutil.rmtree(place, ignore_errors=True)
            _checked.discard(place)
            total -= sizes[place]
