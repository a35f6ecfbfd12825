"""Train quantized networks on scikit-learn's handwritten digits and export them, as QONNX and as QCDQ.

    pip install 'dfcompile[train]'
    python examples/train_digits.py [NAME ...]

Writes `NAME.onnx` and `NAME_qcdq.onnx` (where the format can say it) and `NAME.npz` beside this file. The .npz holds the test
set: `images` float32 (n, channels, height, width) or (n, 64), `labels` (n,), and `outputs`, `outputs_qcdq` float32 (n, 10): what
qonnx and onnxruntime make of the two files. Training is deterministic and takes well under a minute for each network.
"""

from __future__ import annotations

import argparse
import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from brevitas.core.restrict_val import RestrictValueType
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import (
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
)
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.cleanup import cleanup_model
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

HERE = Path(__file__).parent
Arrays = tuple[np.ndarray, np.ndarray]


class PixelQuant(Uint8ActPerTensorFixedPoint):
    """Four unsigned bits with a step of 1/16: the raw pixels of the data set."""

    bit_width = 4
    scaling_impl_type = "const"
    restrict_scaling_type = RestrictValueType.FP
    max_val = 15 / 16
    min_val = 0.0


def conv(inputs: int, outputs: int, bits: int, stride: int = 1, padding: int = 1, per_channel: bool = False) -> list[nn.Module]:
    """Quantized 3x3 convolution, batch normalisation, quantized ReLU."""
    return [
        QuantConv2d(
            inputs,
            outputs,
            3,
            stride=stride,
            padding=padding,
            bias=False,
            weight_quant=Int8WeightPerTensorFloat,
            weight_bit_width=max(bits, 2),
            weight_scaling_per_output_channel=per_channel,
        ),
        nn.BatchNorm2d(outputs),
        QuantReLU(bit_width=bits),
    ]


def classifier(inputs: int, bits: int) -> list[nn.Module]:
    """Flatten and a quantized fully connected layer with a float bias."""
    return [nn.Flatten(), QuantLinear(inputs, 10, bias=True, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=bits)]


def cnn_w2a2() -> nn.Sequential:
    """Three convolutions with padding and max pooling; weights and activations of 2 bits (4-bit first layer)."""
    return nn.Sequential(
        QuantIdentity(act_quant=PixelQuant),
        *conv(1, 16, 2),
        *conv(16, 16, 2),
        nn.MaxPool2d(2),
        *conv(16, 32, 2),
        nn.MaxPool2d(2),
        *classifier(32 * 4, 2),
    )


def cnn_w4a4() -> nn.Sequential:
    """Strided and unpadded convolutions; 4 bits, a weight scale for each output channel."""
    return nn.Sequential(
        QuantIdentity(act_quant=PixelQuant),
        *conv(1, 12, 4, per_channel=True),
        *conv(12, 24, 4, stride=2, per_channel=True),
        *conv(24, 32, 4, padding=0, per_channel=True),
        *classifier(32 * 4, 4),
    )


def mlp_w1a1() -> nn.Sequential:
    """Fully connected layers with bipolar weights and activations."""

    def layer(inputs: int, outputs: int) -> list[nn.Module]:
        linear = QuantLinear(inputs, outputs, bias=False, weight_quant=SignedBinaryWeightPerTensorConst)
        return [linear, nn.BatchNorm1d(outputs)]

    def sign() -> nn.Module:
        return QuantIdentity(act_quant=SignedBinaryActPerTensorConst)

    return nn.Sequential(
        QuantIdentity(act_quant=PixelQuant), nn.Flatten(), *layer(64, 128), sign(), *layer(128, 128), sign(), *layer(128, 10)
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Sequential], tuple[int, ...], bool]] = {
    # name: (network, shape of an image, has a QCDQ form; that format has no 1-bit type)
    "digits_cnn_w2a2": (cnn_w2a2, (1, 8, 8), True),
    "digits_cnn_w4a4": (cnn_w4a4, (1, 8, 8), True),
    "digits_mlp_w1a1": (mlp_w1a1, (64,), False),
}


