"""dfcompile: from a quantized ONNX model to a verified FPGA accelerator.

``dfcompile.build(model, ...)`` compiles, ``dfcompile.load(folder)`` opens a saved build.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported on first use: the command line must answer --help without loading numpy.
    if name == "build":
        return importlib.import_module("dfcompile.pipeline")  # the module can be called
    if name == "load":
        return importlib.import_module("dfcompile.mode.saved").load
    raise AttributeError(f"module 'dfcompile' has no attribute '{name}'")
