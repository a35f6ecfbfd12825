"""A loopback run in pictures: what its three queues do when, and what lies where in the activation memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dfcompile.loopback.descriptor import Opcode, Transfer, Unit
from dfcompile.loopback.predict import Prediction
from dfcompile.loopback.program import Program
from dfcompile.report import svg

LEFT, PLOT, RIGHT = 232.0, 786.0, 152.0
TOP, PITCH, BAR = 26.0, 21.0, 4.0
QUEUES = {Unit.LOAD: "queue-load", Unit.COMPUTE: "queue-compute", Unit.STORE: "queue-store"}
MAP_HEIGHT = 300.0
SPARSE, GAP = 0.25, 26.0
"""Share of a memory up to which its picture shows the words in use alone, and the height of each part between them."""
Spans = list[tuple[int, int]]


def merged(spans: Iterable[tuple[int, int]], gap: float = 0.0) -> Spans:
    """Sorted intervals [first, end), those at most `gap` apart joined."""
    found: Spans = []
    for first, end in sorted(spans):
        if found and first <= found[-1][1] + gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((first, end))
    return found


def busy(prediction: Prediction, unit: Unit) -> int:
    """Cycles in which a queue works."""
    return sum(b - a for a, b in merged((r.start, r.end + 1) for r in prediction.runs if r.unit == unit))


def draw_timeline(prediction: Prediction, rows: Sequence[Mapping[str, Any]], bottleneck: str) -> Markup:
    """A row of three bars for each layer, and one for all layers on top; `rows` are the units of report.json."""
    scale = PLOT / max(prediction.cycles, 1)
    spans: dict[tuple[int, Unit], Spans] = {}
    for r in prediction.runs:
        spans.setdefault((max(0, r.layer), r.unit), []).append((r.start, r.end + 1))
    bottom = TOP + PITCH * (len(rows) + 1) + 8
    parts = svg.time_axis(LEFT, LEFT + PLOT, bottom, TOP, prediction.cycles, 10, "cycles since the start of the run")
    parts += [svg.text(LEFT + PLOT + x, TOP - 8, head, "head", "end") for x, head in ((78, "cycles"), (RIGHT, "of the run"))]
    every = {unit: [s for (_, u), found in spans.items() if u == unit for s in found] for unit in QUEUES}
    parts += _row("all layers", every, TOP, scale, "name strong")
    parts += [svg.text(LEFT + PLOT + 78, TOP + 14, svg.number(prediction.cycles), "figure", "end")]
    for k, row in enumerate(rows):
        y = TOP + 4 + PITCH * (k + 1)
        kind = "name slowest" if row["name"] == bottleneck else "name"
        parts += _row(row["name"], {u: spans.get((k, u), []) for u in QUEUES}, y, scale, kind)
        parts.append(svg.text(LEFT + PLOT + 78, y + 14, svg.number(row["cycles"]), "figure", "end"))
        parts.append(svg.text(LEFT + PLOT + RIGHT, y + 14, svg.percent(row["cycles"] / prediction.cycles), "figure", "end"))
    return svg.drawing(LEFT + PLOT + RIGHT, bottom + 40, parts, "What the queues do when", "schedule")


def _row(name: str, spans: Mapping[Unit, Spans], y: float, scale: float, kind: str) -> list[Markup]:
    parts = [svg.text(LEFT - 10, y + 14, svg.shorten(name, LEFT - 14, 11), kind, "end")]
    parts.append(svg.rect(LEFT, y + 2, PLOT, 3 * (BAR + 1) + 1, "rail"))
    for k, (unit, colour) in enumerate(QUEUES.items()):
        found = merged(spans[unit], 1 / scale)
        if not found:
            continue
        top = y + 3 + k * (BAR + 1)
        points = "".join(_piece(LEFT + a * scale, top, max(0.6, (b - a) * scale)) for a, b in found)
        total = sum(b - a for a, b in merged(spans[unit]))
        about = f"{name}, {unit.name.lower()}: {svg.number(total)} cycles from {svg.number(found[0][0])} to {svg.number(found[-1][1])}"
        parts.append(svg.group(svg.path(points, colour), title=about))
    return parts


def _piece(x: float, y: float, width: float) -> str:
    """Path of a stretch of a bar."""
    c = svg.coordinate
    return f"M{c(x)} {c(y)}h{c(width)}v{c(BAR)}H{c(x)}z"


@dataclass(frozen=True)
class Held:
    """A block of the activation memory: words first..end-1, from the layer that fills it to the last that reads it."""

    name: str
    first: int
    end: int
    start: int
    last: int
    loaded: bool


def held_blocks(program: Program) -> list[Held]:
    """Every block that a load or a layer fills, from what the steps touch; inputs are loaded before layer 0."""
    writes: dict[tuple[int, bool], Spans] = {}
    reads: dict[int, Spans] = {}
    for s in program.steps:
        layer = max(0, s.layer)
        loaded = isinstance(s.descriptor, Transfer) and s.descriptor.opcode == Opcode.LOAD
        for space, first, end in s.writes:
            if space == "act":
                writes.setdefault((layer, loaded), []).append((first, end))
        for space, first, end in s.reads:
            if space == "act":
                reads.setdefault(layer, []).append((first, end))
    filled = sorted((layer, loaded, a, b) for (layer, loaded), spans in writes.items() for a, b in dict.fromkeys(spans))
    blocks = []
    for layer, loaded, a, b in _outermost(filled):
        last = layer
        for later in range(layer + 1, len(program.layers)):
            if any(_meet(a, b, *s) for kind in (False, True) for s in writes.get((later, kind), ())):
                break
            if any(_meet(a, b, *s) for s in reads.get(later, ())):
                last = later
        name = "loaded" if loaded else program.layers[layer].dst
        blocks.append(Held(name, a, b, layer, last, loaded))
    return blocks


def _outermost(filled: list[tuple[int, bool, int, int]]) -> list[tuple[int, bool, int, int]]:
    """Without the parts that lie inside another block of the same layer."""
    return [x for x in filled if not any(y != x and y[:2] == x[:2] and y[2] <= x[2] and x[3] <= y[3] for y in filled)]


def _meet(a: int, b: int, c: int, d: int) -> bool:
    return a < d and c < b


@dataclass(frozen=True)
class WordScale:
    """Height of words of a memory in a picture: as they are, or where most are never used those alone, with gaps for the others.

    spans: (first word, end, height of the first, height of the end), rising
    """

    spans: tuple[tuple[int, int, float, float], ...]

    @classmethod
    def of(cls, used: Sequence[tuple[int, int]], words: int, height: float) -> WordScale:
        """used: spans of words that blocks take; words: of the memory."""
        merged: list[tuple[int, int]] = []
        for a, b in sorted(used):
            if merged and a <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(b, merged[-1][1])
            else:
                merged.append((a, b))
        total = sum(b - a for a, b in merged)
        if not total or total > words * SPARSE:
            return cls(((0, words, 0.0, height),))
        gaps = len(merged) - (merged[0][0] == 0) + (merged[-1][1] < words)
        spans, at, share = [], 0.0, (height - GAP * gaps) / total
        for a, b in merged:
            at += GAP if a > 0 else 0.0
            spans.append((a, b, at, at + (b - a) * share))
            at = spans[-1][3]
        return cls(tuple(spans))

    def at(self, word: int) -> float:
        """Height of a word's lower edge; of one in a gap, the middle of that."""
        below = 0.0
        for a, b, low, high in self.spans:
            if word < a:
                return (below + low) / 2
            if word <= b:
                return low + (word - a) / (b - a) * (high - low)
            below = high
        return below + GAP / 2


