"""Versions of one integer graph, executed together on the probes' codes.

A tensor that the version before has too is compared with it and shared from there on, so that what a pass has left alone is
executed once for all versions; and every tensor goes as soon as its last reader is done.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph, Node


class _Version:
    """One version on its way: values by tensor (constants aside), what they are equal to, and how often each will still be asked for."""

    def __init__(self, name: str, graph: Graph, feeds: Mapping[str, Array], extra: Iterable[str]) -> None:
        self.name, self.graph = name, graph
        self.queue = deque(graph.nodes)
        self.made = graph.producers()
        self.values: dict[str, Array] = dict(feeds)
        self.origin: dict[str, object] = {**{t: id(a) for t, a in graph.constants.items()}, **{t: t for t in feeds}}
        self.uses = Counter(t for n in graph.nodes for t in n.inputs)
        self.uses.update(extra)

    def value(self, tensor: str) -> Array:
        found = self.values.get(tensor)
        return self.graph.constants[tensor] if found is None else found

    def release(self, tensor: str) -> None:
        """One who asked is served; nothing is kept for nobody."""
        self.uses[tensor] -= 1
        if self.uses[tensor] <= 0:
            self.values.pop(tensor, None)


class Lockstep:
    """Executes versions of an integer graph side by side.

    versions: (name of the pass that made it, graph), each by a pass from the one before; all have the same inputs and outputs
    feeds:    codes (n, h, w, c) of the graph inputs
    asked:    tensors of the first version that will be taken with `take`, once for each time
    most_bytes: of all tensors alive after any node so far, constants left out
    CompileError where a tensor differs from that of the same name in the version before; it names the pass.
    """

    def __init__(self, versions: Sequence[tuple[str, Graph]], feeds: Mapping[str, Array], asked: Iterable[str] = ()) -> None:
        wanted = (*asked, *versions[0][1].outputs)
        self.versions: list[_Version] = []
        self.most_bytes = 0
        for i, (name, graph) in enumerate(versions):
            after = versions[i + 1][1].producers() if i + 1 < len(versions) else {}
            compared = [t for t in graph.producers() if t in after]
            self.versions.append(_Version(name, graph, feeds, (*compared, *(wanted if i == 0 else ()))))

    def take(self, tensor: str) -> Array:
        """The codes of a tensor of the first version."""
        first = self.versions[0]
        while tensor not in first.values and tensor not in first.graph.constants:
            self._advance()
        found = first.value(tensor)
        first.release(tensor)
        return found

    def finish(self) -> dict[str, Array]:
        """Run what is left; the codes of the outputs."""
        while self.versions[0].queue:
            self._advance()
        assert not any(v.queue for v in self.versions), "all versions of a graph end with the first"
        outputs = self.versions[0].graph.outputs
        return {t: self.versions[0].value(t) for t in outputs}

    def _advance(self) -> None:
        """One node of the first version, and of the others all that can be held against it."""
        self._step(0, self.versions[0].queue.popleft())
        for i, version in enumerate(self.versions[1:], 1):
            while version.queue and self._is_ready(i, version.queue[0]):
                self._step(i, version.queue.popleft())
        self.most_bytes = max(self.most_bytes, self._held())

    def _held(self) -> int:
        alive = {id(a): a for v in self.versions for a in v.values.values()}
        return sum(a.nbytes for a in alive.values())

    def _is_ready(self, i: int, node: Node) -> bool:
        before = self.versions[i - 1]
        return all(t in before.origin for t in node.outputs if t in before.made)

    def _step(self, i: int, node: Node) -> None:
        version, before = self.versions[i], self.versions[i - 1] if i else None
        twin = before.made.get(node.outputs[0]) if before else None
        if before and twin and twin.op is node.op and self._same_inputs(before, twin, version, node):
            results = tuple(before.values[t] for t in node.outputs)
        else:
            results = node.op.execute(*(version.value(t) for t in node.inputs))
        for t, result in zip(node.outputs, results, strict=True):
            version.values[t], version.origin[t] = result, (i, t)
            if before and t in before.made:
                self._share(before, version, t)
            if not version.uses[t]:
                version.values.pop(t)
        for t in node.inputs:
            version.release(t)

    @staticmethod
    def _same_inputs(before: _Version, twin: Node, version: _Version, node: Node) -> bool:
        pairs = zip(twin.inputs, node.inputs, strict=True)
        return len(twin.inputs) == len(node.inputs) and all(before.origin[a] == version.origin[b] for a, b in pairs)

    @staticmethod
    def _share(before: _Version, version: _Version, tensor: str) -> None:
        old, new = before.values[tensor], version.values[tensor]
        if new is not old:
            compare_codes(version.name, tensor, old, new)
        if new.shape == old.shape:
            version.values[tensor], version.origin[tensor] = old, before.origin[tensor]
        before.release(tensor)


def compare_codes(name: str, tensor: str, wanted: Array, made: Array) -> None:
    """CompileError unless two versions of a tensor hold the same codes, whatever their shapes."""
    wrong = np.reshape(wanted, (len(wanted), -1)) != np.reshape(made, (len(made), -1))
    if wrong.any():
        frame, element = (int(i[0]) for i in np.nonzero(wrong))
        where, why = f"tensor {tensor}, frame {frame}, element {element}", f"{int(wrong.sum())} of {wrong.size} codes differ"
        raise CompileError(mismatch(f"pass {name} changed the numbers", where, why))


def mismatch(what: str, where: str, why: str) -> Problem:
    """A stage that does not give what the stage before gave."""
    return Problem("pass-mismatch", f"{what}: this is a bug in dfcompile", where, why, "please report it with the model")
