"""The model without its activation quantizers: what training in real numbers with the weights as they are stored would compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.importer import import_model
from dfcompile.ir.graph import Array, Graph, Op, Tensor
from dfcompile.ir.modelop import Binary, Bipolar, Dequantize, Quantize, Unary
from dfcompile.streamline.host import HostSide

_ROUNDING = ("round", "floor", "ceil")
_CLIPS = ("min", "max", "clip")


@dataclass(frozen=True)
class Unrounded:
    """``x / scale + zero`` of (x, scale, zero): the codes of a quantizer before it rounds and clips."""

    kind: ClassVar[str] = "unrounded"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        x, scale, zero = inputs
        return (np.asarray(x / scale + zero),)


@dataclass(frozen=True)
class Passed:
    """The first input, whatever the others are; with a shift, (x, scale, zero) without the ``zero * scale`` that came before a sign."""

    shift: bool = False
    kind: ClassVar[str] = "passed"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        return (np.asarray(inputs[0] - inputs[1] * inputs[2]) if self.shift else inputs[0],)


def quantized_model(path: str | Path, options: Mapping[str, Any], host: HostSide) -> Graph:
    """The graph of a model, or of the part of it that the options of a build name, which has this host's side.

    CompileError where it cannot be read or takes other inputs.
    """
    start, end = (tuple(options.get(name) or ()) for name in ("from", "to"))
    read = import_model(path, start, end)
    wrong = [p for p in read.problems if p.code != "not-quantized"]  # a float model can be run as well
    if wrong or read.graph is None:
        raise CompileError(wrong or read.problems)
    found = read.graph
    given = {t: found.tensors[t].shape[1:] for t in found.inputs}
    if given != dict(host.input_shapes):
        shown = [", ".join(f"{k} {'x'.join(map(str, s))}" for k, s in shapes.items()) for shapes in (given, host.input_shapes)]
        why = f"its inputs are {shown[0]}; those of the design are {shown[1]}"
        raise CompileError(
            Problem("wrong-input", "the model is not that of the design", "", why, "name the model that the design was built of")
        )
    return found


def without_quantizers(model: Graph) -> Graph:
    """A model graph that neither rounds nor clips activations; weights keep the values that their quantizers give them.

    Quantize(x) --> x / scale + zero, a clip to narrower codes behind it --> nothing; Bipolar(x) * scale --> x; Round, Floor and Ceil of
    what depends on the inputs --> nothing. MultiThreshold stays, which has no scale that would make it the identity.
    """
    constants, codes = set(model.constants), set[str]()
    signs: dict[str, tuple[str, ...]] = {}
    nodes = []
    for node in model.nodes:
        op: Op = node.op
        fed = [t for t in node.inputs if t not in constants]
        if not fed:
            constants.update(node.outputs)
        elif isinstance(op, Quantize):
            codes.update(node.outputs)
            op = Unrounded()
        elif isinstance(op, Bipolar):
            signs |= dict.fromkeys(node.outputs, node.source)
            op = Passed()
        elif signs.get(fed[0]) == node.source and isinstance(op, Dequantize | Binary):  # the scale of a sign
            op = Passed(isinstance(op, Dequantize))
        elif isinstance(op, Binary | Unary) and (op.fn in _ROUNDING or (fed[0] in codes and op.fn in _CLIPS)):
            codes.update(node.outputs if fed[0] in codes else ())
            op = Passed()
        rest = (t for t in node.inputs if t != fed[0]) if fed else ()
        nodes.append(replace(node, op=op, inputs=(fed[0], *rest)) if isinstance(op, Passed) else replace(node, op=op))
    return model.replace(nodes=tuple(nodes))
