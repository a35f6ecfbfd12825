"""The generated part of a loopback build: the engine in rtl/ and hls/, the program's simulation in sim/, the driver in driver/."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfcompile.emit.c_driver import emit_c_loopback
from dfcompile.emit.driver import Arrays, by_stream, graph_steps, input_data, output_data, write_driver
from dfcompile.emit.engine import REGISTERS, TOP, emit_hls_engine, emit_rtl_engine, emit_sim
from dfcompile.emit.hls import Target, write_scripts
from dfcompile.emit.resource import render
from dfcompile.ir.graph import Array
from dfcompile.ir.types import IntType
from dfcompile.loopback.descriptor import Compute, Opcode, Transfer, layout
from dfcompile.loopback.program import Port, Program
from dfcompile.loopback.validate import ErrorCode
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.layout import Shape3

Streams = Mapping[str, tuple[Shape3, IntType]]


def write_loopback_project(
    program: Program,
    host: HostSide,
    streams: Streams,
    frames: Mapping[str, Array],
    target: Target,
    name: str,
    folder: Path,
    carry: str = "",
    whole: bool = False,
    copies: int = 1,
) -> None:
    """Write all generated folders of a build.

    streams: shape and type of each input and output of the network
    frames:  codes (n, h, w, c) of each input, n at most the batch, for the simulations
    carry, whole: as `emit_rtl_engine` takes them
    copies: engines on its board
    """
    emit_rtl_engine(program.config, folder / "rtl", carry, whole)
    emit_hls_engine(program.config, folder / "hls", len(program.image()))
    emit_hls_scripts(program, target, name, folder / "hls")
    emit_sim(program, frames, folder / "sim")
    emit_loopback_driver(program, host, streams, name, folder / "driver", copies)


def emit_hls_scripts(program: Program, target: Target, name: str, folder: Path) -> None:
    """Write a Makefile for g++ and scripts for Vitis HLS and Vitis unified, which run the program of ../sim on the engine."""
    run = f"{program.program_address} {len(program.code)}"
    sources = ["top.cpp", "testbench.cpp"]
    values = {
        "title": f"the loopback engine for {name}", "names": {"top": TOP}, "units": [], "sources": sources, "groups": [sources],
        "bench_files": ["../sim/image.bin", "../sim/expected.bin"],
        "make_arguments": f" ../sim/image.bin after.bin {run} ../sim/expected.bin",
        "arguments": f"image.bin after.bin {run} expected.bin",
    }  # fmt: skip
    (folder / "Makefile").write_text(render("hls/Makefile.j2", **values))
    write_scripts(target, values, folder)


def _image(port: Port, arrays: Arrays) -> dict[str, Any]:
    """Where a tensor lies in memory."""
    storage = {k: getattr(port.storage, k) for k in ("height", "width", "start", "row", "col", "plane", "planes", "shift", "base", "bits")}
    columns = dataclasses.asdict(port.columns) if port.columns else None
    slots = {"slots": arrays.add(port.storage.slots)}
    return {"address": port.address, "image_bytes": port.image_bytes, "storage": storage | slots, "columns": columns}


def driver_data(program: Program, host: HostSide, streams: Streams, name: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """What driver.json and driver.npz hold: ports with their places in memory, the program, registers, and what the host computes."""
    arrays = Arrays()
    images = {p.name: _image(p, arrays) for p in (*program.inputs, *program.outputs)}
    for image in images.values():
        image["storage"]["lanes"] = program.config.simd
    sizes = {int(o): (Compute if o == Opcode.COMPUTE else Transfer).BITS // 8 for o in Opcode}
    (at,) = (bit for field, bit, _ in layout(Transfer) if field == "address")
    data = {
        "name": name, "batch": program.batch,
        "inputs": [input_data(p, *streams[p.stream], arrays) | images[p.stream] for p in host.inputs],
        "outputs": [output_data(ports, *streams[s], arrays) | images[s] for s, ports in by_stream(host.outputs).items()],
        "tail": graph_steps(host.tail, arrays), "results": list(host.tail.outputs),
        "program": {"address": program.program_address, "bytes": len(program.code)},
        "states": _states(program),
        "descriptors": {
            "bytes": {str(o): n for o, n in sizes.items()}, "moving": [str(int(o)) for o in (Opcode.LOAD, Opcode.STORE)], "address_bit": at,
        },
        "registers": REGISTERS, "errors": {str(int(e)): e.name for e in ErrorCode if e},
    }  # fmt: skip
    return data, arrays.found


def _states(program: Program) -> dict[str, int] | None:
    """Where states lie between runs, and where a copy of the first ones."""
    if not program.states:
        return None
    return {"address": program.states_address, "first": program.first_states, "bytes": len(program.states)}


def emit_loopback_driver(program: Program, host: HostSide, streams: Streams, name: str, folder: Path, copies: int = 1) -> None:
    """Write driver.py, dfc_operators.py, driver.json, driver.npz and memory.bin, the external memory without frames, and the same in C.

    copies: engines on the board, each with such a memory
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, arrays = driver_data(program, host, streams, name)
    data |= {"copies": copies} if copies > 1 else {}
    write_driver("loopback", data, arrays, folder)
    image = program.image()
    image.tofile(folder / "memory.bin")
    emit_c_loopback(data, arrays, len(image), folder)
