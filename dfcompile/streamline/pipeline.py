"""From the model graph to the integer graph: the passes in order, each checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import INTEGER_OPS
from dfcompile.ir.types import IntType
from dfcompile.streamline.check import Probes, check_encoding, probe_inputs
from dfcompile.streamline.encode import Encoded, encode
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.extract import extract_thresholds
from dfcompile.streamline.fold_pads import fold_pads
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.push_quantizers import push_quantizers
from dfcompile.streamline.rewrite import drop_views, merge_pads
from dfcompile.streamline.step import StepFunction
from dfcompile.streamline.value import Shape3
from dfcompile.streamline.weight_step import recover_weight_steps

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_views,
    merge_pads,
    extract_thresholds,
)


@dataclass(frozen=True, eq=False)
class Streamlined:
    """The integer graph of a model, the host's side, what became of each node of the model, what its raw inputs carry, and the
    codes of the probes."""

    graph: Graph
    host: HostSide
    fates: dict[str, str]
    input_types: dict[str, InputType]
    probes: Probes


def streamline(
    model: Graph, input_types: dict[str, InputType], argmax: bool = False, dump: Callable[[str, Graph], None] | None = None
) -> Streamlined:
    """Run all passes; CompileError with every problem, or naming the pass that changed the numbers."""
    model, notes = recover_weight_steps(fold_pads(push_quantizers(model)))
    encoded, problems, fates = encode(model, input_types, argmax)
    fates.update((k, f"{fates[k]}; {text}") for k, text in notes.items() if k in fates)
    if encoded is None or problems:
        raise CompileError(problems)
    encoded.graph.verify((*INTEGER_OPS, StepFunction))
    if dump:
        dump("encode", encoded.graph)
    graph, passes = encoded.graph, []
    for run in PASSES:
        graph = run(graph)
        graph.verify((*INTEGER_OPS, StepFunction))
        passes.append((run.__name__, graph))
        if dump:
            dump(run.__name__, graph)
    host = _host(model, encoded)
    probes = check_encoding(model, encoded, host, probe_inputs(model, encoded.input_types), passes)
    return Streamlined(graph, replace(host, streams=_streams(graph)), fates, encoded.input_types, probes)


def _host(model: Graph, encoded: Encoded) -> HostSide:
    shapes = {t: model.tensors[t].shape[1:] for t in model.inputs}
    return HostSide(shapes, encoded.inputs, encoded.outputs, encoded.tail, _streams(encoded.graph))


def _streams(graph: Graph) -> dict[str, tuple[Shape3, IntType]]:
    found: dict[str, tuple[Shape3, IntType]] = {}
    for name in (*graph.inputs, *graph.outputs):
        t = graph.tensors[name]
        h, w, c = t.shape
        found[name] = ((h, w, c), t.dtype or IntType(1))
    return found
