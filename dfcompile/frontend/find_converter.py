"""Which converter takes an ONNX node, and what is said where none does."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

import dfcompile.frontend as frontend
from dfcompile.frontend.call import CONVERTERS, Converter
from dfcompile.frontend.model import OnnxNode, Subgraph
from dfcompile.frontend.value import Refusal

for _module in pkgutil.iter_modules(frontend.__path__):
    if _module.name.startswith("convert_"):
        importlib.import_module(f"{frontend.__name__}.{_module.name}")

_CELL = "its states are real numbers; quantize them: QuantLSTM of brevitas, or a cell with quantizers in a Scan, in a Loop or unrolled"
_SUGGESTIONS = {
    "If": "export the model with a constant condition",
    "LSTM": _CELL,
    "GRU": _CELL,
    "RNN": _CELL,
    "LpPool": "use AveragePool or MaxPool",
    "GlobalLpPool": "use GlobalAveragePool",
    "LRN": "use BatchNormalization",
    "Hardmax": "use ArgMax",
}

_FREE_DOMAINS = (
    "Quant",
    "IntQuant",
    "BipolarQuant",
    "Trunc",
    "FloatQuant",
    "MultiThreshold",
    "MaxPoolNHWC",
    "QuantAvgPool2d",
    "DebugMarker",
)
"""Operators that exporters write in many domains, declared or not."""

_KNOWN_DOMAINS = ("", "ai.onnx", "com.microsoft")


def find_converter(node: OnnxNode) -> Converter:
    """The converter of a node. Refusal where there is none."""
    domain = node.domain
    if "channels_last" in domain and f"channels_last/{node.op_type}" in CONVERTERS:
        return CONVERTERS[f"channels_last/{node.op_type}"]
    if node.op_type in CONVERTERS and (node.op_type in _FREE_DOMAINS or domain in _KNOWN_DOMAINS):
        return CONVERTERS[node.op_type]
    raise _unsupported(node)


def _unsupported(node: OnnxNode) -> Refusal:
    known = sorted(c for c in CONVERTERS if "/" not in c)
    near = difflib.get_close_matches(node.op_type, known, 2, 0.75)
    domain = f" of domain '{node.domain}'" if node.domain not in _KNOWN_DOMAINS else ""
    help = _SUGGESTIONS.get(node.op_type) or (f"the nearest supported is {' or '.join(near)}" if near else "")
    if domain and node.op_type in CONVERTERS:
        help = f"if it means '{node.op_type}' of standard ONNX, leave its domain empty"
    why = "it holds a graph of its own" if any(isinstance(a, Subgraph) for a in node.attributes.values()) else ""
    if node.op_type == "If":
        why = "its condition depends on the input"
    what = f"operator '{node.op_type}'{domain} is not supported"
    return Refusal("unsupported-op", what, why, help or "replace it by supported operators")
