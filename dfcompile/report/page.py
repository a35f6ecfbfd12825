"""The report: figures of report.json and pictures of the timing, filled into one HTML page without anything from outside."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

import dfcompile
from dfcompile.dataflow.design import Design
from dfcompile.device.boards import USABLE
from dfcompile.device.cost import RESOURCES
from dfcompile.emit import resource
from dfcompile.report import svg
from dfcompile.report.energy import energy_of, energy_tile
from dfcompile.report.memories import memory_rows
from dfcompile.report.pipeline import connections, draw_pipeline
from dfcompile.report.roofline import draw_roofline, roofline
from dfcompile.report.roofs import draw_choice
from dfcompile.report.schedule import PANELS, draw_fifos, draw_schedule, look_longer
from dfcompile.timing.solve import Timing

TITLES = {"lut": "LUT", "ff": "FF", "bram36": "BRAM36", "uram": "URAM", "dsp": "DSP"}
BAR_LEFT, BAR_WIDTH, BAR_PITCH = 76.0, 720.0, 46.0


class Built(Protocol):
    """What the page needs of an accelerator."""

    @property
    def design(self) -> Design: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def report(self) -> dict[str, Any]: ...
    @property
    def family(self) -> str: ...


def render_report(accelerator: Built) -> str:
    """The page of an accelerator; the same build gives the same bytes (the seconds that it took are left out)."""
    design, report = accelerator.design, accelerator.report
    timing = look_longer(design, accelerator.timing)
    units, slowest = report["units"], _slowest(report["timing"])
    interval = float(report["timing"]["interval_cycles"])
    roof = roofline(design, report)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            version=dfcompile.__version__,
            report=report,
            budget=report.get("budget") or {},
            made=report.get("implementation"),
            energy=energy_of(report),
            interval=interval,
            tiles=_tiles(report),
            facts=_facts(report),
            pipeline=draw_pipeline(design, {u["name"]: u for u in units}, interval, slowest),
            bars=resource_bars(report, report["units"]),
            counts_fifos=any(fifo_share(units, r, report["resources"][r]) for r in RESOURCES),
            peaks={r: max((u["resources"][r] for u in units), default=0) for r in RESOURCES},
            resources=RESOURCES,
            titles=TITLES,
            memories=memory_rows(design, report, accelerator.family),
            schedule=draw_schedule(timing, units, slowest) if units else "",
            fifos=_fifo_rows(design, report),
            fifo_panels=draw_fifos(timing, report["fifos"]) if report["fifos"] else "",
            sizing_note=report["fifo_sizing"].get("note"),
            panels=PANELS,
            roof=roof,
            roofline=draw_roofline(roof) if roof else "",
            choice=draw_choice(report) if report.get("mode_choice") else "",
        )
    )


def drawings(made: Built) -> dict[str, Callable[[], Markup]]:
    """What draws each picture of an accelerator, by its name; none of a roofline where nothing multiplies."""
    design, report = made.design, made.report
    units, slowest = report["units"], _slowest(report["timing"])
    roof = roofline(design, report)
    return {
        "pipeline": lambda: draw_pipeline(design, {u["name"]: u for u in units}, float(report["timing"]["interval_cycles"]), slowest),
        "schedule": lambda: draw_schedule(look_longer(design, made.timing), units, slowest),
        "fifos": lambda: draw_fifos(look_longer(design, made.timing), report["fifos"]),
        "resources": lambda: resource_bars(report, units),
    } | ({"roofline": lambda: draw_roofline(roof)} if roof else {})


def _slowest(timing: Mapping[str, Any]) -> frozenset[str]:
    """The units that the interval is from: the slowest one, or those of a loop."""
    return frozenset(timing.get("loop") or [timing["bottleneck"]])


@functools.cache
def environment() -> jinja2.Environment:
    """Escapes everything: names come from the model."""
    made = resource.environment("report", autoescape=True)
    made.filters |= {"number": svg.number, "short": svg.short_number, "percent": svg.percent}
    return made


def _tiles(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Headline figures: (title, figure, remark)."""
    timing, clock = report["timing"], report["clock_mhz"]
    interval, latency = float(timing["interval_cycles"]), timing["latency_cycles"]
    slowest = next((u for u in report["units"] if u["name"] == timing["bottleneck"]), None)
    ideal = timing["ideal_interval_cycles"]
    loop = timing.get("loop") or ()
    waits = "the slowest unit's own" if interval == ideal else f"the slowest unit alone: {svg.number(ideal)}"
    found = [
        ("Frame rate", f"{svg.number(timing['fps'])} fps", _rate_remark(timing, clock)),
        ("Interval", f"{svg.number(interval)} cycles", waits),
        ("Latency", f"{svg.number(latency)} cycles", f"{svg.number(latency / clock)} µs to the first result"),
        *_implemented(report.get("implementation")),
        *_clock_estimate(report),
        *copies_tile(report),
        *energy_tile(report),
        (
            "Bottleneck",
            timing["bottleneck"] or "none",
            slowest["kind"].replace("_", " ") if slowest else f"{len(loop)} units that wait for each other" if loop else "",
        ),
    ]
    return found


