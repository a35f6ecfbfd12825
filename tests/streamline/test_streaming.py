"""States that go on from frame to frame: frames are parts of one long sequence, whose loop over time is the oracle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile.command.cli import main
from dfcompile.emit.golden import golden, random_inputs
from dfcompile.errors import CompileError
from dfcompile.front import check
from dfcompile.mode.dataflow import CHUNK_ELEMENTS
from dfcompile.mode.verify_dataflow import first_wrong_unit
from dfcompile.options import Options
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from tests.recurrent import Network
from tests.streamline.test_roll import NETWORKS, built, delays, written
from tests.three_way import check_timing

Array = np.ndarray[Any, Any]
FRAMES = 7
ONE_STEP = Network("gru", 3, 4, 1, outputs=("ys",))


def long_sequence(network: Network, x: Array) -> dict[str, Array]:
    """What the network gives for frames (n, steps, features) as one sequence: "ys" cut into the frames again, "h" behind each of them."""
    frames = len(x)
    every = replace(network, steps=frames * network.steps).reference(x.reshape(1, -1, network.features))["ys"]
    parts = every.reshape(frames, network.steps, -1)
    return {"ys": parts, "h": parts[:, -1]}


def check_outputs(network: Network, found: Any, wanted: dict[str, Array]) -> None:
    found = found if isinstance(found, dict) else {network.outputs[0]: found}
    for out in network.outputs:
        assert np.array_equal(np.reshape(found[out], wanted[out].shape), wanted[out]), out


@pytest.mark.parametrize("name", NETWORKS)
def test_frames_are_parts_of_one_sequence(name: str, tmp_path: Path) -> None:
    """Of more frames than steps, of one, and of a number that is no multiple of the steps; each run begins with the first states."""
    network = NETWORKS[name]
    made = built(network, tmp_path, streaming=True)
    assert made.design.graph.streaming and delays(made.design) == network.layers * (2 if network.cell == "lstm" else 1)
    for frames in (1, 4, 23):
        x = network.inputs(frames)
        check_outputs(network, made.run(x), long_sequence(network, x))
    alone = np.reshape(
        next(iter(made.run(network.inputs(4)).values())) if len(network.outputs) > 1 else made.run(network.inputs(4)), (4, -1)
    )
    again = np.stack([np.ravel(network.reference(network.inputs(4)[i : i + 1])[network.outputs[0]]) for i in range(4)])
    assert not np.array_equal(alone, again), "the frames of this case would be the same without their states"


@pytest.mark.parametrize("name", ["elman", pytest.param("gru", marks=pytest.mark.further), pytest.param("lstm", marks=pytest.mark.full)])
def test_engines_are_exact_and_the_cycles_predicted(name: str, tmp_path: Path) -> None:
    """In the C++ over calls of four frames, with and without streams of hardware's depths; in the SystemVerilog with and without stalls."""
    network = NETWORKS[name]
    made, frozen = built(network, tmp_path, streaming=True), built(network, tmp_path)
    x = network.inputs(FRAMES)
    codes = made.host.encode({"x": x})
    inputs = [codes[t] for t in made.graph.inputs]
    runs = [run_rtl(made.design, inputs, stalls, 2) for stalls in (0.0, 0.4)]
    for outputs in (run_hls(made.design, inputs), run_hls(made.design, inputs, seed=3), *(r.outputs for r in runs)):
        streams = dict(zip(made.host_outputs, outputs, strict=True))
        check_outputs(network, made.host.decode(streams), long_sequence(network, x))
    check_timing(made.design, runs[0])
    assert made.timing.interval_cycles == frozen.timing.interval_cycles


def test_frames_of_one_step(tmp_path: Path) -> None:
    """Each new step of a sequence is given at once; without states that go on, such a loop is none."""
    made = built(ONE_STEP, tmp_path, streaming=True)
    assert delays(made.design) == 1 and not delays(built(ONE_STEP, tmp_path).design)
    x = ONE_STEP.inputs(9)
    check_outputs(ONE_STEP, made.run(x), long_sequence(ONE_STEP, x))
    codes = made.host.encode({"x": x})
    run = run_rtl(made.design, [codes[t] for t in made.graph.inputs], 0.0, 2)
    check_outputs(ONE_STEP, made.host.decode(dict(zip(made.host_outputs, run.outputs, strict=True))), long_sequence(ONE_STEP, x))
    check_timing(made.design, run)


def test_chunks_of_a_batch_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["two layers"]
    made = built(network, tmp_path, streaming=True)
    x = network.inputs(12)
    monkeypatch.setattr("dfcompile.mode.dataflow.CHUNK_ELEMENTS", 5 * max(s.elements for s in made.design.streams().values()))
    assert CHUNK_ELEMENTS > 12
    check_outputs(network, made.run(x), long_sequence(network, x))
    codes = made.host.encode({"x": x})
    found = made.run_codes({t: codes[t] for t in made.graph.inputs})
    check_outputs(network, made.host.decode(found), long_sequence(network, x))


