"""cocotb bench: drives the golden frames into the design and checks what comes out, beat for beat.

bench.json says which ports there are; vectors/<port>.hex holds the beats, one a line. ``+stalls=P`` makes every port pause with
chance P in a cycle, ``+pause_seed=N`` chooses when. ``+source_gap=N`` and ``+sink_gap=N`` are the least cycles between two beats of
a port, ``+frame_period=N`` those between the first offers of two frames. ``+reset_at=N`` resets the design in that
cycle and starts all over again. Writes results/<port>.hex and results/run.json.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

HERE = Path(__file__).resolve().parent


def _option(name: str, default: int) -> int:
    return int(cocotb.plusargs.get(name, default))


class Input:
    """Offers beats; a beat once offered stays until it is taken."""

    def __init__(self, dut: Any, port: dict[str, Any], frames: int) -> None:
        self.name = port["name"]
        self.data, self.valid, self.ready = (getattr(dut, f"{self.name}_{s}") for s in ("tdata", "tvalid", "tready"))
        lines = (HERE / "vectors" / f"{self.name}.hex").read_text().split()
        self.beats = [int(line, 16) for line in lines[: frames * port["beats"]]]
        self.per_frame = port["beats"]
        self.gap, self.period = _option("source_gap", 1), _option("frame_period", 0)
        self.done = self.next = self.next_frame = 0  # the latter: cycles before which it offers no beat, and no new frame
        self.offered = False
        self.valid.value = 0
        self.data.value = 0

    def drive(self, cycle: int, pause: bool) -> None:
        if not self.offered:
            first = self.done % self.per_frame == 0
            late = cycle >= (max(self.next, self.next_frame) if first else self.next)
            self.offered = self.done < len(self.beats) and late and not pause
            self.valid.value = int(self.offered)
            if self.offered:
                self.data.value = self.beats[self.done]
                if first:
                    self.next_frame = cycle + self.period

    def step(self, cycle: int) -> bool:
        """What happens at the coming rising edge; True when a beat is taken."""
        if not (self.offered and self.ready.value):
            return False
        self.offered = False
        self.next = cycle + self.gap
        self.done += 1
        return True

    def state(self) -> str:
        return f"{self.name} is refused beat {self.done} of {len(self.beats)}" if self.done < len(self.beats) else f"{self.name} is done"


class Output:
    """Takes beats, checks them and the rules of the stream."""

    def __init__(self, dut: Any, port: dict[str, Any], frames: int) -> None:
        self.name, self.per_frame = port["name"], port["beats"]
        self.digits = -(-port["bits"] // 4)
        signals = ("tdata", "tvalid", "tready", "tlast")
        self.data, self.valid, self.ready, self.last = (getattr(dut, f"{self.name}_{s}") for s in signals)
        golden = HERE / "vectors" / f"{self.name}.hex"
        self.golden = [int(line, 16) for line in golden.read_text().split()] if golden.exists() else None
        self.count = frames * self.per_frame
        self.beats: list[int] = []
        self.held: int | None = None
        self.wrong: list[tuple[int, int, int, int]] = []
        self.frame_done: list[int] = []
        self.gap = _option("sink_gap", 1)
        self.next = 0  # cycle before which it is not ready
        self.is_ready = False
        self.ready.value = 0

    def drive(self, cycle: int, pause: bool) -> None:
        pause = pause or cycle < self.next
        if self.is_ready == pause:
            self.is_ready = not pause
            self.ready.value = int(self.is_ready)

    def step(self, cycle: int) -> bool:
        """What happens at the coming rising edge; True when a beat is given."""
        if not self.valid.value:
            assert self.held is None, f"{self.name}, cycle {cycle}: tvalid fell before the transfer"
            return False
        data = int(self.data.value)
        assert self.held in (None, data), f"{self.name}, cycle {cycle}: tdata changed before the transfer"
        at = len(self.beats)
        assert at < self.count, f"{self.name}, cycle {cycle}: more beats than the frames have"
        assert int(self.last.value) == (at % self.per_frame == self.per_frame - 1), f"{self.name}, beat {at}: tlast is wrong"
        self.held = None if self.is_ready else data
        if self.is_ready:
            self.take(data, cycle)
        return self.is_ready

    def take(self, data: int, cycle: int) -> None:
        at = len(self.beats)
        self.beats.append(data)
        self.next = cycle + self.gap
        if self.golden is not None and data != self.golden[at]:
            self.wrong.append((at // self.per_frame, at % self.per_frame, data, self.golden[at]))
        if (at + 1) % self.per_frame == 0:
            self.frame_done.append(cycle)

    def write(self) -> None:
        lines = "".join(f"{beat:0{self.digits}x}\n" for beat in self.beats)
        (HERE / "results" / f"{self.name}.hex").write_text(lines)

    def state(self) -> str:
        return f"{self.name} gave {len(self.beats)} of {self.count} beats" + ("" if self.valid.value else ", offers none")


async def reset(dut: Any) -> None:
    """Four cycles of reset; the registers are left alone, so that a batch is a frame."""
    for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
        getattr(dut, f"s_axi_control_{name}").value = 0
    dut.aresetn.value = 0
    for _ in range(4):
        await FallingEdge(dut.aclk)
    dut.aresetn.value = 1


async def quiet(outputs: list[Output], clock: Any) -> None:
    """Nothing is offered after the last frame."""
    for cycle in range(32):
        await ReadOnly()
        for output in outputs:
            output.step(cycle)
        await FallingEdge(clock)


async def run(dut: Any, bench: dict[str, Any], inputs: list[Input], outputs: list[Output], until: int | None) -> tuple[int, int]:
    """All frames, or what comes before a cycle; the cycle of the first beat taken and the cycles of the run."""
    stalls = float(cocotb.plusargs.get("stalls", 0))
    chance = random.Random(int(cocotb.plusargs.get("pause_seed", 1)))
    cycle, last_move, first_take = 0, 0, -1
    while any(len(o.beats) < o.count for o in outputs) and cycle != until:
        for port in (*inputs, *outputs):
            port.drive(cycle, stalls > 0 and chance.random() < stalls)
        await ReadOnly()
        moved = [o.step(cycle) for o in outputs]
        taken = any([i.step(cycle) for i in inputs])
        if taken and first_take < 0:
            first_take = cycle
        if taken or any(moved):
            last_move = cycle
        idle = cycle - last_move
        assert idle <= bench["max_idle"], f"nothing moved for {idle} cycles: " + "; ".join(p.state() for p in (*inputs, *outputs))
        cycle += 1
        await FallingEdge(dut.aclk)
    return first_take, cycle


@cocotb.test()
async def frames(dut: Any) -> None:
    """The golden frames, with pauses when +stalls is given."""
    bench = json.loads((HERE / "bench.json").read_text())
    Clock(dut.aclk, 10, unit="ns").start()
    reset_at = _option("reset_at", 0)
    for until in [reset_at, None] if reset_at else [None]:
        inputs = [Input(dut, p, bench["frames"]) for p in bench["inputs"]]
        outputs = [Output(dut, p, bench["frames"]) for p in bench["outputs"]]
        await reset(dut)
        first_take, cycles = await run(dut, bench, inputs, outputs, until)
    await quiet(outputs, dut.aclk)
    done = [max(frame) for frame in zip(*(o.frame_done for o in outputs), strict=True)]
    for output in outputs:
        output.write()
    (HERE / "results" / "run.json").write_text(json.dumps({"first_take": first_take, "frame_done": done, "cycles": cycles}))
    interval = done[-1] - done[-2] if len(done) > 1 else None
    dut._log.info(f"{len(done)} frames in {cycles} cycles: interval {interval}, latency {done[0] - first_take + 1}")
    wrong = [
        f"{o.name}: {len(o.wrong)} beats differ, first in frame {f}, beat {b}: {got:x}, wanted {want:x}"
        for o in outputs
        for f, b, got, want in o.wrong[:1]
    ]
    assert not wrong, "; ".join(wrong)
