"""Convolutions, matrix products and pooling."""

from __future__ import annotations

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_pointwise import batched, binary
from dfcompile.frontend.value import Act, Refusal, Value, onnx_shape
from dfcompile.ir import Tensor
from dfcompile.ir.modelop import AveragePool, Binary, Conv, ConvTranspose, MatMul, MaxPool, Reduce, Unary
from dfcompile.ir.modelop_base import MAX_ELEMENTS, shown_shape

Sizes = tuple[int, ...]


def is_channels_last(call: Call) -> bool:
    """Whether the node belongs to QONNX's channels-last domain."""
    return "channels_last" in call.node.domain


def to_channels_first(call: Call, x: Value) -> Value:
    """(N, *S, C) --> (N, C, *S)"""
    rank = len(onnx_shape(x))
    return call.builder.transpose(x, (0, rank - 1, *range(1, rank - 1)))


def to_channels_last(call: Call, x: Value) -> Value:
    """(N, C, *S) --> (N, *S, C)"""
    rank = len(onnx_shape(x))
    return call.builder.transpose(x, (0, *range(2, rank), 1))


def spatial_of(call: Call, x: Value) -> Sizes:
    """Sizes of the 1 or 2 spatial axes of x."""
    shape = onnx_shape(batched(call, x))
    if len(shape) not in (3, 4):
        raise Refusal(
            "unsupported-rank",
            f"'{call.node.op_type}' on a tensor of {len(shape)} axes",
            f"its input has shape {shown_shape(shape)}",
            "1-D (3 axes) and 2-D (4 axes) pictures are supported",
        )
    return shape[2:]


