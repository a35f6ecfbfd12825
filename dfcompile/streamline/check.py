"""Every pass is held against the model on probe inputs; the first difference stops the build and names the pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.modelop import Bipolar, IndexOp, MultiThreshold, Quantize
from dfcompile.ir.modelop_pointwise import per_channel
from dfcompile.streamline.encode import Encoded
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.host import HostSide

PROBES = 2


def probe_inputs(model: Graph, input_types: Mapping[str, InputType]) -> dict[str, Array]:
    """A few random frames for each input: on the declared grid, or spread over the input quantizer's range."""
    rng = np.random.default_rng(0)
    feeds = {}
    for name in model.inputs:
        shape = (PROBES, *model.tensors[name].shape[1:])
        declared = input_types.get(name)
        if declared:
            codes = rng.integers(declared.dtype.lo, declared.dtype.hi, shape, endpoint=True)
            codes = np.where(codes == 0, 1, codes) if declared.dtype.bipolar else codes
            feeds[name] = codes * declared.scale + declared.offset
        else:
            lo, hi = _quantizer_range(model, name)
            feeds[name] = rng.uniform(lo, hi, shape).astype(np.float32).astype(np.float64)
    return feeds


def _quantizer_range(model: Graph, name: str) -> tuple[float, float]:
    reached = {name}
    for node in model.nodes:
        if not reached.intersection(node.inputs):
            continue
        if isinstance(node.op, Quantize) and node.inputs[1] in model.constants:
            scale = float(np.max(model.constants[node.inputs[1]]))
            zero = float(np.max(model.constants.get(node.inputs[2], np.zeros(1))))
            return (node.op.lo - zero) * scale, (node.op.hi - zero) * scale
        if isinstance(node.op, Bipolar):
            break
        reached.update(node.outputs)
    return -1.0, 1.0


def check_encoding(model: Graph, encoded: Encoded, host: HostSide, feeds: Mapping[str, Array]) -> None:
    """Integer graph against the model, tensor by tensor.

    Wherever codes stand for a tensor of the model, the model goes on with what the codes mean: so each stretch
    between two of them is compared by itself. A difference is let pass only where float64 stands on a tie.
    """
    codes = encoded.graph.execute(host.encode(feeds), keep=[v[0] for v in encoded.model_tensors.values()])
    values: dict[str, Array] = {**model.constants, **feeds}
    tie: dict[str, Array] = {}
    for node in model.nodes:
        if any(t not in values for t in node.inputs):
            continue
        results = node.op.execute(*(values[t] for t in node.inputs))
        for name, result in zip(node.outputs, results, strict=True):
            values[name] = result
            _track_ties(node, name, values, tie)
            if name in encoded.model_tensors:
                values[name] = _compare(node, name, result, encoded, codes, tie.pop(name, None))


def _track_ties(node: Node, name: str, values: dict[str, Array], tie: dict[str, Array]) -> None:
    """Where float64 cannot tell the side of a jump: close to one, or behind such a place on the way to the next comparison."""
    near = _near_jump(node, values)
    for t in node.inputs:
        if t not in tie:
            continue
        behind = _spread(node, tie[t], values[name].shape)
        near = behind if near is None else near | behind
    if near is not None and near.any():
        tie[name] = near


def _near_jump(node: Node, values: dict[str, Array]) -> Array | None:
    """Arguments within 1e-7 of a jump of the operator; None for an operator without jumps."""
    op, x = node.op, values[node.inputs[0]]
    fn = getattr(op, "fn", "")
    if isinstance(op, Quantize) and not op.weight:
        return _near_step(x / values[node.inputs[1]] + values[node.inputs[2]], op.rounding)
    if isinstance(op, Bipolar) or fn == "sign":
        return np.asarray(np.abs(x) <= 1e-7 * np.max(np.abs(x), initial=0))
    if fn in ("floor", "ceil", "round"):
        return _near_step(x, "ROUND" if fn == "round" else "FLOOR")
    if isinstance(op, MultiThreshold):
        columns = (per_channel(column, x.ndim) for column in values[node.inputs[1]].T)
        return np.asarray(np.any([np.abs(x - t) <= 1e-7 * (1 + np.abs(t)) for t in columns], axis=0))
    return None


def _near_step(u: Array, rounding: str) -> Array:
    v = u - (0.0 if rounding in ("CEIL", "FLOOR", "UP", "DOWN") else 0.5)
    return np.asarray(np.abs(v - np.rint(v)) <= 1e-7 * (1 + np.abs(u)))


def _spread(node: Node, behind: Array, shape: tuple[int, ...]) -> Array:
    """Results that depend on marked elements; all of them where the operator is not followed element by element."""
    if isinstance(node.op, IndexOp):
        return node.op.execute(behind)[0]
    return behind if behind.shape == shape else np.full(shape, bool(behind.any()))


def _compare(node: Node, name: str, real: Array, encoded: Encoded, codes: Mapping[str, Array], tie: Array | None) -> Array:
    stream, index, grid = encoded.model_tensors[name]
    frame = codes[stream]
    scale, offset = (a[index.ravel() % frame.shape[-1]] if a.size > 1 else a for a in grid.floats())
    meant = (frame.reshape(len(frame), -1)[:, index.ravel()] * scale + offset).reshape(-1, *index.shape)
    size = float(max(np.max(np.abs(meant), initial=0), np.max(np.abs(real), initial=0), 1e-30))
    wrong = ~(np.abs(meant - real) <= 1e-9 * size)
    if tie is not None:
        wrong &= ~np.broadcast_to(tie, wrong.shape)
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise CompileError(
            Problem(
                "pass-mismatch",
                "pass encode changed the numbers: this is a bug in dfcompile",
                f"node {node.name}, tensor {name}, element {at}",
                f"the model gives {float(real[at]):.9g}, the codes mean {float(meant[at]):.9g} "
                f"({int(wrong.sum())} of {wrong.size} elements differ)",
                "please report it with the model",
            )
        )
    return meant


def check_pass(name: str, wanted: Mapping[str, Array], after: Graph, feeds: Mapping[str, Array]) -> None:
    """An integer graph behind a pass on the probes' codes: outputs must be the wanted ones."""
    made = after.execute(feeds)
    for stream, codes in wanted.items():
        wrong = codes.reshape(len(codes), -1) != made[stream].reshape(len(codes), -1)
        if wrong.any():
            frame, element = (int(i[0]) for i in np.nonzero(wrong))
            raise CompileError(
                Problem(
                    "pass-mismatch",
                    f"pass {name} changed the numbers: this is a bug in dfcompile",
                    f"output {stream}, frame {frame}, element {element}",
                    f"{int(wrong.sum())} of {wrong.size} codes differ",
                    "please report it with the model",
                )
            )


def check_units(streamlined: Any, units: Graph, feeds: Mapping[str, Array]) -> None:
    """The unit graph against the integer graph on the probes: every output code equal."""
    codes = streamlined.host.encode(feeds)
    old, new = streamlined.graph.execute(codes), units.execute(codes)
    for stream, made in zip(streamlined.graph.outputs, units.outputs, strict=True):
        wrong = old[stream].reshape(-1) != new[made].reshape(-1)
        if wrong.any():
            raise CompileError(
                Problem(
                    "pass-mismatch",
                    "the units do not compute what the integer graph does: this is a bug in dfcompile",
                    f"output {stream}",
                    f"{int(wrong.sum())} of {wrong.size} codes differ",
                    "please report it with the model",
                )
            )
