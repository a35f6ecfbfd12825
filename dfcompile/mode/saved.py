"""Loading build folders, of both modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dfcompile.device.boards import platform_of, wiring_of
from dfcompile.device.copies import MOST
from dfcompile.device.family import FAMILIES
from dfcompile.errors import SettingError
from dfcompile.mode import serialize
from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator, from_parts
from dfcompile.mode.saved_check import check_design, check_host, check_integers, check_meanings
from dfcompile.mode.schema import SchemaError


def load(out: str | Path) -> Accelerator:
    """A saved build; CompileError when the folder is none or does not hold together."""
    folder = Path(out)
    parts = serialize.read(folder)
    try:
        report = serialize.read_json(folder / "report.json")
        if parts["family"] not in FAMILIES:
            raise SchemaError(f"family: there is no device family '{parts['family']}'")
        _check_options(parts["options"])
        _check_board(parts["options"], folder)
        return _loopback(parts, report) if "graph" in parts else _dataflow(parts, report)
    except (OSError, ValueError) as e:
        raise serialize.bad_build(folder, e) from e


def _check_options(options: dict[str, Any]) -> None:
    """ValueError unless what is still read of the options of a build is what it should be."""
    clock, part = options.get("clock"), options.get("part", "")
    if isinstance(clock, bool) or not isinstance(clock, int | float) or not 0 < clock < 1e12:
        raise SchemaError(f"options['clock']: {str(clock)[:80]} where a number of MHz belongs")
    copies = options.get("copies", 1)
    if isinstance(copies, bool) or not isinstance(copies, int) or not 1 <= copies <= MOST:
        raise SchemaError(f"options['copies']: {str(copies)[:80]} where a number up to {MOST} belongs")
    if not isinstance(part, str):
        raise SchemaError("options['part']: it is no name")


def _check_board(options: dict[str, Any], folder: Path) -> None:
    """ValueError unless what the options keep of a board is what a board's file may say."""
    try:
        if "wiring" in options:
            wiring_of(options["wiring"], folder)
        if "vivado" in options:
            around = dict(options["vivado"])
            sizes = [around.pop(key, None) for key in ("ports", "port_bits")]
            if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in sizes):
                raise SchemaError("options['vivado']: ports and port_bits are numbers, not below 0")
            platform_of(around, folder)
    except (SettingError, TypeError) as e:
        raise SchemaError(f"options: what it keeps of the board: {e}") from e


def _dataflow(parts: dict[str, Any], report: dict[str, Any]) -> DataflowAccelerator:
    check_design(parts["design"])
    made = DataflowAccelerator(report=report, **parts)
    _check_host(made)
    return made


def _loopback(parts: dict[str, Any], report: dict[str, Any]) -> LoopbackAccelerator:
    check_integers(parts["graph"])
    made = from_parts(parts, report)
    _check_host(made)
    return made


def _check_host(made: Accelerator) -> None:
    codes, graph = made.codes, made.graph
    check_meanings(made.meanings, {t: tensor.shape for t, tensor in graph.tensors.items()})
    check_host(made.host, {t: codes[t] for t in graph.fed}, [codes[t] for t in graph.outputs])
