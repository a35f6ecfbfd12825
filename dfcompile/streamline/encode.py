"""Real numbers --> integer codes on streams: the walk over the model graph.

Every tensor gets integer codes and an affine where it has one; elementwise operators gather in chains until a
quantizer closes them; operators that only move elements change an index array. What runs on the host: everything
before the input quantizers, everything behind the last integers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from dfcompile.errors import Problem
from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.intop import ArgMaxCode, IntAdd, IntConv, IntMatMul, IntMul
from dfcompile.ir.modelop import (
    ArgMax,
    AveragePool,
    Binary,
    Bipolar,
    CollectSteps,
    Concat,
    Conv,
    ConvTranspose,
    IndexOp,
    MatMul,
    MaxPool,
    MultiThreshold,
    Pad,
    Quantize,
    Reduce,
    Softmax,
    Standardize,
    TakeStep,
    TopK,
    Unsupported,
)
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.streamline import encode_linear, encode_pointwise, encode_window
from dfcompile.streamline.encode_layout import ordered
from dfcompile.streamline.encode_matmul import encode_matmul
from dfcompile.streamline.encode_norm import encode_standardize, encode_standardized
from dfcompile.streamline.encode_softmax import encode_shares, encode_softmax, mask_of
from dfcompile.streamline.encode_steps import encode_collect_steps, encode_take_step
from dfcompile.streamline.encoder import LAYERS, Encoder, InputType, RefusedError, RestartError, refuse
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.layout import default_layout, natural_index
from dfcompile.streamline.step import ELEMENTWISE
from dfcompile.streamline.value import Const, Host, InputPort, Known, OutputPort, Raw, Shares, Standardized, Value, describe

_HANDLERS: list[tuple[Any, Any]] = [
    ((Conv, ConvTranspose), encode_linear.encode_conv),
    (MatMul, encode_matmul),
    (MaxPool, encode_window.encode_max_pool),
    (AveragePool, encode_window.encode_average_pool),
    (Reduce, encode_window.encode_reduce),
    (Pad, encode_window.encode_pad),
    (Concat, encode_pointwise.encode_concat),
    (IndexOp, encode_pointwise.encode_index),
    (Softmax, encode_softmax),
    (Standardize, encode_standardize),
    (TakeStep, encode_take_step),
    (CollectSteps, encode_collect_steps),
]
_HOST_OPS = (Softmax, Standardize, TopK, ArgMax)
_ROUNDING = (Quantize, Bipolar, MultiThreshold)


@dataclass(frozen=True, eq=False)
class Encoded:
    """An integer graph with what the host does before and after it.

    graph: integer operators; its inputs and outputs are streams, in the order of `inputs` and `outputs`
    tail:  model graph from the tensors of `outputs` to the model's outputs
    model_tensors: model tensor -> (stream, index, grid) wherever codes stand for it
    input_types: the declared types, and those that inputs of integers have by themselves
    """

    graph: Graph
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    tail: Graph
    fates: dict[str, str]
    model_tensors: dict[str, tuple[str, Array, Grid]]
    input_types: dict[str, InputType]


def encode(
    model: Graph, input_types: dict[str, InputType], argmax: bool = False, given: Iterable[str] = ()
) -> tuple[Encoded | None, tuple[Problem, ...], dict[str, str]]:
    """The integer graph of a model, or the problems that stand against it; and what became of each node.

    given: tensors of the model as it was imported, before passes rewrote it
    """
    layouts: dict[str, Any] = {}
    while True:
        enc = Encoder(model, input_types, layouts, argmax, frozenset(given or model.tensors))
        try:
            _walk(enc)
            outputs = _finish(enc) if not enc.problems else None
            break
        except RestartError:
            layouts, input_types = enc.layouts, enc.input_types
    if outputs is None or enc.problems:
        return None, tuple(enc.problems), enc.fates
    ends = tuple(p.stream for p in enc.inputs), tuple(dict.fromkeys(p.stream for p in enc.outputs))
    graph = Graph(model.name, tuple(enc.nodes), enc.tensors, enc.constants, *ends).without_dead()
    live = {p.tensor for p in enc.outputs}
    tail = Graph(f"{model.name}_tail", tuple(enc.host_nodes), model.tensors, model.constants, tuple(live), model.outputs)
    known = {t: v for t, v in enc.model_tensors.items() if v[0] in graph.tensors}
    encoded = Encoded(graph, tuple(enc.inputs), tuple(enc.outputs), tail.without_dead(), enc.fates, known, enc.input_types)
    return encoded, (), enc.fates


def find_problems(model: Graph, input_types: dict[str, InputType]) -> tuple[Problem, ...]:
    """Problems of what does not depend on a model's unsupported operators, or on their results only through a quantizer."""
    layouts: dict[str, Any] = {}
    while True:
        enc = Encoder(model, input_types, layouts, given=frozenset(model.tensors))
        try:
            _walk(enc)
            return tuple(enc.problems)
        except RestartError:
            layouts, input_types = enc.layouts, enc.input_types


