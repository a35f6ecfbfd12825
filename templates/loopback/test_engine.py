"""cocotb bench of the loopback engine: AXI4 memory of cocotbext-axi with random pauses, control over AXI4-Lite.

Plusargs: image, expected, again (files: the memory before the first run, after it, and after the second), program, bytes (of the program),
limit (cycles of a run without pauses), pauses (chance of a pause in a cycle on every channel), pause_seed.
"""

from __future__ import annotations

import logging
import mmap
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiRamRead, AxiReadBus

POLL = 200
CONTROL, PROGRAM, BYTES, ERROR, CYCLES = 0x00, 0x10, 0x18, 0x20, 0x30


def pauses(chance: float, seed: int) -> Iterator[bool]:
    """Endless random pauses."""
    dice = random.Random(seed)
    while True:
        yield dice.random() < chance


def pause_all(ram: AxiRam, code: AxiRamRead, chance: float, seed: int) -> None:
    """Let every channel of both memories pause."""
    write, read = ram.write_if, ram.read_if
    channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel, code.ar_channel, code.r_channel]
    for k, channel in enumerate(channels):
        channel.set_pause_generator(pauses(chance, seed + k))


async def watch(dut: Any, channel: str, payload: tuple[str, ...], beats: bool = False) -> None:
    """What a channel offers stays, unchanged, until it is taken; no burst crosses a border of 4 KiB."""
    valid, ready, *signals = (getattr(dut, f"m_axi_{channel}{s}") for s in ("valid", "ready", *payload))
    held = None
    while True:
        await FallingEdge(dut.aclk)
        if not dut.aresetn.value:
            held = None
            continue
        offered = [int(s.value) for s in signals] if valid.value else None
        assert held in (None, offered), f"{channel}: an offer changed before it was taken"
        held = None if ready.value else offered
        if offered and beats:
            size = (offered[1] + 1) * (len(dut.m_axi_data_wdata) // 8)
            assert offered[0] % 4096 + size <= 4096, f"{channel}: a burst crosses a border of 4 KiB"


def watch_all(dut: Any) -> None:
    """Watch every channel that the engine drives."""
    for channel in ("program_ar", "data_ar", "data_aw"):
        cocotb.start_soon(watch(dut, channel, ("addr", "len"), beats=True))
    cocotb.start_soon(watch(dut, "data_w", ("data", "strb", "last")))


async def wait_done(control: AxiLiteMaster, cycles: float) -> int:
    """The error code once the engine is done."""
    for _ in range(int(cycles / POLL) + 1):
        if await control.read_dword(CONTROL) & 2:
            return int(await control.read_dword(ERROR))
        await ClockCycles(control.write_if.clock, POLL)
    raise AssertionError("the engine is not done")


@cocotb.test()  # type: ignore[untyped-decorator,unused-ignore]
async def memory_is_as_expected(dut: Any) -> None:
    """The program runs to its end without error, and leaves exactly the expected memory; again, where nothing of the first run but what
    it stored for the next one is left."""
    given = cocotb.plusargs
    image = Path(str(given["image"])).read_bytes()
    memory = mmap.mmap(-1, len(image))
    memory[:] = image
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi_data"), dut.aclk, **reset, mem=memory)
    code = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi_program"), dut.aclk, **reset, mem=memory)
    control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi_control"), dut.aclk, **reset)
    for part in (ram.write_if, ram.read_if, code, control.write_if, control.read_if):
        part.log.setLevel(logging.WARNING)
    chance = float(str(given["pauses"]))
    pause_all(ram, code, chance, int(str(given["pause_seed"])))
    watch_all(dut)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 5)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 5)
    for run, expected in enumerate(("expected", "again")):
        await control.write_dword(PROGRAM, int(str(given["program"])))
        await control.write_dword(BYTES, int(str(given["bytes"])))
        await control.write_dword(CONTROL, 1)
        error = await wait_done(control, int(str(given["limit"])) / (1 - chance) ** 2)
        assert error == 0, f"run {run}: error code {error}"
        assert await control.read_dword(CYCLES) > 0
        assert memory[:] == Path(str(given[expected])).read_bytes(), f"run {run}: the memory differs"
