"""concat(a, b) --> f --> quantize becomes concat(quantize(f(a)), quantize(f(b))); so does max or min of two tensors, where f rises.

Behind a concatenation of channels there may be max pooling, too, and behind any one constants by place, of which each operand meets its
part (rotary embeddings), or elements that move, as they may behind the quantizer (windows of a rolled image).

Exporters that place quantizers only in front of layers (TensorRT, modelopt) join real numbers. What is one function of each
element may as well come before the tensors are joined, where each operand has a step function of its own, and a constant has codes.
So it does where codes of several scales are joined along another axis than that of the channels (detection heads, tokens): there a stream
has one scale. And where one of them is a constant, which has codes of any scale then (a class token, coordinates as channels).
|a - b| of two scales is the larger of a - b and b - a.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.modelop import Binary, Bipolar, Concat, Dequantize, IndexOp, MaxPool, Pad, Quantize, Unary
from dfcompile.streamline.decline import Decline, in_silence
from dfcompile.streamline.step import ELEMENTWISE, Step

_ROUNDS = (Quantize, Bipolar)
_SMALL = 1 << 12
"""Of the ratio of two scales: a larger numerator or denominator makes a sum of 8-bit codes too wide for a table."""


def push_quantizers(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every join of real numbers all of whose readers end in quantizers, moved behind them."""
    for node in reversed(model.nodes):
        wide = _is_wide_magnitude(model, node)
        if wide or _gains(model, node):
            apart, join = _as_larger(model, node) if wide else (model, node)
            chains = _chains(apart, join)
            if isinstance(chains, str):
                decline(node, chains)
            else:
                model = _pushed(apart, join, chains)
    return model


def _is_wide_magnitude(model: Graph, node: Node) -> bool:
    """Whether an operator is |a + b| or |a - b| of codes whose scales have no small common measure: no table holds so many sums."""
    made = model.producers().get(node.inputs[0])
    if not (isinstance(node.op, Unary) and node.op.fn == "abs" and made is not None and isinstance(made.op, Binary)):
        return False
    scales = [q[0] for t in made.inputs if (q := _quantizer(model, _moved(model, t)))]
    if made.op.fn not in ("add", "sub") or [len(s) for s in scales] != [1, 1]:
        return False
    (a,), (b,) = scales
    return max((Fraction(a) / Fraction(b)).as_integer_ratio()) > _SMALL


def _as_larger(model: Graph, node: Node) -> tuple[Graph, Node]:
    """|x| as the larger of x and -x."""
    (x,), name = node.inputs, f"{node.outputs[0]}.negative"
    negative = Node(f"{node.name}_negative", Unary("neg"), (x,), (name,), node.source)
    join = Node(node.name, Binary("max"), (x, name), node.outputs, node.source)
    nodes = [m for n in model.nodes for m in ((negative, join) if n is node else (n,))]
    return model.replace(nodes=tuple(nodes), tensors={**model.tensors, name: model.tensors[x]}), join


def _gains(model: Graph, node: Node) -> bool:
    """Whether operands of a join are real numbers, or their codes mean too different things to be compared."""
    if _is_extreme(node):
        quantizers = {_quantizer(model, t) for t in node.inputs}
        alike = len({_root(model, t) for t in node.inputs}) == 1 or (len(quantizers) == 1 and None not in quantizers)
        return not alike and not any(t in model.constants for t in node.inputs)
    if not isinstance(node.op, Concat):
        return False
    if not all(_is_quantized(model, t) for t in node.inputs):
        return True
    channels = node.op.axis == 1 and len(model.tensors[node.outputs[0]].shape) != 3  # of three axes it may as well be that of tokens
    if channels and not any(_is_constant(model, t) for t in node.inputs):
        return False
    return len({_quantizer(model, _moved(model, t)) for t in node.inputs}) > 1


