"""The four networks of MLPerf Tiny in 8 bits, both modes on a board: python -m benchmarks.mlperf_tiny [NAME...] [--board pynq-z2]

Published shapes with random weights, quantized by ONNX Runtime's static quantizer (QDQ, int8 activations with zero-points, weights per
channel). Each build is a process of its own; seconds are of processor, from the ONNX file to the complete folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from benchmarks.models import Model

CALIBRATION = 16
"""Random frames from which the quantizer takes the ranges of the activations."""
HEADINGS = ("network", "MACs", "mode", "LUT", "BRAM36", "DSP", "cycles a frame", "frames/s", "first result, ms", "build, s")


class Network(Model):
    """A float network that grows layer by layer, batch normalization folded; `last` is the present tensor, of `channels` channels."""

    def __init__(self, name: str, *shape: int) -> None:
        super().__init__(name)
        self.shape, self.channels, self.last = (1, *shape), shape[0], "input"
        self.inputs.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shape))

    def drawn(self, *shape: int) -> str:
        """Normal weights that keep the spread of what they see."""
        spread = np.sqrt(2 / np.prod(shape[1:]))
        return self.constant((self.random.standard_normal(shape) * spread).astype(np.float32))

    def bias(self, channels: int) -> str:
        """Small biases."""
        return self.constant(self.random.normal(0, 0.1, channels).astype(np.float32))

    def conv(self, channels: int, k: tuple[int, int], stride: int = 1, groups: int = 1, relu: bool = True) -> None:
        """A convolution that keeps the size but for its stride, and ReLU."""
        weight, bias = self.drawn(channels, self.channels // groups, *k), self.bias(channels)
        window = {"kernel_shape": [*k], "strides": [stride] * 2, "auto_pad": "SAME_UPPER"}
        self.last = self.put("Conv", self.last, weight, bias, group=groups, **window)[0]
        self.channels = channels
        if relu:
            self.relu()

    def relu(self) -> None:
        """ReLU."""
        self.last = self.put("Relu", self.last)[0]

    def separable(self, channels: int, stride: int = 1) -> None:
        """A depthwise and a pointwise convolution."""
        self.conv(self.channels, (3, 3), stride, self.channels)
        self.conv(channels, (1, 1))

    def dense(self, features: int, channels: int, relu: bool = False) -> None:
        """A dense layer."""
        self.last = self.put("Gemm", self.last, self.drawn(channels, features), self.bias(channels), transB=1)[0]
        self.channels = channels
        if relu:
            self.relu()

    def classify(self, classes: int) -> None:
        """The mean of each channel and a dense layer."""
        self.last = self.put("Flatten", self.put("GlobalAveragePool", self.last)[0])[0]
        self.dense(self.channels, classes)


def autoencoder() -> Network:
    """Anomaly detection: 640-128-128-128-128-8-128-128-128-128-640."""
    net = Network("autoencoder", 640)
    for features in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        net.dense(net.channels, features, relu=True)
    net.dense(128, 640)
    return net


def ds_cnn() -> Network:
    """Keyword spotting: 49 x 10 features, 12 words."""
    net = Network("ds_cnn", 1, 49, 10)
    net.conv(64, (10, 4), 2)
    for _ in range(4):
        net.separable(64)
    net.classify(12)
    return net


def resnet8() -> Network:
    """Image classification: 32 x 32 pictures, 10 classes."""
    net = Network("resnet8", 3, 32, 32)
    net.conv(16, (3, 3))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        entry, before = net.last, net.channels
        net.conv(channels, (3, 3), stride)
        net.conv(channels, (3, 3), relu=False)
        body = net.last
        if stride > 1:
            net.last, net.channels = entry, before
            net.conv(channels, (1, 1), stride, relu=False)
            entry = net.last
        net.last = net.put("Add", body, entry)[0]
        net.relu()
    net.classify(10)
    return net


def mobilenet() -> Network:
    """Visual wake words: MobileNet-v1 of width 0.25, 96 x 96 pictures, 2 classes."""
    net = Network("mobilenet_v1_025", 3, 96, 96)
    net.conv(8, (3, 3), 2)
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        net.separable(channels, stride)
    net.classify(2)
    return net


NETWORKS: dict[str, Callable[[], Network]] = {f.__name__: f for f in (autoencoder, ds_cnn, resnet8, mobilenet)}


class Frames(CalibrationDataReader):  # type: ignore[misc]
    """Random frames in -1..1 as pictures have them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.frames: Iterator[Any] = iter(np.random.default_rng(1).uniform(-1, 1, (CALIBRATION, *shape)).astype(np.float32))

    def get_next(self) -> dict[str, Any] | None:
        """The next frame, None behind the last."""
        frame = next(self.frames, None)
        return None if frame is None else {"input": frame}


def quantized(name: str, folder: Path) -> Path:
    """The ONNX file of a network in 8 bits."""
    net = NETWORKS[name]()
    plain = net.write(folder, net.last)
    made = plain.with_stem(f"{net.name}_int8")
    quantize_static(
        plain, made, Frames(net.shape), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    onnx.checker.check_model(onnx.load(made))
    return made


def measure(model: Path, mode: str, board: str) -> dict[str, Any]:
    """report.json of a build, and the processor seconds that it took."""
    from dfcompile import build

    start = time.process_time()
    made = build(model, mode=mode, board=board)
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "out")
    return {**made.report, "processor": time.process_time() - start}


def in_process(model: Path, mode: str, board: str) -> dict[str, Any]:
    """`measure` in a process of its own."""
    code = "import json, pathlib, sys; from benchmarks.mlperf_tiny import measure\n"
    code += "print(json.dumps(measure(pathlib.Path(sys.argv[1]), *sys.argv[2:])))"
    done = subprocess.run([sys.executable, "-c", code, model, mode, board], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str, report: dict[str, Any]) -> str:
    """A row of the table in docs/operators.md."""
    used, timing = report["resources"], report["timing"]
    cells = (
        name, f"{report['model']['macs']:,}", report["mode"], f"{used['lut']:,.0f}", f"{used['bram36']:g}", f"{used['dsp']:,.0f}",
        f"{timing['interval_cycles']:,}", f"{timing['fps']:,.4g}", f"{timing['latency_cycles'] / report['clock_mhz'] / 1000:.3g}",
        f"{report['processor']:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*NETWORKS], metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--mode", action="append", choices=("dataflow", "loopback"), help="default: both")
    given = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |\n|---|---:|---|{'---:|' * 7}")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names:
            model = quantized(name, Path(folder))
            for mode in given.mode or ("dataflow", "loopback"):
                print(row(name, in_process(model, mode, given.board)), flush=True)


if __name__ == "__main__":
    main()
