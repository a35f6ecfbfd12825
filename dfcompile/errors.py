"""What the user sees when a model or a design is at fault.

A pass that cannot go on does not print: it returns or raises `Problem`s, and the command line prints all of
them at once in one form and exits with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from dfcompile.text import one_line

_INVALID = "ONNX does not allow this: correct the node where the model is exported, or in the file with the onnx package"
HELP = {
    "bad-attribute": _INVALID,
    "bad-axis": _INVALID,
    "bad-parameter": _INVALID,
    "bad-shape": "correct the shapes where the model is exported; where they do fit, please report it with the model",
    "bad-tensor": "export the model again with its constants in the file or beside it, as real numbers or integers",
    "batch-axis": "keep axis 0 of every tensor for the batch alone, and export the model with batch size 1 or a symbolic one",
    "disconnected": "leave this output out, or export a model in which it is computed from the input",
    "duplicate-name": "names are unique in an ONNX file: rename one of the two, or export the model again",
    "dynamic-weights": "export the model with these weights as constants",
    "missing-attribute": _INVALID,
    "missing-input": _INVALID,
    "no-file": "name a file that is there and that you may read",
    "no-output": "export the model with its output",
    "simulation": "please report it with the build folder",
    "too-large": "use smaller sizes, or leave the node to the program that calls the accelerator",
    "unsupported-output": "export the model without what reads it",
    "unsupported-type": "use real numbers, or integers of up to 64 bits",
    "wrong-input": "give every input as many frames, in the shape and with the numbers that its stream has",
}
"""The way out that all problems of a kind have; one of its own goes before it."""


@dataclass(frozen=True)
class Problem:
    """One reason why a model cannot be compiled.

    code:  short kebab-case name of the kind of problem, e.g. ``unsupported-op``
    what:  one line, what is wrong
    where: the node or tensor with its ONNX origin, or "" when the whole file is meant
    why:   the reason in terms of the numbers or attributes found
    help:  a way out; where none is given, that of the code in `HELP`
    """

    code: str
    what: str
    where: str = ""
    why: str = ""
    help: str = ""

    def __post_init__(self) -> None:
        if not self.help:
            object.__setattr__(self, "help", HELP.get(self.code, ""))

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

    def __reduce__(self) -> tuple[type[CompileError], tuple[tuple[Problem, ...]]]:
        """As other processes get it."""
        return type(self), (self.problems,)


class SettingError(CompileError):
    """An option, a configuration file or a board is at fault, not the model (exit status 2)."""


class KeywordError(SettingError, TypeError):
    """A function was called with a keyword that it does not have."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    choices = sorted(known)
    near = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(choices)}"
