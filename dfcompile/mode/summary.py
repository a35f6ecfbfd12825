"""A build in a line, in a few lines and in a small table: what is printed after a build, and what Python and notebooks show of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dfcompile.text import one_line

_SHOWN = 6
PARTS = {"dataflow": "units", "loopback": "layers"}


def one_line_of(name: str, report: Mapping[str, Any]) -> str:
    """Name, mode, size, cycles and rate; of a report that is not complete, what there is."""
    if "timing" not in report:
        return f"'{one_line(name)}'"
    timing = report["timing"]
    return (
        f"'{one_line(name)}': {report['mode']}, {_size(report)}, {timing['interval_cycles']:,} cycles a frame, "
        f"{rate_of(report)}, {_resources(report)['lut']:,.0f} LUT"
    )


def rate_of(report: Mapping[str, Any]) -> str:
    """Frames per second at the clock, what ends the rate where it is not the design, and the rate of a board's serial line."""
    timing = report["timing"]
    fed = ", all that the board's memory moves" if timing.get("limit") == "memory" else ""
    line = f", {timing['line_fps']:,.0f} over the serial line" if timing.get("line_fps") else ""
    asked = report["clock_mhz"]
    closing = timing.get("closing_mhz", asked)
    slower = f", the clock that it is estimated to reach of {asked:g} MHz" if closing < asked else ""
    return f"{timing['fps']:,.0f} frames/s at {closing:g} MHz{slower}{fed}{line}"


def clock_line(timing: Mapping[str, Any]) -> str:
    """The clock that is estimated before place and route and what limits it, from `timing` of report.json; "" where there is none."""
    if timing.get("clock_estimate_mhz") is None:
        return ""
    limit, unknown = timing["clock_limit"], timing["clock_unknown"]
    left = f"; not known of {', '.join(unknown)}" if unknown else ""
    left += "; nets are assumed, nothing was placed and routed" if timing.get("clock_nets") == "assumed" else ""
    return f"clock estimated at {timing['clock_estimate_mhz']:g} MHz: {limit['path']} of {limit['unit']}{left}"


def _size(report: Mapping[str, Any]) -> str:
    """How many units or layers, on which array, in how many copies."""
    array = " on an array of {pe} x {simd}".format(**report["engine"]) if "engine" in report else ""
    count = (report.get("copies") or {}).get("count", 1)
    return f"{len(report['units'])} {PARTS[report['mode']]}{array}" + (f" in each of {count} copies" if count > 1 else "")


def _resources(report: Mapping[str, Any]) -> Mapping[str, float]:
    """Of all copies."""
    found: Mapping[str, float] = (report.get("copies") or report)["resources"]
    return found


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """What the command line prints of a build."""
    timing = report["timing"]
    lines = [
        f"{report['model']['name']}: {report['mode']}, {_size(report)}, {report['model']['macs']:,} MACs a frame",
        f"  interval {timing['interval_cycles']:,} cycles ({timing['bottleneck']}), latency {timing['latency_cycles']:,} cycles, "
        f"{rate_of(report)}",
    ]
    why, sizing = (report.get("mode_choice") or {}).get("why"), (report.get("fifo_sizing") or {}).get("note")
    notes = (clock_line(timing), part_line(report.get("part")), why, sizing)
    lines += [f"  {note}" for note in notes if note]
    used = [f"{amount}{f' of {budget}' if budget else ''} {name}" for name, amount, budget in _area(report)]
    lines.append(f"  estimated {', '.join(used)}")
    energy = report.get("energy") or {}
    if energy.get("frame_uj") is not None:
        lines.append(f"  {energy['frame_uj']:,.4g} uJ a frame, {energy['watts']:.3g} W ({energy['model']})")
    if (proof := report.get("folding") or {}).get("objective"):
        what = "cycles" if proof["objective"] == "interval" else "LUT equivalents"
        open_ = "the bound is of units that wait for no loop" if proof.get("looped") else "where the search ended at its bound of work"
        gap = f"gap {proof['gap']:.2%}" + (f", {open_}" if proof["gap"] else "")
        if proof["objective"] == "interval" and proof["value"] > timing["interval_cycles"]:
            lines.append(f"  folding: no faster than the board brings frames, one in {proof['value']:,.0f} cycles")
        else:
            lines.append(f"  folding: {proof['value']:,.0f} {what}, none has fewer than {proof['bound']:,.0f}, {gap}")
        if count := proof.get("left_out_for_clock"):
            lines.append(
                f"  folding: without {count:,} options estimated to miss {report['clock_mhz']:g} MHz where others take as many cycles"
            )
    return lines


def implementation_lines(found: Mapping[str, Any]) -> list[str]:
    """What place and route has come to, as the command line prints it."""
    margin = "reached" if found["fmax_mhz"] >= found["clock_mhz"] else "MISSED"
    return [
        f"{found['tool']}: {found['fmax_mhz']:g} MHz, {found['clock_mhz']:g} MHz {margin}, seed {found['seed']}, {found['seconds']:g} s",
        f"  {found['lut']:,} LUT, {found['ff']:,} FF, {found['ram']:,} block RAM, {found['dsp']:,} DSP",
        f"  slowest path: {', '.join(found['critical_path'])}",
    ]


def _area(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(resource, amount, budget) as text; no budget where there is no board."""
    budget = report.get("budget") or {}
    return [(k.upper(), _amount(k, v), _amount(k, budget[k]) if k in budget else "") for k, v in _resources(report).items()]


def _amount(resource: str, value: float) -> str:
    """Blocks of RAM are parts of 36 kbit; what is estimated of the others is no more exact than whole ones."""
    return f"{value:,.{int(resource == 'bram36')}f}".removesuffix(".0")


def table_of(name: str, report: Mapping[str, Any]) -> str:
    """The facts of a build as a small HTML table."""
    rows: list[tuple[str, str]] = [("model", name)]
    if "timing" in report:
        timing = report["timing"]
        rows += [
            ("mode", report["mode"]),
            (PARTS[report["mode"]], _size(report)),
            ("interval", f"{timing['interval_cycles']:,} cycles ({timing['bottleneck']})"),
            ("latency", f"{timing['latency_cycles']:,} cycles"),
            ("frame rate", rate_of(report)),
            *((resource, f"{amount}{f' of {budget}' if budget else ''}") for resource, amount, budget in _area(report)),
        ]
    cells = "".join(f'<tr><th style="text-align:left">{escape(k)}</th><td style="text-align:left">{escape(v)}</td></tr>' for k, v in rows)
    return f"<table>{cells}</table>"


def part_line(part: Mapping[str, Sequence[str]] | None) -> str:
    """Which part of a model was compiled and what is left to the host, from report.json; "" where it is all of it."""
    if not part:
        return ""
    left = [f"{where} it {_some(part[where])}" for where in ("before", "behind") if part[where]]
    ports = " ".join(f"{way} {', '.join(map(repr, part[way]))}" for way in ("from", "to"))
    return f"the part {ports}; left to the host: {'; '.join(left) or 'nothing'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(one_line, names[:_SHOWN]))
    return f"{len(names):,} node{'s' if len(names) > 1 else ''} ({shown}{', ...' if len(names) > _SHOWN else ''})"
