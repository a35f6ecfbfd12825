"""Models that must be refused, each with the text that a user reads (tests/golden/errors/import_<name>.txt)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.make import model
from tests.frontend.small import constants, conv_net, quant, random

BAD: dict[str, Callable[[Path], bytes]] = {}


def bad(maker: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
    """Register a model under its function's name."""
    BAD[maker.__name__] = lambda folder: maker().SerializeToString()
    return maker


def raw(maker: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """Register the bytes of a file under its function's name."""
    BAD[maker.__name__] = maker
    return maker


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    attributes.setdefault("name", f"/layer/{op}")
    return helper.make_node(op, inputs, outputs, **attributes)


def after_quant(*nodes: onnx.NodeProto, shape: tuple[Any, ...] = (1, 4, 6, 6), **held: Any) -> onnx.ModelProto:
    """x --> Quant --> q --> nodes --> y"""
    return model([quant("x", "q"), *nodes], {"x": shape}, ["y"], constants(**held))


@raw
def not_protobuf(folder: Path) -> bytes:
    return b"this is a text file, not a model" * 40


@raw
def truncated(folder: Path) -> bytes:
    data = conv_net().SerializeToString()
    return data[: len(data) // 2]


@raw
def empty(folder: Path) -> bytes:
    return b""


@bad
def cycle() -> onnx.ModelProto:
    return after_quant(
        node("Add", ["q", "b1"], ["a1"], name="first"), node("Relu", ["a1"], ["b1"], name="second"), node("Relu", ["b1"], ["y"])
    )


@bad
def tensor_made_twice() -> onnx.ModelProto:
    return after_quant(node("Relu", ["q"], ["y"], name="first"), node("Abs", ["q"], ["y"], name="second"))


@bad
def initialiser_twice() -> onnx.ModelProto:
    proto = conv_net()
    proto.graph.initializer.append(proto.graph.initializer[0])
    return proto


@bad
def undefined_tensor() -> onnx.ModelProto:
    return after_quant(node("Add", ["q", "ghost"], ["y"]))


@bad
def missing_attribute() -> onnx.ModelProto:
    return after_quant(node("MaxPool", ["q"], ["y"]))


@bad
def attribute_of_wrong_type() -> onnx.ModelProto:
    return after_quant(node("Concat", ["q", "q"], ["y"], axis="one"))


@bad
def missing_input() -> onnx.ModelProto:
    return after_quant(node("Conv", ["q"], ["y"]))


@bad
def scales_nan_zero_negative_infinite() -> onnx.ModelProto:
    names = {"nan": np.nan, "null": 0.0, "minus": -0.5, "inf": np.inf}
    chain = ["x", "q1", "q2", "q3", "y"]
    nodes = [quant(a, b, scale) for a, b, scale in zip(chain, chain[1:], names, strict=False)]
    nodes[1:] = [quant("x", b, scale) for b, scale in zip(chain[2:], list(names)[1:], strict=True)]
    return model(nodes, {"x": (1, 4)}, ["y"], constants(**names))


@bad
def weights_with_nan() -> onnx.ModelProto:
    return after_quant(quant("w", "wq"), node("MatMul", ["q", "wq"], ["y"]), shape=(1, 4), w=np.full((4, 2), np.nan, np.float32))


@bad
def bit_widths() -> onnx.ModelProto:
    nodes = [quant("x", "a", bits="half"), quant("x", "c", bits="none"), quant("x", "y", bits="many")]
    return model(nodes, {"x": (1, 4)}, ["y"], constants(half=3.5, none=0.0, many=64.0))


@bad
def rounding_mode() -> onnx.ModelProto:
    return model([quant("x", "y", rounding_mode="SOMEHOW")], {"x": (1, 4)}, ["y"], constants())


@bad
def scale_computed_at_run_time() -> onnx.ModelProto:
    return model([node("Abs", ["x"], ["s2"]), quant("x", "y", "s2")], {"x": (1, 4)}, ["y"], constants())


@bad
def dynamic_shape() -> onnx.ModelProto:
    return model([quant("x", "y")], {"x": ("N", 3, "height", None)}, ["y"], constants())


@bad
def no_shape() -> onnx.ModelProto:
    proto = model([quant("x", "y")], {"x": (1, 3)}, ["y"], constants())
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    return proto


@bad
def sequence_input() -> onnx.ModelProto:
    proto = model([quant("x", "y")], {"x": (1, 3)}, ["y"], constants())
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 3]))
    proto.graph.input[0].CopyFrom(helper.make_value_info("x", kind))
    return proto


@bad
def string_tensor() -> onnx.ModelProto:
    return after_quant(node("Add", ["q", "words"], ["y"]), words=helper.make_tensor("words", TensorProto.STRING, [2], [b"a", b"b"]))


@bad
def huge_input() -> onnx.ModelProto:
    return model([quant("x", "y")], {"x": (1, 2**20, 2**20)}, ["y"], constants())


