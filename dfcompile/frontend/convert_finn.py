"""Operators of FINN's dialect."""

from __future__ import annotations

import numpy as np

from dfcompile.frontend.call import Call, Result, converts
from dfcompile.frontend.convert_linear import spatial_of, to_channels_first, to_channels_last, window
from dfcompile.frontend.convert_pointwise import batched
from dfcompile.frontend.value import Refusal, Value, onnx_shape
from dfcompile.ir.modelop import AveragePool, Binary, MaxPool, MultiThreshold, Quantize, Unary


def channels_last(call: Call, x: Value, default: str) -> bool:
    """Whether `data_layout` puts the channels last and there are axes between them and the batch."""
    layout = call.text("data_layout", "").upper() or default
    if layout not in ("NC", "NCW", "NWC", "NCHW", "NHWC"):
        raise Refusal(
            "bad-attribute", f"attribute 'data_layout' of '{call.node.op_type}' is '{layout}'", help="it is NC, NCW, NWC, NCHW or NHWC"
        )
    return layout.endswith("C") and len(onnx_shape(x)) > 2


@converts("MultiThreshold")
def multi_threshold(call: Call) -> Result:
    """Count of thresholds reached; without a layout three axes are (batch, width, channel), as in qonnx."""
    x, thresholds = batched(call, call.plain(call.value(0))), call.array(1, "thresholds")
    if not np.all(np.isfinite(thresholds)):
        raise Refusal("bad-quantizer", "a threshold of 'MultiThreshold' is not finite", help="use a number beyond its input's range")
    op = MultiThreshold(call.real("out_scale", 1.0), call.real("out_bias", 0.0))
    table = call.const(thresholds, "thresholds")
    if not channels_last(call, x, "NWC" if len(onnx_shape(x)) == 3 else "NCHW"):
        return call.apply(op, x, table, elem="float32")
    return to_channels_last(call, call.apply(op, to_channels_first(call, x), table, elem="float32"))


@converts("MaxPoolNHWC", "NhwcMaxPool")
def max_pool_nhwc(call: Call) -> Result:
    """MaxPool of (batch, height, width, channel)."""
    x, kernel = to_channels_first(call, batched(call, call.value(0))), call.ints("kernel_shape")
    strides, pads, dilations = window(call, spatial_of(call, x), kernel)
    return to_channels_last(call, call.apply(MaxPool(kernel, strides, pads, dilations, call.flag("ceil_mode")), x))


@converts("QuantAvgPool2d")
def quant_average_pool(call: Call) -> Result:
    """Sum of integer codes over each window, shifted right until `obits` bits are left."""
    x = batched(call, call.value(0))
    last = channels_last(call, x, "NCHW")
    x = to_channels_first(call, x) if last else x
    size, kernel, stride = spatial_of(call, x), call.integer("kernel", 1), call.integer("stride", 1)
    bits_in, bits = call.integer("ibits", 1), call.integer("obits", 1)
    if not 1 <= bits_in <= 32 or not 1 <= bits <= 32 or kernel < 1 or kernel > max(size):
        raise Refusal("bad-attribute", f"'QuantAvgPool2d' has ibits {bits_in}, obits {bits} and kernel {kernel}")
    n = len(size)
    mean = call.apply(AveragePool((kernel,) * n, (stride,) * n, (0,) * 2 * n, (1,) * n), x)
    # The sum is whole; a mean times the window's size may miss it by a rounding error.
    total = call.apply(Unary("round"), call.apply(Binary("mul"), mean, call.const(float(kernel**2), "window_size")))
    shift = max(0, (((1 << bits_in) - 1) * kernel**2).bit_length() - bits)
    op = Quantize(-(1 << bits) if call.flag("signed") else 0, (1 << bits) - 1, "FLOOR")
    result = call.apply(op, total, call.const(2.0**shift, "step"), call.const(0.0, "zero"))
    return to_channels_last(call, result) if last else result