def _is_constant(model: Graph, name: str) -> bool:
    """Whether a tensor is a constant behind a quantizer, or its codes."""
    made = model.producers().get(name)
    while made is not None and isinstance(made.op, Dequantize | Quantize | IndexOp):
        name = made.inputs[0]
        made = model.producers().get(name)
    return name in model.constants


def _moved(model: Graph, name: str) -> str:
    """The tensor whose elements a tensor holds, in another order."""
    made = model.producers().get(name)
    while made is not None and isinstance(made.op, IndexOp):
        name = made.inputs[0]
        made = model.producers().get(name)
    return name


def _is_extreme(node: Node) -> bool:
    return isinstance(node.op, Binary) and node.op.fn in ("min", "max")


def _root(model: Graph, name: str) -> str:
    """The tensor that a tensor is a function of, number by number."""
    made = model.producers().get(name)
    while made is not None and isinstance(made.op, ELEMENTWISE):
        streams = [t for t in made.inputs if t not in model.constants]
        if len(streams) != 1:
            break
        name, made = streams[0], model.producers().get(streams[0])
    return name


def _quantizer(model: Graph, name: str) -> tuple[tuple[float, ...], ...] | None:
    """Scales and zero-points of a tensor's quantizer, each one or one for each channel; None where it has none, or computed ones."""
    made = model.producers().get(name)
    if made is None or not isinstance(made.op, Dequantize):
        return None
    if any(t not in model.constants for t in made.inputs[1:]):
        return None
    return tuple(tuple(model.constants[t].ravel().tolist()) for t in made.inputs[1:])


def _is_quantized(model: Graph, name: str) -> bool:
    """Whether a tensor holds codes, perhaps in another order, so that there is nothing to gain."""
    made = model.producers().get(name)
    if made is None:
        return False
    if isinstance(made.op, MaxPool | Pad | IndexOp | Concat):
        return all(_is_quantized(model, t) for t in made.inputs)
    source = model.producers().get(made.inputs[0])
    return isinstance(made.op, Dequantize) or (source is not None and isinstance(source.op, Bipolar))


def _chains(model: Graph, join: Node) -> list[list[Node]] | str:
    """For each reader of a join the elementwise operators up to its quantizer, or why there is none."""
    readers, chains = model.consumers(), []
    if join.outputs[0] in model.outputs:
        return "it is an output of the model"
    for first in readers[join.outputs[0]]:
        chain = [first]
        while not isinstance(chain[-1].op, _ROUNDS):
            last = chain[-1]
            after = readers[last.outputs[0]]
            if not isinstance(last.op, Unary | Binary) and not _passes(join, last, chain[:-1]):
                return f"before a quantizer behind it there is {last.name}, which is no function of single numbers"
            if last.outputs[0] in model.outputs or not after:
                return f"{last.name} behind it ends in no quantizer"
            if len(after) > 1:
                return f"{last.name} behind it has several readers"
            chain.append(after[0])
        falling = next((n for n in chain if _is_extreme(join) and not isinstance(n.op, MaxPool | IndexOp) and not _rises(model, n)), None)
        if falling:
            return f"{falling.name} behind it is not known to rise"
        first_moved = next((i for i, n in enumerate(chain) if isinstance(n.op, MaxPool | IndexOp)), len(chain))
        uneven = next(
            (n for i, n in enumerate(chain) if not (_is_even(model, n) or (i < first_moved and _is_parted(model, join, n)))), None
        )
        if uneven:
            return f"{uneven.name} does not do the same to each of its numbers"
        chains.append(chain)
    return chains


def _passes(join: Node, node: Node, before: list[Node]) -> bool:
    """Whether an operator behind a join that is no function of single numbers does to what is joined what it does to each operand (windows
    of channels side by side, windows of the larger ones of two), or gives elements in another order, which a quantizer does not mind."""
    if isinstance(node.op, IndexOp):
        return True
    if not isinstance(node.op, MaxPool) or any(isinstance(n.op, IndexOp) for n in before):
        return False
    return join.op.axis == 1 if isinstance(join.op, Concat) else isinstance(join.op, Binary) and join.op.fn == "max"


