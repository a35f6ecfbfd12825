"""The largest part of a refused model that compiles: `check` proposes it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import networkx as nx

from dfcompile.errors import CompileError, Problem
from dfcompile.front import Imported, Job, front, problems_of, take_model
from dfcompile.frontend.importer import Survey, import_part, survey
from dfcompile.frontend.part import Tensors, Vertex
from dfcompile.options import Options

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

    @property
    def order(self) -> tuple[int, int, int]:
        """Smaller for what is proposed rather."""
        return -self.macs, -self.size, self.first

    def without(self, first: bool = False, last: bool = False) -> Iterator[_Candidate]:
        """The largest parts of this one without its first and without its last place."""
        if first:
            yield replace(self, first=self.first + 1)
        if last:
            yield replace(self, last=self.last - 1)

    def around(self, place: int) -> Iterator[_Candidate]:
        """The parts before and behind a place."""
        yield replace(self, last=place - 1)
        yield replace(self, first=place + 1)


def propose(model: Path, input_type: tuple[str, ...] = (), mode: str = "auto") -> Proposal | None:
    """The part with the most multiplications that compiles, of those between two tensors that all ways go through; None where none does.

    Each is compiled up to units, or a program with mode "loopback", before it is proposed. Of equally many multiplications more nodes win,
    then the earlier part.
    """
    try:
        found = survey(model)
    except CompileError:
        return None
    chains = list(_chains(found))
    left = [_Candidate(chain, 0, len(chain.cuts)) for chain in chains]
    bad: set[str] = set()
    seen: set[tuple[int, int, int]] = set()
    tried = 0
    while left and tried < MOST_TRIED:
        c = min(left, key=lambda x: x.order)
        left.remove(c)
        key = (chains.index(c.chain), c.first, c.last)
        if key in seen or c.first > c.last or not c.macs:
            continue
        seen.add(key)
        places = sorted({c.chain.place.get(n, -1) for n in bad})
        refused = next((p for p in places if c.first <= p <= c.last), None)
        if refused is None:
            problems = _problems(found, c, model, Options(input_type=() if c.start else input_type, mode=mode))
            if not problems:
                return Proposal(c.start, c.end, c.macs, sum(found.macs.values()))
            tried += any(p.code != "open-part" for p in problems)
            of_start = [p for p in problems if p.code in OF_THE_START]
            named = {n for p in problems if p not in of_start for n in _labels(p) if c.first <= c.chain.place.get(n, -1) <= c.last}
            bad |= named
            left += [c] if named else c.without(first=True, last=not of_start)
            seen -= {key} if named else set()
        else:
            left += c.around(refused)
    return None


def propose_fitting(model: Path, options: Options, build: Callable[[Job, Imported], object]) -> Proposal | None:
    """The part from the model's start or to its end with more multiplications of the largest that fit; None where none does.

    build: raises CompileError where an imported part does not fit. Bisected: a part of a part that fits is taken to fit.
    """
    try:
        found = survey(model)
    except CompileError:
        return None
    whole = next(_chains(found), None)
    if whole is None:
        return None
    count = len(whole.cuts)

    def fits(c: _Candidate) -> bool:
        job = Job(model, replace(options, input_type=() if c.start else options.input_type, folding=None))
        return not c.macs or not problems_of(lambda: build(job, take_model(job, import_part(found, c.start, c.end))))

    lengths = range(1, count + 2)
    from_start = bisect_left(lengths, True, key=lambda n: not fits(_Candidate(whole, 0, n - 1)))
    to_end = bisect_left(lengths, True, key=lambda n: not fits(_Candidate(whole, count + 1 - n, count)))
    ends = [_Candidate(whole, 0, from_start - 1)] * bool(from_start) + [_Candidate(whole, count + 1 - to_end, count)] * bool(to_end)
    best = min(ends, key=lambda c: c.order, default=None)
    return Proposal(best.start, best.end, best.macs, sum(found.macs.values())) if best and best.macs else None


def _problems(found: Survey, c: _Candidate, path: Path, options: Options) -> tuple[Problem, ...]:
    """What stops a part; a declared type of an input is that of the model's inputs."""
    job = Job(path, options)
    return problems_of(lambda: front(options.mode)(job, take_model(job, import_part(found, c.start, c.end))))


def _labels(problem: Problem) -> set[str]:
    """ONNX nodes that a problem names."""
    origin = re.search(r"\(ONNX: (.*?)\)", problem.where)
    node = re.match(r"node (\S+)", problem.where)
    return {*(origin[1].split(", ") if origin else ()), *([node[1].rstrip(",")] if node else ())}


def _chains(found: Survey) -> Iterator[_Chain]:
    """The chain to all outputs, written as none, and where there are several those to each."""
    tensors, outputs = Tensors(found.model), tuple(dict.fromkeys(v.name for v in found.model.outputs))
    if not nx.is_directed_acyclic_graph(tensors.paths):
        return
    for targets in ((), *((t,) for t in outputs if len(outputs) > 1)):
        if tensors.live.issuperset(targets or outputs):
            yield _chain(found, tensors, targets, targets or outputs)


def _chain(found: Survey, tensors: Tensors, name: tuple[str, ...], targets: tuple[str, ...]) -> _Chain:
    inputs = {v.name for v in found.model.inputs}
    cuts = tuple(t for t in tensors.ways(targets) if t not in inputs and t not in targets)
    behind: dict[Vertex, int] = {t: k for k, t in enumerate(cuts, 1)}
    vertices = tensors.paths.subgraph(tensors.before(targets))
    for v in nx.topological_sort(vertices):
        behind.setdefault(v, max((behind[u] for u in vertices.predecessors(v)), default=0))
    place = {n.label: behind[n.index] for n in tensors.nodes(vertices)}
    macs, sizes = [0] * (len(cuts) + 1), [0] * (len(cuts) + 1)
    for label, k in place.items():
        macs[k] += found.macs.get(label, 0)
        sizes[k] += 1
    return _Chain(name, cuts, place, (0, *accumulate(macs)), (0, *accumulate(sizes)))
