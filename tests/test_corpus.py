"""Every model of the corpus compiles and is exact, in the Python engine always, in HLS C++ and RTL in the slow tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.errors import CompileError
from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.units.base import Unit
from tests.shared import MODELS, manifest, needs_models

LARGE_MACS = 20e6
LANES = 16  # multiplications a cycle of designs that are simulated in every run


def declared(model: dict[str, Any]) -> str:
    """The input type for a model without an input quantizer, as the corpus describes its inputs."""
    if model["name"].startswith("real_unsw"):
        return "bipolar"
    scale = model["input_scale"]
    return f"{model['input_datatype'].lower()}:{scale!r}:{-(model.get('input_zero_point') or 0) * scale!r}"


def built(model: dict[str, Any], folder: Path | None = None, **options: Any) -> Accelerator:
    """The build of a model; under one name for all in `folder`, so that equal designs share their simulators."""
    path = MODELS / model["file"]
    if folder:
        path = Path(shutil.copy(path, folder / "network.onnx"))
    try:
        return dfc.build(path, **options)
    except CompileError as e:
        assert {p.code for p in e.problems} == {"no-input-type"}, str(e)
        return dfc.build(path, input_type=declared(model), **options)


def compiled(model: dict[str, Any], folder: Path | None = None, **options: Any) -> DataflowAccelerator:
    """As `built`, a unit for each layer."""
    made = built(model, folder, **options)
    assert isinstance(made, DataflowAccelerator)
    return made


def as_close(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Per sample, equal to the precision of float32 outputs."""
    made, wanted = made.reshape(len(made), -1).astype(np.float64), wanted.reshape(len(wanted), -1).astype(np.float64)
    return (np.abs(made - wanted) <= 1e-5 * np.abs(wanted).max() + 1e-6 * np.abs(wanted)).all(axis=1)


OTHER_FORMS = ("_qcdq", "_dyn")  # of a network that is also there as QONNX: much the same design
MODELS_BY_NAME = pytest.mark.parametrize(
    "model",
    [
        pytest.param(m, id=m["name"], marks=[pytest.mark.further] if m["macs"] > LARGE_MACS and m["name"].endswith(OTHER_FORMS) else [])
        for m in manifest()
    ],
)


def representatives(most: float) -> set[str]:
    """The smallest network of each kind, the first word of a name, with at most so many multiplications."""
    kinds: dict[str, list[tuple[float, str]]] = {}
    for m in manifest():
        if not m["name"].endswith(OTHER_FORMS) and m["macs"] <= most:
            kinds.setdefault(m["name"].partition("_")[0], []).append((m["macs"], m["name"]))
    return {min(found)[1] for found in kinds.values()}


def how_often(name: str) -> list[pytest.MarkDecorator]:
    """Marks: always the smallest one of convolutions of two kinds with a dense layer behind."""
    if name == "c_dwsep_actpc":
        return []
    return [pytest.mark.further if name in representatives(most=1e6) else pytest.mark.full]


SIMULATED = pytest.mark.parametrize("model", [pytest.param(m, id=m["name"], marks=how_often(m["name"])) for m in manifest()])


@needs_models
@MODELS_BY_NAME
def test_outputs_are_the_models(model: dict[str, Any]) -> None:
    accelerator = compiled(model)
    stored = np.load(MODELS / f"{model['name']}.npz")
    made = accelerator.run(stored["inputs"].reshape(-1, *next(iter(accelerator.host.input_shapes.values()))))
    # Two float executors; where they differ, one of them stands on a rounding tie.
    good = as_close(made, stored["outputs"])
    if "outputs_f64" in stored:
        good |= as_close(made, stored["outputs_f64"])
    assert good.all(), f"samples {np.flatnonzero(~good)} differ"
    assert accelerator.timing.interval_cycles == accelerator.timing.ideal_interval_cycles


def check_simulated(model: dict[str, Any], accelerator: DataflowAccelerator) -> None:
    """HLS C++ and RTL give the Python engine's outputs, the RTL in the predicted cycles, without bubbles."""
    frames = 1 if model["macs"] > LARGE_MACS else 4
    found = accelerator.verify(frames=frames)["engines"]
    for engine in ("hls", "rtl"):
        assert found[engine]["pass"], found[engine]["first_mismatch"]
    for figure in ("latency_cycles", "interval_cycles"):
        assert found["rtl"][figure] == found["rtl"][f"predicted_{figure}"]
    assert found["rtl"]["interval_cycles"] == accelerator.timing.ideal_interval_cycles


@needs_models
@pytest.mark.slow
@pytest.mark.full
@MODELS_BY_NAME
def test_hls_and_rtl_equal_the_python_engine(model: dict[str, Any], tmp_path: Path) -> None:
    check_simulated(model, compiled(model, tmp_path))


@needs_models
@pytest.mark.slow
@SIMULATED
def test_hls_and_rtl_of_few_lanes_equal_the_python_engine(model: dict[str, Any], tmp_path: Path) -> None:
    """What is small is compiled fast: a frame takes some thousands of cycles more, which is nothing."""
    check_simulated(model, compiled(model, tmp_path, interval=max(1, int(model["macs"]) // LANES)))


def hardware(accelerator: DataflowAccelerator) -> list[Any]:
    """All that decides the generated code, names left out."""
    units = [n.op for n in accelerator.design.nodes]
    return [(u.kind, u.parameters(), [(m.name, m.width, m.words.tobytes()) for m in u.memories()]) for u in units if isinstance(u, Unit)]


TWINS = [(m, f"{m['name']}{suffix}") for m in manifest() for suffix in ("_qcdq", "_dyn", "_qcdq_dyn")]


@needs_models
@pytest.mark.parametrize(
    ("model", "twin"),
    [
        pytest.param(m, t, id=t, marks=[] if m["name"] in representatives(LARGE_MACS) else [pytest.mark.further])
        for m, t in TWINS
        if (MODELS / f"{t}.onnx").exists()
    ],
)
def test_dialects_compile_to_the_same_design(model: dict[str, Any], twin: str) -> None:
    other = next(m for m in manifest() if m["name"] == twin)
    assert hardware(compiled(model)) == hardware(compiled(other))
