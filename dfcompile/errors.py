"""What the user sees when a model or a design is at fault.

A pass that cannot go on does not print: it returns or raises `Problem`s, and the command line prints all of
them at once in one form and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dfcompile.text import one_line


@dataclass(frozen=True)
class Problem:
    """One reason why a model cannot be compiled.

    code:  short kebab-case name of the kind of problem, e.g. ``unsupported-op``
    what:  one line, what is wrong
    where: the node or tensor with its ONNX origin, or "" when the whole file is meant
    why:   the reason in terms of the numbers or attributes found
    help:  a way out
    """

    code: str
    what: str
    where: str = ""
    why: str = ""
    help: str = ""

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {one_line(self.what)}"]
        if self.where:
            lines.append(f"  --> {one_line(self.where)}")
        if self.why:  # what a tool said has several lines
            lines.append(f"  why: {chr(10).join(map(one_line, self.why.splitlines()))}")
        if self.help:
            lines.append(f"  help: {one_line(self.help)}")
        return "\n".join(lines)


class CompileError(Exception):
    """The model or the design is at fault; carries every problem found."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))
