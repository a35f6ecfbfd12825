"""concat(a, b) --> f --> quantize becomes concat(quantize(f(a)), quantize(f(b))).

Exporters that place quantizers only in front of layers (TensorRT, modelopt) join real numbers. What is one function of each
element may as well come before the tensors are joined, where each operand has a step function of its own, and a constant has codes.
"""

from __future__ import annotations

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.modelop import Binary, Bipolar, Concat, Dequantize, IndexOp, MaxPool, Pad, Quantize, Unary
from dfcompile.streamline.decline import Decline, in_silence

_ROUNDS = (Quantize, Bipolar)


def push_quantizers(model: Graph, decline: Decline = in_silence) -> Graph:
    """Every join of real numbers all of whose readers end in quantizers, moved behind them."""
    for node in reversed(model.nodes):
        if isinstance(node.op, Concat) and not all(_is_quantized(model, t) for t in node.inputs):
            chains = _chains(model, node)
            if isinstance(chains, str):
                decline(node, chains)
            else:
                model = _pushed(model, node, chains)
    return model


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
            if not isinstance(last.op, Unary | Binary):
                return f"before a quantizer behind it there is {last.name}, which is no function of single numbers"
            if last.outputs[0] in model.outputs or not after:
                return f"{last.name} behind it ends in no quantizer"
            if len(after) > 1:
                return f"{last.name} behind it has several readers"
            chain.append(after[0])
        uneven = next((n for n in chain if not _is_even(model, n)), None)
        if uneven:
            return f"{uneven.name} does not do the same to each of its numbers"
        chains.append(chain)
    return chains


def _is_even(model: Graph, node: Node) -> bool:
    """Whether an operator does the same to every element: its other operands are single numbers."""
    others = [t for t in node.inputs if t in model.constants]
    return len(others) == len(node.inputs) - 1 and all(model.constants[t].size == 1 for t in others)


def _pushed(model: Graph, join: Node, chains: list[list[Node]]) -> Graph:
    tensors, made = dict(model.tensors), dict[str, list[Node]]()
    for chain in chains:
        parts, new = list(join.inputs), []
        for node in chain:
            for i, t in enumerate(parts):
                name = f"{node.outputs[0]}.part{i}"
                tensors[name] = tensors[t]
                inputs = tuple(t if u not in model.constants else u for u in node.inputs)
                new.append(Node(f"{node.name}_part{i}" if i else node.name, node.op, inputs, (name,), node.source))
                parts[i] = name
        last = chain[-1]
        name = join.name if chain is chains[0] else f"{join.name}_{last.name}"
        made[last.name] = [*new, Node(name, join.op, tuple(parts), last.outputs, join.source)]
    gone = {n.name for chain in chains for n in chain} | {join.name}
    nodes = [m for n in model.nodes for m in made.get(n.name, [] if n.name in gone else [n])]
    return model.replace(nodes=tuple(nodes), tensors=tensors)
