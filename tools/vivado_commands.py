"""Commands that the stand-in for Vivado knows: UG835; ipx:: UG1118; package_xo UG1702; Tcl's own that scripts may use."""

from __future__ import annotations

import re
from typing import Any

from tools.vivado_design import Refused

TCL_ALLOWED = frozenset(
    "after append binary catch close concat error eval expr file for foreach format glob global if incr info join lappend lassign lindex "
    "list llength lrange lsort namespace open proc puts read regexp regsub return set source "
    "split string switch unset upvar variable while".split()
)
"""Of Tcl's own commands those that scripts may use; Vivado has them all."""
# Command -> its options with the number of their values, least and most positional arguments.
COMMANDS: dict[str, tuple[str, int, int]] = {
    "create_project": ("-part:1 -force:0 -in_memory:0", 0, 2),
    "close_project": ("-delete:0", 0, 0),
    "current_project": ("", 0, 1),
    "current_fileset": ("", 0, 1),
    "add_files": ("-fileset:1 -norecurse:0 -scan_for_includes:0", 1, 1),
    "get_files": ("-of_objects:1", 0, 1),
    "set_property": ("-dict:1", 1, 3),
    "get_property": ("-min:0 -max:0", 2, 2),
    "update_compile_order": ("-fileset:1", 0, 0),
    "get_board_parts": ("-filter:1 -quiet:0", 0, 1),
    "update_ip_catalog": ("-rebuild:0", 0, 0),
    "get_ipdefs": ("-all:0 -filter:1", 0, 1),
    "create_bd_design": ("-dir:1", 1, 1),
    "create_bd_cell": ("-type:1 -vlnv:1 -reference:1", 1, 1),
    "create_bd_port": ("-dir:1 -type:1 -freq_hz:1 -from:1 -to:1", 1, 1),
    "get_bd_cells": ("-quiet:0", 1, 1),
    "get_bd_pins": ("-quiet:0", 1, 1),
    "get_bd_ports": ("-quiet:0", 1, 1),
    "get_bd_intf_pins": ("-quiet:0", 1, 1),
    "apply_bd_automation": ("-rule:1 -config:1", 1, 1),
    "connect_bd_net": ("-net:1", 2, 99),
    "connect_bd_intf_net": ("-intf_net:1", 2, 2),
    "get_bd_addr_segs": ("-quiet:0", 1, 1),
    "assign_bd_address": ("-offset:1 -range:1 -target_address_space:1", 0, 1),
    "validate_bd_design": ("-force:0", 0, 0),
    "save_bd_design": ("", 0, 0),
    "make_wrapper": ("-files:1 -top:0 -import:0", 0, 0),
    "generate_target": ("-force:0", 2, 2),
    "launch_runs": ("-to_step:1 -jobs:1", 1, 1),
    "wait_on_run": ("-timeout:1", 1, 1),
    "get_runs": ("", 1, 1),
    "open_run": ("-name:1", 1, 1),
    "report_utilization": ("-file:1 -hierarchical:0", 0, 0),
    "report_timing_summary": ("-file:1 -delay_type:1", 0, 0),
    "read_verilog": ("-sv:0", 1, 1),
    "read_mem": ("", 1, 1),
    "read_xdc": ("-mode:1", 1, 1),
    "synth_design": ("-top:1 -part:1 -mode:1 -include_dirs:1", 0, 0),
    "opt_design": ("", 0, 0),
    "place_design": ("", 0, 0),
    "route_design": ("", 0, 0),
    "write_checkpoint": ("-force:0", 1, 1),
    "ipx::package_project": ("-root_dir:1 -vendor:1 -library:1 -taxonomy:1 -import_files:0 -set_current:1 -force:0", 0, 0),
    "ipx::current_core": ("", 0, 0),
    "ipx::get_bus_interfaces": ("-of_objects:1", 0, 1),
    "ipx::update_checksums": ("", 1, 1),
    "ipx::check_integrity": ("", 1, 1),
    "ipx::save_core": ("", 1, 1),
    "open_hw_manager": ("", 0, 0),
    "connect_hw_server": ("-url:1", 0, 0),
    "open_hw_target": ("", 0, 1),
    "get_hw_devices": ("", 0, 1),
    "program_hw_devices": ("", 1, 1),
    "refresh_hw_device": ("", 1, 1),
    "get_hw_axis": ("", 0, 1),
    "create_hw_axi_txn": ("-force:0 -type:1 -address:1 -data:1 -len:1 -size:1", 2, 2),
    "get_hw_axi_txns": ("", 1, 1),
    "run_hw_axi": ("", 1, 1),
    "package_xo": ("-force:0 -xo_path:1 -kernel_name:1 -ip_directory:1 -kernel_xml:1 -ctrl_protocol:1", 0, 0),
}
CORE_PROPERTIES = {
    "name": r"\w+", "version": r"\d+\.\d+", "display_name": r".+", "ipi_drc": "ignore_freq_hz true", "sdx_kernel": "true|false",
    "sdx_kernel_type": "rtl", "vitis_drc": "ctrl_protocol (user_managed|ap_ctrl_hs|ap_ctrl_chain)",
}  # fmt: skip


def parsed(command: str, given: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Options and positional arguments. Refused for an option that the command has not."""
    known = dict(o.split(":") for o in COMMANDS[command][0].split())
    options: dict[str, Any] = {}
    rest: list[str] = []
    at = iter(given)
    for argument in at:
        if argument.startswith("-") and not re.match(r"-\d", argument):
            if argument not in known:
                raise Refused(f"no option {argument}")
            options[argument[1:]] = next(at, None) if known[argument] == "1" else True
            if options[argument[1:]] is None:
                raise Refused(f"{argument} needs a value")
        else:
            rest.append(argument)
    if not COMMANDS[command][1] <= len(rest) <= COMMANDS[command][2]:
        raise Refused(f"{len(rest)} arguments: {' '.join(rest)}")
    return options, rest


def pairs(text: str) -> list[tuple[str, str]]:
    """A Tcl dictionary of plain words, each in braces, quotes or neither."""
    words = [a or b or c for a, b, c in re.findall(r"\{([^}]*)\}|\"([^\"]*)\"|(\S+)", text)]
    return list(zip(words[::2], words[1::2], strict=True))