def draw_memory(program: Program) -> Markup:
    """Layers from left to right, words of the activation memory from bottom to top."""
    count, words, blocks = max(1, len(program.layers)), program.config.act_words, held_blocks(program)
    width, top, base = PLOT + RIGHT, 14.0, 14.0 + MAP_HEIGHT
    column, scale = width / count, WordScale.of([(h.first, h.end) for h in blocks], words, MAP_HEIGHT)
    bank = base - scale.at(words // 2)
    parts = [svg.rect(LEFT, top, width, MAP_HEIGHT, "rail"), svg.line(LEFT, bank, LEFT + width, bank, "limit")]
    parts.append(svg.text(LEFT - 8, bank + 4, f"{svg.number(words // 2)}, second bank", "tick", "end"))
    ends = [(a, low) for a, _, low, _ in scale.spans] + [(b, high) for _, b, _, high in scale.spans]
    for word, height in ends:
        parts.append(svg.line(LEFT, base - height, LEFT + width, base - height, "axis"))
        if abs(base - height - bank) > 12:
            parts.append(svg.text(LEFT - 8, base - height + 4, f"{svg.number(word)}{' words' if word == words else ''}", "tick", "end"))
    for h in blocks:
        x, y = LEFT + h.start * column, base - scale.at(h.end)
        w, height = (h.last - h.start + 1) * column, scale.at(h.end) - scale.at(h.first)
        until = "" if h.last == h.start else f" to layer {h.last} ({program.layers[h.last].name})"
        about = f"{h.name}: words {svg.number(h.first)} to {svg.number(h.end - 1)}, layer {h.start} ({program.layers[h.start].name}){until}"
        kind = "held-load" if h.loaded else "held-layer"
        parts.append(svg.rect(x + 0.5, y, max(1.0, w - 1), max(1.0, height), kind, about, rx=min(2.0, height / 2)))
        if w > 40 and height > 13 and not h.loaded:
            parts.append(svg.text(x + 5, y + 11, svg.shorten(h.name, w - 8, 10), "name"))
    every = max(1, -(-count // 16))
    parts += [svg.text(LEFT + (i + 0.5) * column, base + 15, str(i), "tick", "middle") for i in range(0, count, every)]
    parts.append(svg.text(LEFT + width / 2, base + 32, "layer", "caption", "middle"))
    return svg.drawing(LEFT + width + 10, base + 40, parts, "Activation memory", "memory")
