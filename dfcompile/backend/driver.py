"""The driver/ folder of a build: a Python file that needs numpy only, and the data it works by."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.backend.resource import resource_dir
from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.modelop_index import IndexOp
from dfcompile.streamline.host import HostSide
from dfcompile.units.base import Stream


class _Arrays:
    """Arrays of the driver by name."""

    def __init__(self) -> None:
        self.found: dict[str, Array] = {}

    def add(self, value: Array) -> str:
        name = f"a{len(self.found)}"
        self.found[name] = np.asarray(value)
        return name


def _shape(graph: Graph, tensor: str) -> tuple[int, ...]:
    return graph.tensors[tensor].shape[1:]


def _step(graph: Graph, node: Node, constants: Mapping[str, str], arrays: _Arrays) -> dict[str, Any]:
    out, moving = node.outputs[0], [t for t in node.inputs if t not in graph.constants]
    if isinstance(node.op, IndexOp) and len(moving) == 1:
        shape = _shape(graph, moving[0])
        (index,) = node.op.execute(np.arange(int(np.prod(shape)), dtype=np.int64).reshape(1, *shape))
        return {"op": "take", "in": [moving[0], arrays.add(index[0].astype(np.int32))], "out": out}
    attributes = {f.name: getattr(node.op, f.name) for f in fields(node.op)}  # type: ignore[arg-type]
    plain = {k: v for k, v in attributes.items() if isinstance(v, int | float | str)}
    return {"op": node.op.kind, "in": [constants.get(t, t) for t in node.inputs], "out": out, **plain}


def graph_steps(graph: Graph, arrays: _Arrays) -> list[dict[str, Any]]:
    """A model graph as steps that the driver interprets; what it cannot compute is told when it is run."""
    constants = {t: arrays.add(value) for t, value in graph.constants.items()}
    return [_step(graph, node, constants, arrays) for node in graph.nodes]


def _port(name: str, stream: Stream, index: Array, arrays: _Arrays) -> dict[str, Any]:
    t = stream.dtype
    return {
        "name": name, "shape": list(stream.shape), "lanes": stream.lanes,
        "bits": t.bits, "signed": t.signed, "bipolar": t.bipolar, "index": arrays.add(np.asarray(index, np.int32)),
    }


def driver_data(design: Design, host: HostSide) -> tuple[dict[str, Any], dict[str, Array]]:
    """What driver.json and driver.npz hold: ports in the design's order, preprocessing, affines, what is left to compute."""
    arrays = _Arrays()
    streams = design.streams()
    by_stream = {p.stream: p for p in host.inputs}
    inputs = []
    for tensor in design.graph.inputs:
        p = by_stream[tensor]
        steps = graph_steps(p.head, arrays) if p.head else []
        result = p.head.outputs[0] if p.head else p.input
        affine = {"scale": 1.0, "offset": 0.0} if p.head else {"scale": p.scale, "offset": p.offset}
        port = _port(tensor, streams[tensor], p.index, arrays)
        inputs.append({**port, "input": p.input, "steps": steps, "result": result, **affine})
    outputs = []
    names = dict(zip(dict.fromkeys(p.stream for p in host.outputs), design.graph.outputs, strict=True))
    for out in host.outputs:
        port = _port(out.stream, streams[names[out.stream]], out.index, arrays)
        affines = {"scale": arrays.add(np.asarray(out.scale, np.float64)), "offset": arrays.add(np.asarray(out.offset, np.float64))}
        outputs.append({**port, "tensor": out.tensor, **affines})
    data = {
        "name": design.name, "inputs": inputs, "outputs": outputs,
        "tail": graph_steps(host.tail, arrays), "results": list(host.tail.outputs),
    }
    return data, arrays.found


def emit_driver(design: Design, host: HostSide, folder: Path) -> None:
    """Write driver.py, driver.json and driver.npz into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    data, arrays = driver_data(design, host)
    shutil.copyfile(resource_dir("templates") / "driver" / "driver.py", folder / "driver.py")
    (folder / "driver.json").write_text(json.dumps(data, indent=1) + "\n")
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(folder / "driver.npz", **named)