def _walk(enc: Encoder) -> None:
    for name, value in enc.model.constants.items():
        enc.known[name] = Const(np.asarray(value))
    for name in enc.model.inputs:
        enc.known[name] = _open(enc, name)
    for node in enc.model.nodes:
        if not all(t in enc.known for t in node.inputs):
            _resume(enc, node)
            continue
        try:
            _encode_node(enc, node)
        except RefusedError as e:
            problem = _outside(enc, node, e.problem)
            if str(problem) not in map(str, enc.problems):
                enc.problems.append(problem)
        except ValueError as e:
            enc.problems.append(Problem("bad-shape", f"'{node.op.kind}' does not fit its operands", describe(node), str(e)))


def _outside(enc: Encoder, node: Node, problem: Problem) -> Problem:
    """A problem between parts of one ONNX node, in words that do not ask for something inside of it."""
    made = enc.model.producers()
    inside = any(t in made and made[t].source == node.source != () for t in node.inputs)
    if not inside or problem.code not in ("not-quantized", "unsupported-op"):
        return problem
    what = f"{', '.join(node.source)} has no integer form here: {problem.what}"
    end = enc.before(node)
    first = f"build with {end}, so that the host runs it, or " if end else ""
    help = f"{first}replace it by operators that have one"
    return replace(problem, what=what, help=help)


def _resume(enc: Encoder, node: Node) -> None:
    """Behind what was refused the walk goes on at the next quantizer, whose results are known whatever it reads."""
    op = node.op
    if not isinstance(op, Quantize | Bipolar) or not all(isinstance(enc.known.get(t), Const) for t in node.inputs[1:]):
        return
    bounds = (op.lo, op.hi) if isinstance(op, Quantize) else (-1, 1)
    dtype = IntType.holding(*bounds) if isinstance(op, Quantize) else BIPOLAR
    enc.known[node.outputs[0]] = enc.open_input(enc.model.inputs[0], node.outputs[0], dtype, Grid.of(1, 0), bounds, None)


def _open(enc: Encoder, name: str) -> Known:
    declared = enc.input_types.get(name)
    if declared is None:
        return Raw(name)
    grid = Grid.of(declared.scale, declared.offset)
    return enc.open_input(name, name, declared.dtype, grid, (declared.dtype.lo, declared.dtype.hi), None)


