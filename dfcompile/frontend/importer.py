"""ONNX file --> model graph: order the nodes, convert each, collect every problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.builder import Builder
from dfcompile.frontend.call import Call
from dfcompile.frontend.fate import find_fates
from dfcompile.frontend.find_converter import find_converter
from dfcompile.frontend.fold import folded, is_folded
from dfcompile.frontend.model import FLOATS, INTEGERS, OnnxModel, OnnxNode, Stored, Subgraph, ValueInfo
from dfcompile.frontend.onnx_file import read_model
from dfcompile.frontend.order import ordered, taken_branch
from dfcompile.frontend.part import Part, cut_out
from dfcompile.frontend.ports import too_many_ports
from dfcompile.frontend.roll import Loops
from dfcompile.frontend.unroll import is_repeated, unroll
from dfcompile.frontend.value import Act, Const, Refusal, Unknown, Value, Weight, integer_type, stored_constant
from dfcompile.ir import Graph, Tensor
from dfcompile.ir.modelop import Bipolar, Dequantize, MultiThreshold, Quantize, Unsupported
from dfcompile.ir.modelop_base import TooLargeError, shown_shape, sized
from dfcompile.ir.modelop_linear import multiplications
from dfcompile.ir.state import State


@dataclass(frozen=True)
class ImportResult:
    """What became of a file.

    graph:    the model graph, None when a problem left none
    problems: everything that is wrong, in file order
    fates:    for every ONNX node (its name, or operator_index) what became of it
    opsets:   domain to version, as declared
    elements: ONNX element type of each model input and output
    part:     what was read and what is left to the host, where that is not all
    states:   of loops whose body is in the graph once; unrolled: why others are not
    """

    graph: Graph | None
    problems: tuple[Problem, ...]
    fates: dict[str, str] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    part: Part | None = None
    states: tuple[State, ...] = ()
    unrolled: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Survey:
    """A file as far as it can be understood, whatever else is wrong with it.

    values: what each tensor is; macs: multiplications of a frame by ONNX node; batch: size of the batch axis
    """

    model: OnnxModel
    problems: tuple[Problem, ...]
    values: Mapping[str, Value | Unknown]
    macs: Mapping[str, int]
    batch: int


def survey(path: str | Path) -> Survey:
    """Look at all of an ONNX file. CompileError where it cannot be read."""
    model, problems = read_model(Path(path))
    found = _Importer(model, [])
    found.convert()
    return Survey(model, tuple(problems), found.env, found.macs(), found.builder.batch)


def import_part(whole: Survey, start: tuple[str, ...], end: tuple[str, ...]) -> ImportResult:
    """The part of a model between tensors, as `import_model` gives it."""
    try:
        model, part = cut_out(whole.model, start, end, whole.values, whole.batch)
    except CompileError as e:
        return ImportResult(None, (*whole.problems, *e.problems))
    found = _Importer(model, list(whole.problems)).run()
    left = {k: f"left to the host, {where} the part" for where, names in (("before", part.before), ("behind", part.behind)) for k in names}
    unread = "left to the host, with what reads it"
    fates = {n.label: f"{n.op_type}: {left[n.label]}" if n.label in left else found.fates.get(n.label, f"{n.op_type}: {unread}")
             for n in whole.model.nodes}  # fmt: skip
    return replace(found, fates=fates, part=part)


def import_model(path: str | Path, start: tuple[str, ...] = (), end: tuple[str, ...] = (), rolled: int = 0) -> ImportResult:
    """Read an ONNX file (QONNX, QCDQ, FINN's dialect, QLinear operators) as a graph of model operators.

    start, end: tensors of the file between which the part lies that is read; none for the model's inputs and outputs
    rolled: steps that a loop has at least for its body to be taken once where it can be, 0: none is taken so; the graph then has the states
        among its inputs and outputs
    Never raises for what a file holds: whatever is wrong comes back as problems, all at once.
    """
    try:
        if start or end:
            return import_part(survey(path), start, end)
        model, problems = read_model(Path(path))
    except CompileError as e:
        return ImportResult(None, e.problems)
    return _Importer(model, problems, rolled).run()


class _Importer:
    def __init__(self, model: OnnxModel, problems: list[Problem], rolled: int = 0) -> None:
        self.model, self.loops = model, Loops(rolled > 0, rolled)
        self.problems = problems
        self.env: dict[str, Value | Unknown] = {}
        self.fates: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.numbers = {v.name for v in model.inputs}  # tensors whose numbers depend on the inputs
        self.made: list[tuple[OnnxNode, Value]] = []
        self.builder = Builder(self._batch(), self._names())

    def convert(self) -> None:
        """Convert every node that can be."""
        self._read_inputs()
        self._read_constants()
        for node in ordered(self.model.nodes, self.env, self.problem):
            self._convert(node)

    def macs(self) -> dict[str, int]:
        """Multiplications of a frame by the ONNX node that makes them."""
        found: dict[str, int] = {}
        for n in self.builder.nodes:
            tensors = (self.builder.tensors[t].shape for t in (*n.inputs, *n.outputs))
            for s in n.source[:1]:
                found[s] = found.get(s, 0) + multiplications(n.op, *tensors)
        return found

    def run(self) -> ImportResult:
        self.convert()
        graph = self._graph()
        if graph is not None:
            self._check_quantized(graph)
            made = [(node, self.renamed.get(v.name, v.name), v) for node, v in self.made]
            self.fates = {**find_fates(self.model.nodes, made, graph), **self.fates}
        elements = {v.name: v.elem for v in (*self.model.inputs, *self.model.outputs)}
        opsets, loops = dict(self.model.opsets), self.loops
        return ImportResult(graph, tuple(self.problems), self.fates, opsets, elements, states=tuple(loops.states), unrolled=loops.left)

    def problem(self, code: str, what: str, where: str = "", why: str = "", help: str = "") -> None:
        self.problems.append(Problem(code, what, where, why, help))

    def _names(self) -> set[str]:
        names = {v.name for v in (*self.model.inputs, *self.model.outputs)} | set(self.model.initializers)
        return names.union(*(n.outputs for n in self.model.nodes), *(n.inputs for n in self.model.nodes))

    # inputs and constants

    def _batch(self) -> int:
        """The batch size that the file fixes, 1 when it is symbolic."""
        sizes = {v.dims[0] for v in self.model.inputs if v.dims and len(v.dims) > 1 and v.dims[0]}
        if len(sizes) > 1:
            shown = ", ".join(map(str, sorted(s for s in sizes if s)))
            self.problem("batch-axis", f"the inputs have different batch sizes: {shown}", help="give all the same, 1 or a symbolic one")
        return max((s for s in sizes if s), default=1)

    def _read_inputs(self) -> None:
        for v in self.model.inputs:
            known = v.name in self.env
            if known:
                self.problem("duplicate-name", f"two inputs are named '{v.name}'")
            self.env[v.name] = self._input(v)
        if not self.model.inputs:
            self.problem("no-input", "the model has no input", help="export the model with its input")
        self.problems += too_many_ports(self.model)

    def _input(self, v: ValueInfo) -> Value | Unknown:
        where = f"input '{v.name}'"
        if v.elem not in FLOATS and v.elem not in INTEGERS and v.elem != "bool":
            self.problem(
                "unsupported-type",
                f"an input of type {v.elem or 'unknown'} is not supported",
                where,
                help="inputs are tensors of real numbers or integers",
            )
            return Unknown()
        if v.dims is None or not v.dims:
            self.problem("dynamic-shape", "an input has no shape", where, help="export the model with a fixed input shape")
            return Unknown()
        alone = len(v.dims) == 1 and v.dims[0] not in (None, 1)
        dims = v.dims if alone else v.dims[1:]
        if any(d is None for d in dims):
            shown = "x".join("?" if d is None else str(d) for d in v.dims)
            self.problem(
                "dynamic-shape",
                f"the shape {shown} of an input is not fixed",
                where,
                "only the batch axis (axis 0) may vary",
                "export with fixed sizes",
            )
            return Unknown()
        shape = (self.builder.batch, *(d for d in dims if d))
        try:
            sized(*shape)
        except ValueError as e:
            self.problem("too-large", "an input is too large", where, str(e))
            return Unknown()
        self.builder.tensors[v.name] = Tensor(shape, integer_type(v.elem))
        return Act(v.name, shape, v.elem, unbatched=alone)

    def _read_constants(self) -> None:
        for name, s in self.model.initializers.items():
            self.env[name] = stored_constant(name, s)
        self.env.update((name, Unknown()) for name in self.model.broken)

    # nodes

    def _convert(self, node: OnnxNode) -> None:
        inputs = [self.env.get(t) if t else None for t in node.inputs]
        if self.numbers.intersection(node.inputs) and node.op_type not in ("Shape", "Size"):
            self.numbers.update(node.outputs)
        branch = taken_branch(node, inputs[0]) if inputs else None
        if branch is not None:
            self._take(node, branch)
            return
        if any(isinstance(i, Unknown) for i in inputs):
            self._check_made(node.inputs, node.where)
            self._pass_over(node)
            return
        if is_repeated(node):
            self._repeat(node)
            return
        self.builder.begin(node)
        call = Call(self.builder, node, tuple(i for i in inputs if not isinstance(i, Unknown)), node.opset or self.model.opset)
        try:
            made = folded(call) or find_converter(node)(call)
        except Refusal as e:
            self._refused(node, Problem(e.code, e.what, self._where(node, inputs), e.why, e.help))
        except TooLargeError as e:
            what, help = f"the result of '{node.op_type}' is too large", "use smaller sizes"
            self._refused(node, Problem("too-large", what, self._where(node, inputs), str(e), help))
        except ValueError as e:
            what = f"'{node.op_type}' does not fit its inputs"
            self._refused(
                node,
                Problem("invalid-node", what, self._where(node, inputs), str(e), "check the file with onnx.checker, or export it again"),
            )
        else:
            self._bind(node, made if isinstance(made, tuple) else (made,))

    def _take(self, node: OnnxNode, branch: Subgraph) -> None:
        """Convert what is in the branch of an If in place of it."""
        self.env.update((name, stored_constant(name, s)) for name, s in branch.initializers.items())
        for inner in ordered(branch.nodes, self.env, self.problem):
            self._convert(inner if inner.name else replace(inner, name=f"{node.label}/{inner.label}"))
        made = [self.env.get(t) for t in branch.outputs]
        self._bind(node, () if any(isinstance(v, Unknown) for v in made) else tuple(v for v in made if not isinstance(v, Unknown)))

    def _repeat(self, node: OnnxNode) -> None:
        """Convert the iterations of a Scan or Loop, or the time steps of a cell, in place of it."""

        def take(constants: Mapping[str, Stored | Const], nodes: list[OnnxNode]) -> None:
            self.env.update((name, c if isinstance(c, Const) else stored_constant(name, c)) for name, c in constants.items())
            for inner in ordered(nodes, self.env, self.problem):
                self._convert(inner)

        try:
            made = self.loops.roll(node, self.env, self.builder, self.model.opset, take)
            if made is None:
                unroll(node, self.env, self.model.opset, take)
            else:
                self._bind(node, made)
            how = "its steps one after the other" if made is None else "one step of hardware for all of them"
            self.fates[node.label] = f"{node.op_type}: {how}"
        except Refusal as e:
            self._refused(node, Problem(e.code, e.what, node.where, e.why, e.help))

    def _pass_over(self, node: OnnxNode) -> None:
        """A node that reads what is unknown: whether there is such an operator can be said all the same."""
        self.fates[node.label] = "not looked at: it depends on a node or tensor that was refused"
        try:
            if not is_folded(node) or self.numbers.intersection(node.inputs):
                find_converter(node)
        except Refusal as e:
            self.problems.append(Problem(e.code, e.what, node.where, e.why, e.help))
            self.fates[node.label] = f"refused: {e.what}"
        self._bind(node, self._placeholder(node))

    def _where(self, node: OnnxNode, inputs: list[Value | Unknown | None]) -> str:
        info = self.model.value_info.get(node.outputs[0]) if node.outputs else None
        if info is not None and info.dims and None not in info.dims:
            return f"{node.where}, output {'x'.join(map(str, info.dims))}"
        shapes = [shown_shape(i.onnx_shape if isinstance(i, Act) else i.shape) for i in inputs if isinstance(i, Act | Weight)]
        return node.where + (f", input {', '.join(shapes)}" if shapes else "")

    def _refused(self, node: OnnxNode, problem: Problem) -> None:
        self.builder.rollback()
        self.problems.append(problem)
        self.fates[node.label] = f"refused: {problem.what}"
        self._bind(node, self._placeholder(node) if problem.code == "unsupported-op" else ())

    def _placeholder(self, node: OnnxNode) -> tuple[Value, ...]:
        """An Unsupported operator with the shapes that the file states, so that the rest can be looked at too."""
        outputs = {v.name: v for v in self.model.outputs}
        infos = [self.model.value_info.get(t) or outputs.get(t) for t in node.outputs]
        batch = self.builder.batch
        shapes = [(v.dims[0] or batch, *(d or 0 for d in v.dims[1:])) for v in infos if v is not None and v.dims]
        acts = [v for t in (*node.inputs, *(i.name for i in self.model.inputs)) if isinstance(v := self.env.get(t), Act)][:1]
        if not shapes or len(shapes) != len(node.outputs) or not acts or any(s[0] != batch or 0 in s for s in shapes):
            return ()
        self.builder.begin(node)
        return self.builder.apply_all(Unsupported(node.op_type, tuple(shapes)), *acts, elem=infos[0].elem if infos[0] else None)

    def _bind(self, node: OnnxNode, made: tuple[Value | None, ...]) -> None:
        """Give the results their ONNX names; outputs without a result are unknown."""
        for i, t in enumerate(node.outputs):
            found = made[i] if i < len(made) else None
            if not t or (t in self.env and found is None):
                continue
            if found is not None:
                found = self.builder.rename(found, t)
                self.made.append((node, found))
            self.env[t] = Unknown(f"output {i} of {node.where}" if made else "") if found is None else found

    def _check_made(self, names: Iterable[str], where: str) -> None:
        """A problem for each tensor that a node was converted without."""
        for t in names:
            found = self.env.get(t)
            if isinstance(found, Unknown) and found.origin:
                self.problem("unsupported-output", f"{found.origin} is not supported", where, "tensor '" + t + "' is read here")
                self.env[t] = Unknown()

    # the graph

    def _graph(self) -> Graph | None:
        outputs = [self._output(v) for v in self.model.outputs]
        if not outputs:
            self.problem("no-output", "the model has no output")
        names = [o.name for o in outputs if o is not None]
        if len(names) != len(self.model.outputs) or not names:
            return None
        self._name_outputs(names)
        self.loops.states = [replace(s, output=self.renamed.get(s.output, s.output)) for s in self.loops.states]
        return self._finished((*names, *(s.output for s in self.loops.states)))

    def _output(self, v: ValueInfo) -> Act | None:
        self._check_made([v.name], f"output '{v.name}'")
        found = self.env.get(v.name)
        if found is None:
            self.problem(
                "undefined-tensor", f"nothing makes the model's output '{v.name}'", help="the file is damaged or was cut; export it again"
            )
        if isinstance(found, Const | Weight):
            self.problem("disconnected", f"the model's output '{v.name}' does not depend on its input")
        return found if isinstance(found, Act) else None

    def _name_outputs(self, names: list[str]) -> None:
        """Output tensors get the names of the file where an operator that was dropped had them."""
        renamed, inputs = self.renamed, {v.name for v in self.model.inputs}
        for i, v in enumerate(self.model.outputs):
            old = names[i]
            free = old not in renamed and old not in inputs and names.count(old) == 1 and v.name not in self.builder.tensors
            if old != v.name and free:
                renamed[old] = v.name
                self.builder.tensors[v.name] = self.builder.tensors.pop(old)
                names[i] = v.name
        if renamed:
            self.builder.nodes = [
                replace(n, inputs=tuple(renamed.get(t, t) for t in n.inputs), outputs=tuple(renamed.get(t, t) for t in n.outputs))
                for n in self.builder.nodes
            ]

    def _finished(self, outputs: tuple[str, ...]) -> Graph:
        b = self.builder
        known = set(b.constants) | {a.name for _, a in self.made if isinstance(a, Weight)}
        dependent = self._dependent()
        tensors: Mapping[str, Tensor] = {
            t: replace(x, shape=(1, *x.shape[1:])) if b.batch != 1 and t in dependent - known else x for t, x in b.tensors.items()
        }
        inputs = (*(v.name for v in self.model.inputs), *(s.input for s in self.loops.states))
        graph = Graph(self.model.name, tuple(b.nodes), tensors, b.constants, inputs, outputs).without_dead()
        read = {*outputs, *(t for n in graph.nodes for t in n.inputs)}
        for t in inputs:
            if t not in read:
                self.problem("disconnected", f"no output depends on the model's input '{t}'", help="remove the input before the export")
        return graph

    def _dependent(self) -> set[str]:
        """Tensors that depend on an input of the model: those that have a batch axis."""
        found = {v.name for v in self.model.inputs} | {s.input for s in self.loops.states}
        for n in self.builder.nodes:
            if found.intersection(n.inputs):
                found.update(n.outputs)
        return found

    def _check_quantized(self, graph: Graph) -> None:
        if not any(isinstance(n.op, Quantize | Dequantize | Bipolar | MultiThreshold) for n in graph.nodes) and not self.problems:
            self.problem(
                "not-quantized",
                "the model is not quantized",
                why="it has no Quant, BipolarQuant, QuantizeLinear or MultiThreshold node",
                help="train it with quantized weights and activations (brevitas, QKeras) and export QONNX or QCDQ",
            )
