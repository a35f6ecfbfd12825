"""Every pass is held against the model on probe inputs; the first difference stops the build and names the pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array, Graph, Node, counted
from dfcompile.ir.modelop import Bipolar, IndexOp, MultiThreshold, Quantize
from dfcompile.ir.operators import per_channel
from dfcompile.streamline.encode import Encoded
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.grid import Grid
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.lockstep import Lockstep, mismatch

PROBES = 2


@dataclass(frozen=True, eq=False)
class Probes:
    """The probes' codes: of the input streams, and the wanted ones of the output streams, by stream (n, h, w, c)."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


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


def check_encoding(
    model: Graph,
    encoded: Encoded,
    host: HostSide,
    feeds: Mapping[str, Array],
    passes: Sequence[tuple[str, Graph]] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Probes:
    """Integer graph against the model, tensor by tensor; and its versions after further passes against it (see `Lockstep`).

    Wherever codes stand for a tensor of the model, the model goes on with what the codes mean: so each stretch
    between two of them is compared by itself. A difference is let pass only where float64 stands on a tie.
    """
    codes = host.encode(feeds)
    versions = Lockstep([("encode", encoded.graph), *passes], codes, [v[0] for v in encoded.model_tensors.values()])

    def meant(name: str) -> Array | None:
        if name not in encoded.model_tensors:
            return None
        stream, index, grid = encoded.model_tensors[name]
        return _meant(versions.take(stream), index, grid)

    for found in stretches(model, feeds, meant, progress):
        _refuse_difference(found)
    return Probes(codes, versions.finish())


@dataclass(frozen=True, eq=False)
class Stretch:
    """The end of a stretch of the model between tensors that codes stand for.

    real: what the model gives, with what the codes before it mean; meant: what its own codes mean
    wrong: elements that differ, but for those on a tie; tie: where float64 stands so close to a step that it cannot tell the side
    """

    node: Node
    name: str
    real: Array
    meant: Array
    wrong: Array
    tie: Array | None


def stretches(
    model: Graph,
    feeds: Mapping[str, Array],
    meant: Callable[[str], Array | None],
    progress: Callable[[str], None] = lambda text: None,
    step: str = "streamline",
) -> Iterator[Stretch]:
    """Execute the model and hold each tensor against what codes mean, where `meant` says it; from there it goes on with that.

    A tensor is kept no longer than until its last reader is done.
    """
    values: dict[str, Array] = {**model.constants, **feeds}
    tie: dict[str, Array] = {}
    uses = Counter(t for n in model.nodes for t in n.inputs)
    for at, node in enumerate(model.nodes):
        progress(f"{step} {at}/{len(model.nodes)}")
        if all(t in values for t in node.inputs):
            results = node.op.execute(*(values[t] for t in node.inputs))
            for name, result in zip(node.outputs, results, strict=True):
                values[name] = result
                _track_ties(node, name, values, tie)
                codes = meant(name)
                if codes is not None:
                    values[name], near = codes, tie.pop(name, None)
                    yield Stretch(node, name, result, codes, _differing(result, codes, near), near)
        uses.subtract(node.inputs)
        for t in (*node.inputs, *node.outputs):
            if not uses[t]:
                values.pop(t, None)
                tie.pop(t, None)


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


def _meant(frames: Array, index: Array, grid: Grid) -> Array:
    """The real numbers that the codes of a stream mean, as a tensor of the model."""
    return np.take(grid.real(frames).reshape(len(frames), -1), index.ravel(), axis=1).reshape(-1, *index.shape)


def _differing(real: Array, meant: Array, tie: Array | None) -> Array:
    size = float(max(np.max(np.abs(meant), initial=0), np.max(np.abs(real), initial=0), 1e-30))
    wrong: Array = ~(np.abs(meant - real) <= 1e-9 * size)
    return wrong if tie is None else np.asarray(wrong & ~np.broadcast_to(tie, wrong.shape))


def _refuse_difference(found: Stretch) -> None:
    """CompileError where the codes do not mean what the model gives."""
    wrong = found.wrong
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise CompileError(
            mismatch(
                "pass encode changed the numbers",
                f"node {found.node.name}, tensor {found.name}, element {at}",
                f"the model gives {float(found.real[at]):.9g}, the codes mean {float(found.meant[at]):.9g} "
                f"({int(wrong.sum())} of {wrong.size} elements differ)",
            )
        )


def check_units(probes: Probes, units: Graph, progress: Callable[[str], None] = lambda text: None) -> None:
    """The unit graph on the probes' codes: every output code must be the wanted one. progress: called at each unit."""
    made = units.execute(probes.inputs, watch=counted("check", len(units.nodes), progress))
    for (stream, wanted), output in zip(probes.outputs.items(), units.outputs, strict=True):
        wrong = np.ravel(wanted) != np.ravel(made[output])
        if wrong.any():
            what, why = "the units do not compute what the integer graph does", f"{int(wrong.sum())} of {wrong.size} codes differ"
            raise CompileError(mismatch(what, f"output {stream}", why))
