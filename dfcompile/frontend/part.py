"""A part of a model: the nodes between given tensors, as a model of its own; those before and behind it are left to the host.

The rule: the part reads nothing but its inputs and constants, and nothing behind it reads a tensor inside of it but its outputs.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import networkx as nx

from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.model import OnnxModel, OnnxNode, Stored, ValueInfo
from dfcompile.frontend.part_quantizer import Quantizer, find_quantizer
from dfcompile.frontend.value import Act, Const, Unknown, Value
from dfcompile.ir.modelop_base import shown_shape

STATIC = ("Shape", "Size")
"""Operators whose results do not depend on the numbers that they read."""


@dataclass(frozen=True)
class Part:
    """What is compiled of a model, by ONNX names.

    inputs, outputs: tensors between which it lies
    before, behind:  nodes that are left to the host, in file order: those that lead to an input of the part, and all others
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    before: tuple[str, ...]
    behind: tuple[str, ...]

    @property
    def report(self) -> dict[str, list[str]]:
        """As report.json holds it."""
        return {"from": [*self.inputs], "to": [*self.outputs], "before": [*self.before], "behind": [*self.behind]}


Vertex = str | int
"""A tensor by its name, a node by its index."""


class Tensors:
    """Who makes and reads each tensor of a model whose numbers depend on the inputs of the model.

    makers: tensor -> node; live: those tensors, graph inputs among them; paths: tensors and nodes, from what is read to what is made
    """

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.makers = {t: n for n in model.nodes for t in n.outputs if t}
        paths: nx.DiGraph[Vertex] = nx.DiGraph((t, n.index) for n in model.nodes for t in n.inputs if t and n.op_type not in STATIC)
        paths.add_edges_from((n.index, t) for n in model.nodes for t in n.outputs if t)
        paths.add_nodes_from(v.name for v in model.inputs)
        self.paths: nx.DiGraph[Vertex] = nx.DiGraph(paths.subgraph(_reached(paths, [v.name for v in model.inputs])))
        self.live = {v for v in self.paths if isinstance(v, str)}

    def nodes(self, vertices: Iterable[Vertex]) -> list[OnnxNode]:
        """The nodes among vertices, in file order."""
        return [self.model.nodes[i] for i in sorted(v for v in vertices if isinstance(v, int))]

    def behind(self, sources: Iterable[str]) -> set[Vertex]:
        """What depends on these tensors, and they themselves."""
        return _reached(self.paths, sources)

    def before(self, targets: Iterable[str]) -> set[Vertex]:
        """What these tensors depend on, and they themselves."""
        return _reached(self.paths.reverse(copy=False), targets)

    def ways(self, tensors: Iterable[str]) -> list[str]:
        """The tensors that all ways from the model's inputs to these tensors go through, in order."""
        rooted: nx.DiGraph[Vertex] = nx.DiGraph(self.paths)
        rooted.add_edges_from(("", v.name) for v in self.model.inputs)
        above = nx.immediate_dominators(rooted, "")
        first, *others = (list(_upwards(above, t)) for t in tensors)
        return [v for v in reversed(first) if isinstance(v, str) and all(v in way for way in others)]


def _reached(paths: nx.DiGraph[Vertex], sources: Iterable[str]) -> set[Vertex]:
    found: set[Vertex] = set(sources)
    return found.union(*(nx.descendants(paths, v) for v in found))


def _upwards(above: Mapping[Vertex, Vertex | None], vertex: Vertex) -> Iterator[Vertex]:
    """A vertex and those that dominate it, without the root."""
    while vertex:
        yield vertex
        vertex = above.get(vertex) or ""