def test_golden_frames_go_on(tmp_path: Path) -> None:
    """Those of the build, which are made in two parts, are those of one run."""
    made = built(NETWORKS["elman"], tmp_path, streaming=True)
    frozen = made.golden_frames()
    inputs = random_inputs(made.design, frozen.frames)
    once = made.graph.execute(dict(zip(made.graph.inputs, inputs, strict=True)))
    assert frozen.frames > 2 and all(
        np.array_equal(a.ravel(), once[t].ravel()) for a, t in zip(frozen.outputs, made.graph.outputs, strict=True)
    )
    assert all(np.array_equal(a, b) for a, b in zip(golden(made.design, inputs).outputs, frozen.outputs, strict=True))


def test_a_saved_build_keeps_its_states(tmp_path: Path) -> None:
    network = NETWORKS["elman"]
    built(network, tmp_path, streaming=True).save(tmp_path / "out")
    made = dfc.load(tmp_path / "out")
    x = network.inputs(5)
    check_outputs(network, made.run(x), long_sequence(network, x))
    assert made.options["streaming"] is True and "streaming = true" in Options(streaming=True).toml()


def test_frames_are_evaluated_together(tmp_path: Path) -> None:
    """The classes of 130 frames in one run: more than one part of those without states."""
    network = Network("elman", 3, 5, 4, outputs=("h",))
    made = built(network, tmp_path, streaming=True)
    x = network.inputs(130)
    labels = long_sequence(network, x)["h"].argmax(1)
    assert made.evaluate(x, labels, model=None)["top1"] == 1.0
    assert np.any(network.reference(x)["h"].argmax(1) != labels)


def test_traces_are_the_same_on_an_engine(tmp_path: Path) -> None:
    network = Network("elman", 2, 3, 4, outputs=("h",))
    made = built(network, tmp_path, streaming=True)
    x = network.inputs(3)
    wanted, found = made.trace(x), made.trace(x, engine="rtl")
    assert all(np.array_equal(wanted[name].codes, found[name].codes) for name in wanted)


def test_verify_runs_the_frames_in_order(tmp_path: Path) -> None:
    made = built(NETWORKS["elman"], tmp_path, streaming=True)
    found = made.verify(["rtl"])["engines"]["rtl"]
    assert found["pass"] and found["frames"] > 2
    codes = random_inputs(made.design, 3)
    assert "every unit is right alone" in first_wrong_unit(
        made.design, codes, lambda d, x: d.graph.execute(dict(zip(d.graph.inputs, x, strict=True))).values()
    )  # type: ignore[arg-type, return-value]


WHY = {
    "backwards": (Network("elman", 3, 4, 4), {"scan_input_directions": [1]}, "it goes backwards"),
    "first state": (Network("elman", 3, 4, 4, first=0.3), {}, "its first state has no code"),
}


@pytest.mark.parametrize("name", WHY)
def test_what_cannot_go_on_is_refused(name: str, tmp_path: Path) -> None:
    network, attributes, why = WHY[name]
    path = written(network.proto(**attributes), tmp_path)
    for options in (Options(mode="dataflow", streaming=True), Options(streaming=True, board="pynq-z2", interval=5000)):
        problems = check(path, options)
        assert [p.code for p in problems] == ["not-streaming"] and problems[0].why == why and problems[0].help
    assert not check(path, Options(mode="dataflow"))
    with pytest.raises(CompileError, match=why):
        dfc.build(path, streaming=True)


def test_a_model_without_states_is_refused(examples: Path) -> None:
    (problem,) = check(examples / "digits_mlp_w1a1.onnx", Options(streaming=True))
    assert problem.code == "not-streaming" and "no Scan, no Loop" in (problem.why or "")


def test_too_high_a_rate_gets_no_hardware_for_each_step(tmp_path: Path) -> None:
    """Which would not have the states of the frame before: the rate is refused instead."""
    network = Network("elman", 3, 4, 5, outputs=("h",))
    assert not delays(built(network, tmp_path, interval=12).design)
    with pytest.raises(CompileError) as e:
        built(network, tmp_path, interval=12, streaming=True)
    assert [p.code for p in e.value.problems] == ["does-not-fit"], "and not that there are no states"


def test_evaluation_goes_through_the_frames_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are what the long sequence gives; the model's own frames begin anew, and are not compared with."""
    network, frames = Network("elman", 3, 4, 5, outputs=("h",)), 40
    path = written(network.proto(), tmp_path)
    built(network, tmp_path, streaming=True).save(tmp_path / "out")
    x = network.inputs(frames)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "labels.npy", long_sequence(network, x)["h"].argmax(1))
    files = ["--inputs", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "labels.npy"), "--model", str(path), "--json"]
    assert main(["evaluate", str(tmp_path / "out"), *files]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["top1"], found["agreement"], found["images"]) == (1.0, None, frames)
    assert "no agreement is told" in said.err
