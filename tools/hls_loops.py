"""Holds loops and arrays of the C++ library to the pragmas without which a tool builds slow or wrong hardware.

No C++ simulation sees these pragmas, so the source is read:

* a loop that moves beats is pipelined: its first line is ``DFC_PIPELINE(1)``
* a loop inside a pipelined one is unrolled, and so is any other of an inlined function: its first line is ``DFC_UNROLL``
* an array that an unrolled loop indexes by its variable is partitioned in the same file
* a read-only memory that several lanes read at once is split by lane, and words of several limbs are joined (`DFC_BANKS`, `DFC_LIMBS`)
* a read-only memory that lanes read at places of their own is partitioned
* an array that outlives the iterations of a pipelined loop is partitioned, or ``DFC_DISTANCE`` says how far a read is from the write
* what one iteration hands to the next, a member or a variable from before the loop, has a width of its own: no built-in integer
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LOOP = re.compile(r"\b(for|while) (?=\()")
_DIMENSIONS = r"(?:\[[^\]]+\])+"
_ARRAY = re.compile(rf"^\s*(?:static\s+)?[A-Za-z_][\w:<>*+ ,]*?[\w>] (\w+{_DIMENSIONS}(?:, \w+{_DIMENSIONS})*)(?: = [^;]*)?;", re.MULTILINE)
_BUILT_IN = re.compile(
    r"^\s+(?:unsigned|signed|short|int|long|char|std::u?int\d+_t)(?: long| int)* (\w+)(?: = [^;()]*)?(?:, [^;()]*)?;", re.MULTILINE
)
_ROM = re.compile(r"^const dfc::Rom<(\d+), \d+, (\d+)> (\w+) =", re.MULTILINE)
_SPLIT = re.compile(r"DFC_(?:PARTITION|BANKS)\((\w+)|array_partition variable = (\w+)|lb_registers\((\w+)")


@dataclass(frozen=True)
class Loop:
    """A loop with braces: where it and its body stand in the text, its variable, and the pragma on its first line."""

    start: int
    body: int
    end: int
    variable: str
    pragma: str


def closing(text: str, at: int) -> int:
    """Place of the bracket that closes the one at `at`."""
    depth, pairs = 0, {"(": 1, "{": 1, ")": -1, "}": -1}
    for i in range(at, len(text)):
        depth += pairs.get(text[i], 0)
        if not depth:
            return i
    return len(text)


def loops(text: str) -> list[Loop]:
    """All loops with braces, in order."""
    found = []
    for match in _LOOP.finditer(text):
        head_end = closing(text, match.end())
        opened = re.compile(r"\s*\{").match(text, head_end + 1)
        if not opened:
            continue
        named = re.match(r"\((?:const )?\w+ (\w+) =", text[match.end() :])
        first = re.compile(r"\s*(DFC_\w+)").match(text, opened.end())
        end = closing(text, opened.end() - 1)
        found.append(Loop(match.start(), opened.end(), end, named[1] if named else "", first[1] if first else ""))
    return found


def synthesised(text: str) -> str:
    """The text without what only a simulation compiles, line for line."""
    kept, stack = [], list[tuple[bool, bool]]()  # of each condition: whether only a simulation takes this branch, and the other one
    for line in text.splitlines():
        word = line.strip()
        if word.startswith("#if"):
            without = word in ("#ifndef __SYNTHESIS__", "#ifdef DFC_FIBERS")
            stack.append((without, not without and re.search("__SYNTHESIS__|DFC_FIBERS", word) is not None))
        elif word.startswith("#else"):
            stack.append((stack.pop()[1], False))
        elif word.startswith("#endif"):
            stack.pop()
        kept.append("" if any(own for own, _ in stack) else line)
    return "\n".join(kept)


_GIVEN = re.compile(r"[(,]\s*(?!const )[\w<>:][\w<>: ]* \(&(\w+)\)\[")
_OUTLIVES = "array {} outlives the iterations of a loop, and nothing says how far a read is from the write"


def breaches(text: str) -> Iterator[tuple[int, str]]:
    """Place and sentence of each breach, in a text without comments."""
    found = loops(text)
    inlined = [(m.end(), closing(text, text.rindex("{", 0, m.end()))) for m in re.finditer(r"\{\s*DFC_INLINE\b", text)]
    for loop in found:
        inside = any(o.pragma and o.body <= loop.start < o.end for o in found)
        moves = re.search(r"\.(read|write)\(", text[loop.body : loop.end]) is not None
        if inside and loop.pragma != "DFC_UNROLL":
            yield loop.start, "a loop inside a pipelined or unrolled one does not begin with DFC_UNROLL"
        elif loop.pragma not in ("DFC_PIPELINE", "DFC_UNROLL"):
            yield loop.start, "a loop begins neither with DFC_PIPELINE nor with DFC_UNROLL"
        elif moves and loop.pragma != "DFC_PIPELINE":
            yield loop.start, "a loop that moves beats does not begin with DFC_PIPELINE"
        elif loop.pragma == "DFC_PIPELINE" and not moves and any(a <= loop.start < b for a, b in inlined):
            yield loop.start, "a loop of an inlined function is pipelined by itself"
    for match in re.finditer(r"^\s+DFC_PIPELINE\((?!1\))", text, re.MULTILINE):
        yield match.start(), "a loop is pipelined at another interval than 1, which the timing model takes for granted"
    yield from _arrays(text, found)
    yield from _widths(text, found)


def _widths(text: str, found: list[Loop]) -> Iterator[tuple[int, str]]:
    pipelined = [loop for loop in found if loop.pragma == "DFC_PIPELINE"]
    for match in _BUILT_IN.finditer(text):
        at, name = match.start(1), match[1]
        opened = next((i for i in range(at, 0, -1) if text[i] == "{" and closing(text, i) > at), 0)
        changed = rf"\b{name}\b(\+\+|--| [-+*/%&|^]?= )|(\+\+|--){name}\b"
        if re.search(r"\b(struct|class) \w+[^;{}]*$", text[:opened]) or any(
            opened < o.start < closing(text, opened) and not o.body <= at < o.end and re.search(changed, text[o.body : o.end])
            for o in pipelined
        ):
            yield at, f"{name} is carried from one iteration to the next and as wide as a built-in integer"


def _arrays(text: str, found: list[Loop]) -> Iterator[tuple[int, str]]:
    split = {name for pair in _SPLIT.findall(text) for name in pair if name}
    declared = {n: m.start() for m in _ARRAY.finditer(text) for n in re.findall(r"(\w+)\[", re.sub(r"\[[^\]]*\]", "[", m[1]))}
    told = set(re.findall(r"DFC_DISTANCE\((\w+)", text))
    pipelined = [loop for loop in found if loop.pragma == "DFC_PIPELINE"]
    unrolled = [(loop.variable, text[loop.body : loop.end]) for loop in found if loop.pragma == "DFC_UNROLL" and loop.variable]
    for name, at in declared.items():
        if name not in split and any(re.search(rf"\b{name}(\[[^\]]*\])*\[[^\]]*\b{v}\b", body) for v, body in unrolled):
            yield at, f"array {name} is indexed by an unrolled loop and not partitioned"
        elif name not in split | told and any(
            not o.body <= at < o.end and re.search(rf"\b{name}\[", text[o.body : o.end]) for o in pipelined
        ):
            yield at, _OUTLIVES.format(name)
    for match in _GIVEN.finditer(text):  # an array of the caller's outlives the calls too
        opened = text.index("{", match.end())
        inside = [text[o.body : o.end] for o in pipelined if opened < o.start < closing(text, opened)]
        if match[1] not in split | told and any(re.search(rf"\b{match[1]}\[", body) for body in inside):
            yield match.start(1), _OUTLIVES.format(match[1])
    for match in re.finditer(r"const Rom<1, [^&]*& (\w+)", text):
        read = re.compile(rf"\b{match[1]}\[0\]\[([^\[\]]*)\]")
        own = [(set(re.findall(r"(\w+) = ", body)), " ".join(read.findall(body))) for _, body in unrolled]
        if match[1] not in split and any(names & set(re.findall(r"\w+", index)) for names, index in own):
            yield match.start(), f"memory {match[1]} is read by lanes at places of their own and not partitioned"
    for match in _ROM.finditer(text):
        lanes, width, name = int(match[1]), int(match[2]), match[3]
        if lanes > 1 and f"DFC_BANKS({name})" not in text:
            yield match.start(), f"memory {name} is read by all lanes and not split by lane"
        if width > 64 and f"DFC_LIMBS({name})" not in text:
            yield match.start(), f"the limbs of a word of memory {name} lie one after the other"
