"""What a build and the hardware made of it know each other by: the hash of the design, the version of the compiler."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np

import dfcompile
from dfcompile.dataflow.design import Design
from dfcompile.units.base import unit_of


def design_hash(design: Design) -> int:
    """64 bits that differ between designs that differ in anything but names: units, weights, thresholds, streams, FIFOs."""
    digest = hashlib.sha256()
    numbers = {t: i for i, t in enumerate(design.streams())}
    units = {n.name: i for i, n in enumerate(design.nodes)}

    def streams(tensors: Iterable[str]) -> list[int]:
        return [numbers[t] for t in tensors]

    def add(*parts: object) -> None:
        digest.update("\0".join(map(str, parts)).encode() + b"\n")

    def hold(name: str, value: object) -> None:
        """Arrays number by number wherever they stand: their text leaves out the middle of long ones."""
        if isinstance(value, np.ndarray):
            add(name, value.shape, value.dtype)
            digest.update(np.ascontiguousarray(value).tobytes())
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            add(name, type(value).__name__)
            for field in dataclasses.fields(value):
                hold(field.name, getattr(value, field.name))
        elif isinstance(value, list | tuple):
            add(name, len(value))
            for part in value:
                hold("", part)
        else:
            add(name, repr(value))

    add(streams(design.graph.inputs), streams(design.graph.outputs))
    for node in design.nodes:
        unit = unit_of(node)
        add(unit.kind, streams(node.inputs), streams(node.outputs))
        hold("", unit)
    add(sorted((numbers[t], depth) for t, depth in design.fifo_depths.items() if depth))
    add(sorted((units[a], units[b]) for a, b in design.shared))
    return int.from_bytes(digest.digest()[:8], "big")


def version_word() -> int:
    """The compiler's version as a register holds it: 8 bits major, 8 bits minor, 16 bits patch."""
    major, minor, patch = map(int, dfcompile.__version__.split("."))  # noqa: RUF048  ours has three numbers
    return major << 24 | minor << 16 | patch
