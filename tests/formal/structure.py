"""Which inputs of a module reach which outputs within a cycle, from Yosys' netlist of it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfcompile.synthesis.yosys import run_yosys
from tests.formal.prove import RTL, read

# Flip-flops of every kind, as words and as gates; what is no logic.
REGISTER = re.compile(r"\$_?[A-Za-z]*(dff|DFF)|\$(assert|check|print|scopeinfo)")


class Netlist:
    """The logic between the ports and registers of one module.

    Every output bit of a cell counts as depending on all of its inputs. A memory is a register but for reads without a clock.
    """

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.ports: dict[str, tuple[str, list[Any]]] = {n: (p["direction"], p["bits"]) for n, p in module["ports"].items()}
        self._next: dict[Any, set[Any]] = defaultdict(set)
        for cell in module["cells"].values():
            if REGISTER.match(cell["type"]):
                continue
            sides: dict[str, list[Any]] = {"input": [], "output": []}
            for port, bits in cell["connections"].items():
                if cell["type"] != "$mem_v2" or (port == "RD_ADDR" and "0" in cell["parameters"]["RD_CLK_ENABLE"]) or port == "RD_DATA":
                    sides[cell["port_directions"][port]] += bits
            for bit in sides["input"]:
                self._next[bit].update(sides["output"])

    def outputs_behind(self, name: str) -> set[str]:
        """Output ports that an input port reaches without a register between."""
        todo, seen = [b for b in self.ports[name][1] if isinstance(b, int)], set()
        while todo:
            bit = todo.pop()
            if bit not in seen:
                seen.add(bit)
                todo += [b for b in self._next[bit] if isinstance(b, int)]
        return {n for n, (way, bits) in self.ports.items() if way == "output" and seen & set(bits)}

    def paths(self, source: str, target: str) -> set[tuple[str, str]]:
        """Pairs of an input and an output, their names matching the expressions, with a combinational path between them."""
        found = {(i, o) for i, (way, _) in self.ports.items() if way == "input" and re.search(source, i) for o in self.outputs_behind(i)}
        return {(i, o) for i, o in found if re.search(target, o)}


def netlist(top: str, parameters: Mapping[str, int], folder: Path, sources: Sequence[Path] = ()) -> Netlist:
    """The netlist of a module, from `sources` and, for what is not there, the library; its memory files lie in `folder`."""
    own = [] if any(s.stem == top for s in sources) else [RTL / f"{top}.sv"]
    passes = ("proc", "flatten", "opt_clean", "memory -nomap", "simplemap", "opt_clean", f"write_json {top}.json")
    run_yosys([read(top, parameters, [*sources, *own], ""), f"hierarchy -check -top {top}", *passes], folder)
    return Netlist(json.loads((folder / f"{top}.json").read_text())["modules"][top])
