"""Reading ONNX files: the only place that knows protobuf.

Everything that can be wrong with a file by itself (truncated, unreadable tensors, external data outside of its
folder) ends here as a `Problem`; what the nodes mean is left to the converters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped,unused-ignore]
from onnx import AttributeProto, TensorProto, numpy_helper

from dfcompile.errors import CompileError, Problem
from dfcompile.frontend.inline import FunctionName, inlined
from dfcompile.frontend.model import INTEGERS, MINIFLOATS, Function, OnnxModel, OnnxNode, Reference, Stored, Subgraph, ValueInfo, stored
from dfcompile.ir.modelop import MAX_ELEMENTS
from dfcompile.text import one_line

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, EOFError, OSError, RuntimeError)
"""What the onnx package raises on nonsense inside a file that is protobuf all the same."""

_BITS = {
    **{k: int(k.lstrip("uint")) for k in INTEGERS}, **MINIFLOATS, "float32": 32, "float64": 64, "float16": 16, "bfloat16": 16, "bool": 8,
}  # fmt: skip


def read_model(path: Path) -> tuple[OnnxModel, list[Problem]]:
    """The model and what is wrong with single tensors of it; CompileError when nothing can be read."""
    try:
        proto = onnx.ModelProto.FromString(path.read_bytes())
    except OSError as e:
        raise CompileError(Problem("no-file", f"cannot read {path.name}", why=e.strerror or str(e))) from None
    except (DecodeError, *_MALFORMED):
        raise CompileError(_corrupt(path, "its protobuf data is cut off or damaged")) from None
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise CompileError(_corrupt(path, "it holds no graph"))
    try:
        return _Reader(path).model(proto)
    except _MALFORMED as e:
        raise CompileError(_corrupt(path, e)) from None


def _corrupt(path: Path, why: object) -> Problem:
    text = " ".join(str(why).split())[:200] or type(why).__name__
    return Problem("corrupt-file", f"{path.name} is not a readable ONNX model", why=text, help="export the model again")


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.broken: set[str] = set()

    def model(self, proto: onnx.ModelProto) -> tuple[OnnxModel, list[Problem]]:
        graph = proto.graph
        constants: dict[str, Stored] = {}
        for t in graph.initializer:
            self._keep(constants, _text(t.name), t)
        for s in graph.sparse_initializer:
            self._keep(constants, _text(s.values.name), s)
        known = set(constants) | self.broken
        model = OnnxModel(
            name=_text(graph.name) or self.path.stem,
            opsets={_text(o.domain): o.version for o in proto.opset_import},
            nodes=inlined(self._nodes(graph.node), self._functions(proto)),
            inputs=tuple(_value_info(i) for i in graph.input if _text(i.name) not in known),
            outputs=tuple(_value_info(o) for o in graph.output),
            initializers=constants,
            value_info={_text(v.name): _value_info(v) for v in graph.value_info},
            broken=frozenset(self.broken),
        )
        return model, self.problems

    def _keep(self, constants: dict[str, Stored], name: str, proto: Any) -> None:
        if name in constants or name in self.broken:
            self.problems.append(Problem("duplicate-name", f"two initialisers are named '{name}'"))
        value = self._tensor(proto, f"initialiser '{name}'")
        if value is None:
            self.broken.add(name)
        else:
            constants[name] = value

    def _nodes(self, protos: Iterable[onnx.NodeProto]) -> tuple[OnnxNode, ...]:
        return tuple(self._node(i, n) for i, n in enumerate(protos))

    def _functions(self, proto: onnx.ModelProto) -> dict[FunctionName, Function]:
        found = {}
        for f in proto.functions:
            defaults = {_text(a.name): self._attribute(a, f"function '{_text(f.name)}'") for a in f.attribute_proto}
            opset = max((o.version for o in f.opset_import if _text(o.domain) in ("", "ai.onnx")), default=None)
            parts = tuple(map(_text, f.input)), tuple(map(_text, f.output)), self._nodes(f.node)
            found[_text(f.domain), _text(f.name), _text(f.overload)] = Function(*parts, defaults, opset)
        return found

    def _subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        constants: dict[str, Stored] = {}
        for t in graph.initializer:
            self._keep(constants, _text(t.name), t)
        inputs, outputs = (tuple(_text(v.name) for v in values) for values in (graph.input, graph.output))
        return Subgraph(self._nodes(graph.node), constants, inputs, outputs)

    def _node(self, index: int, proto: onnx.NodeProto) -> OnnxNode:
        node = OnnxNode(
            index,
            _text(proto.op_type),
            _text(proto.domain),
            _text(proto.name),
            tuple(map(_text, proto.input)),
            tuple(map(_text, proto.output)),
            overload=_text(proto.overload),
        )
        attributes = {_text(a.name): self._attribute(a, node.where) for a in proto.attribute}
        captured = dict.fromkeys(t for g in attributes.values() if isinstance(g, Subgraph) for t in g.captured())
        return replace(node, attributes=attributes, inputs=(*node.inputs, *captured))

    def _attribute(self, a: AttributeProto, where: str) -> Any:
        kind = a.type or _guessed_type(a)
        if a.ref_attr_name:
            return Reference(_text(a.ref_attr_name))
        if kind == AttributeProto.FLOAT:
            return float(a.f)
        if kind == AttributeProto.INT:
            return int(a.i)
        if kind == AttributeProto.STRING:
            return _text(a.s)
        if kind == AttributeProto.FLOATS:
            return tuple(float(f) for f in a.floats)
        if kind == AttributeProto.INTS:
            return tuple(int(i) for i in a.ints)
        if kind == AttributeProto.STRINGS:
            return tuple(map(_text, a.strings))
        if kind == AttributeProto.TENSOR:
            return self._tensor(a.t, f"{where}, attribute '{_text(a.name)}'")
        if kind == AttributeProto.SPARSE_TENSOR:
            return self._tensor(a.sparse_tensor, f"{where}, attribute '{_text(a.name)}'")
        return self._subgraph(a.g) if kind == AttributeProto.GRAPH else None

    def _tensor(self, proto: Any, what: str) -> Stored | None:
        """The value of a tensor, or None and a problem."""
        try:
            return self._sparse(proto) if isinstance(proto, onnx.SparseTensorProto) else self._dense(proto)
        except _MALFORMED as e:
            text = " ".join(str(e).split())[:200]
            self.problems.append(Problem("bad-tensor", f"{what} cannot be read", why=text))
            return None

    def _dense(self, t: TensorProto) -> Stored:
        elem = elem_name(t.data_type)
        if elem not in _BITS:
            raise ValueError(f"its element type is {elem or t.data_type}, which is not supported")
        count = _count(t.dims)
        if t.data_location == TensorProto.EXTERNAL:
            raw = self._external(t, -(-count * _BITS[elem] // 8))
            t = TensorProto(dims=t.dims, data_type=t.data_type, raw_data=raw)
        if t.HasField("segment"):
            raise ValueError("it is stored in segments, which is not supported")
        try:
            data = numpy_helper.to_array(t)
        except _MALFORMED:
            raise ValueError(f"its data do not fit its shape {list(t.dims)} and type {elem}") from None
        if elem in INTEGERS:
            low, _ = INTEGERS[elem]
            data = data.astype(data.dtype if data.dtype.kind in "iu" else np.int8 if low else np.uint8)
        return stored(data, elem)

    def _sparse(self, s: onnx.SparseTensorProto) -> Stored:
        values, places = self._dense(s.values), self._dense(s.indices).data
        full = np.zeros(_count(s.dims), values.data.dtype)
        if places.ndim == 2:
            places = np.ravel_multi_index(tuple(places.T), tuple(s.dims))
        full[places] = values.data
        return Stored(full.reshape(tuple(s.dims)), values.elem)

    def _external(self, t: TensorProto, size: int) -> bytes:
        """`size` bytes of a file beside the model; a path that leaves the model's folder is refused."""
        entries = {_text(e.key): _text(e.value) for e in t.external_data}
        folder = self.path.resolve().parent
        place = (folder / entries.get("location", "")).resolve()
        if "location" not in entries or not place.is_relative_to(folder) or Path(entries["location"]).is_absolute():
            raise ValueError(f"its external data '{entries.get('location', '')}' lies outside of the model's folder")
        if not place.is_file():
            raise ValueError(f"its external data file '{entries['location']}' is missing")
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        if offset < 0 or length != size or offset + size > place.stat().st_size:
            raise ValueError(f"it needs {size} bytes at {offset}; external data gives {length} of a file of {place.stat().st_size}")
        with place.open("rb") as file:
            file.seek(offset)
            raw: bytes = file.read(size)
            return raw


