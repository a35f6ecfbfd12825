"""What a session of the stand-in for Vivado keeps, and its commands for projects, files and runs."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

from tools.vivado_catalogue import BOARD_PARTS, CONNECTIONS, PARTS, Pin
from tools.vivado_commands import CORE_PROPERTIES, pairs
from tools.vivado_design import BlockDesign, Refused, packaged_shape


class Session:
    """One session. A method is a command; its keywords are the options.

    files:  of the project by name; top: module
    core:   the IP that is being packaged; cores: packaged ones by VLNV, with the file of their top
    stage:  what has been done towards a placed design; ports, xdc: ports of the design and its constraints
    """

    def __init__(self) -> None:
        self.project, self.part, self.board, self.folder = "", "", "", Path()
        self.files: dict[str, Path] = {}
        self.top = ""
        self.design: BlockDesign | None = None
        self.core: dict[str, str] = {}
        self.cores: dict[str, Path] = {}
        self.repositories: list[Path] = []
        self.catalogued: set[str] = set()
        self.stage: list[str] = []
        self.ports: set[str] = set()
        self.xdc = ""

    # Projects and files

    def _create_project(self, name: str = "", folder: str = ".", part: str = "", **_: Any) -> str:
        if self.project:
            raise Refused(f"the project {self.project} is open")
        if part not in PARTS:
            raise Refused(f"there is no part '{part}'")
        self.__init__()  # type: ignore[misc]
        self.project, self.part, self.folder = name, part, Path(folder)
        self.folder.mkdir(exist_ok=True)
        return name

    def _close_project(self) -> str:
        self._opened()
        self.project = ""
        return ""

    def _opened(self) -> str:
        if not self.project:
            raise Refused("no project is open")
        return self.project

    def _current_project(self) -> str:
        return f"project {self._opened()}"

    def _current_fileset(self) -> str:
        return f"fileset {self._opened()}"

    def _add_files(self, names: str, fileset: str = "sources_1", **_: Any) -> str:
        self._opened()
        if fileset not in ("sources_1", "constrs_1"):
            raise Refused(f"there is no fileset {fileset}")
        for name in names.split():
            path = Path(name)
            if not path.is_file():
                raise Refused(f"there is no file {name}")
            self.files[path.name] = path
            if path.suffix == ".xdc":
                self._constrain(path)
        return names

    def _get_files(self, pattern: str = "*", **_: Any) -> str:
        found = [n for n in self.files if fnmatch.fnmatch(n, Path(pattern).name)]
        if not found:
            raise Refused(f"no file of the project is {pattern}")
        return " ".join(f"file:{n}" for n in found)

    def _set_property(self, *given: str, dict: str = "") -> str:
        values, target = (pairs(dict), given[0]) if dict else ([(given[0], given[1])], given[2])
        kind, _, name = target.partition(":") if ":" in target else target.partition(" ")
        for key, value in values:
            self._set(kind, name, key, value)
        return ""

    def _set(self, kind: str, name: str, key: str, value: str) -> None:
        if kind == "cell" and key.startswith("CONFIG."):
            self._bd().configure(name, {key.removeprefix("CONFIG."): value})
        elif kind == "bd_port" and key == "CONFIG.POLARITY" and value in ("ACTIVE_LOW", "ACTIVE_HIGH"):
            self._bd().ports[name] = Pin(True, "resetn" if value == "ACTIVE_LOW" else "reset")
        elif kind == "core" and re.fullmatch(CORE_PROPERTIES.get(key, "(?!)"), value):
            self.core[key] = value
        elif (kind, key, value) == ("file", "file_type", "Verilog Header"):
            pass
        elif (kind, key) == ("fileset", "top"):
            self._set_top(value)
        elif (kind, key) == ("project", "board_part") and BOARD_PARTS.get(value) == self.part:
            self.board = value
        elif (kind, key) == ("project", "board_connections") and re.fullmatch(CONNECTIONS.get(self.board, "(?!)"), value):
            pass
        elif (kind, key) == ("project", "ip_repo_paths") and Path(value).is_dir():
            self.repositories = [Path(value)]
        else:
            raise Refused(f"{kind} {name} takes no {key} {value}")

    def _set_top(self, module: str) -> None:
        holders = [p for p in self.files.values() if p.suffix in (".v", ".sv") and re.search(rf"^module {module}\b", p.read_text(), re.M)]
        if len(holders) != 1:
            raise Refused(f"{len(holders)} files of the project have a module {module}")
        self.top = module

    def _get_property(self, key: str, target: str, **_: Any) -> str:
        if not target.startswith("run ") or "route" not in self.stage:
            raise Refused(f"{target} has no {key} yet")
        folder = (self.folder / f"{self.project}.runs" / "impl_1").resolve()
        return {"PROGRESS": "100%", "STATUS": "write_bitstream Complete!", "DIRECTORY": str(folder)}[key]

    def _update_compile_order(self, fileset: str = "") -> str:
        return self._opened() and ""

    def _get_board_parts(self, pattern: str = "*", **_: Any) -> str:
        return " ".join(b for b in BOARD_PARTS if fnmatch.fnmatch(b, pattern))

    def _bd(self) -> BlockDesign:
        if self.design is None:
            raise Refused("no block design is open")
        return self.design

    # Synthesis and after it

    def _generate_target(self, what: str, target: str, **_: Any) -> str:
        handoff = self.folder / f"{self.project}.gen" / "sources_1" / "bd" / self._bd().name / "hw_handoff"
        handoff.mkdir(parents=True, exist_ok=True)
        (handoff / f"{self._bd().name}.hwh").write_bytes(b"")
        self.stage = ["generate"]
        return ""

    def _launch_runs(self, run: str, to_step: str, jobs: str = "1") -> str:
        if (
            run != "impl_1"
            or not jobs.isdigit()
            or to_step != "write_bitstream"
            or self.stage != ["generate"]
            or not self.top.endswith("_wrapper")
        ):
            raise Refused("the design is not ready: top, targets")
        if self.xdc and (undefined := set(re.findall(r"\[get_ports (\w+)\]", self.xdc)) - self.ports):
            raise Refused(f"constraints name ports that there are not: {', '.join(sorted(undefined))}")
        if unplaced := self.ports - set(re.findall(r"PACKAGE_PIN \w+.*?\[get_ports (\w+)\]", self.xdc)):
            raise Refused(f"ports without a pin: {', '.join(sorted(unplaced))}")
        folder = self.folder / f"{self.project}.runs" / "impl_1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.top}.bit").write_bytes(b"")
        self.stage.append("launched")
        return ""

    def _wait_on_run(self, run: str, **_: Any) -> str:
        self._need("launched")
        self.stage.append("route")
        return ""

    def _get_runs(self, name: str) -> str:
        if name not in ("synth_1", "impl_1"):
            raise Refused(f"there is no run {name}")
        return f"run {name}"

    def _open_run(self, name: str, **_: Any) -> str:
        return self._need("route")

    def _need(self, stage: str) -> str:
        if stage not in self.stage:
            raise Refused(f"comes before {stage}")
        return ""

    def _report_utilization(self, file: str = "", **_: Any) -> str:
        self._need("route")
        Path(file).write_bytes(b"")
        return ""

    def _report_timing_summary(self, file: str = "", delay_type: str = "min_max") -> str:
        if delay_type not in ("max", "min", "min_max"):
            raise Refused(f"no -delay_type {delay_type}")
        return self._report_utilization(file)

    def _read_verilog(self, names: str, **_: Any) -> str:
        self.project = self.project or "in memory"
        return self._add_files(names)

    _read_mem = _read_verilog

    def _read_xdc(self, name: str, mode: str = "default") -> str:
        if mode not in ("default", "out_of_context"):
            raise Refused(f"no -mode {mode}")
        return self._add_files(name)

    def _constrain(self, path: Path) -> None:
        """A constraint file is Tcl of few commands."""
        self.xdc = path.read_text()
        for line in self.xdc.splitlines():
            if line and not re.match(r"#|(create_clock|set_property|set_false_path) ", line):
                raise Refused(f"{path.name}: {line}")
        if "create_clock" in self.xdc and not re.search(r"^create_clock -name \w+ -period [\d.]+ \[get_ports \w+\]$", self.xdc, re.M):
            raise Refused(f"{path.name}: no clock of a port")

    def _synth_design(self, top: str, part: str, mode: str = "default", include_dirs: str = "") -> str:
        if part not in PARTS or mode not in ("default", "out_of_context") or not Path(include_dirs).is_dir():
            raise Refused(f"no part {part}, -mode {mode} or -include_dirs {include_dirs}")
        self._set_top(top)
        shape = packaged_shape(next(p for p in self.files.values() if p.stem == top).read_text())
        if undefined := set(re.findall(r"\[get_ports (\w+)\]", self.xdc)) - set(shape.pins):
            raise Refused(f"constraints name ports that there are not: {', '.join(undefined)}")
        self.stage = ["synth"]
        return ""

    def _step(self, before: str, name: str) -> str:
        self._need(before)
        self.stage.append(name)
        return ""

    def _opt_design(self) -> str:
        return self._step("synth", "opt")

    def _place_design(self) -> str:
        return self._step("opt", "place")

    def _route_design(self) -> str:
        return self._step("place", "route")

    def _write_checkpoint(self, name: str, **_: Any) -> str:
        return self._report_utilization(name)
