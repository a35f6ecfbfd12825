"""A strict stand-in for Vivado: runs a generated Tcl script with commands that do nothing but check.

Tcl is the one of Python's tkinter, which needs no display. Each command takes the options that UG835 names (ipx::, xhub:: and package_xo
those of UG1118 and UG1702) and no other; cells, pins, interfaces, parameters and values are held to `vivado_catalogue`, connections to
`vivado_design`; files must be there. The first thing that Vivado would refuse, or that documentation does not name, ends the run.

    python -m tools.vivado_strict OUT/vivado/design.tcl WORK_FOLDER
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.vivado_catalogue import IPS, Pin
from tools.vivado_commands import COMMANDS, TCL_ALLOWED, pairs, parsed
from tools.vivado_design import BlockDesign, Cell, Refused, packaged_shape
from tools.vivado_hardware import Hardware

Handler = Callable[..., str]


class Vivado(Hardware):
    """Runs scripts; packaging and block designs."""

    def run(self, script: Path, work: Path, *arguments: str) -> None:
        """Source a script in the folder `work`, with these as its ``argv``. Refused with what it does wrong."""
        import tkinter

        tcl = tkinter.Tcl()
        for name in str(tcl.eval("info commands")).split():
            if name not in TCL_ALLOWED and not name.startswith(("tcl_", "::")):
                tcl.eval(f"rename {{{name}}} {{}}") if name not in ("rename", "info") else None
        tcl.createcommand("_checked", self._call)
        for name in COMMANDS:
            space = name.rpartition("::")[0]
            tcl.eval(f"namespace eval {space or '::'} {{}}")
            tcl.eval(f"proc {name} args {{ lassign [_checked {name} {{*}}$args] ok value; if {{$ok}} {{ return $value }}; error $value }}")
        tcl.eval("rename rename {}")
        with contextlib.chdir(work):
            try:
                tcl.call("set", "argv", arguments)
                tcl.call("source", str(script))
            except tkinter.TclError as e:
                raise Refused(str(e)) from e

    def _call(self, name: str, *given: Any) -> tuple[int, str]:
        try:
            arguments = [str(g) for g in given]
            options, rest = parsed(name, arguments)
            method: Handler = getattr(self, "_" + name.replace("::", "_"))
            return 1, method(*rest, **options) or ""
        except (Refused, OSError, TypeError, KeyError) as e:
            return 0, f"{name}: {e}" if isinstance(e, Refused | OSError) else f"{name} {' '.join(map(str, given))}: {e!r}"

    # Packaging

    def _ipx_package_project(self, root_dir: str, vendor: str, library: str, taxonomy: str, **_: Any) -> str:
        holder = next((p for p in self.files.values() if self.top and re.search(rf"^module {self.top}\b", p.read_text(), re.M)), None)
        if holder is None or not taxonomy.startswith("/"):
            raise Refused(f"the project has no top, or {taxonomy} is no taxonomy")
        if holder.suffix != ".v":
            raise Refused(f"{holder.name}: the top of an IP is plain Verilog or VHDL")
        text = "".join(p.read_text() for p in self.files.values() if p.suffix in (".v", ".sv"))
        missing = set(re.findall(r'"([\w.]+\.(?:mem|svh))"', text)) - set(self.files)
        missing |= {f"{m}.sv" for m in re.findall(r"^\s*(dfc_\w+|\w+_core) (?:#\(|u_)", text, re.M)} - set(self.files)
        if missing:
            raise Refused(f"the project lacks {', '.join(sorted(missing))}")
        packaged_shape(holder.read_text())
        Path(root_dir).mkdir(exist_ok=True)
        self.core = {"vendor": vendor, "library": library, "name": self.top, "version": "1.0", "root": root_dir, "file": str(holder)}
        return "core current"

    def _ipx_current_core(self) -> str:
        if not self.core:
            raise Refused("there is no core")
        return "core current"

    def _ipx_get_bus_interfaces(self, name: str = "", of_objects: str = "") -> str:
        if of_objects != self._ipx_current_core():
            raise Refused(f"-of_objects {of_objects}")
        return name if name in packaged_shape(Path(self.core["file"]).read_text()).interfaces else ""

    def _ipx_update_checksums(self, core: str) -> str:
        return self._ipx_current_core() and ""

    def _ipx_check_integrity(self, core: str) -> str:
        return self._ipx_current_core() and ""

    def _ipx_save_core(self, core: str) -> str:
        c = self.core
        (Path(c["root"]) / "component.xml").write_text(f"{c['vendor']}:{c['library']}:{c['name']}:{c['version']}\n{c['file']}\n")
        return ""

    def _package_xo(self, xo_path: str, kernel_name: str, ip_directory: str, kernel_xml: str = "", **_: Any) -> str:
        vlnv, file = (Path(ip_directory) / "component.xml").read_text().split()
        root = ElementTree.parse(kernel_xml).getroot() if kernel_xml else None
        kernel = root.find("kernel") if root is not None else None
        if kernel is None or kernel.get("name") != kernel_name or kernel.get("vlnv") != vlnv or self.core.get("sdx_kernel") != "true":
            raise Refused(f"{kernel_name}: not the kernel that was packaged, {vlnv}")
        shape = packaged_shape(Path(file).read_text())
        for port in kernel.iter("port"):
            bus = shape.interfaces.get(str(port.get("name")))
            if bus is None or int(str(port.get("dataWidth"))) != bus.bits or (port.get("portType") == "stream") != (bus.protocol == "axis"):
                raise Refused(f"kernel.xml: port {port.get('name')} is none of the IP's")
        if {p.get("name") for p in kernel.iter("port")} != set(shape.interfaces):
            raise Refused("kernel.xml does not name every interface of the IP")
        Path(xo_path).write_bytes(b"")
        return ""

    # Block design

    def _update_ip_catalog(self, **_: Any) -> str:
        for repository in self.repositories:
            vlnv, file = (repository / "component.xml").read_text().split()
            self.cores[vlnv] = Path(file)
        return ""

    def _get_ipdefs(self, pattern: str = "*", **_: Any) -> str:
        known = [f"xilinx.com:ip:{name}:{v}" for name, ip in IPS.items() for v in ip.versions] + list(self.cores)
        return " ".join(k for k in known if fnmatch.fnmatch(k, pattern))

    def _create_bd_design(self, name: str, **_: Any) -> str:
        self.design = BlockDesign(self._opened() and name)
        self.files[f"{name}.bd"] = self.folder / f"{name}.bd"
        return name

    def _create_bd_cell(self, name: str, type: str, vlnv: str) -> str:
        if type != "ip" or vlnv not in self._get_ipdefs().split():
            raise Refused(f"there is no IP {vlnv}")
        fixed = packaged_shape(self.cores[vlnv].read_text()) if vlnv in self.cores else None
        self._bd().add(name, Cell(vlnv.split(":")[2], fixed=fixed))
        return f"cell:{name}"

    def _create_bd_port(self, name: str, dir: str, type: str, **_: Any) -> str:
        kind = {"clk": "clk", "rst": "resetn", "data": "data"}[type]
        self._bd().ports[name] = Pin(dir == "I", kind)
        return f"bd_port:{name}"

    def _get_bd_cells(self, name: str, **_: Any) -> str:
        if name not in self._bd().cells:
            raise Refused(f"there is no cell {name}")
        return f"cell:{name}"

    def _get_bd_pins(self, name: str, **_: Any) -> str:
        return self._bd().pin(name) and f"pin:{name}"

    def _get_bd_ports(self, name: str, **_: Any) -> str:
        return self._bd().ports[name] and f"bd_port:{name}"

    def _get_bd_intf_pins(self, name: str, **_: Any) -> str:
        return self._bd().interface(name) and f"intf:{name}"

    def _apply_bd_automation(self, cell: str, rule: str, config: str) -> str:
        name = cell.removeprefix("cell:")
        ip = IPS[self._bd().cells[name].ip]
        given = dict(pairs(config))
        if not ip.rule or rule != ip.rule or any(not re.fullmatch(ip.config.get(k, "(?!)"), v) for k, v in given.items()):
            raise Refused(f"{name} has no automation {rule} {config}")
        if given.get("apply_board_preset") == "1" and not self.board:
            raise Refused("a board's preset needs a board_part")
        if "make_external" in given:
            self._bd().links |= {f"{name}/{b}": b for b in given["make_external"].split(", ")}
        return ""

    def _connect_bd_net(self, *ends: str, **_: Any) -> str:
        bd = self._bd()
        found = {}
        for end in ends:
            kind, _colon, name = end.partition(":")
            found[name] = bd.ports[name] if kind == "bd_port" else bd.pin(name)
        bd.wire(found)
        return ""

    def _connect_bd_intf_net(self, first: str, second: str, **_: Any) -> str:
        self._bd().link(first.removeprefix("intf:"), second.removeprefix("intf:"))
        return ""

    def _get_bd_addr_segs(self, name: str, **_: Any) -> str:
        if name not in self._bd().segments():
            raise Refused(f"there is no segment {name}")
        return f"segment:{name}"

    def _assign_bd_address(self, segment: str = "", offset: str = "", range: str = "") -> str:
        if segment:
            sizes = re.fullmatch(r"(\d+)([KMG])", range)
            if sizes is None:
                raise Refused(f"no range: {range}")
            self._bd().place(segment.removeprefix("segment:"), int(offset, 16), int(sizes[1]) << {"K": 10, "M": 20, "G": 30}[sizes[2]])
        else:
            self._bd().place_rest()
        return ""

    def _validate_bd_design(self, **_: Any) -> str:
        found = self._bd().problems()
        if found:
            raise Refused("; ".join(found))
        self._bd().valid = True
        return ""

    def _save_bd_design(self) -> str:
        self._bd().saved = True
        self.files[f"{self._bd().name}.bd"].write_bytes(b"")
        return ""

    def _make_wrapper(self, files: str, **_: Any) -> str:
        bd = self._bd()
        if files != f"file:{bd.name}.bd" or not (bd.valid and bd.saved):
            raise Refused(f"{files} is not a block design that was validated and saved")
        path = self.folder / f"{bd.name}_wrapper.v"
        path.write_text(f"module {bd.name}_wrapper;\nendmodule\n")
        self.ports = set(bd.ports)
        return str(path)


if __name__ == "__main__":
    Vivado().run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
