"""A part of a model: what is cut out, what is left, that it gives what the whole gives, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dfcompile.errors import CompileError
from dfcompile.frontend.importer import ImportResult, import_part, survey
from dfcompile.frontend.part import Tensors
from dfcompile.frontend.part_quantizer import find_quantizer
from dfcompile.ir.types import IntType
from dfcompile.streamline.encoder import InputType
from dfcompile.streamline.pipeline import streamline
from tests import exact_oracle
from tests.exact_arithmetic import rational
from tests.frontend.make import graph_of, model
from tests.frontend.small import QONNX, constants, quant, random
from tests.random_graph import ROUNDINGS, random_model

FINN = "finn.custom_op.general"
Golden = Callable[[str, str], None]


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), output.split(), name=f"the_{output.split()[0]}", **attributes)


def fork_net() -> onnx.ModelProto:
    """x -> a -> conv -> Det (no hardware) -> m -> conv -> c, with a way around the second convolution, and two outputs."""
    nodes = [
        quant("x", "a", rounding_mode="FLOOR"), quant("w", "wq", "ws"),
        node("Conv", "a wq", "k"), quant("k", "kq"), node("Det", "kq", "d"), quant("d", "m", rounding_mode="CEIL"),
        node("Conv", "m wq", "e"), node("Relu", "e", "f"), quant("f", "g"), node("Add", "g m", "h"), quant("h", "y"),
        node("Abs", "g", "v"),
    ]  # fmt: skip
    held = constants(w=random(3, 3, 1, 1), ws=np.full((3, 1, 1, 1), 0.3, np.float32))
    proto = model(nodes, {"x": [1, 3, 4, 4]}, ("y", "v"), held, domains={QONNX: 1})
    proto.graph.value_info.append(helper.make_tensor_value_info("d", TensorProto.FLOAT, [1, 3, 4, 4]))
    return proto


def part_of(proto: onnx.ModelProto, folder: Path, start: tuple[str, ...] = (), end: tuple[str, ...] = ()) -> ImportResult:
    path = folder / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    return import_part(survey(path), start, end)


def test_what_is_left(tmp_path: Path) -> None:
    found = part_of(fork_net(), tmp_path, ("m",), ("y", "g"))
    assert found.problems == () and found.part and found.graph
    assert found.part.before == ("quant_a", "the_k", "quant_kq", "the_d", "quant_m") and found.part.behind == ("the_v",)
    assert (found.graph.inputs, found.graph.outputs) == (("m",), ("y", "g"))
    assert found.fates["the_d"] == "Det: left to the host, before the part" and "kept as" in found.fates["the_e"]
    before = part_of(fork_net(), tmp_path, (), ("kq",))
    assert before.problems == () and before.part and before.part.before == ()
    assert before.part.behind == ("the_d", "quant_m", "the_e", "the_f", "quant_g", "the_h", "quant_y", "the_v")


REFUSED = {
    "unknown_from": (("mm",), ("y",)),
    "unknown_both": (("the_d",), ("nothing like it",)),
    "constant": (("wq",), ("y",)),
    "reversed": (("g",), ("m",)),
    "same": (("m",), ("m",)),
    "reads_beside": (("g",), ("y",)),
    "wanted_behind": (("m",), ("y",)),
    "no_output": (("y",), ()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, tmp_path: Path, golden: Golden) -> None:
    found = part_of(fork_net(), tmp_path, *REFUSED[case])
    assert found.graph is None
    golden(f"part/{case}.txt", "\n".join(map(str, found.problems)) + "\n")


def test_shapes_that_are_not_known(tmp_path: Path) -> None:
    proto = fork_net()
    del proto.graph.value_info[:]
    (problem,) = part_of(proto, tmp_path, ("d",), ("m",)).problems
    assert problem.code == "dynamic-shape" and "'d' is not known" in problem.what and "infer_shapes" in problem.help


def test_a_tensor_without_a_batch_axis(tmp_path: Path) -> None:
    shape = np.array([6, 2], np.int64)
    nodes = [quant("x", "a"), node("Reshape", "a shape", "r"), node("Relu", "r", "y")]
    (problem,) = part_of(model(nodes, {"x": [1, 12]}, ("y",), constants(shape=shape), domains={QONNX: 1}), tmp_path, ("r",)).problems
    assert problem.code == "batch-axis" and "6x2" in problem.why


def test_the_shape_of_what_lies_before(tmp_path: Path) -> None:
    """A Reshape inside the part to a shape that is computed from a tensor before it."""
    ends = [node("Shape", "a", "s0"), node("Reshape", "c s0", "r"), quant("r", "y")]
    nodes = [quant("x", "a"), node("Abs", "a", "e"), quant("e", "c"), *ends]
    found = part_of(model(nodes, {"x": ["N", 4]}, ("y",), constants(), domains={QONNX: 1}), tmp_path, ("c",))
    assert found.problems == () and found.part and found.part.before == ("quant_a", "the_e", "quant_c")


GRIDS = {
    **{mode: [quant("x", "a", scale="odd", rounding_mode=mode)] for mode in ROUNDINGS},
    "per channel": [quant("x", "a", scale="each", rounding_mode="FLOOR")],
    "pooled": [quant("x", "p", scale="each"), node("MaxPool", "p", "a", kernel_shape=[1, 1])],
    "rectified": [quant("x", "p", scale="odd"), node("Relu", "p", "a")],
    "moved": [quant("x", "p", scale="odd", rounding_mode="UP"), node("Transpose", "p", "a", perm=[0, 1, 3, 2])],
    "bipolar": [helper.make_node("BipolarQuant", ["x", "odd"], ["a"], domain=QONNX)],
    "qdq": [node("QuantizeLinear", "x odd zero", "p"), node("DequantizeLinear", "p odd zero", "a")],
    "qdq without zero-point": [node("QuantizeLinear", "x odd", "p"), node("DequantizeLinear", "p odd", "a")],
    "codes": [node("QuantizeLinear", "x odd zero", "a")],
    "thresholds": [helper.make_node("MultiThreshold", ["x", "t"], ["a"], domain=FINN, out_scale=0.25, out_bias=-0.5)],
}


@pytest.mark.parametrize("grid", GRIDS)
def test_codes_come_back(grid: str, tmp_path: Path) -> None:
    """A part behind a quantizer takes its real numbers, rounded to float32, for the codes that they are."""
    codes = [node("DequantizeLinear", "a odd zero", "r")] if grid == "codes" else []
    nodes = [*GRIDS[grid], *codes, quant("w", "wq", "ws"), node("Conv", f"{'r' if codes else 'a'} wq", "k"), quant("k", "y")]
    held = constants(
        w=random(3, 3, 1, 1), ws=np.full((3, 1, 1, 1), 0.3, np.float32), odd=0.237, zero=np.array(3, np.int8),
        each=np.array([0.237, 0.11, 0.3], np.float32).reshape(1, 3, 1, 1), t=np.sort(random(3, 3), axis=1),
    )  # fmt: skip
    proto = model(nodes, {"x": [1, 3, 4, 4]}, ("y",), held, opset=21, domains={QONNX: 1, FINN: 1})
    x = random(1, 3, 4, 4) * 3
    found = part_of(proto, tmp_path, ("a",))
    assert found.problems == () and found.graph
    whole = graph_of(proto, tmp_path).execute({"x": x.astype(np.float64)}, keep=("a", "y"))
    made = streamline(found.graph, {})
    (real,) = made.host.decode(made.graph.execute(made.host.encode({"a": whole["a"].astype(np.float32)}))).values()
    np.testing.assert_allclose(real, whole["y"], rtol=1e-12)


def test_real_numbers_need_a_quantizer(tmp_path: Path) -> None:
    """Behind a layer nothing says which codes stand for its sums; a declared type does."""
    nodes = [quant("x", "a"), quant("w", "wq", "ws"), node("Conv", "a wq", "k"), node("Conv", "k wq", "l"), quant("l", "y")]
    proto = model(nodes, {"x": [1, 3, 4, 4]}, ("y",), constants(w=random(3, 3, 1, 1), ws=0.3), domains={QONNX: 1})
    found = part_of(proto, tmp_path, ("k",))
    assert found.graph
    with pytest.raises(CompileError) as refused:
        streamline(found.graph, {})
    (problem,) = refused.value.problems
    assert problem.code == "no-input-type" and "--input-type k=" in problem.help
    assert streamline(found.graph, {"k": InputType(IntType(8, True), 0.25)}).graph.nodes


def test_rectified_codes_without_one_for_zero(tmp_path: Path) -> None:
    """-1 and +1, the former made 0: none of the two codes."""
    nodes = [helper.make_node("BipolarQuant", ["x", "s"], ["a"], domain=QONNX), node("Relu", "a", "r"), quant("w", "wq", "ws"),
             node("Conv", "r wq", "k"), quant("k", "y")]  # fmt: skip
    proto = model(nodes, {"x": [1, 3, 4, 4]}, ("y",), constants(w=random(3, 3, 1, 1), ws=0.3), domains={QONNX: 1})
    found = part_of(proto, tmp_path, ("r",))
    assert found.graph
    with pytest.raises(CompileError, match="reaches 'conv' without a quantizer"):
        streamline(found.graph, {})


def exact_part(proto: onnx.ModelProto, feeds: dict[str, Any], end: str) -> np.ndarray:
    """Exact values of a tensor, from those of tensors before it."""
    made = {t: n for n in proto.graph.node for t in n.output}
    wanted, needed = set[int](), [end]
    while needed:
        t = needed.pop()
        if t in made and t not in feeds and id(made[t]) not in wanted:
            wanted.add(id(made[t]))
            needed.extend(made[t].input)
    nodes = [n for n in proto.graph.node if id(n) in wanted]
    output = helper.make_tensor_value_info(end, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "part", [], [output], list(proto.graph.initializer))
    return exact_oracle.run(helper.make_model(graph, opset_imports=proto.opset_import), feeds)[end]


def exact_values(proto: onnx.ModelProto, x: np.ndarray, name: str) -> Any:
    """Rational values of a tensor inside a model."""
    return rational(x) if name == "x" else exact_oracle.run_tensors(proto, {"x": x})[name]


@settings(suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9), size=st.integers(2, 6))
def test_a_part_gives_what_the_whole_gives(seed: int, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    proto, shape = random_model(seed, size)
    folder = tmp_path_factory.mktemp("part")
    rng = np.random.default_rng(seed)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    whole = survey(folder / "m.onnx")
    tensors = Tensors(whole.model)
    names = [t for n in whole.model.nodes for t in n.outputs if t in tensors.live]
    start, end = names[int(rng.integers(len(names)))], names[-1 - int(rng.integers(max(1, len(names) // 3)))]
    found = import_part(whole, (start,), (end,))
    assume(found.graph is not None and not found.problems)
    assert found.graph
    try:
        made = streamline(found.graph, {})
    except CompileError:
        assume(False)
    frames = (rng.normal(size=(2, *shape)) * 2).astype(np.float32)
    on_grid = find_quantizer(start, tensors.makers, whole.values, "q") is not None
    for x in frames:
        exact = exact_values(proto, x[None], start)
        given = np.vectorize(float, otypes=[np.float64])(exact).astype(np.float32)
        wanted = exact_part(proto, {start: exact if on_grid else rational(given)}, end)
        codes = made.graph.execute(made.host.encode({start: given.reshape(1, *found.graph.tensors[start].shape[1:])}))
        (real,) = made.host.decode(codes).values()
        np.testing.assert_allclose(real.ravel(), wanted.ravel(), rtol=1e-12, atol=1e-12 * max(1e-9, float(np.abs(wanted).max())))
