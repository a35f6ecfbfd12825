"""Loops whose body is hardware once: exact, and where they are none why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import onnx
import pytest

from dfcompile.dataflow.design import Design
from dfcompile.front import IMPORT, INTEGER, Job, explain
from dfcompile.ir.graph import Delay
from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import compile_model
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from tests.recurrent import Network, as_qcdq
from tests.three_way import check_timing

NETWORKS = {
    "elman": Network("elman", 3, 5, 6),
    "elman that begins elsewhere": Network("elman", 2, 4, 5, first=0.25, outputs=("ys",)),
    "gru": Network("gru", 3, 4, 5),
    "lstm": Network("lstm", 3, 4, 7, outputs=("h",)),
    "two layers": Network("elman", 3, 4, 5, layers=2),
}


def written(proto: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    onnx.save(proto, path)
    return path


def built(network: Network, folder: Path, **options: Any) -> DataflowAccelerator:
    made: Accelerator = compile_model(written(network.proto(), folder), Options(mode="dataflow", **options))
    assert isinstance(made, DataflowAccelerator)
    return made


def delays(design: Design) -> int:
    return sum(isinstance(n.op, Delay) for n in design.nodes)


@pytest.mark.parametrize("name", NETWORKS)
def test_rolled_networks_are_exact(name: str, tmp_path: Path) -> None:
    """Of more frames than steps, of one, and of a number that is no multiple of the steps."""
    network = NETWORKS[name]
    made = built(network, tmp_path)
    assert delays(made.design) == network.layers * (2 if network.cell == "lstm" else 1)
    for frames in (1, 4, 23):
        x = network.inputs(frames)
        found, wanted = made.run(x), network.reference(x)
        found = found if isinstance(found, dict) else {network.outputs[0]: found}
        for out in network.outputs:
            assert np.array_equal(np.reshape(found[out], wanted[out].shape), wanted[out]), out


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_states_whose_codes_are_clipped_are_rolled(mode: str, tmp_path: Path) -> None:
    """A state of 6 bits that comes from a quantizer of 8 and a Clip of its codes has a step's hardware, not those of all."""
    network = NETWORKS["lstm"]
    proto = network.proto()
    as_qcdq(proto.graph)
    made = compile_model(written(proto, tmp_path), Options(mode=mode))
    graph = made.design if isinstance(made, DataflowAccelerator) else made.graph
    assert sum(isinstance(n.op, Delay) for n in graph.nodes) == 2
    x = network.inputs(6)
    np.testing.assert_array_equal(np.reshape(made.run(x), (6, -1)), network.reference(x)["h"])


@pytest.mark.parametrize(
    "name",
    [
        "elman",
        pytest.param("gru", marks=pytest.mark.further),
        pytest.param("two layers", marks=pytest.mark.full),
        pytest.param("lstm", marks=pytest.mark.full),
    ],
)
def test_engines_are_exact_and_the_cycles_predicted(name: str, tmp_path: Path) -> None:
    """With streams of the depths of hardware in the C++, and with and without stalls in the SystemVerilog."""
    network = NETWORKS[name]
    made = built(network, tmp_path)
    codes = made.host.encode({"x": network.inputs(5)})
    wanted = made.graph.execute(codes)
    inputs = [codes[t] for t in made.graph.inputs]
    runs = [run_rtl(made.design, inputs, stalls, 2) for stalls in (0.0, 0.4)]
    for outputs in (run_hls(made.design, inputs, seed=3), *(r.outputs for r in runs)):
        for t, got in zip(made.graph.outputs, outputs, strict=True):
            assert np.array_equal(got.ravel(), wanted[t].ravel()), t
    check_timing(made.design, runs[0])


def test_a_body_is_as_large_as_one_step(tmp_path: Path) -> None:
    """Twice the steps: the same units, but for what is as long as the sequence."""
    short, long = (built(Network("gru", 3, 4, steps, outputs=("h",)), tmp_path) for steps in (5, 10))
    assert [n.op.kind for n in short.design.nodes] == [n.op.kind for n in long.design.nodes]
    assert long.timing.interval_cycles < 2 * short.timing.interval_cycles + 20


WHY = {
    "backwards": (Network("elman", 3, 4, 4), {"scan_input_directions": [1]}, "it goes backwards"),
    "first state": (Network("elman", 3, 4, 4, first=0.3), {}, "its first state has no code"),
}


@pytest.mark.parametrize("name", WHY)
def test_what_is_repeated_says_why(name: str, tmp_path: Path) -> None:
    network, attributes, why = WHY[name]
    path = written(network.proto(**attributes), tmp_path)
    job = Job(path, Options(mode="dataflow"))
    assert not (IMPORT >> INTEGER)(job, path).streamlined.loops
    rows = {node: fate for node, _, fate, _ in explain(path, Options()).rows}
    assert f"roll leaves it: {why}" in rows["Scan_h_ys"]


