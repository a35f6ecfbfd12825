"""The driver's numbers are the compiler's: codes, beats and outputs, with numpy only."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dfcompile import build
from dfcompile.emit.driver import emit_driver
from dfcompile.mode.dataflow import DataflowAccelerator
from tests.backend.outside import packed, unpacked

MODELS = ("digits_cnn_w2a2", "digits_cnn_w4a4_qcdq", "digits_mlp_w1a1")


def load(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("emitted_driver", folder / "driver.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)  # as where it is run
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=MODELS)
def made(request: pytest.FixtureRequest, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[DataflowAccelerator, Path]:
    accelerator = build(examples / f"{request.param}.onnx", verify=False)
    folder = tmp_path_factory.mktemp("driver")
    emit_driver(accelerator.design, accelerator.host, folder)
    return accelerator, folder


def inputs_of(accelerator: DataflowAccelerator, frames: int) -> tuple[str, np.ndarray]:
    ((name, shape),) = accelerator.host.input_shapes.items()
    return name, np.random.default_rng(1).uniform(-0.5, 1.5, (frames, *shape))


def test_codes_and_beats(made: tuple[DataflowAccelerator, Path]) -> None:
    accelerator, folder = made
    name, x = inputs_of(accelerator, 6)
    driver = load(folder).Driver()
    wanted = accelerator.host.encode({name: x})
    streams = accelerator.design.streams()
    for tensor, port, codes in zip(accelerator.design.graph.inputs, driver.inputs, driver.encode(x), strict=True):
        assert np.array_equal(codes, wanted[tensor])
        assert np.array_equal(port.pack(codes), packed(streams[tensor], codes))
        assert np.array_equal(port.unpack(port.pack(codes)), codes)


def test_outputs(made: tuple[DataflowAccelerator, Path]) -> None:
    accelerator, folder = made
    name, x = inputs_of(accelerator, 6)
    driver = load(folder).Driver()
    codes = accelerator.run_codes(accelerator.host.encode({name: x}))
    streams = accelerator.design.streams()
    received = []
    for port, tensor, values in zip(driver.outputs, accelerator.design.graph.outputs, codes.values(), strict=True):
        received.append(port.unpack(packed(streams[tensor], values)))
        assert np.array_equal(received[-1], values.reshape(received[-1].shape))
    results, wanted = driver.decode(received), accelerator.host.decode(codes)
    assert results.keys() == wanted.keys()
    for key in wanted:
        assert np.array_equal(results[key], wanted[key])


def test_run_goes_through_the_board(made: tuple[DataflowAccelerator, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the transfer replaced by the Python engine, real numbers go in and come out."""
    accelerator, folder = made
    _, x = inputs_of(accelerator, 3)
    driver = load(folder).Driver()
    graph, streams = accelerator.design.graph, accelerator.design.streams()

    def transfer(beats: list[np.ndarray]) -> list[np.ndarray]:
        made_codes = graph.execute({t: unpacked(streams[t], b) for t, b in zip(graph.inputs, beats, strict=True)})
        return [packed(streams[t], made_codes[t]) for t in graph.outputs]

    with pytest.raises(RuntimeError, match="no board"):
        driver.run(x)
    monkeypatch.setattr(driver, "transfer", transfer)
    assert np.array_equal(np.float32(driver.run(x)), accelerator.run(x))


def test_a_code_out_of_range_is_refused(made: tuple[DataflowAccelerator, Path]) -> None:
    driver = load(made[1]).Driver()
    port = driver.inputs[0]
    with pytest.raises(ValueError, match=f"takes codes from {port.lo} to {port.hi}"):
        port.pack(np.full((1, *port.shape), port.hi + 1))


def test_needs_numpy_only(made: tuple[DataflowAccelerator, Path]) -> None:
    code = "import sys, driver; driver.Driver(); print([m for m in ('dfcompile', 'onnx', 'scipy', 'networkx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=made[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
