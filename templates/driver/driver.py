"""Driver of the accelerator: real numbers to beats and back; runs on a board where PYNQ is installed.

    from driver import Driver
    driver = Driver()                       # reads driver.json and driver.npz beside this file
    driver.open("design.bit")               # on a board; the DMAs are axi_dma_0, axi_dma_1, ... unless named
    y = driver.run(x)                       # x: (n, *shape) in the model's layout, or a dict of such arrays

Without a board `encode`, `pack`, `unpack` and `decode` do all but the transfer. Needs numpy only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent

UNARY = {
    "relu": lambda x, a, b: np.maximum(x, 0.0),
    "clip": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "sigmoid": lambda x, a, b: 1.0 / (1.0 + np.exp(-x)),
    "tanh": lambda x, a, b: np.tanh(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0.0, 1.0),
    "exp": lambda x, a, b: np.exp(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "trunc": lambda x, a, b: np.trunc(x),
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
    "prelu": lambda x, slope: np.where(x >= 0, x, slope * x),
}


def _half(x, up):
    size = np.abs(x)
    whole = np.floor(size)
    return np.copysign(whole + up(size - whole), x)


ROUNDINGS = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.copysign(np.ceil(np.abs(x)), x),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: _half(x, lambda part: part >= 0.5),
    "HALF_DOWN": lambda x: _half(x, lambda part: part > 0.5),
}


def _quantize(step, x, scale, zero):
    rounded = ROUNDINGS[step["rounding"]]
    if step["zero_after"]:
        return np.clip(rounded(x / scale) + zero, step["lo"], step["hi"])
    return rounded(np.clip(x / scale + zero, step["lo"], step["hi"]))


def _batch_norm(step, x, *parameters):
    scale, bias, mean, var = (p.reshape((-1,) + (1,) * (x.ndim - 2)) for p in parameters)
    return (x - mean) / np.sqrt(var + step["epsilon"]) * scale + bias


def _softmax(step, x):
    powers = np.exp(x - x.max(axis=step["axis"], keepdims=True))
    return powers / powers.sum(axis=step["axis"], keepdims=True)


STEPS = {
    "unary": lambda step, x: UNARY[step["fn"]](x, step["alpha"], step["beta"]),
    "binary": lambda step, x, y: BINARY[step["fn"]](x, y),
    "quantize": _quantize,
    "dequantize": lambda step, x, scale, zero: (x - zero) * scale,
    "bipolar": lambda step, x: np.where(x >= 0, 1.0, -1.0),
    "batch_norm": _batch_norm,
    "softmax": _softmax,
    # Any rearrangement of the elements of a frame.
    "take": lambda step, x, index: x.reshape(len(x), -1)[:, index.ravel()].reshape(-1, *index.shape),
}


class Port:
    """A stream: its frames of codes (n, h, w, c) and their beats, each padded to bytes."""

    def __init__(self, data: dict[str, Any], arrays: Any) -> None:
        self.name, self.shape = data["name"], tuple(data["shape"])
        self.bits, self.signed, self.bipolar, self.lanes = (data[k] for k in ("bits", "signed", "bipolar", "lanes"))
        self.data, self.arrays = data, arrays
        self.index = arrays[data["index"]]
        self.beats = int(np.prod(self.shape)) // self.lanes
        self.bytes = -(-self.bits * self.lanes // 8)

    @property
    def lo(self) -> int:
        """Least code."""
        return -1 if self.bipolar else -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest code."""
        return 1 if self.bipolar else (1 << (self.bits - self.signed)) - 1

    def pack(self, codes: np.ndarray) -> np.ndarray:
        """Codes of n frames to bytes (n * beats, bytes of a beat): lane 0 lowest, two's complement."""
        values = codes.astype(np.int64).reshape(-1, self.lanes)
        if values.min() < self.lo or values.max() > self.hi:
            raise ValueError(f"{self.name} takes codes from {self.lo} to {self.hi}")
        patterns = (values > 0).astype(np.int64) if self.bipolar else values
        bits = (patterns[:, :, None] >> np.arange(self.bits)) & 1
        return np.packbits(bits.astype(np.uint8).reshape(len(values), -1), axis=1, bitorder="little")

    def unpack(self, beats: np.ndarray) -> np.ndarray:
        """The inverse of `pack`."""
        bits = np.unpackbits(beats.reshape(-1, self.bytes), axis=1, bitorder="little")[:, : self.bits * self.lanes]
        patterns = bits.reshape(-1, self.bits).astype(np.int64) @ (np.int64(1) << np.arange(self.bits))
        if self.bipolar:
            patterns = 2 * patterns - 1
        elif self.signed:
            patterns = np.where(patterns > self.hi, patterns - (1 << self.bits), patterns)
        return patterns.reshape(-1, *self.shape)