@bad
def constant_of_shape_bomb() -> onnx.ModelProto:
    return after_quant(node("ConstantOfShape", ["size"], ["big"]), node("Add", ["q", "big"], ["y"]), size=np.asarray([2**40, 2**20]))


@bad
def expand_and_tile_bombs() -> onnx.ModelProto:
    nodes = [
        node("Expand", ["q", "size"], ["e"]),
        node("Tile", ["q", "size"], ["t"]),
        node("Pad", ["q", "pads"], ["p"]),
        node("Upsample", ["q", "ups"], ["u"]),
        node("Add", ["row", "column"], ["big"]),
        node("Mul", ["big", "column2"], ["bigger"]),
        node("Concat", ["e", "t", "p", "u", "bigger"], ["y"], axis=1),
    ]
    return after_quant(
        *nodes,
        size=np.asarray([2**30, 2**20, 6, 6]),
        pads=np.asarray([0, 0, 2**27, 0, 0, 0, 0, 2**27]),
        ups=np.asarray([1, 1, 1e6, 1e6], np.float32),
        row=np.zeros((1, 16384), np.int8),
        column=np.zeros((16384, 1), np.int8),
        column2=np.zeros((16384, 1, 1), np.int8),
    )


@bad
def tensor_shorter_than_its_shape() -> onnx.ModelProto:
    proto = conv_net()
    broken = next(t for t in proto.graph.initializer if t.name == "w2")
    broken.dims[0] = 2**40
    other = next(t for t in proto.graph.initializer if t.name == "bias")
    other.raw_data = b"12345"
    return proto


@bad
def not_quantized() -> onnx.ModelProto:
    return model([node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])], {"x": (1, 4)}, ["y"], {"w": random(4, 3)})


@bad
def float_quant() -> onnx.ModelProto:
    minifloat = node("FloatQuant", ["q", "s", "b", "b", "b", "s"], ["y"], domain="qonnx.custom_op.general")
    return after_quant(minifloat)


@bad
def several_unsupported_operators() -> onnx.ModelProto:
    nodes = [
        node("LSTM", ["q", "s", "s"], ["a"], name="memory"),
        node("GridSample", ["q", "q"], ["c"], name=""),
        node("Convv", ["q"], ["d"]),
        node("DynamicQuantizeLinear", ["q"], ["e", "f", "g"]),
        node("Relu", ["q"], ["h"], domain="my.company"),
        node("Relu", ["a"], ["y"], name="after"),
    ]
    proto = after_quant(*nodes, shape=(1, 4, 6))
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 4, 8]))
    return proto


@bad
def branches_and_loops() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["q"], ["r"])], "body", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
    )
    branches = node("If", ["flag"], ["y"], then_branch=body, else_branch=body)
    return after_quant(node("Greater", ["q", "one"], ["flag"]), branches, one=np.float32(1))


@bad
def shapes_that_do_not_fit() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["q", "w"], ["a"], name="channels"),
        node("Conv", ["q", "w4"], ["c"], name="too_large"),
        node("Reshape", ["q", "size"], ["d"]),
        node("Concat", ["q", "other"], ["e"], axis=1),
        node("Squeeze", ["q", "one"], ["f"]),
        node("Gather", ["q", "far"], ["g"], axis=1),
        node("Add", ["q", "five"], ["h"]),
        node("Split", ["q"], ["y", "y2", "y3"], axis=1, name="parts"),
    ]
    return after_quant(
        *nodes,
        w=random(2, 3, 1, 1),
        w4=random(2, 4, 9, 9),
        size=np.asarray([1, 5, 5]),
        other=random(1, 4, 5, 5),
        one=np.asarray([1]),
        far=np.asarray([7]),
        five=random(5, 1, 1),
    )


@bad
def windows_that_do_not_fit() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["q", "w"], ["a"], dilations=[2**40, 1], pads=[1, 1, 1, 1]),
        node("Conv", ["q", "w"], ["c"], dilations=[3, 1]),
        node("MaxPool", ["q"], ["d"], kernel_shape=[2, 2], strides=[2**40, 1]),
        node("AveragePool", ["q"], ["e"], kernel_shape=[9, 2], pads=[1, 0, 1, 0]),
        node("Pad", ["q", "pads"], ["y"]),
    ]
    return after_quant(*nodes, w=random(2, 4, 3, 3), pads=np.asarray([0, 0, 2**40, 0, 0, 0, 0, 0]))


@bad
def more_ports_than_any_device_has() -> onnx.ModelProto:
    inputs, outputs = ([f"{kind}{i}" for i in range(300)] for kind in "xy")
    return model([quant(x, y) for x, y in zip(inputs, outputs, strict=True)], dict.fromkeys(inputs, (1, 2)), outputs, constants())


@bad
def convolution_in_three_dimensions() -> onnx.ModelProto:
    return after_quant(node("Conv", ["q", "w"], ["y"]), shape=(1, 4, 6, 6, 6), w=random(2, 4, 3, 3, 3))


