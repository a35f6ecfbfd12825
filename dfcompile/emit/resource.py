"""The hand-written libraries (hls/, rtl/) and templates: where they are, what depends on what, how they are filled in."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket

import dfcompile
from dfcompile.store.cache import cached, content_key, held
from dfcompile.text import comment, word

LIBRARY_FILE = re.compile(r'^\s*[`#]include\s+"(dfc_\w+\.\w+)"|\b(dfc_\w+)\b', re.MULTILINE)


def resource_dir(name: str) -> Path:
    """Folder "templates", "hls" or "rtl": at the root of a checkout, inside the package in a wheel."""
    package = Path(dfcompile.__file__).resolve().parent
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the folder {name}/ is missing beside or in {package}: the installation is incomplete")


class _Compiled(jinja2.BytecodeCache):
    """Compiled templates in the user's cache: to compile those of one design takes half a second."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is there; nothing that was damaged is."""
        place = held(_KIND, _bytecode_key(bucket))
        with contextlib.suppress(OSError):  # another process deletes it
            if place is not None:
                bucket.bytecode_from_string((place / _CODE).read_bytes())

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        code = bucket.bytecode_to_string()
        cached(_KIND, _bytecode_key(bucket), lambda folder: _write(folder / _CODE, code))


_KIND, _CODE = "templates", "code"


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _bytecode_key(bucket: Bucket) -> str:
    """A template's name and file, its text, and what compiles it."""
    return content_key((bucket.key, bucket.checksum, str(bucket.environment.autoescape), jinja2.__version__, sys.version))


def environment(folder: str, autoescape: bool) -> jinja2.Environment:
    """What fills in the templates of ``templates/<folder>``; an undefined name is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates") / folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,
        optimized=False,  # so that no filter of ours stands in compiled code
        bytecode_cache=_Compiled(),
    )


@functools.cache
def _environment() -> jinja2.Environment:
    made = environment("", autoescape=False)
    made.filters |= {"comment": comment, "word": word}
    return made


def render(template: str, **values: Any) -> str:
    """Fill in ``templates/<template>``; an undefined name is an error. Names of the user's pass the filters of `dfcompile.text` there."""
    return _environment().get_template(template).render(**values)


OPTIONAL = ("dfc_dot_carry.sv", "dfc_dot_plain.sv", "dfc_dots_packed.sv")
"""Files that others need only where a unit's parameters say so: they are among the roots then."""


def library_files(folder: Path, roots: Iterable[str]) -> list[str]:
    """Files of a library that the root files need, each after those it depends on."""
    roots = list(roots)
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        text = re.sub(r"//[^\n]*", "", (folder / name).read_text())
        for header, module in LIBRARY_FILE.findall(text):
            needed = header or f"{module}.sv"
            if needed != name and (folder / needed).is_file() and (needed in roots or needed not in OPTIONAL):
                visit(needed)
        order.append(name)

    for root in roots:
        visit(root)
    return order


def copy_library(name: str, roots: Iterable[str], target: Path) -> list[str]:
    """Copy the files of library "hls" or "rtl" that `roots` need into `target`; their names, dependencies first."""
    folder = resource_dir(name)
    files = library_files(folder, roots)
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(folder / file, target / file)
    return files


def copy_simulation(folder: Path) -> None:
    """Copy what stands in for a vendor's headers under g++ and clang into ``simulation/``, where no vendor's script looks."""
    shutil.copytree(resource_dir("hls") / "simulation", folder / "simulation", dirs_exist_ok=True)