def cut_out(
    model: OnnxModel, start: tuple[str, ...], end: tuple[str, ...], values: Mapping[str, Value | Unknown], batch: int
) -> tuple[OnnxModel, Part]:
    """The model between tensors `start` (default: its inputs) and `end` (default: its outputs that depend on them).

    values: what the import has found of each tensor of the whole model; batch: size of the batch axis
    An input that a quantizer has made begins with that quantizer, which finds the very codes again.
    CompileError with every tensor that is unknown or breaks the rule, or that has no known shape.
    """
    tensors = Tensors(model)
    _check_names(tensors, {"--from": start, "--to": end})
    start, end, inside = _between(tensors, start, end)
    inputs, quantizers, problems = [], [], list[Problem]()
    for t in start:
        try:
            inputs.append(_input(model, t, values.get(t, Unknown()), batch))
        except CompileError as e:
            problems += e.problems
        found = find_quantizer(t, tensors.makers, values, _fresh(model, f"{t}_quantized"))
        quantizers += [found] if found else []
    if problems:
        raise CompileError(problems)
    constants = {t: Stored(v.array, v.elem) for n in model.nodes if n.op_type in STATIC for t in n.outputs
                 if isinstance(v := values.get(t), Const)}  # fmt: skip
    nodes = _nodes(tensors, inside, quantizers, constants)
    given = {k: v for q in quantizers for k, v in q.constants.items()}
    part = replace(
        model, nodes=nodes, inputs=tuple(inputs), outputs=tuple(ValueInfo(t, "", None) for t in end),
        initializers={**model.initializers, **given, **constants},
    )  # fmt: skip
    return part, _left(tensors, start, end, inside)


def _check_names(tensors: Tensors, given: Mapping[str, tuple[str, ...]]) -> None:
    """CompileError for every name that is no tensor which depends on an input of the model."""
    model, problems = tensors.model, []
    known = {v.name for v in model.inputs} | {*model.initializers, *tensors.makers}
    by_label = {n.label: n for n in model.nodes}
    for option, names in given.items():
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(tensors.live), n=1, cutoff=0.5)
                node = by_label.get(name)
                help = f"'{name}' is a node; it makes {', '.join(node.outputs)}" if node else f"did you mean '{near[0]}'?" if near else ""
                problems.append(
                    Problem("unknown-tensor", f"{option}: the model has no tensor '{name}'", help=help or "name the output of a node")
                )
            elif name not in tensors.live:
                problems.append(
                    Problem("constant-cut", f"{option}: tensor '{name}' does not depend on an input of the model",
                            help="name a tensor that carries data from an input to an output")
                )  # fmt: skip
    if problems:
        raise CompileError(problems)


def _between(tensors: Tensors, start: tuple[str, ...], end: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], set[Vertex]]:
    """Inputs, outputs and vertices of the part; CompileError where it is empty or not closed."""
    model = tensors.model
    after = tensors.behind(start or [v.name for v in model.inputs])
    ends = end or tuple(dict.fromkeys(v.name for v in model.outputs if v.name in after))
    cut: nx.DiGraph[Vertex] = nx.DiGraph(tensors.paths)
    cut.remove_edges_from([*cut.in_edges(start)])
    needed = _reached(cut.reverse(copy=False), ends)
    starts = start or tuple(v.name for v in model.inputs if v.name in needed)
    unread = [t for t in starts if t not in needed or t in ends]
    if unread or not ends:
        begin, to = (", ".join(f"'{t}'" for t in names) for names in (unread or starts, ends))
        raise CompileError(
            Problem("empty-part", f"no node lies between {begin} and {to or 'an output of the model'}",
                    help="--from names a tensor that those of --to are made of")
        )  # fmt: skip
    inside = (needed & after) - set(starts)
    _check_closed(tensors, starts, ends, inside)
    return starts, ends, inside