@bad
def weights_computed_at_run_time() -> onnx.ModelProto:
    return after_quant(node("Conv", ["q", "q"], ["y"]))


@bad
def batch_axis_merged() -> onnx.ModelProto:
    nodes = [node("Reshape", ["q", "size"], ["r"]), node("BatchNormalization", ["r", "p", "p", "p", "p"], ["y"])]
    return after_quant(*nodes, shape=(1, 4, 6), size=np.asarray([4, 6]), p=np.ones(6, np.float32))


@bad
def batch_axis_merged_in_a_fixed_batch() -> onnx.ModelProto:
    return after_quant(node("Reshape", ["q", "size"], ["y"]), shape=(8, 4, 6), size=np.asarray([1, -1]))


@bad
def linear_resize() -> onnx.ModelProto:
    return after_quant(node("Resize", ["q", "", "scales"], ["y"], mode="linear"), scales=np.asarray([1, 1, 2, 1.5], np.float32))


@bad
def output_does_not_depend_on_input() -> onnx.ModelProto:
    return model([quant("w", "y")], {"x": (1, 4)}, ["y"], constants(w=random(1, 4)))


@bad
def input_that_nothing_reads() -> onnx.ModelProto:
    return model([quant("x", "y")], {"x": (1, 4), "mask": (1, 4)}, ["y"], constants())


@bad
def training_mode() -> onnx.ModelProto:
    return after_quant(
        node("BatchNormalization", ["q", "p", "p", "p", "p"], ["y"], training_mode=1), p=np.ones(4, np.float32), shape=(1, 4)
    )


@bad
def names_with_control_characters() -> onnx.ModelProto:
    return after_quant(node("MaxPool", ["q"], ["y"], name="evil\n\x1b[31merror[none]: all is well"))


@bad
def second_output_that_is_not_made() -> onnx.ModelProto:
    return after_quant(
        node("Dropout", ["q"], ["d", "mask"]), node("Relu", ["d", "more"], ["r", "ghost"]), node("Add", ["r", "ghost"], ["y"]), more=1.0
    )


def external(location: str, **entries: int) -> onnx.ModelProto:
    proto = conv_net()
    held = next(t for t in proto.graph.initializer if t.name == "w2")
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        held.external_data.add(key=key, value=str(value))
    return proto


@raw
def external_data_outside_of_the_folder(folder: Path) -> bytes:
    (folder.parent / "secret.bin").write_bytes(bytes(320))
    return external("../secret.bin").SerializeToString()


@raw
def external_data_behind_a_link(folder: Path) -> bytes:
    (folder.parent / "secret.bin").write_bytes(bytes(320))
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    return external("link.bin").SerializeToString()


@raw
def external_data_missing(folder: Path) -> bytes:
    return external("weights.bin").SerializeToString()


@raw
def external_data_too_short(folder: Path) -> bytes:
    (folder / "weights.bin").write_bytes(bytes(100))
    return external("weights.bin", offset=4).SerializeToString()


@bad
def recursive_function() -> onnx.ModelProto:
    proto = after_quant(helper.make_node("Twice", ["q"], ["y"], name="call", domain="own"))
    for name, other in (("Twice", "Again"), ("Again", "Twice")):
        body = [helper.make_node(other, ["a"], ["r"], domain="own")]
        proto.functions.append(helper.make_function("own", name, ["a"], ["r"], body, [helper.make_opsetid("", 13)]))
    return proto


@bad
def functions_that_multiply() -> onnx.ModelProto:
    proto = after_quant(helper.make_node("F0", ["q"], ["y"], name="call", domain="own"))
    for i in range(40):
        body = [helper.make_node(f"F{i + 1}", ["a"], ["b"], domain="own"), helper.make_node(f"F{i + 1}", ["b"], ["r"], domain="own")]
        proto.functions.append(helper.make_function("own", f"F{i}", ["a"], ["r"], body if i < 39 else [], [helper.make_opsetid("", 13)]))
    return proto


@bad
def functions_inside_each_other() -> onnx.ModelProto:
    """A chain of 150, of which a call before has measured the last 80."""
    first = helper.make_node("F70", ["q"], ["early"], name="early", domain="own")
    proto = after_quant(first, helper.make_node("F0", ["early"], ["y"], name="call", domain="own"))
    for i in range(150):
        body = [helper.make_node(f"F{i + 1}", ["a"], ["r"], domain="own")] if i < 149 else [helper.make_node("Relu", ["a"], ["r"])]
        proto.functions.append(helper.make_function("own", f"F{i}", ["a"], ["r"], body, [helper.make_opsetid("", 13)]))
    return proto


@bad
def complex_weights() -> onnx.ModelProto:
    value = numpy_helper.from_array(np.ones(4, np.complex64), "w")
    return after_quant(node("Mul", ["q", "w"], ["y"]), shape=(1, 4), w=value)