class Driver:
    """Real numbers in and out, by the model's names of its inputs and outputs."""

    def __init__(self, folder: Path = HERE) -> None:
        self.data = json.loads((folder / "driver.json").read_text())
        self.arrays = np.load(folder / "driver.npz")
        self.inputs = [Port(p, self.arrays) for p in self.data["inputs"]]
        self.outputs = [Port(p, self.arrays) for p in self.data["outputs"]]
        self.dmas: list[Any] = []

    def _steps(self, steps: list[dict[str, Any]], values: dict[str, np.ndarray]) -> None:
        for step in steps:
            if step["op"] not in STEPS:
                raise NotImplementedError(f"the model computes {step['op']} outside the accelerator, which this driver cannot")
            arguments = [values[name] if name in values else self.arrays[name] for name in step["in"]]
            values[step["out"]] = STEPS[step["op"]](step, *arguments)

    def encode(self, x: Any) -> list[np.ndarray]:
        """Real inputs, one array or a dict by name, to codes (n, h, w, c) of each input stream."""
        feeds = x if isinstance(x, dict) else {self.inputs[0].data["input"]: np.asarray(x)}
        codes = []
        for port in self.inputs:
            values = {port.data["input"]: np.asarray(feeds[port.data["input"]], np.float64)}
            self._steps(port.data["steps"], values)
            real = np.rint((values[port.data["result"]] - port.data["offset"]) / port.data["scale"])
            flat = np.full((len(real), int(np.prod(port.shape))), max(port.lo, min(port.hi, 0)), np.int64)
            flat[:, port.index.ravel()] = real.reshape(len(real), -1)
            codes.append(flat.reshape(-1, *port.shape))
        return codes

    def decode(self, codes: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Codes of each output stream to the model's outputs."""
        values = {}
        for port, x in zip(self.outputs, codes, strict=True):
            where = port.index.ravel() % port.shape[-1]
            scale, offset = (self.arrays[port.data[k]] for k in ("scale", "offset"))
            scale, offset = (a[where] if a.size > 1 else a.reshape(()) for a in (scale, offset))
            flat = x.reshape(len(x), -1)[:, port.index.ravel()] * scale + offset
            values[port.data["tensor"]] = flat.reshape(-1, *port.index.shape)
        self._steps(self.data["tail"], values)
        return {name: values[name] for name in self.data["results"]}

    def open(self, bitstream: str, dmas: list[str] | None = None) -> None:
        """Load the bitstream and find its DMAs: one for each input stream, then one for each output stream.

        A DMA that has both channels may be named twice. By default stream i of either side uses axi_dma_<i>.
        """
        from pynq import Overlay

        overlay = Overlay(bitstream)
        sides = [*range(len(self.inputs)), *range(len(self.outputs))]
        self.dmas = [getattr(overlay, name) for name in dmas or [f"axi_dma_{i}" for i in sides]]

    def transfer(self, beats: list[np.ndarray]) -> list[np.ndarray]:
        """Send the beats of each input stream, receive those of each output stream. Frames are taken from the first input."""
        if not self.dmas:
            raise RuntimeError("no board: call open(bitstream) where PYNQ is installed")
        from pynq import allocate

        frames = len(beats[0]) // self.inputs[0].beats
        sent = [allocate(shape=b.shape, dtype=np.uint8) for b in beats]
        received = [allocate(shape=(frames * p.beats, p.bytes), dtype=np.uint8) for p in self.outputs]
        senders, receivers = self.dmas[: len(sent)], self.dmas[len(sent) :]
        for dma, buffer in zip(receivers, received, strict=True):
            dma.recvchannel.transfer(buffer)
        for dma, buffer, b in zip(senders, sent, beats, strict=True):
            buffer[:] = b
            dma.sendchannel.transfer(buffer)
        for dma in senders:
            dma.sendchannel.wait()
        for dma in receivers:
            dma.recvchannel.wait()
        return [np.array(buffer) for buffer in received]

    def run(self, x: Any) -> Any:
        """The model's outputs: one array, or a dict where there are several. One frame at a time, as tlast ends each."""
        codes = self.encode(x)
        ports = list(zip(self.inputs, codes, strict=True))
        frames = [self.transfer([p.pack(c[i : i + 1]) for p, c in ports]) for i in range(len(codes[0]))]
        outputs = [p.unpack(np.concatenate([frame[i] for frame in frames])) for i, p in enumerate(self.outputs)]
        results = self.decode(outputs)
        return next(iter(results.values())) if len(results) == 1 else results