def _encode_node(enc: Encoder, node: Node) -> None:
    operands = [enc.known[t] for t in node.inputs]
    if isinstance(node.op, Unsupported):
        return
    if all(isinstance(k, Const) for k in operands):
        results = encode_pointwise.encode_constant(node, operands)  # type: ignore[arg-type]
        enc.known.update(zip(node.outputs, results, strict=True))
        enc.note(node, "constant")
        return
    inside = enc.is_inside(node) if isinstance(node.op, Softmax) else isinstance(node.op, Standardize) and not _is_tail(enc, node)
    if any(isinstance(k, Host) for k in operands) or (isinstance(node.op, _HOST_OPS) and not inside):
        if isinstance(node.op, LAYERS):
            _refuse_host(enc, node)
        _to_host(enc, node)
        return
    raws = [k for k in operands if isinstance(k, Raw)]
    if raws and all(isinstance(k, Raw | Const) for k in operands):
        first = raws[0]
        stays = encode_pointwise.encode_raw(enc, node, first) if _host_may(node, raws) else None
        if stays is not None:
            enc.known[node.outputs[0]] = stays
            enc.note(node, "on the host, before the accelerator")
            return
    real = any(isinstance(k, Value) and _is_real(enc, k) for k in operands)
    if real and not isinstance(node.op, (*ELEMENTWISE, IndexOp, *LAYERS)) and _is_tail(enc, node):
        _to_host(enc, node)
        return
    try:
        _dispatch(enc, node)
    except RefusedError as e:
        _end_on_host(enc, node, e)
        return
    for t in node.outputs:
        _settle(enc, node, t)


def _end_on_host(enc: Encoder, node: Node, refused: RefusedError) -> None:
    """What has no unit runs on the host where it is part of a tail; else the refusal."""
    if not _is_tail(enc, node):
        raise refused
    try:
        _to_host(enc, node)
    except RefusedError:
        raise refused from None


def _is_tail(enc: Encoder, node: Node) -> bool:
    """Whether neither a layer nor a quantizer follows: the host's float64 rounds nothing there that integers would decide."""
    return not isinstance(node.op, LAYERS) and not enc.feeds(node, (*LAYERS, *_ROUNDING))


def _host_may(node: Node, raws: list[Raw]) -> bool:
    """Only what is elementwise or moves elements may stay on the host: the rest is the network."""
    return len(raws) == 1 and isinstance(node.op, (*ELEMENTWISE, IndexOp, Pad))


def _dispatch(enc: Encoder, node: Node) -> None:
    for known, handler in ((Shares, encode_shares), (Standardized, encode_standardized)):
        if any(isinstance(enc.known[t], known) for t in node.inputs):
            handler(enc, node)
            return
    if isinstance(node.op, ELEMENTWISE):
        if masked := mask_of(enc, node):
            enc.known[node.outputs[0]] = masked
            enc.note(node, "a mask for the Softmax behind it")
            return
        streams = sum(not isinstance(enc.known[t], Const) for t in node.inputs)
        (encode_pointwise.encode_binary if streams > 1 and isinstance(node.op, Binary) else encode_pointwise.encode_step)(enc, node)
        return
    for kinds, handler in _HANDLERS:
        if isinstance(node.op, kinds):
            handler(enc, node)
            return
    raise RefusedError(
        Problem(
            "unsupported-op",
            f"'{node.op.kind}' has no integer form here",
            describe(node),
            "what it computes is no sum of products, window or function of one number",
            "keep it behind the last quantized layer, where the host runs it, or use an operator of docs/operators.md",
        )
    )


def _settle(enc: Encoder, node: Node, name: str) -> None:
    """Remember the last tensor with a grid; put a quantized tensor with several readers into codes once."""
    value = enc.known[name]
    if not isinstance(value, Value):
        return
    if value.grid is None:
        return
    forks = not value.is_codes and enc.readers.get(name, 0) > 1 and not _is_real(enc, value)
    value = enc.materialize(value, node, name) if forks else replace(value, anchor=name)
    if value.is_codes:
        enc.model_tensors.setdefault(name, (value.stream, value.index, value.known_grid))
    enc.known[name] = value


def _refuse_host(enc: Encoder, node: Node) -> NoReturn:
    """A layer behind an operator that only the host has."""
    makers = {t: n for n in enc.host_nodes for t in n.outputs}
    first = next(makers[t] for t in node.inputs if t in makers)
    while before := next((makers[t] for t in first.inputs if t in makers), None):
        first = before
    end = enc.before(first) or "--from a tensor behind it"
    refuse(
        "host-only",
        f"'{node.op.kind}' follows '{first.op.kind}', which has no unit",
        node,
        f"{describe(first)} and what reads it can run on the host only behind the last layer of the network",
        f"build with {end}, or replace it by a function of one number, such as HardSigmoid",
    )


