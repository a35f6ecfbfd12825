"""What the units of a design give, as codes and as the real numbers of the model that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dfcompile.ir.graph import Array
from dfcompile.ir.operators import to_reals
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.value import Meaning


@dataclass(frozen=True, eq=False)
class Seen:
    """Codes (n, h, w, c) on a stream, and the unit that gives it; name: of the unit, with the output's number where it has several."""

    name: str
    kind: str
    source: tuple[str, ...]
    stream: str
    codes: Array


@dataclass(frozen=True, eq=False)
class Traced(Seen):
    """tensor: of the ONNX model, that the codes stand for, "" for none; real: its numbers (n, *shape) in the model's layout, or None."""

    tensor: str = ""
    real: Array | None = None


def traced(seen: Iterable[Seen], meanings: Sequence[Meaning], host: HostSide) -> dict[str, Traced]:
    """Streams with the real numbers that they stand for."""
    ports = [Meaning(p.stream, p.tensor, p.index.shape, np.asarray(p.scale), np.asarray(p.offset), p.index) for p in host.outputs]
    known = {m.stream: m for m in (*meanings, *ports)}
    found = {}
    for s in seen:
        meaning = known.get(s.stream)
        real = to_reals(s.codes, meaning.places, meaning.scale, meaning.offset) if meaning else None
        codes = s.codes.astype(np.int64)
        found[s.name] = Traced(s.name, s.kind, s.source, s.stream, codes, meaning.tensor if meaning else "", real)
    return found
