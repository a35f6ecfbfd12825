"""Why a pass leaves a node as it is: what `explain` prints beside what became of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dfcompile.ir.graph import Node

Decline = Callable[[Node, str], None]
"""How a pass says that it leaves a node, and why: a clause such as "its reader sum_2 takes no pads"."""


@dataclass(frozen=True)
class Declined:
    """What a pass said.

    by:     name of the pass
    node:   name of the node that is left
    source: ONNX nodes that it came from
    """

    by: str
    node: str
    source: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.by} leaves it: {self.why}"


def in_silence(node: Node, why: str) -> None:
    """For whom it does not matter."""


def noted(by: str, notes: list[Declined]) -> Decline:
    """What a pass of this name is given, to add to the notes."""

    def decline(node: Node, why: str) -> None:
        notes.append(Declined(by, node.name, node.source, why))

    return decline


Tell = Callable[[Node, str], None]
"""How a pass says what went, and why."""
