"""Which code this is: what tells compilers apart that call themselves the same."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import dfcompile


@functools.cache
def compiler_key() -> str:
    """Hash of the compiler's files: the package, and in a checkout the folders beside it that a wheel has inside."""
    package = Path(dfcompile.__file__).resolve().parent
    beside = () if (package / "_data").is_dir() else ("templates", "hls", "rtl")
    found = hashlib.sha256()
    for folder in (package, *(package.parent / name for name in beside)):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__"):
            found.update(f"{path.relative_to(folder).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return found.hexdigest()[:40]