def digits(shape: tuple[int, ...]) -> tuple[Arrays, Arrays]:
    """Training and test set; pixels are k/16 with k from 0 to 15 (the few 16s of the data set become 15)."""
    pixels, labels = load_digits(return_X_y=True)
    images = (np.minimum(pixels, 15) / 16).astype(np.float32).reshape(-1, *shape)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=360, random_state=0, stratify=labels)
    return (train_x, train_y), (test_x, test_y)


def train(network: nn.Sequential, images: np.ndarray, labels: np.ndarray, epochs: int) -> None:
    """Quantization-aware training with Adam and a cosine learning rate; the network ends in evaluation mode."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(as_tensor(network(x[batch])), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 10 == 9:
            print(f"  epoch {epoch + 1}: loss {loss.item():.4f}", flush=True)
    network.eval()


def as_tensor(value: Tensor) -> Tensor:
    """The plain tensor of a quantized one."""
    return value.value if hasattr(value, "value") else value


def run_qonnx(path: Path, images: np.ndarray) -> np.ndarray:
    """Outputs of a QONNX file in float32, image by image."""
    model = cleanup_model(ModelWrapper(str(path)))
    name = model.graph.input[0].name
    return np.concatenate([next(iter(execute_onnx(model, {name: image[None]}).values())) for image in images])


def run_qcdq(path: Path, images: np.ndarray) -> np.ndarray:
    """Outputs of a QCDQ file in float32, image by image, without graph rewriting."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])


def run_float64(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """Outputs of the trained network itself, computed in float64."""
    with torch.no_grad():
        return as_tensor(copy.deepcopy(network).double()(torch.from_numpy(images).double())).numpy()


def export(network: nn.Sequential, name: str, shape: tuple[int, ...], has_qcdq: bool) -> list[Path]:
    """Write the ONNX files; returns their paths."""
    sample = torch.zeros(1, *shape)
    paths = [HERE / f"{name}.onnx"]
    export_qonnx(network, sample, str(paths[0]), dynamo=False)
    if has_qcdq:
        paths.append(HERE / f"{name}_qcdq.onnx")
        export_onnx_qcdq(network, sample, str(paths[1]), opset_version=13, dynamo=False)
    for path in paths:
        onnx.checker.check_model(onnx.load(path))
    return paths


def off(outputs: np.ndarray, exact: np.ndarray) -> int:
    """Images whose outputs are not those of float64, but for the rounding of the result."""
    return int((np.abs(outputs - exact).max(axis=1) > 1e-5 * np.abs(exact).max()).sum())


def make(name: str, epochs: int) -> None:
    """Train, export and store the references of one network."""
    build, shape, has_qcdq = NETWORKS[name]
    torch.manual_seed(0)
    (train_x, train_y), (test_x, test_y) = digits(shape)
    network = build()
    print(name, flush=True)
    train(network, train_x, train_y, epochs)
    paths = export(network, name, shape, has_qcdq)
    found = {"outputs_f64": run_float64(network, test_x), "outputs": run_qonnx(paths[0], test_x)}
    if has_qcdq:
        found["outputs_qcdq"] = run_qcdq(paths[1], test_x)
    np.savez_compressed(HERE / f"{name}.npz", images=test_x, labels=test_y, **found)
    for key, outputs in found.items():
        right, unlike = (outputs.argmax(1) == test_y).mean(), off(outputs, found["outputs_f64"])
        print(f"  {key}: {right:.4f} of {len(test_y)} test images right, {unlike} unlike float64")


def main() -> None:
    """Train the networks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; default: all")
    parser.add_argument("--epochs", type=int, default=60)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in given.names or NETWORKS:
        make(name, given.epochs)


if __name__ == "__main__":
    main()
