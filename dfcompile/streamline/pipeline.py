"""From the model graph to the integer graph: the passes in order, each checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.intop import INTEGER_OPS, STEP_OPS
from dfcompile.ir.modelop import Conv, ConvTranspose, MatMul
from dfcompile.ir.state import Loop
from dfcompile.ir.types import IntType
from dfcompile.streamline.check import Probes, check_encoding, probe_inputs
from dfcompile.streamline.decline import Decline, Declined, noted
from dfcompile.streamline.encode import Encoded, encode
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.extract import extract_thresholds
from dfcompile.streamline.fold_pads import fold_pads
from dfcompile.streamline.gather_norms import gather_norms
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.layout import Shape3, default_layout
from dfcompile.streamline.lift_clips import lift_clips
from dfcompile.streamline.narrow import narrow_factors
from dfcompile.streamline.narrow_levels import narrow_levels
from dfcompile.streamline.prune import prune
from dfcompile.streamline.push_quantizers import push_quantizers
from dfcompile.streamline.rewrite import drop_views, merge_pads
from dfcompile.streamline.step import StepFunction
from dfcompile.streamline.value import Meaning
from dfcompile.streamline.weight_step import recover_weight_steps

LAYERS = (Conv, ConvTranspose, MatMul)
PASSES: tuple[Callable[[Graph, Decline], Graph], ...] = (drop_views, merge_pads, extract_thresholds, narrow_factors)


@dataclass(frozen=True, eq=False)
class Streamlined:
    """The integer graph of a model, the host's side, what became of each node of the model, what its raw inputs carry, the codes of
    the probes, what passes left as it was, and what the streams of the graph stand for in the model as it was imported.

    loops: inputs and outputs of the graph that are states, the last of each
    """

    graph: Graph
    host: HostSide
    fates: dict[str, str]
    input_types: dict[str, InputType]
    probes: Probes
    declined: tuple[Declined, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    loops: tuple[Loop, ...] = ()


def streamline(
    model: Graph,
    input_types: dict[str, InputType],
    argmax: bool = False,
    dump: Callable[[str, Graph], None] | None = None,
    declined: list[Declined] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Streamlined:
    """Run all passes; CompileError with every problem, or naming the pass that changed the numbers.

    declined: what the passes left as it was is added here, also when they raise
    """
    left = [] if declined is None else declined
    given = model.tensors
    for prepare in (gather_norms, push_quantizers, lift_clips, fold_pads):
        model = prepare(model, noted(prepare.__name__, left))
    model, notes = recover_weight_steps(model, noted(recover_weight_steps.__name__, left))
    encoded, problems, fates = encode(model, input_types, argmax, given)
    fates.update((k, f"{fates[k]}; {text}") for k, text in notes.items() if k in fates)
    if encoded is None or problems:
        raise CompileError(problems)
    encoded.graph.verify((*INTEGER_OPS, *STEP_OPS, StepFunction))
    if dump:
        dump("encode", encoded.graph)
    graph, passes = encoded.graph, []

    layers = _layers(model, fates)

    def tell(node: Node, text: str) -> None:
        _add(layers, fates, node, text)

    runs: list[tuple[str, Callable[[Graph, Decline], Graph]]] = [(p.__name__, p) for p in PASSES]
    runs += [(p.__name__, partial(p, tell=tell)) for p in (prune, narrow_levels)]
    for name, run in runs:
        graph = run(graph, noted(name, left))
        graph.verify((*INTEGER_OPS, *STEP_OPS, StepFunction))
        passes.append((name, graph))
        if dump:
            dump(name, graph)
    host = _host(model, encoded)
    probes = check_encoding(model, encoded, host, probe_inputs(model, encoded.input_types), passes, progress)
    return Streamlined(
        graph, replace(host, streams=streams_of(graph)), fates, encoded.input_types, probes, tuple(left), _meanings(encoded, graph, given)
    )


def _layers(model: Graph, fates: dict[str, str]) -> dict[str, list[str]]:
    """ONNX node -> the model's layers that came from it."""
    found: dict[str, list[str]] = {}
    for layer in model.nodes:
        if isinstance(layer.op, LAYERS) and layer.name in fates:
            for source in layer.source:
                found.setdefault(source, []).append(layer.name)
    return found


def _add(layers: dict[str, list[str]], fates: dict[str, str], node: Node, text: str) -> None:
    """More to tell of what became of the model's layer behind a convolution of the integer graph: nodes are told apart by ONNX nodes."""
    for layer in {name for source in node.source for name in layers.get(source, ())}:
        fates[layer] += f"; {text}"


def _host(model: Graph, encoded: Encoded) -> HostSide:
    shapes = {t: model.tensors[t].shape[1:] for t in model.inputs}
    return HostSide(shapes, encoded.inputs, encoded.outputs, encoded.tail, streams_of(encoded.graph))


def _meanings(encoded: Encoded, graph: Graph, given: Container[str]) -> tuple[Meaning, ...]:
    """Of the tensors of the imported model that codes of the graph stand for, the first of each stream. `check_encoding` has compared
    them, and the streams of one name in graphs of further passes."""
    found: dict[str, Meaning] = {}
    for tensor, (stream, index, grid) in encoded.model_tensors.items():
        if stream in graph.tensors and tensor in given and type(grid) is Grid:  # levels on no grid have no scale
            whole = index.size == math.prod(graph.tensors[stream].shape)  # else a part of what is on the stream
            natural = whole and np.array_equal(index, default_layout(index.shape)[1])
            found.setdefault(stream, Meaning(stream, tensor, index.shape, *grid.floats(), None if natural else index))
    return tuple(found.values())


def streams_of(graph: Graph) -> dict[str, tuple[Shape3, IntType]]:
    """Shape and type of each input and output of an integer graph."""
    found: dict[str, tuple[Shape3, IntType]] = {}
    for name in (*graph.inputs, *graph.outputs):
        t = graph.tensors[name]
        h, w, c = t.shape
        found[name] = ((h, w, c), t.dtype or IntType(1))
    return found
