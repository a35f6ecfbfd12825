"""Unbounded proofs about SystemVerilog: Yosys' front end writes the circuit, ABC's property-directed reachability decides.

A bench is a module of this folder whose inputs are free in every cycle. Registers without an initial value start with any value, and
what the design says is unknown may be anything. An answer is final: it holds for runs of every length.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfcompile.synthesis.yosys import run_yosys
from dfcompile.toolchain import require_tool

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
HERE = Path(__file__).resolve().parent

# No pass here may choose a value for what is unknown (`opt -full` would): it becomes a free input first.
PASSES = (
    "hierarchy -check", "proc", "flatten", "setundef -undriven -anyseq", "opt_clean", "memory -nomap", "memory_map -formal", "async2sync",
    "chformal -lower", "setundef -undriven -anyseq", "opt_expr", "opt_merge", "opt_clean", "delete -output", "dffunmap", "techmap",
    "opt_expr", "opt_merge", "setundef -anyseq", "aigmap", "opt_clean", "tee -q -o asserts.txt select -list t:$assert",
    "write_aiger -zinit out.aig",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What ABC found.

    falls: the assertion that does not hold, "" when all are proved
    frame: the cycle of the counterexample in which it falls
    """

    falls: str = ""
    frame: int = 0


def mutated(folder: Path, module: str, old: str, new: str) -> Path:
    """A copy of a module of the library in `folder`, with a fault: `old`, which must stand there once, becomes `new`."""
    text = (RTL / f"{module}.sv").read_text()
    assert text.count(old) == 1, f"{module}: {old!r} stands there {text.count(old)} times"
    path = folder / f"{module}.sv"
    path.write_text(text.replace(old, new))
    return path


def read(top: str, parameters: Mapping[str, int], sources: Sequence[Path], defines: str = "-D DFC_FORMAL") -> str:
    """The command that reads a module with its parameters; `sources` go before the library."""
    values = " ".join(f"-G {k}={v}" for k, v in parameters.items())
    return f"read_slang --no-synthesis-define --top {top} {defines} -I {RTL} {values} {' '.join(map(str, sources))} -y {RTL} -y {HERE}"


def prove(bench: str, parameters: Mapping[str, int], folder: Path, sources: Sequence[Path] = ()) -> Verdict:
    """Prove all assertions of a bench, or name one that falls. AssertionError when the tools do not come to an answer.

    folder:  where the tools run: the bench's memory files lie there, and what the tools write is left there
    sources: files that stand for modules of the library
    """
    run_yosys([read(bench, parameters, [*sources, HERE / f"{bench}.sv"]), *PASSES], folder)
    asserts = [line.partition("/")[2] for line in (folder / "asserts.txt").read_text().split()]
    abc = require_tool("pyosys").path / "yosys-abc"
    said = subprocess.run([abc, "-c", "read_aiger out.aig; strash; pdr"], cwd=folder, capture_output=True, text=True, check=True).stdout
    if "Property proved" in said:
        assert asserts
        return Verdict()
    found = re.search(r"Output (\d+) of miter .* was asserted in frame (\d+)", said)
    assert found, said[-2000:]
    return Verdict(asserts[int(found[1])], int(found[2]))