def window(call: Call, size: Sizes, kernel: Sizes) -> tuple[Sizes, Sizes, Sizes]:
    """Strides, pads and dilations with ONNX's defaults and `auto_pad` resolved."""
    n = len(size)
    strides, dilations = call.ints("strides", (1,) * n), call.ints("dilations", (1,) * n)
    if len(strides) != n or len(dilations) != n or len(kernel) != n or min((*strides, *dilations)) < 1:
        raise Refusal("bad-attribute", f"strides {strides} and dilations {dilations} of '{call.node.op_type}' do not fit {n} spatial axes")
    if max(*strides, *dilations) > MAX_ELEMENTS:
        what = f"strides {strides} and dilations {dilations} of '{call.node.op_type}' are too large"
        raise Refusal("too-large", what, f"the limit is {MAX_ELEMENTS}, as of the elements of a tensor", "use smaller ones")
    auto = call.text("auto_pad", "NOTSET").upper()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [max(0, (-(-s // t) - 1) * t + (k - 1) * d + 1 - s) for s, t, k, d in zip(size, strides, kernel, dilations, strict=True)]
        return strides, shared(totals, auto == "SAME_LOWER"), dilations
    if auto not in ("NOTSET", "VALID", ""):
        raise Refusal(
            "bad-attribute",
            f"attribute 'auto_pad' of '{call.node.op_type}' is '{auto}'",
            help="it is NOTSET, VALID, SAME_UPPER or SAME_LOWER",
        )
    none = (0,) * 2 * n
    return strides, none if auto == "VALID" else call.ints("pads", none), dilations


def shared(totals: list[int], more_at_begin: bool) -> Sizes:
    """Total padding of each axis split into begins and ends."""
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return tuple(large + small) if more_at_begin else tuple(small + large)


def weights_of(call: Call, i: int = 1) -> Value:
    """The weights of a convolution, which must be constant."""
    w = call.value(i)
    if isinstance(w, Act):
        raise Refusal(
            "dynamic-weights",
            f"the weights of '{call.node.op_type}' are computed at run time",
            f"they depend on tensor '{w.name}'",
            "make them constant",
        )
    return w


def kernel_of(call: Call, w: Value) -> Sizes:
    """Kernel size, from the weights; `kernel_shape` must agree."""
    kernel = onnx_shape(w)[2:]
    if call.ints("kernel_shape", kernel) != kernel:
        raise Refusal(
            "bad-attribute", f"kernel_shape {call.ints('kernel_shape')} of '{call.node.op_type}' differs from that of its weights, {kernel}"
        )
    return kernel


def add_bias(call: Call, x: Value, i: int = 2) -> Value:
    """x plus the bias at input i, if there is one, as a tensor of shape (C, 1, ...)."""
    if not call.has(i):
        return x
    bias = call.value(i)
    shape = onnx_shape(x)
    if np.prod(onnx_shape(bias)) != shape[1]:
        raise Refusal(
            "bad-parameter", f"the bias of '{call.node.op_type}' has shape {call.shape(bias)}", f"there are {shape[1]} output channels"
        )
    return call.apply(Binary("add"), x, call.reshape(bias, (shape[1], *(1,) * (len(shape) - 2))))


@converts("Conv", "channels_last/Conv")
def conv(call: Call) -> Result:
    """Convolution; the bias becomes an addition."""
    x, w = call.value(0), weights_of(call)
    if is_channels_last(call):
        return to_channels_last(call, _conv(call, to_channels_first(call, x), to_channels_first(call, w)))
    return _conv(call, x, w)


def _conv(call: Call, x: Value, w: Value, bias: int = 2) -> Value:
    size = spatial_of(call, x)
    strides, pads, dilations = window(call, size, kernel_of(call, w))
    return add_bias(call, call.apply(Conv(strides, pads, dilations, call.integer("group", 1)), x, w), bias)


def convolved(call: Call, x: Value, w: Value) -> Value:
    """Convolution of given operands with the attributes of the node, without bias."""
    strides, pads, dilations = window(call, spatial_of(call, x), kernel_of(call, w))
    return call.apply(Conv(strides, pads, dilations, call.integer("group", 1)), x, w)


@converts("ConvTranspose")
def conv_transpose(call: Call) -> Result:
    """Transposed convolution; pads may follow from `output_shape` or `auto_pad`."""
    x, w = call.value(0), weights_of(call)
    size, kernel = spatial_of(call, x), kernel_of(call, w)
    n = len(size)
    auto = call.text("auto_pad", "NOTSET").upper()
    strides, dilations = call.ints("strides", (1,) * n), call.ints("dilations", (1,) * n)
    extra = call.ints("output_padding", (0,) * n)
    pads = call.ints("pads", (0,) * 2 * n)
    if not len(strides) == len(dilations) == len(extra) == len(kernel) == n:
        raise Refusal("bad-attribute", f"the attributes of 'ConvTranspose' do not fit {n} spatial axes")
    full = [(s - 1) * t + e + (k - 1) * d + 1 for s, t, e, k, d in zip(size, strides, extra, kernel, dilations, strict=True)]
    if call.given("output_shape") or auto.startswith("SAME"):
        wanted = call.ints("output_shape", tuple(s * t for s, t in zip(size, strides, strict=True)))[-n:]
        pads = shared([f - o for f, o in zip(full, wanted, strict=True)], auto != "SAME_UPPER")
    elif auto == "VALID":
        pads = (0,) * 2 * n
    return add_bias(call, call.apply(ConvTranspose(strides, pads, dilations, extra, call.integer("group", 1)), x, w))


@converts("MatMul")
def mat_mul(call: Call) -> Result:
    """Matrix product."""
    return product(call, call.value(0), call.value(1))


def product(call: Call, a: Value, b: Value) -> Value:
    """Matrix product of two tensors; where ONNX works on its axis 0, the batch axis is kept out of it."""
    (expected,) = MatMul().infer(Tensor(onnx_shape(a)), Tensor(onnx_shape(b)))
    if not _keeps_batch(a, b):
        if any(isinstance(v, Act) and len(v.onnx_shape) < 2 for v in (a, b)):
            raise Refusal(
                "batch-axis",
                f"'MatMul' of shapes {call.shape(a)} and {call.shape(b)}",
                "a vector computed at run time has no batch axis here",
            )
        rank = max(len(onnx_shape(v)) for v in (a, b))
        a, b = (_padded(call, v, rank) if isinstance(v, Act) else v for v in (a, b))
    return call.reshape(call.apply(MatMul(), a, b), expected.shape)


def _padded(call: Call, x: Act, rank: int) -> Value:
    """x with at least `rank` axes in ONNX and an own axis for the batch."""
    wide = call.reshape(x, (1,) * (rank - len(x.onnx_shape)) + x.onnx_shape)
    return call.builder.unbatched(wide) if isinstance(wide, Act) else wide


def _keeps_batch(a: Value, b: Value) -> bool:
    """Whether the product of the graph's tensors has the batch axis in front."""
    acts = [v for v in (a, b) if isinstance(v, Act)]
    ranks = [len(onnx_shape(v)) for v in (a, b)]
    if len(acts) == 2:
        same = ranks[0] == ranks[1]
        return same and min(ranks) >= (2 if acts[0].unbatched else 3) and acts[0].unbatched == acts[1].unbatched
    if not acts or acts[0].unbatched:
        return not acts or isinstance(a, Act) or ranks[1] >= 2
    known, rank = (b, ranks[0]) if isinstance(a, Act) else (a, ranks[1])
    return rank >= (2 if isinstance(a, Act) else 3) and (
        len(known.shape) <= 2 or len(known.shape) < rank or (len(known.shape) == rank and known.shape[0] == 1)
    )


@converts("Gemm")
def gemm(call: Call) -> Result:
    """``alpha * A B + beta * C`` with A and B perhaps transposed."""
    result = scaled(call, matrices(call, call.value(0), call.value(1)))
    if not call.has(2):
        return result
    c = call.value(2)
    if call.real("beta", 1.0) != 1:
        c = binary(call, "mul", c, call.const(call.real("beta"), "beta"))
    return binary(call, "add", result, c)


def matrices(call: Call, a: Value, b: Value) -> Value:
    """Product of two matrices, transposed as `transA` and `transB` say."""
    if len(onnx_shape(a)) != 2 or len(onnx_shape(b)) != 2:
        raise ValueError(f"'{call.node.op_type}' multiplies matrices, not tensors of shapes {call.shape(a)} and {call.shape(b)}")
    a = call.builder.transpose(a, (1, 0)) if call.flag("transA") else a
    b = call.builder.transpose(b, (1, 0)) if call.flag("transB") else b
    return product(call, a, b)


def scaled(call: Call, x: Value) -> Value:
    """x times the attribute `alpha`."""
    alpha = call.real("alpha", 1.0)
    return x if alpha == 1 else binary(call, "mul", x, call.const(alpha, "alpha"))


@converts("FusedMatMul")
def fused_mat_mul(call: Call) -> Result:
    """ONNX Runtime's ``alpha * A B``, the last two axes of A and B perhaps exchanged."""
    if call.flag("transBatchA") or call.flag("transBatchB"):
        raise Refusal("unsupported-op", "'FusedMatMul' moves a batch axis", help="save the model before ONNX Runtime optimizes it")
    operands = []
    for i, name in enumerate(("transA", "transB")):
        x = call.value(i)
        rank = len(onnx_shape(x))
        turned = call.flag(name) and rank > 1
        operands.append(call.builder.transpose(x, (*range(rank - 2), rank - 1, rank - 2)) if turned else x)
    return scaled(call, product(call, *operands))


@converts("FusedConv", "FusedGemm")
def fused(call: Call) -> Result:
    """ONNX Runtime's fused operators; only those with a plain activation."""
    kind = call.text("activation", "")
    names = {"": None, "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
    if kind not in names or call.has(3):
        raise Refusal(
            "unsupported-op",
            f"'{call.node.op_type}' of ONNX Runtime is not supported here",
            help="save the model before ONNX Runtime optimizes it",
        )
    inner = conv(call) if call.node.op_type == "FusedConv" else gemm(call)
    assert not isinstance(inner, tuple), "both have one result"
    fn = names[kind]
    return call.apply(Unary(fn), inner) if fn else inner


@converts("MaxPool", "AveragePool", "channels_last/MaxPool", "channels_last/AveragePool")
def pool(call: Call) -> Result:
    """Pooling windows; indices of maxima are not kept."""
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise Refusal("unsupported-op", "'MaxPool' with a second output (indices) is not supported", help="use the pooled values only")
    x = to_channels_first(call, call.value(0)) if is_channels_last(call) else call.value(0)
    size, kernel = spatial_of(call, x), call.ints("kernel_shape")
    if len(kernel) != len(size):
        raise Refusal("bad-attribute", f"kernel_shape {kernel} of '{call.node.op_type}' does not fit {len(size)} spatial axes")
    strides, pads, dilations = window(call, size, kernel)
    ceil = call.flag("ceil_mode")
    if call.node.op_type == "MaxPool":
        result = call.apply(MaxPool(kernel, strides, pads, dilations, ceil), x)
    else:
        result = call.apply(AveragePool(kernel, strides, pads, dilations, ceil, call.flag("count_include_pad")), x)
    return to_channels_last(call, result) if is_channels_last(call) else result


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Result:
    """Mean or maximum over all spatial axes."""
    return over_space(call, call.value(0), "mean" if "Average" in call.node.op_type else "max")


def over_space(call: Call, x: Value, fn: str) -> Value:
    """A reduction of x over all its spatial axes, which stay with size 1."""
    x = batched(call, x)
    rank = len(onnx_shape(x))
    if rank < 3:
        raise ValueError(f"'{call.node.op_type}' needs spatial axes, its input has shape {call.shape(x)}")
    moved, axes = call.along(x, *range(2, rank))
    return call.run(Reduce(fn, axes), moved)


_REDUCE = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceL1": "sum",
    "ReduceSumSquare": "sum",
    "ReduceL2": "sum",
}


@converts(*_REDUCE)
def reduce(call: Call) -> Result:
    """Reductions over axes given as attribute or input; none means all, or with `noop_with_empty_axes` nothing."""
    x, name = call.value(0), call.node.op_type
    axes = call.numbers(1, "axes") if call.has(1) else call.ints("axes", ())
    if name == "ReduceL1":
        x = call.apply(Unary("abs"), x)
    elif name in ("ReduceL2", "ReduceSumSquare"):
        x = call.apply(Binary("mul"), x, x)
    if axes or not call.flag("noop_with_empty_axes"):
        x = reduced(call, x, _REDUCE[name], axes)
    return call.apply(Unary("sqrt"), x) if name == "ReduceL2" else x


def reduced(call: Call, x: Value, fn: str, axes: Sizes) -> Value:
    """A reduction of x over these axes of ONNX, all when there are none; they stay with size 1 unless `keepdims` is 0."""
    moved, places = call.along(x, *(axes or range(len(onnx_shape(x)))))
    return call.run(Reduce(fn, tuple(sorted(set(places))), call.flag("keepdims", True)), moved)