def copies_tile(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The tile of several copies, whose rates are of all together."""
    count, fit = ((report.get("copies") or {}).get(k, 1) for k in ("count", "fit"))
    return [("Copies", str(count), f"share the frames; the board's shares hold {fit}")] if count > 1 else []


def _rate_remark(timing: Mapping[str, Any], clock: float) -> str:
    """The clock, estimated where that is lower than what was asked, and what ends the rate of a frame every `interval_cycles`."""
    clock = timing.get("closing_mhz", clock)
    if timing.get("line_fps"):
        return f"at {clock:g} MHz; {svg.number(timing['line_fps'])} over the serial line"
    fed = ", all that the board's memory moves" if timing.get("limit") == "memory" else ""
    return f"at {clock:g} MHz{fed}"


def _implemented(made: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """The tile of the clock that place and route has found."""
    return [("Slowest path", f"{made['fmax_mhz']:.1f} MHz", f"{made['clock_mhz']:g} MHz wanted, {made['tool']}")] if made else []


def _clock_estimate(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The tile of the clock that is estimated while there is no real one."""
    timing = report["timing"]
    if report.get("implementation") or timing.get("clock_estimate_mhz") is None:
        return []
    limit, nets = timing["clock_limit"], ", nets assumed" if timing.get("clock_nets") == "assumed" else ""
    return [("Clock estimate", f"{timing['clock_estimate_mhz']:g} MHz", f"{limit['path']} of {limit['unit']}{nets}")]


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The line under the title: (name, value)."""
    model, folding = report["model"], report["folding"]
    of_which = "" if folding.get("all_foldings", True) else ", without padded lanes that no unit needs"
    given = "as given" if folding["bound"] is None else f"within {svg.percent(folding['gap'])} of the optimum"
    found = [
        ("mode", report["mode"]),
        ("board", (report.get("budget") or {}).get("board", "none given")),
        ("clock", f"{report['clock_mhz']:g} MHz"),
        ("units", str(len(report["units"]))),
        ("MACs a frame", svg.number(model["macs"])),
        ("parameters", svg.number(model["params"])),
        ("folding", "proven optimal" + of_which if folding["optimal"] else given),
    ]
    return found + [(f"checked: {k}", str(v)) for k, v in report["verification"].items()]


def resource_bars(report: Mapping[str, Any], units: list[dict[str, Any]]) -> Markup:
    """A bar for each resource, a segment for each unit of all copies; as long as the board's budget where there is one."""
    budget, used = report.get("budget") or {}, (report.get("copies") or report)["resources"]
    count = (report.get("copies") or {}).get("count", 1)
    units = [u | {"resources": {r: n * count for r, n in u["resources"].items()}} for u in units]
    shown = [r for r in RESOURCES if used[r] or budget.get(r)]
    parts = [_resource_bar(units, r, used[r], budget.get(r, 0), k * BAR_PITCH) for k, r in enumerate(shown)]
    return svg.drawing(1170, max(1.0, BAR_PITCH * len(shown)), parts, "Resources by unit", "budget")


def _resource_bar(units: list[dict[str, Any]], resource: str, used: float, budget: float, y: float) -> Markup:
    whole = max(used, budget)
    over = bool(budget) and used > budget
    parts = [svg.text(BAR_LEFT - 12, y + 17, TITLES[resource], "strong", "end"), svg.rect(BAR_LEFT, y + 4, BAR_WIDTH, 18, "track", rx=2)]
    x = BAR_LEFT
    for unit in units:
        amount = unit["resources"][resource]
        width = amount / whole * BAR_WIDTH
        if width:
            about = f"{unit['name']}: {svg.number(amount)} {TITLES[resource]}"
            parts.append(svg.rect(x, y + 4, max(width - 1, width / 2), 18, "bar slowest" if over else "bar", about))
        x += width
    rest = fifo_share(units, resource, used)
    if rest:
        parts.append(svg.rect(x, y + 4, rest / whole * BAR_WIDTH, 18, "bar other", f"FIFOs: {svg.number(rest)} {TITLES[resource]}"))
    if budget:
        at = BAR_LEFT + budget / whole * BAR_WIDTH * USABLE[resource]
        parts.append(svg.line(at, y, at, y + 26, "limit"))
    said = f"{svg.number(used)} of {svg.number(budget)} · {svg.percent(used / budget)}" if budget else svg.number(used)
    parts.append(svg.text(BAR_LEFT + BAR_WIDTH + 14, y + 17, said, "figure"))
    if used and len(units) > 1:
        most = max(units, key=lambda u: u["resources"][resource])
        share = most["resources"][resource] / used
        parts.append(svg.text(BAR_LEFT, y + 36, f"largest: {most['name']}, {svg.percent(share)} of the design's", "detail"))
    return svg.group(*parts)


def fifo_share(units: list[dict[str, Any]], resource: str, used: float) -> float:
    """What of a design's total the units do not explain: its FIFOs; 0 where the total does not count them."""
    rest = used - sum(u["resources"][resource] for u in units)
    return float(rest) if rest > 1e-6 * used else 0.0


def _fifo_rows(design: Design, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """FIFOs of report.json with the units at their ends, deepest first."""
    ends = {w.tensor: (w.source, w.target) for w in connections(design)[0]}
    rows = [{**f, "source": ends[f["edge"]][0], "target": ends[f["edge"]][1], "bits": f["depth"] * f["width"]} for f in report["fifos"]]
    return sorted(rows, key=lambda f: (-f["depth"], -f["width"], f["edge"]))