def _to_host(enc: Encoder, node: Node) -> None:
    for t in node.inputs:
        _expose(enc, t, node)
    enc.host_nodes.append(node)
    for t in node.outputs:
        enc.known[t] = Host()
    enc.note(node, "on the host, behind the accelerator")


def _expose(enc: Encoder, name: str, node: Node | None) -> None:
    """Make a tensor available to the host: the output of the last integers on its way, then the nodes since."""
    known = enc.known[name]
    if isinstance(known, Const | Host):
        return
    if isinstance(known, Value) and _is_real(enc, known):
        for t in _between(enc, name):
            _expose(enc, t, node)
        return
    reader = node or enc.model.producers().get(name) or Node(f"output_{name}", IDENTITY, (name,), ())
    value = enc.codes(name, reader)
    if any(p.tensor == name for p in enc.outputs):
        return
    scale, offset = value.known_grid.floats()
    enc.outputs.append(OutputPort(value.stream, name, value.index, scale, offset))


def _is_real(enc: Encoder, value: Value) -> bool:
    """Whether sums are still to be made real numbers, none of them rounded: what the host does as exactly, without thresholds."""
    if value.grid is None or value.is_codes or value.addends or any(s.jumps for s in value.chain):
        return value.grid is None
    made = next((n.op for n in reversed(enc.nodes) if value.stream in n.outputs), None)
    return isinstance(made, IntConv | IntAdd | IntMul | IntMatMul)


class _Identity:
    kind = "output"


IDENTITY: Any = _Identity()


def _between(enc: Encoder, name: str) -> list[str]:
    """Put the nodes that lead to `name` from tensors with a grid on the host; returns those tensors."""
    made = enc.model.producers()
    wanted, needed, frontier = [], [name], []
    seen = set()
    while needed:
        t = needed.pop()
        known = enc.known[t]
        if t in seen or isinstance(known, Const | Host):
            continue
        seen.add(t)
        if t != name and isinstance(known, Value) and known.grid is not None:
            frontier.append(t)
            continue
        if t not in made:
            frontier.append(t)
            continue
        wanted.append(made[t].name)
        needed.extend(made[t].inputs)
    present = {n.name for n in enc.host_nodes}
    order = {n.name: i for i, n in enumerate(enc.model.nodes)}
    by_name = {n.name: n for n in enc.model.nodes}
    for w in sorted(set(wanted) - present, key=order.__getitem__):
        enc.host_nodes.append(by_name[w])
        enc.note(by_name[w], "on the host, behind the accelerator")
    return frontier


def _finish(enc: Encoder) -> bool | None:
    try:
        if enc.argmax:
            _argmax_outputs(enc)
        else:
            for t in enc.model.outputs:
                if t in enc.known:
                    _expose(enc, t, None)
    except RefusedError as e:
        enc.problems.append(e.problem)
        return None
    order = {n.name: i for i, n in enumerate(enc.model.nodes)}
    enc.host_nodes.sort(key=lambda n: order[n.name])
    return True


def _argmax_outputs(enc: Encoder) -> None:
    """--argmax: the index of the largest output, found in hardware."""
    for t in enc.model.outputs:
        node = enc.model.producers()[t]
        value = ordered(enc, enc.codes(t, node), node)
        scales = set(np.ravel(value.known_grid.scale))
        if len(scales) > 1 or len(set(np.ravel(value.known_grid.offset))) > 1 or min(scales) < 0:
            raise RefusedError(
                Problem(
                    "unequal-scales",
                    "--argmax compares codes, but the outputs have different scales or offsets per channel",
                    describe(node),
                    f"the codes mean {value.known_grid}",
                    "leave --argmax out, or quantize the output with one scale",
                )
            )
        stream = enc.emit(ArgMaxCode(), (value.stream,), node.source, f"argmax_{node.name}")
        h, w, _ = enc.shape(stream)
        enc.outputs.append(OutputPort(stream, t, natural_index(1, h, w).reshape(-1), np.array(1.0), np.array(0.0)))


__all__ = ["Encoded", "default_layout", "encode"]
