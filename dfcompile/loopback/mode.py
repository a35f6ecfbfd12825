"""Dataflow or loopback: which mode a network should run in, and why, by one comparison of frame rates under the rooflines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.traffic import LayerTraffic


@dataclass(frozen=True)
class Roofline:
    """Frame rates that bound a loopback engine, and what it reaches.

    compute_fps:   lanes * clock / multiplications
    bandwidth_fps: bytes a second of the bus / bytes a frame
    fps:           by the replay
    """

    compute_fps: float
    bandwidth_fps: float
    fps: float

    @property
    def limit(self) -> str:
        return "compute" if self.compute_fps <= self.bandwidth_fps else "bandwidth"


def roofline(layers: tuple[LayerTraffic, ...], config: EngineConfig, cycles: int, batch: int, clock: float) -> Roofline:
    """Rates for a run of `cycles` over `batch` frames at `clock` MHz."""
    hertz = clock * 1e6
    macs, size = sum(x.macs for x in layers), sum(x.constant_bytes + x.act_bytes for x in layers)
    return Roofline(config.lanes * hertz * batch / macs, config.bus_bytes * hertz * batch / size, hertz * batch / cycles)


@dataclass(frozen=True)
class Choice:
    """The mode and one sentence that says why."""

    mode: str
    why: str
    numbers: dict[str, Any]


def choose_mode(dataflow_fps: float | None, loopback: Roofline | None, wanted_fps: float | None, board: str) -> Choice:
    """dataflow_fps: best rate of a dataflow design that fits the board, None when none does; loopback: None when it cannot run it.

    Dataflow wherever it fits at the asked rate; else the faster of the two.
    """
    rates = {"dataflow_fps": dataflow_fps, "loopback_fps": loopback.fps if loopback else None, "wanted_fps": wanted_fps}
    if loopback is None:
        return Choice("dataflow", "the loopback engine cannot run this network", rates)
    roofs = f"loopback reaches {loopback.fps:.4g} frames/s under a compute roof of {loopback.compute_fps:.4g} and a bandwidth roof of "
    roofs += f"{loopback.bandwidth_fps:.4g}"
    rates |= {"compute_roof_fps": loopback.compute_fps, "bandwidth_roof_fps": loopback.bandwidth_fps}
    if dataflow_fps is None:
        return Choice("loopback", f"no dataflow design fits {board}; {roofs}", rates)
    enough = wanted_fps is None or dataflow_fps >= wanted_fps
    if enough or dataflow_fps >= loopback.fps:
        reason = "reaches the asked rate" if enough else "is the faster, below the asked rate"
        return Choice("dataflow", f"a dataflow design fits {board} at {dataflow_fps:.4g} frames/s and {reason}; {roofs}", rates)
    return Choice("loopback", f"dataflow on {board} gives {dataflow_fps:.4g} frames/s, below the asked {wanted_fps:.4g}; {roofs}", rates)
