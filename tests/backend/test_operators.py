"""The host's arithmetic is one file: what the package executes is what a build's driver computes, for every operator, bit for bit."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mpmath
import numpy as np
import onnx
import pytest
from onnx import helper

import dfcompile as dfc
from dfcompile.emit.driver import Arrays, emit_driver, graph_steps, output_data, write_driver
from dfcompile.emit.resource import render
from dfcompile.ir import modelop, operators
from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.modelop import (
    ArgMax,
    AveragePool,
    BatchNorm,
    Binary,
    Bipolar,
    Broadcast,
    CollectSteps,
    Concat,
    Conv,
    ConvTranspose,
    Dequantize,
    Gather,
    MatMul,
    MaxPool,
    ModelOp,
    MultiThreshold,
    Pad,
    Quantize,
    Reduce,
    Reshape,
    Slice,
    Softmax,
    Standardize,
    TakeStep,
    TopK,
    Transpose,
    Unary,
    Unsupported,
)
from dfcompile.ir.types import IntType
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.value import OutputPort
from tests.backend.test_driver import load
from tests.frontend.make import model
from tests.frontend.small import constants, quant, random

SHAPE = (4, 6, 6)
CODES = IntType(8, signed=True)
RNG = np.random.default_rng(5)


def real(*shape: int) -> Array:
    return RNG.uniform(-2, 2, shape)


def cases() -> Iterator[tuple[ModelOp, tuple[Array, ...]]]:
    """Each operator on a tensor (n, 4, 6, 6) in every function and mode, and its other, constant inputs."""
    yield from ((Unary(fn, 0.75, 1.25), ()) for fn in operators.UNARY)
    yield Unary("clip", -np.inf, 6.0), ()
    yield from ((Binary(fn), (real(4, 1, 1),)) for fn in operators.BINARY)
    yield from ((Reduce(fn, (1, 3), keep), ()) for fn in operators.REDUCE for keep in (False, True))
    for mode in operators.ROUNDINGS:
        yield from ((Quantize(-5, 6, mode, after), (np.array(0.25), np.array(1.0))) for after in (False, True))
    yield Quantize(-5, 6, weight=True), (np.array(0.1), np.array(0.0))
    yield Dequantize(), (real(4, 1, 1), np.array(3.0))
    yield Bipolar(), ()
    yield BatchNorm(0.01), (real(4), real(4), real(4), real(4) ** 2)
    yield MultiThreshold(0.5, -1.0), (np.sort(real(4, 3), axis=1),)
    yield from ((Softmax(axis), ()) for axis in (1, 3))
    yield from ((Standardize(axes, centred, 2.0, 0.125), ()) for axes in ((3,), (1, 2)) for centred in (False, True))
    yield from ((ArgMax(2, keep, last), ()) for keep in (False, True) for last in (False, True))
    yield from ((TopK(3, 1, largest), ()) for largest in (False, True))
    yield Reshape((8, 18)), ()
    yield Transpose((0, 3, 1, 2)), ()
    yield Slice((1, 5), (4, -1), (1, 2), (2, -1)), ()
    yield Gather((3, 0, 3), 2), ()
    yield Broadcast(SHAPE), ()
    yield Concat(1), (real(1, 2, 6, 6),)
    yield Pad((0, 1, 0, 2, 0, 0, 3, 0), -0.5), ()
    yield Conv((2, 1), (1, 0, 1, 1), (1, 2), 2), (real(6, 2, 3, 2),)
    yield ConvTranspose((2, 1), (1, 0, 1, 1), (1, 2), (1, 0), 2), (real(4, 3, 3, 2),)
    yield MatMul(), (real(6, 5),)
    yield MaxPool((3, 2), (2, 2), (1, 0, 1, 0), (1, 1), True), ()
    yield from ((AveragePool((3, 2), (2, 2), (1, 0, 1, 0), (1, 1), True, counted), ()) for counted in (False, True))


CASES = list(cases())


def tail(op: ModelOp, constants: tuple[Array, ...]) -> HostSide:
    """One operator behind a stream of codes of one scale for each channel."""
    names = [f"c{i}" for i in range(len(constants))]
    tensors = {"x": Tensor((1, *SHAPE)), **{n: Tensor(c.shape) for n, c in zip(names, constants, strict=True)}}
    outputs = op.infer(*tensors.values())
    results = tuple(f"y{i}" for i in range(len(outputs)))
    graph = Graph(
        "tail", (Node("op", op, ("x", *names), results),), {**tensors, **dict(zip(results, outputs, strict=True))},
        dict(zip(names, constants, strict=True)), ("x",), results,
    )  # fmt: skip
    index = np.arange(144).reshape(6, 6, 4).transpose(2, 0, 1)
    port = OutputPort("s", "x", index, np.array([0.031, 0.02, 0.011, 0.027]), np.array([0.0, 0.5, -0.25, 0.125]))
    return HostSide({"x": SHAPE}, (), (port,), graph, {"s": ((6, 6, 4), CODES)})


DECODE = """
import sys, pathlib, numpy
sys.modules["dfcompile"] = sys.modules["scipy"] = None  # an import of either fails
import driver
codes = numpy.load("codes.npy")
for folder in sorted(pathlib.Path().glob("case*")):
    numpy.savez(folder / "out.npz", **driver.Driver(folder).decode([codes]))
