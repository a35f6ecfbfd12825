"""Hardware units, found by listing this folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from dfcompile.units.base import Unit


@cache
def all_units() -> dict[str, type[Unit]]:
    """Kind -> class of every unit in this folder."""
    found: dict[str, type[Unit]] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name == "base" or info.ispkg:
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Unit) and value.__module__ == module.__name__:
                found[value.kind] = value
    return dict(sorted(found.items()))