def test_the_engine_takes_the_same_body(tmp_path: Path) -> None:
    path = written(NETWORKS["elman"].proto(), tmp_path)
    assert (IMPORT >> INTEGER)(Job(path, Options(mode="loopback")), path).streamlined.loops


def test_a_state_that_is_not_quantized_is_repeated(tmp_path: Path) -> None:
    proto = Network("elman", 3, 4, 2, outputs=("ys",)).proto()
    (scan,) = [n for n in proto.graph.node if n.op_type == "Scan"]
    body = scan.attribute[[a.name for a in scan.attribute].index("body")].g
    body.node[-2].CopyFrom(onnx.helper.make_node("Identity", ["e"], ["n0"], name="Identity_n0"))
    path = written(proto, tmp_path)
    found = explain(path, Options())
    assert any("a state does not end in a quantizer" in fate for _, _, fate, _ in found.rows)


def test_a_body_that_reads_from_outside_is_repeated(tmp_path: Path) -> None:
    """The last state of one loop in every step of another."""
    network = Network("elman", 3, 4, 4, outputs=("ys",))
    proto = network.proto()
    (scan,) = [n for n in proto.graph.node if n.op_type == "Scan"]
    second = onnx.NodeProto()
    second.CopyFrom(scan)
    second.name, second.output[:] = "again", ["h2", "ys2"]
    body = second.attribute[[a.name for a in second.attribute].index("body")].g
    body.node.append(onnx.helper.make_node("Add", ["n0", "h"], ["z"], name="Add_z"))
    body.node[-2].input[0] = "z"
    body.node.append(body.node[-2])
    del body.node[-3]
    proto.graph.node.append(second)
    proto.graph.output[0].name = "ys2"
    path = written(proto, tmp_path)
    job = Job(path, Options(mode="dataflow"))
    assert not (IMPORT >> INTEGER)(job, path).streamlined.loops
    assert any("does not look at each step alone" in str(d) for d in job.declined)


def test_trace_is_the_same_on_an_engine(tmp_path: Path) -> None:
    network = Network("elman", 2, 3, 4, outputs=("h",))
    made = built(network, tmp_path)
    x = network.inputs(2)
    wanted, found = made.trace(x), made.trace(x, engine="rtl")
    assert list(wanted) == list(found) and any("delay" in name for name in wanted)
    assert all(np.array_equal(wanted[name].codes, found[name].codes) for name in wanted)


def test_a_rate_is_kept_by_faster_units_or_by_hardware_for_each_step(tmp_path: Path) -> None:
    network = Network("elman", 3, 4, 5, outputs=("h",))
    slow, fast, faster = (built(network, tmp_path, interval=i) for i in (200, 90, 12))
    assert delays(slow.design) == delays(fast.design) == 1 and not delays(faster.design)
    assert slow.timing.interval_cycles <= 200 and fast.timing.interval_cycles <= 90 and faster.timing.interval_cycles <= 12
    assert slow.resources.lut < fast.resources.lut < faster.resources.lut


def test_graph_of_a_loop(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """As --dump-ir prints it."""
    golden("ir/loop.txt", f"{built(Network('elman', 2, 3, 4, outputs=('h',)), tmp_path, interval=200).graph}\n")


@pytest.mark.parametrize("name", ["gru", "two layers"])
def test_the_bottleneck_is_the_loop(name: str, tmp_path: Path) -> None:
    """Named by its operators; its units wait for each other, and of two loops they are those of the one that takes longer alone."""
    made = built(NETWORKS[name], tmp_path)
    timing, graph = made.report["timing"], made.graph
    members = set(timing["loop"])
    assert timing["interval_cycles"] > timing["ideal_interval_cycles"] and members == set(made.timing.loop)
    assert timing["bottleneck"].startswith("loop of conv_matmul") and "delay" not in timing["bottleneck"]
    waits = nx.DiGraph((graph.producers()[t].name, n.name) for n in graph.nodes for t in n.inputs if t in graph.producers())
    assert nx.is_strongly_connected(waits.subgraph(members)) and sum(isinstance(graph.node(n).op, Delay) for n in members) == 1
    assert f"loop of {timing['bottleneck'].removeprefix('loop of ')}" in made.page()


def test_a_design_without_loops_has_its_slowest_unit(examples: Path) -> None:
    made = compile_model(examples / "digits_mlp_w1a1.onnx", Options(mode="dataflow", interval=500))
    timing = made.report["timing"]
    assert timing["loop"] == [] and timing["bottleneck"] in {u["name"] for u in made.report["units"]}