def _check_closed(tensors: Tensors, start: tuple[str, ...], end: tuple[str, ...], inside: set[Vertex]) -> None:
    """CompileError for each tensor that the part reads beside its inputs, and each that is wanted of it beside its outputs."""
    problems, outputs = [], {v.name for v in tensors.model.outputs}
    beside = {t: n for n in reversed(tensors.nodes(inside)) for t in n.inputs if t in tensors.live - inside - set(start)}
    common = tensors.ways((*start, *beside))[-1:] if beside else []
    for t, reader in sorted(beside.items(), key=lambda x: x[1].index):
        begin = f", or begin the part at {shlex.quote(common[0])} alone" if common else ""
        why = f"'{t}' is not made of {', '.join(start)}"
        problems.append(Problem("open-part", f"the part reads tensor '{t}' too", reader.where, why, f"add --from {shlex.quote(t)}{begin}"))
    for node in tensors.nodes(inside):
        for t in (t for t in node.outputs if t in inside and t not in end):
            readers = tensors.nodes(set(tensors.paths.successors(t)) - inside)
            if readers or t in outputs:
                where = readers[0].where if readers else f"output '{t}'"
                why = "the host would have to compute the part again to have it"
                problems.append(
                    Problem("open-part", f"tensor '{t}' inside the part is wanted behind it", where, why, f"add --to {shlex.quote(t)}")
                )
    if problems:
        raise CompileError(problems)


def _input(model: OnnxModel, name: str, value: Value | Unknown, batch: int) -> ValueInfo:
    """Type and shape of an input of the part. CompileError where they are not known or there is no batch axis."""
    own = next((v for v in model.inputs if v.name == name), None)
    if own is not None:
        return own
    if isinstance(value, Act):
        if not value.unbatched or len(value.onnx_shape) == 1:
            return ValueInfo(name, value.elem, value.onnx_shape)
        raise CompileError(
            Problem("batch-axis", f"--from: tensor '{name}' has no batch axis", why=f"its shape is {shown_shape(value.onnx_shape)}",
                    help="begin the part at a tensor whose axis 0 counts the frames")
        )  # fmt: skip
    stated = model.value_info.get(name)
    if stated is not None and stated.dims and None not in stated.dims[1:] and stated.dims[0] in (None, batch):
        return ValueInfo(name, stated.elem, (batch, *stated.dims[1:]))
    raise CompileError(
        Problem("dynamic-shape", f"--from: the shape of tensor '{name}' is not known",
                why="it is made behind an operator that is not supported, and the file does not state it",
                help="let onnx.shape_inference.infer_shapes write the shapes into the file")
    )  # fmt: skip


def _fresh(model: OnnxModel, hint: str) -> str:
    taken = {t for n in model.nodes for t in (*n.inputs, *n.outputs)} | set(model.initializers)
    while hint in taken:
        hint += "_"
    return hint


def _nodes(tensors: Tensors, inside: set[Vertex], quantizers: list[Quantizer], known: Mapping[str, Stored]) -> tuple[OnnxNode, ...]:
    """The quantizers of the inputs, the nodes of the part and those of its constants."""
    renamed = {q.source: q.result for q in quantizers}
    chosen = {n.index for n in tensors.nodes(inside)}
    needed = [t for n in tensors.nodes(chosen) for t in n.inputs]
    while needed:
        t = needed.pop()
        made = tensors.makers.get(t)
        if t not in tensors.live and t not in known and made is not None and made.index not in chosen:
            chosen.add(made.index)
            needed.extend(made.inputs)
    kept = [replace(n, inputs=tuple(renamed.get(t, t) for t in n.inputs)) for n in tensors.nodes(chosen)]
    return (*(n for q in quantizers for n in q.nodes), *kept)


def _left(tensors: Tensors, start: tuple[str, ...], end: tuple[str, ...], inside: set[Vertex]) -> Part:
    """What the host is left: nodes that an output of the model needs and the part does not hold."""
    before = tensors.before(start)
    wanted = before | tensors.before(v.name for v in tensors.model.outputs if v.name in tensors.live)
    behind = tensors.nodes(wanted - inside - before)
    return Part(start, end, tuple(n.label for n in tensors.nodes(before)), tuple(n.label for n in behind))
