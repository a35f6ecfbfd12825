"""The driver's way to a board with PYNQ: a DMA for each stream, registers of the design. Needs pynq; Python 3.8."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

FRAMES, HASH_LOW, HASH_HIGH, CYCLES, DONE, RESTART = 0x10, 0x20, 0x28, 0x30, 0x38, 0x40
CONTROL = 0x00
BUFFER = 1 << 22  # bytes of one of the two buffers of a stream, unless a frame needs more


class Stream:
    """A channel of a DMA with two buffers, which take turns: one is filled or emptied while the other is in transfer.

    longest: bytes that a transfer can have
    """

    def __init__(self, channel: Any, name: str, port: Any, longest: int) -> None:
        self.channel, self.name, self.longest = channel, name, longest
        self.bytes, self.frame_bytes = port.bytes, port.beats * port.bytes
        self.buffers: list[Any] = []

    def allocate(self, frames: int) -> None:
        from pynq import allocate

        self.free()
        self.buffers = [allocate(shape=(frames * self.frame_bytes,), dtype=np.uint8) for _ in range(2)]

    def free(self) -> None:
        for buffer in self.buffers:
            buffer.freebuffer()
        self.buffers = []

    def start(self, turn: int, frames: int) -> None:
        """Transfer so many frames from or to the buffer whose turn it is."""
        self.channel.transfer(self.buffers[turn % 2], nbytes=frames * self.frame_bytes)

    def wait(self, seconds: float, meanwhile: Any = ()) -> None:
        """Until the channel is idle. RuntimeError on an error of the DMA, or when it is not after so many seconds.

        meanwhile: streams that are kept going
        """
        end = time.monotonic() + seconds
        while not (self.channel.idle or self.channel.error):
            for stream in meanwhile:
                stream.feed()
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: the transfer is not done after {seconds:g} s: does the design's clock run? open it again")
        self.channel.wait()  # tells an error, and lets the processor see what was received


class Fixed:
    """A channel of a DMA that sends the same beats in each frame: they lie in memory once, and the channel is started again and again."""

    def __init__(self, channel: Any, name: str, port: Any, longest: int) -> None:
        from pynq import allocate

        self.channel, self.name = channel, name
        data, longest = np.ascontiguousarray(port.fixed).reshape(-1), longest - longest % port.bytes  # whole beats
        pieces = [data[at : at + longest] for at in range(0, len(data), longest)]  # of a frame; what TLAST says on inputs is ignored
        if len(pieces) == 1:  # several frames a transfer: each start takes the host's time
            pieces = [np.tile(data, max(1, min(BUFFER, longest) // len(data)))]
        self.frames = len(pieces[0]) // len(data)  # of a transfer; 0: a part of one
        self.frame_bytes, self.buffers, self.next, self.left = len(data), [], 0, 0
        for piece in pieces:
            buffer = allocate(shape=(len(piece),), dtype=np.uint8)
            buffer[:] = piece
            self.buffers.append(buffer)
        self.started = False

    def free(self) -> None:
        for buffer in self.buffers:
            buffer.freebuffer()
        self.buffers = []

    def want(self, frames: int) -> None:
        """So many frames more are to be sent."""
        self.left += frames
        self.feed()

    def feed(self) -> None:
        """Start the channel again where it is idle and something is left to send. RuntimeError on an error of the DMA."""
        if not self.left or (self.started and not self.channel.idle):
            if self.started and self.channel.error:
                raise RuntimeError(f"{self.name}: the DMA tells an error: open the board again")
            return
        buffer = self.buffers[self.next]
        frames = min(self.left, self.frames)
        self.channel.transfer(buffer, nbytes=frames * self.frame_bytes or len(buffer))
        self.started, self.next = True, (self.next + 1) % len(self.buffers)
        self.left -= frames or int(self.next == 0)


class Pynq:
    """A transport of a Driver.

    bitstream: file, whose .hwh lies beside it, or an overlay that is loaded
    dmas:      names of the DMAs of the input streams, then of the output streams
    core:      name of the design in the overlay
    seconds:   after which a transfer is given up
    frames:    most frames of a transfer; by default what fits into 4 MiB
    """

    def __init__(
        self, driver: Any, bitstream: Any, dmas: Any = None, core: str = "accelerator", seconds: float = 10.0, frames: int = 0
    ) -> None:
        from pynq import Overlay

        overlay = Overlay(bitstream) if isinstance(bitstream, str) else bitstream
        self.core = getattr(overlay, core)
        sides = [*range(len(driver.inputs)), *range(len(driver.outputs))]
        names = list(dmas) if dmas else [f"axi_dma_{i}" for i in sides]
        if len(names) != len(sides):
            raise ValueError(f"{len(sides)} streams need as many names of DMAs, given: {', '.join(names)}")
        count = len(driver.inputs)
        given = list(zip(names[:count], driver.inputs))
        self.senders = [self._stream(overlay, n, "sendchannel", p) for n, p in given if p.fixed is None]
        self.fixed = [self._stream(overlay, n, "sendchannel", p, Fixed) for n, p in given if p.fixed is not None]
        self.fed = [i for i, (_, p) in enumerate(given) if p.fixed is None]
        self.receivers = [self._stream(overlay, n, "recvchannel", p) for n, p in zip(names[count:], driver.outputs)]
        self.seconds = seconds
        self.limit = frames or max(1, min(min(BUFFER, s.longest) // s.frame_bytes for s in self._streams()))
        self.room = self.frames = 0  # frames that the buffers hold; what the design's register holds
        self.restart, self.restarts = bool(driver.data["streaming"]), False  # whether the next part does; what the register holds
        self.failed = ""

    @staticmethod
    def _stream(overlay: Any, name: str, channel: str, port: Any, kind: Any = Stream) -> Any:
        dma = getattr(overlay, name)
        return kind(getattr(dma, channel), name, port, getattr(dma, "buffer_max_size", BUFFER))

    def _streams(self) -> list[Stream]:
        return [*self.senders, *self.receivers]

    def identity(self) -> int:
        """The design's hash, as its registers tell it."""
        return int(self.core.read(HASH_LOW)) | int(self.core.read(HASH_HIGH)) << 32

    def counters(self) -> dict[str, float]:
        return {"cycles": int(self.core.read(CYCLES)), "counted_frames": int(self.core.read(DONE))}

    def close(self) -> None:
        for s in [*self._streams(), *self.fixed]:
            s.free()
        self.room = 0

    def reset(self) -> None:
        """A streaming design begins with its first states again: SystemVerilog when the register is written, HLS with its next batch."""
        self.restart = True

    def transfer(self, beats: list[np.ndarray]) -> list[np.ndarray]:
        """All frames, in parts of at most `limit`: the next part is sent while the results of one arrive.

        RuntimeError where a DMA tells an error or is not done in time; no transfer works after that.
        """
        if self.failed:
            raise RuntimeError(f"an earlier transfer failed ({self.failed}): open the board again")
        beats = [beats[i] for i in self.fed]
        total = beats[0].size // self.senders[0].frame_bytes
        if not total:
            return [np.empty((0, s.bytes), np.uint8) for s in self.receivers]
        parts = [(first, min(self.limit, total - first)) for first in range(0, total, self.limit)]
        results = [np.empty((total * s.frame_bytes // s.bytes, s.bytes), np.uint8) for s in self.receivers]
        if min(total, self.limit) > self.room:
            self._make_room(min(self.limit, 1 << (total - 1).bit_length()))
        try:
            self._run(parts, [b.reshape(-1) for b in beats], [r.reshape(-1) for r in results])
        except Exception as e:
            self.failed = str(e)
            raise
        return results

    def _make_room(self, frames: int) -> None:
        for s in self._streams():
            s.allocate(frames)
        self.room = frames

    def _begin(self, frames: int) -> None:
        """Tell the design after how many frames tlast comes, and whether it restarts, where that changes (it is at rest then), and start
        it, which HLS wants."""
        if self.restart or self.restarts:
            self.core.write(RESTART, int(self.restart))
            self.restart, self.restarts = False, self.restart
        if frames != self.frames:
            self.core.write(FRAMES, frames)
            self.frames = frames
        end = time.monotonic() + self.seconds
        while self.core.read(CONTROL) & 1:  # not yet begun with the part before
            for f in self.fixed:
                f.feed()
            if time.monotonic() > end:
                raise RuntimeError(f"the design has not begun after {self.seconds:g} s: does its clock run? open it again")
        self.core.write(CONTROL, 1)

    def _run(self, parts: list[Any], sent: list[np.ndarray], received: list[np.ndarray]) -> None:
        flying: Any = None  # the part whose results are still to come
        for turn, (first, frames) in enumerate(parts):
            for s, data in zip(self.senders, sent):
                chunk = data[first * s.frame_bytes : (first + frames) * s.frame_bytes]
                s.buffers[turn % 2][: len(chunk)] = chunk
            if flying and (frames != self.frames or self.restarts):
                self._finish(*flying, received)
                flying = None
            if not flying:
                for r in self.receivers:
                    r.start(turn, frames)
            self._begin(frames)
            for f in self.fixed:
                f.want(frames)
            for s in self.senders:
                if turn:
                    s.wait(self.seconds, self.fixed)
                s.start(turn, frames)
            if flying:
                self._finish(*flying, received)
                for r in self.receivers:
                    r.start(turn, frames)
            flying = (turn, first, frames)
        for s in self.senders:
            s.wait(self.seconds, self.fixed)
        self._finish(*flying, received)

    def _finish(self, turn: int, first: int, frames: int, received: list[np.ndarray]) -> None:
        """Take the results of a part."""
        for r, out in zip(self.receivers, received):
            r.wait(self.seconds, self.fixed)
            size = frames * r.frame_bytes
            got = int(r.channel.transferred)
            if got != size:
                raise RuntimeError(f"{r.name}: {got} bytes came where {frames} frames have {size}: open the board again")
            out[first * r.frame_bytes : first * r.frame_bytes + size] = r.buffers[turn % 2][:size]


class Copies:
    """A transport of a Driver whose design stands on the board several times: the copies work on a part of the frames each.

    The first frames of a call go to the first copy, the next ones to the second, and so on; results are in the order of the frames.

    bitstream, seconds, frames: as of `Pynq`; the copies are `core`, then `core`_1, `core`_2, ...
    dmas: names for the first copy's streams, then for the second's, ...; by default copy k has those behind the ones of copy k - 1
    """

    def __init__(self, driver: Any, bitstream: str, dmas: Any = None, core: str = "accelerator", **settings: Any) -> None:
        from pynq import Overlay

        count, overlay = driver.data["copies"], Overlay(bitstream)
        inputs, outputs = len(driver.inputs), len(driver.outputs)
        width, sides = max(inputs, outputs), [*range(inputs), *range(outputs)]
        names = list(dmas) if dmas else [f"axi_dma_{k * width + i}" for k in range(count) for i in sides]
        if len(names) != count * len(sides):
            raise ValueError(f"{count} copies of {len(sides)} streams need as many names of DMAs, given: {', '.join(names)}")
        self.parts = [
            Pynq(driver, overlay, names[k * len(sides) : (k + 1) * len(sides)], f"{core}_{k}" if k else core, **settings)
            for k in range(count)
        ]
        self.fed, self.ports = self.parts[0].fed, driver.inputs

    def identity(self) -> int:
        """The hash of all copies; 0 where one is another design."""
        found = {p.identity() for p in self.parts}
        return found.pop() if len(found) == 1 else 0

    def counters(self) -> dict[str, float]:
        """Cycles of the copy that took most, and frames of all."""
        found = [p.counters() for p in self.parts]
        return {"cycles": max(f["cycles"] for f in found), "counted_frames": sum(f["counted_frames"] for f in found)}

    def close(self) -> None:
        for p in self.parts:
            p.close()

    def transfer(self, beats: list[np.ndarray]) -> list[np.ndarray]:
        """All frames, in as many portions as there are copies, all at once. RuntimeError as of `Pynq.transfer`, from any copy."""
        sizes = {i: self.ports[i].beats for i in self.fed}  # beats of a frame
        first = self.fed[0]
        total, count = len(beats[first]) // sizes[first], len(self.parts)
        ends = [total * k // count for k in range(count + 1)]
        work = [
            (p, [b[a * sizes[i] : e * sizes[i]] if i in sizes else b for i, b in enumerate(beats)])
            for p, a, e in zip(self.parts, ends, ends[1:])
        ]
        with ThreadPoolExecutor(count) as pool:
            found = list(pool.map(lambda w: w[0].transfer(w[1]), work))
        return [np.concatenate(parts) for parts in zip(*found)]