def _text(value: str | bytes) -> str:
    """A name as one printable line; protobuf gives bytes where a file's text is not valid UTF-8."""
    return one_line(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def _count(dims: Iterable[int]) -> int:
    sizes = [int(d) for d in dims]
    if any(d < 0 for d in sizes):
        raise ValueError(f"its shape {sizes} has a negative size")
    if math.prod(sizes) > MAX_ELEMENTS:
        raise ValueError(f"it has {math.prod(sizes)} elements (limit {MAX_ELEMENTS})")
    return math.prod(sizes)


def _guessed_type(a: AttributeProto) -> int:
    """Attribute type of files older than the `type` field."""
    for field, kind in (("f", 1), ("i", 2), ("s", 3), ("t", 4), ("g", 5)):
        if a.HasField(field):
            return kind
    return next((kind for field, kind in (("floats", 6), ("ints", 7), ("strings", 8)) if getattr(a, field)), 0)


def elem_name(data_type: int) -> str:
    """ONNX's element type number as a name in numpy's manner (``float32``, ``int4``), or "" for none."""
    names = {"FLOAT": "float32", "DOUBLE": "float64"}
    if data_type not in TensorProto.DataType.values() or data_type == TensorProto.UNDEFINED:
        return ""
    name = TensorProto.DataType.Name(data_type)
    return str(names.get(name, name.lower()))


def _value_info(v: onnx.ValueInfoProto) -> ValueInfo:
    kind = v.type.WhichOneof("value") or ""
    if kind != "tensor_type":
        return ValueInfo(_text(v.name), kind.removesuffix("_type"), None)
    tensor = v.type.tensor_type
    dims = None
    if tensor.HasField("shape"):
        dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
    return ValueInfo(_text(v.name), elem_name(tensor.elem_type), dims)


def external_files(path: Path) -> tuple[str, ...]:
    """Files in a model's folder that hold tensors of it, by their paths from there; none where the model cannot be read."""
    try:
        tensors = list(_all_tensors(onnx.ModelProto.FromString(path.read_bytes())))
    except (DecodeError, RecursionError, *_MALFORMED):
        return ()
    places = {_text(e.value) for t in tensors if t.data_location == TensorProto.EXTERNAL for e in t.external_data if e.key == "location"}
    folder = path.resolve().parent
    return tuple(sorted(p for p in places if (folder / p).resolve().is_relative_to(folder) and (folder / p).is_file()))


def _all_tensors(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                yield from [part] if isinstance(part, TensorProto) else _all_tensors(part)
