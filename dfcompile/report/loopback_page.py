"""The report of a loopback build: engine, layers, timeline of the queues, memories, roofline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from markupsafe import Markup

import dfcompile
from dfcompile.loopback.descriptor import Unit
from dfcompile.loopback.predict import Prediction
from dfcompile.loopback.program import Program
from dfcompile.report import svg
from dfcompile.report.energy import energy_of, energy_tile
from dfcompile.report.loopback_pictures import busy, draw_memory, draw_timeline
from dfcompile.report.page import copies_tile, environment, resource_bars
from dfcompile.report.roofs import draw_choice, draw_layers

ENGINE = {
    "pe": "rows of the array: output channels at a time",
    "simd": "columns of the array: input channels at a time",
    "act_words": "words of the activation memory, simd bytes each",
    "weight_words": "words of the weight buffer, pe x simd weights each",
    "acc_words": "partial sums kept, pe of each pixel",
    "tree_levels": "levels of thresholds: at most 2^levels - 1 a channel",
    "tree_banks": "tiles of thresholds held",
    "weight_bits": "widest weight",
    "acc_bits": "width of a sum",
    "scale_bits": "widest multiplier of a requantization, 0 without",
    "root_bits": "width in which inverse roots are found, 0 without",
    "list_words": "bus words of lists of the steps with weights, 0: all steps are walked",
    "code_bits": "widest number of a level, of weights that are loaded as such, 0 without",
    "act_bits": "digits of codes",
    "repeat_bits": "bits of the count of a loop's turns that the program has once, 0 without",
    "dsp_rows": "rows whose products are made in DSP slices",
    "act_uram": "activations in UltraRAM",
    "pixels": "outputs of a row made at once, each with an array of its own",
    "bus_bits": "width of the memory bus",
    "batch": "frames of a run",
}


class Built(Protocol):
    """What the page needs of a build."""

    @property
    def program(self) -> Program: ...
    @property
    def prediction(self) -> Prediction: ...
    @property
    def report(self) -> dict[str, Any]: ...


def render_loopback(made: Built) -> str:
    """The page of a build; the same build gives the same bytes (the seconds that it took are left out)."""
    report, program, prediction = made.report, made.program, made.prediction
    whole = [{"name": "the engine", "resources": report["resources"]}]
    return (
        environment()
        .get_template("loopback.html.j2")
        .render(
            version=dfcompile.__version__,
            report=report,
            budget=report["budget"],
            tiles=[*_tiles(report), *copies_tile(report), *energy_tile(report)],
            energy=energy_of(report),
            facts=_facts(report),
            engine=[(name, report["engine"][name], about) for name, about in ENGINE.items()],
            bars=resource_bars(report, whole),
            layers=_layer_rows(report),
            run=report["timing"]["latency_cycles"],
            queues=[(u.name.lower(), busy(prediction, u) / prediction.cycles) for u in Unit],
            timeline=draw_timeline(prediction, report["units"], report["timing"]["bottleneck"]),
            memory=draw_memory(program),
            external=_external(program),
            size=program.size,
            spilled=report["roofline"]["spilled"],
            roofline=draw_layers(report),
            intensity=report["roofline"]["macs"] / max(1, report["roofline"]["bytes"]),
            choice=draw_choice(report) if report.get("mode_choice") else "",
        )
    )


def drawings(made: Built) -> dict[str, Callable[[], Markup]]:
    """What draws each picture of a build, by its name."""
    report = made.report
    return {
        "timeline": lambda: draw_timeline(made.prediction, report["units"], report["timing"]["bottleneck"]),
        "memory": lambda: draw_memory(made.program),
        "roofline": lambda: draw_layers(report),
        "resources": lambda: resource_bars(report, [{"name": "the engine", "resources": report["resources"]}]),
    }


def _tiles(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Headline figures: (title, figure, remark)."""
    timing, clock, engine = report["timing"], report["clock_mhz"], report["engine"]
    interval, latency, batch = float(timing["interval_cycles"]), timing["latency_cycles"], engine["batch"]
    lanes = report["roofline"]["macs_per_cycle"]
    work = report["roofline"]["macs"] / (latency * lanes)
    return [
        ("Frame rate", f"{svg.number(timing['fps'])} fps", f"at {clock:g} MHz, {batch} frame{'s' if batch > 1 else ''} a run"),
        ("Interval", f"{svg.number(interval)} cycles", f"the array's own: {svg.number(float(timing['ideal_interval_cycles']))}"),
        ("Latency", f"{svg.number(latency)} cycles", f"{svg.number(latency / clock)} µs from start to done"),
        ("Array", f"{engine['pe']} x {engine['simd']}", f"{svg.percent(work)} of its multiplications used over the run"),
    ]


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The line under the title: (name, value)."""
    model = report["model"]
    found = [
        ("mode", report["mode"]),
        ("board", (report["budget"] or {}).get("board", "none given")),
        ("clock", f"{report['clock_mhz']:g} MHz"),
        ("layers", str(len(report["units"]))),
        ("MACs a frame", svg.number(model["macs"])),
        ("parameters", svg.number(model["params"])),
    ]
    return found + [(f"checked: {k}", str(v)) for k, v in report["verification"].items()]


def _layer_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Layers of report.json with what bounds each: the larger of its two roofs."""
    lanes, bus = report["roofline"]["macs_per_cycle"], report["roofline"]["bytes_per_cycle"]
    rows = []
    for u in report["units"]:
        moved = u["constant_bytes"] + u["act_bytes"]
        array = u["macs"] / (u["steps"] * lanes) if u["steps"] else 0.0
        rows.append({**u, "array": array, "bound": "compute" if u["macs"] / lanes >= moved / bus else "bandwidth"})
    return rows


def _external(program: Program) -> list[tuple[str, str, int, int]]:
    """(what, name, address, bytes) in external memory, as far as the host or the program names it."""
    rows = [
        (what, p.name, p.address, p.image_bytes * program.batch)
        for what, ports in (("input", program.inputs), ("output", program.outputs))
        for p in ports
    ]
    if program.states:
        rows.append(("states between runs", "", program.states_address, len(program.states)))
    rows.append(("weights and thresholds", "", program.constants_address, len(program.constants)))
    rows.append(("program", f"{len(program.steps):,} descriptors", program.program_address, len(program.code)))
    return sorted(rows, key=lambda r: r[2])
