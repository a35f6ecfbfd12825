"""The hand-written libraries (hls/, rtl/) and templates: where they are, what depends on what, how they are filled in."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2

import dfcompile
from dfcompile.text import comment, word

LIBRARY_FILE = re.compile(r'^\s*[`#]include\s+"(dfc_\w+\.\w+)"|\b(dfc_\w+)\b', re.MULTILINE)


def resource_dir(name: str) -> Path:
    """Folder "templates", "hls" or "rtl": at the root of a checkout, inside the package in a wheel."""
    package = Path(dfcompile.__file__).resolve().parent
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the folder {name}/ is missing beside or in {package}: the installation is incomplete")


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
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