def _rises(model: Graph, node: Node) -> bool:
    """Whether a larger number never gives a smaller one."""
    others = [np.asarray(model.constants[t]) for t in node.inputs if t in model.constants]
    slot = next((i for i, t in enumerate(node.inputs) if t not in model.constants), 0)
    direction = Step(node.op, slot, tuple(others)).direction() if len(others) == len(node.inputs) - 1 else None
    return direction is not None and bool(np.all(direction > 0))


def _is_even(model: Graph, node: Node) -> bool:
    """Whether an operator does the same to every element: its other operands are single numbers."""
    others = [t for t in node.inputs if t in model.constants]
    return len(others) == len(node.inputs) - 1 and all(model.constants[t].size == 1 for t in others)


def _is_parted(model: Graph, join: Node, node: Node) -> bool:
    """Whether an operator's constant has a part for each tensor that is joined: it does not make what is joined larger."""
    others = [model.constants[t].shape for t in node.inputs if t in model.constants]
    if not (isinstance(join.op, Concat) and isinstance(node.op, Binary) and len(others) == len(node.inputs) - 1):
        return False
    shape = model.tensors[join.outputs[0]].shape
    return all(len(o) <= len(shape) and np.broadcast_shapes(shape, o) == shape for o in others)


def _parts(model: Graph, join: Node, constant: Array) -> list[Array]:
    """Of a constant of an operator behind a join: what each tensor that is joined meets."""
    if not isinstance(join.op, Concat):
        return [constant] * len(join.inputs)
    axis = join.op.axis - len(model.tensors[join.outputs[0]].shape) + constant.ndim
    if axis < 0 or constant.shape[axis] == 1:
        return [constant] * len(join.inputs)
    return np.split(constant, np.cumsum([model.tensors[t].shape[join.op.axis] for t in join.inputs])[:-1], axis)


def _pushed(model: Graph, join: Node, chains: list[list[Node]]) -> Graph:
    """Each chain on each operand, then the join, then what a chain moves elsewhere of what was joined."""
    tensors, constants, made = dict(model.tensors), dict(model.constants), dict[str, list[Node]]()
    for chain in chains:
        moves = [n for n in chain if isinstance(n.op, IndexOp) and isinstance(join.op, Concat)]
        parts, new = list(join.inputs), []
        for node in (n for n in chain if n not in moves):
            held = {t: _parts(model, join, model.constants[t]) for t in node.inputs if t in model.constants}
            for i, t in enumerate(parts):
                name = f"{node.outputs[0]}.part{i}"
                tensors[name] = node.op.infer(tensors[t])[0] if isinstance(node.op, MaxPool | IndexOp) else tensors[t]
                met = {u: u if each[i] is model.constants[u] else f"{u}.{node.name}.part{i}" for u, each in held.items()}
                constants |= {met[u]: each[i] for u, each in held.items()}
                inputs = tuple(met.get(u, t) for u in node.inputs)
                new.append(Node(f"{node.name}_part{i}" if i else node.name, node.op, inputs, (name,), node.source))
                parts[i] = name
        last = chain[-1]
        name = join.name if chain is chains[0] else f"{join.name}_{last.name}"
        outs = [*(f"{last.outputs[0]}.moved{i}" for i in range(len(moves))), last.outputs[0]]
        if moves:
            tensors[outs[0]] = join.op.infer(*(tensors[t] for t in parts))[0]
        new.append(Node(name, join.op, tuple(parts), (outs[0],), join.source))
        for n, a, b in zip(moves, outs[:-1], outs[1:], strict=True):
            tensors[b] = n.op.infer(tensors[a])[0]
            new.append(Node(n.name, n.op, (a,), (b,), n.source))
        made[last.name] = new
    gone = {n.name for chain in chains for n in chain} | {join.name}
    nodes = [m for n in model.nodes for m in made.get(n.name, [] if n.name in gone else [n])]
    return model.replace(nodes=tuple(nodes), tensors=tensors, constants=constants)
