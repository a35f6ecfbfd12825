"""The largest part of a refused model that compiles: `check` proposes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from dfcompile.errors import CompileError, Problem
from dfcompile.front import FRONT, Build, Names, problems_of, take_model
from dfcompile.frontend.importer import Survey, import_part, survey
from dfcompile.frontend.part import Tensors

MOST_TRIED = 32
"""Parts that are compiled up to units before the search ends."""
OF_THE_START = ("no-input-type", "batch-axis", "dynamic-shape")
"""Problems that say that a part cannot begin where it does, not that a node in it has no hardware."""


@dataclass(frozen=True)
class Proposal:
    """A part that compiles. start, end: its tensors, none for those of the model; macs of whole: its multiplications."""

    start: tuple[str, ...]
    end: tuple[str, ...]
    macs: int
    whole: int


@dataclass(frozen=True, eq=False)
class _Chain:
    """Tensors that all ways from the model's inputs to some outputs go through, in order, and what lies between them.

    place: node -> how many of the cuts it lies behind; macs: multiplications, sizes: nodes, up to each place (first 0)
    """

    outputs: tuple[str, ...]
    cuts: tuple[str, ...]
    place: dict[str, int]
    macs: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """The part at places first..last of a chain."""

    chain: _Chain
    first: int
    last: int

    @property
    def start(self) -> tuple[str, ...]:
        return self.chain.cuts[self.first - 1 : self.first] if self.first else ()

    @property
    def end(self) -> tuple[str, ...]:
        return self.chain.cuts[self.last : self.last + 1] or self.chain.outputs

    @property
    def macs(self) -> int:
        return self.chain.macs[self.last + 1] - self.chain.macs[self.first]

    @property
    def size(self) -> int:
        return self.chain.sizes[self.last + 1] - self.chain.sizes[self.first]

    def holds(self, label: str) -> bool:
        """Whether a node lies in it."""
        return self.first <= self.chain.place.get(label, -1) <= self.last


def propose(model: str | Path, input_type: Names = None) -> Proposal | None:
    """The part with the most multiplications that compiles, of those between two tensors that all ways go through; None where none does.

    Each is compiled up to units before it is proposed. Of equally many multiplications more nodes win, then the earlier part.
    """
    try:
        found = survey(model)
    except CompileError:
        return None
    candidates = sorted((c for chain in _chains(found) for c in _candidates(chain)), key=lambda c: (-c.macs, -c.size))
    bad: set[str] = set()
    bad_starts: set[tuple[str, ...]] = set()
    tried = 0
    for c in candidates:
        if c.start in bad_starts or any(map(c.holds, bad)) or tried == MOST_TRIED:
            continue
        problems = _problems(found, c, Path(model), input_type)
        if not problems:
            return Proposal(c.start, c.end, c.macs, sum(found.macs.values()))
        tried += all(p.code != "open-part" for p in problems)
        for p in problems:
            if p.code in OF_THE_START:
                bad_starts.add(c.start)
            else:
                bad.update(filter(c.holds, _labels(p)))
    return None


def _problems(found: Survey, c: _Candidate, path: Path, input_type: Names) -> tuple[Problem, ...]:
    """What stops a part; a declared type of an input is that of the model's inputs."""
    options = {"input_type": None if c.start else input_type}
    first = (("import", lambda b: take_model(b, import_part(found, c.start, c.end))), *FRONT[1:])
    return problems_of(Build(path, options), first)


def _labels(problem: Problem) -> set[str]:
    """ONNX nodes that a problem names."""
    origin = re.search(r"\(ONNX: (.*?)\)", problem.where)
    node = re.match(r"node (\S+)", problem.where)
    return {*(origin[1].split(", ") if origin else ()), *([node[1].rstrip(",")] if node else ())}


def _chains(found: Survey) -> Iterator[_Chain]:
    """The chain to all outputs, written as none, and where there are several those to each."""
    tensors, outputs = Tensors(found.model), tuple(dict.fromkeys(v.name for v in found.model.outputs))
    for targets in ((), *((t,) for t in outputs if len(outputs) > 1)):
        if tensors.live.issuperset(targets or outputs):
            yield _chain(found, tensors, targets, targets or outputs)


def _chain(found: Survey, tensors: Tensors, name: tuple[str, ...], targets: tuple[str, ...]) -> _Chain:
    inputs = {v.name for v in found.model.inputs}
    cuts = tuple(t for t in tensors.ways(targets) if t not in inputs and t not in targets)
    nodes = tensors.before(targets)
    place = {n.label: 0 for n in tensors.nodes(nodes)}
    for t in cuts:
        for n in tensors.nodes(tensors.behind([t]) & nodes):
            place[n.label] += 1
    macs, sizes = [0] * (len(cuts) + 1), [0] * (len(cuts) + 1)
    for label, k in place.items():
        macs[k] += found.macs.get(label, 0)
        sizes[k] += 1
    return _Chain(name, cuts, place, (0, *accumulate(macs)), (0, *accumulate(sizes)))


def _candidates(chain: _Chain) -> Iterator[_Candidate]:
    """Every part of a chain that multiplies."""
    places = range(len(chain.cuts) + 1)
    return (c for i in places for j in places[i:] if (c := _Candidate(chain, i, j)).macs)