"""


def test_the_driver_decodes_every_operator_as_the_package_does(tmp_path: Path) -> None:
    codes = RNG.integers(-128, 128, (3, 6, 6, 4))
    np.save(tmp_path / "codes.npy", codes)
    hosts = [tail(*case) for case in CASES]
    for i, host in enumerate(hosts):
        arrays, folder = Arrays(), tmp_path / f"case{i:03d}"
        folder.mkdir()
        outputs = [{**output_data(host.outputs, (6, 6, 4), CODES, arrays), "lanes": 1, "bytes": 1, "run": 0, "taps": 1}]
        data = {"name": "t", "inputs": [], "outputs": outputs, "tail": graph_steps(host.tail, arrays), "results": list(host.tail.outputs)}
        write_driver("driver", data, arrays.found, folder)
    for file in ("driver.py", "dfc_operators.py", "dfc_packing.py"):
        shutil.copyfile(tmp_path / "case000" / file, tmp_path / file)
    subprocess.run([sys.executable, "-c", DECODE], cwd=tmp_path, check=True)
    for i, host in enumerate(hosts):
        wanted = host.decode({"s": codes})
        with np.load(tmp_path / f"case{i:03d}" / "out.npz") as found:
            assert set(found) == set(wanted)
            for name, value in wanted.items():
                assert found[name].dtype == value.dtype and found[name].shape == value.shape, CASES[i][0]
                assert found[name].tobytes() == value.tobytes(), CASES[i][0]


TAILS = ("LogSoftmax", "Softmax", "Elu", "Erf", "Gelu", "Softplus", "Mish", "ArgMax", "TopK", "Sin")


@pytest.mark.parametrize("op", TAILS)
def test_a_network_that_ends_in_it(op: str, tmp_path: Path) -> None:
    """Built, and decoded by the driver in its folder as by the compiler."""
    inputs = ["l", "k"] if op == "TopK" else ["l"]
    nodes = [quant("x", "q"), quant("w", "wq"), helper.make_node("MatMul", ["q", "wq"], ["l"])]
    nodes.append(helper.make_node(op, inputs, ["y", "i"] if op == "TopK" else ["y"]))
    outputs = ["y", "i"] if op == "TopK" else ["y"]
    proto = model(nodes, {"x": (1, 6)}, outputs, constants(w=random(6, 5), k=np.array([2])), opset=20)
    onnx.save(proto, tmp_path / "net.onnx")
    made = dfc.build(tmp_path / "net.onnx")
    emit_driver(made.design, made.host, tmp_path / "driver")
    codes = made.run_codes(made.host.encode({"x": RNG.uniform(-1, 1, (4, 6))}))
    assert [n for n in made.host.tail.nodes if n.op.kind not in ("reshape", "dequantize")]
    driver = load(tmp_path / "driver").Driver()
    found = driver.decode([c.reshape(4, *p.shape) for c, p in zip(codes.values(), driver.outputs, strict=True)])
    for name, value in made.host.decode(codes).items():
        np.testing.assert_array_equal(found[name], value)


def test_no_operator_of_a_model_is_left_out() -> None:
    kinds = {made.kind for made in map(vars(modelop).get, modelop.__all__) if hasattr(made, "kind")}
    steps = {TakeStep.kind, CollectSteps.kind}  # within a loop, of which the host computes no part: test_roll.py
    assert kinds - steps - {Unsupported.kind} == set(operators.OPERATORS) == {op.kind for op, _ in CASES}


def test_what_is_no_operator_of_a_model_is_refused_by_name() -> None:
    graph = Graph(
        "g",
        (Node("strange", Unsupported("Einsum", ((1, 2),)), ("x",), ("y",)),),
        {"x": Tensor((1, 2)), "y": Tensor((1, 2))},
        {},
        ("x",),
        ("y",),
    )
    with pytest.raises(TypeError, match="strange: the host cannot compute 'unsupported'"):
        graph_steps(graph, Arrays())


@pytest.mark.parametrize("name", ["operators", "driver", "loopback"])
def test_runs_under_the_python_of_boards(name: str) -> None:
    vermin = pytest.importorskip("vermin", reason="vermin comes with the extra [test]")
    text = Path(operators.__file__).read_text() if name == "operators" else render(f"driver/{name}.py.j2")
    ast.parse(text, feature_version=(3, 8))
    assert vermin.detect(text, vermin.Config())[1] <= (3, 8)  # of functions and their arguments too


def test_erf_is_within_a_unit_in_the_last_place() -> None:
    """Against 40 digits, where it is smallest, steep, near 1, and at the ends."""
    x = np.concatenate([np.linspace(-6.5, 6.5, 2001), np.logspace(-300, 0, 301), [0.0, -0.0, np.inf, -np.inf]])
    (found,) = operators.run("unary", {"fn": "erf", "alpha": 0, "beta": 0}, x)
    with mpmath.workdps(40):
        exact = [mpmath.erf(mpmath.mpf(v)) for v in x.tolist()]
        assert max(abs(mpmath.mpf(f) - e) / np.spacing(abs(float(e))) for f, e in zip(found.tolist(), exact, strict=True)) < 1
