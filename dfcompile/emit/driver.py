"""The driver/ folder of a build: Python that needs numpy only, and the data it works by."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import dfcompile
from dfcompile.dataflow.design import Design
from dfcompile.device.feed import port_bytes
from dfcompile.emit.c_driver import emit_c_driver
from dfcompile.emit.identity import design_hash
from dfcompile.emit.resource import render, resource_dir
from dfcompile.ir import operators, packing
from dfcompile.ir.graph import Array, Graph, Node, Op
from dfcompile.ir.modelop import ModelOp
from dfcompile.ir.types import IntType
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.layout import Shape3
from dfcompile.streamline.value import InputPort, OutputPort
from dfcompile.units.base import Stream

TRANSPORTS = {"driver": ("dfc_pynq.py", "dfc_simulator.py"), "loopback": ()}


class Arrays:
    """Arrays of the driver by name."""

    def __init__(self) -> None:
        self.found: dict[str, Array] = {}

    def add(self, value: Array) -> str:
        name = f"a{len(self.found)}"
        self.found[name] = np.asarray(value)
        return name


def graph_steps(graph: Graph, arrays: Arrays) -> list[dict[str, Any]]:
    """A model graph as steps that the driver does one after another, by the arithmetic that the package executes it by."""
    constants = {t: arrays.add(value) for t, value in graph.constants.items()}
    return [_step(node, node.op, constants) for node in graph.nodes]


def _step(node: Node, op: Op, constants: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(op, ModelOp) or op.kind not in operators.OPERATORS:
        raise TypeError(f"{node.name}: the host cannot compute '{op.kind}', which is not in dfcompile/ir/operators.py")
    inputs = [constants.get(t, t) for t in node.inputs]
    return {"op": op.kind, "in": inputs, "out": list(node.outputs), "attributes": op.attributes}


def _port(name: str, shape: Shape3, t: IntType) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "bits": t.bits, "signed": t.signed, "bipolar": t.bipolar}


def _index(port: InputPort | OutputPort, arrays: Arrays) -> str:
    return arrays.add(np.asarray(port.index, np.int32))


def input_data(port: InputPort, shape: Shape3, dtype: IntType, arrays: Arrays) -> dict[str, Any]:
    """What the driver needs to make the codes of an input stream."""
    steps = graph_steps(port.head, arrays) if port.head else []
    result = port.head.outputs[0] if port.head else port.input
    affine = {"scale": 1.0, "offset": 0.0} if port.head else {"scale": port.scale, "offset": port.offset}
    source = {"index": _index(port, arrays), "input": port.input, "steps": steps, "result": result}
    return {**_port(port.stream, shape, dtype), **source, **affine}


def output_data(ports: Sequence[OutputPort], shape: Shape3, dtype: IntType, arrays: Arrays) -> dict[str, Any]:
    """What the driver needs to make real numbers of the codes of an output stream: `ports` are the tensors that lie on it."""
    tensors = [
        {
            "tensor": p.tensor, "index": _index(p, arrays),
            "scale": arrays.add(np.asarray(p.scale, np.float64)), "offset": arrays.add(np.asarray(p.offset, np.float64)),
        }
        for p in ports
    ]  # fmt: skip
    return {**_port(ports[0].stream, shape, dtype), "tensors": tensors}


def by_stream(ports: Sequence[OutputPort]) -> dict[str, list[OutputPort]]:
    """Outputs by their stream, in order: several tensors of the model may lie on one."""
    found: dict[str, list[OutputPort]] = {}
    for p in ports:
        found.setdefault(p.stream, []).append(p)
    return found


def _beats(stream: Stream) -> dict[str, int]:
    return {"lanes": stream.lanes, "bytes": port_bytes(stream.width), "run": stream.run, "taps": stream.taps}


def packed(codes: Array, stream: Stream) -> Array:
    """Codes of frames (n, h, w, c) as the beats of a port, (n * beats, bytes)."""
    rows = packing.pack(codes.reshape(-1, stream.lanes), stream.dtype.bits, stream.dtype.bipolar)
    beats = np.zeros((len(rows), port_bytes(stream.width)), np.uint8)
    beats[:, : rows.shape[1]] = rows
    return beats


def driver_data(design: Design, host: HostSide) -> tuple[dict[str, Any], dict[str, Array]]:
    """What driver.json and driver.npz hold: ports in the design's order, preprocessing, affines, what is left to compute."""
    arrays = Arrays()
    streams = design.streams()
    sources = {p.stream: p for p in host.inputs}
    inputs: list[dict[str, Any]] = []
    for tensor in design.graph.inputs:
        s = streams[tensor]
        if tensor in design.graph.constants:
            inputs.append({**_port(tensor, s.shape, s.dtype), **_beats(s), "fixed": f"input_{len(inputs)}.bin"})
            continue
        inputs.append({**input_data(sources[tensor], s.shape, s.dtype, arrays), "name": tensor, **_beats(s)})
    outputs = []
    for ports, tensor in zip(by_stream(host.outputs).values(), design.graph.outputs, strict=True):
        s = streams[tensor]
        shape = host.streams[ports[0].stream][0]  # of one view of the stream the design may give another
        outputs.append({**output_data(ports, shape, s.dtype, arrays), **_beats(s)})
    data = {
        "name": design.name,
        "hash": f"{design_hash(design):016x}",
        "version": dfcompile.__version__,
        "streaming": design.graph.streaming,
        "inputs": inputs,
        "outputs": outputs,
        "tail": graph_steps(host.tail, arrays),
        "results": list(host.tail.outputs),
    }
    return data, arrays.found


def emit_driver(design: Design, host: HostSide, folder: Path, copies: int = 1) -> None:
    """Write driver.py, its transports, what they import, driver.json and driver.npz into `folder`, and the same in C.

    copies: of the design on its board
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, arrays = driver_data(design, host)
    data |= {"copies": copies} if copies > 1 else {}
    write_driver("driver", data, arrays, folder)
    for port in data["inputs"]:
        if "fixed" in port:
            stream = design.streams()[port["name"]]
            (folder / port["fixed"]).write_bytes(packed(design.graph.constants[port["name"]], stream).tobytes())
    emit_c_driver(data, arrays, folder)


def write_driver(template: str, data: Mapping[str, Any], arrays: Mapping[str, Array], folder: Path) -> None:
    """Write driver.py from its template, with what it imports and reads, and the transports that it can use."""
    shutil.copyfile(operators.__file__, folder / "dfc_operators.py")
    shutil.copyfile(packing.__file__, folder / "dfc_packing.py")
    for transport in TRANSPORTS[template]:
        shutil.copyfile(resource_dir("templates") / "driver" / transport, folder / transport)
    (folder / "driver.py").write_text(render(f"driver/{template}.py.j2"))
    (folder / "driver.json").write_text(json.dumps(data, indent=1) + "\n")
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(folder / "driver.npz", **named)
