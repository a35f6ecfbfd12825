"""Networks that nobody has quantized: onnxruntime's own static quantizer, with the settings whose results compile."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfcompile.errors import CompileError, Problem
from dfcompile.store.files import new_file
from dfcompile.toolchain import require_tool

Array = NDArray[Any]


def quantize(model: Path, out: Path, frames: Mapping[str, Array], progress: Callable[[str], None] = lambda text: None) -> None:
    """Write an 8-bit network (QDQ: int8 weights for each output channel, int8 activations with zero points) in place of a float one.

    frames: by graph input, (n, *shape) in the model's layout: typical inputs, from which the ranges of activations are taken
    CompileError where onnxruntime is missing or cannot do it, and for frames that do not fit.
    """
    with new_file(out) as file, tempfile.TemporaryDirectory(prefix="dfcompile-") as temporary:
        whole, made = Path(temporary) / "whole.onnx", Path(temporary) / "quantized.onnx"
        feeds = _checked(model, frames)
        try:
            progress("fold and infer shapes (onnxruntime)")
            _prepare(model, whole)
            progress("calibrate and quantize (onnxruntime)")
            _quantize(whole, made, feeds)
        except Exception as e:  # of any kind: its passes raise what they meet
            why = f"{type(e).__name__}: {e}"
            help_ = "quantize it with onnxruntime.quantization by hand, or train it with Brevitas"
            raise CompileError(Problem("quantizer-failed", f"onnxruntime cannot quantize {model.name}", why=why, help=help_)) from e
        file.write(made.read_bytes())


def input_names(model: Path) -> tuple[str, ...]:
    """Names of the graph inputs, in the model's order. CompileError where onnxruntime is missing or does not take the model."""
    return tuple(_shapes(model))


def _shapes(model: Path) -> dict[str, list[int | str]]:
    require_tool("onnxruntime")
    import onnxruntime

    try:
        return {i.name: i.shape for i in onnxruntime.InferenceSession(str(model)).get_inputs()}
    except Exception as e:  # it has no class of its own for them all
        help_ = "export it again, as a float model"
        raise CompileError(Problem("corrupt-file", f"{model.name} is not a model that onnxruntime runs", why=str(e), help=help_)) from e


def _checked(model: Path, frames: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Feeds of single frames; CompileError where the arrays are not those of the model's inputs."""
    shapes = _shapes(model)
    problems = [_wrong_frames(f"the model has no input '{n}'", f"its inputs are {', '.join(shapes)}") for n in frames if n not in shapes]
    for name, shape in shapes.items():
        wanted = f"it wants frames of shape {'x'.join(map(str, shape[1:]))}, batch axis first"
        given = frames.get(name)
        if given is None:
            problems.append(_wrong_frames(f"input '{name}' has no frames", wanted))
        elif given.ndim != len(shape) or any(isinstance(s, int) and s != g for s, g in zip(shape[1:], given.shape[1:], strict=True)):
            problems.append(_wrong_frames(f"input '{name}' has an array of shape {'x'.join(map(str, given.shape))}", wanted))
        elif not len(given) or not np.isfinite(given).all():
            problems.append(_wrong_frames(f"input '{name}' has frames that are not finite, or none", wanted))
    if not problems and len({len(f) for f in frames.values()}) > 1:
        problems.append(_wrong_frames("the inputs hold different numbers of frames", ""))
    if problems:
        raise CompileError(problems)
    return [{k: f[i : i + 1].astype(np.float32) for k, f in frames.items()} for i in range(len(next(iter(frames.values()))))]


def _wrong_frames(what: str, why: str) -> Problem:
    return Problem("wrong-input", what, why=why)


def _prepare(model: Path, whole: Path) -> None:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(model), str(whole), skip_symbolic_shape=True)


def _quantize(model: Path, made: Path, feeds: list[dict[str, Array]]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Frames(CalibrationDataReader):  # type: ignore[misc]
        """The frames one by one."""

        def __init__(self) -> None:
            self.rest: Iterator[dict[str, Array]] = iter(feeds)

        def get_next(self) -> dict[str, Array] | None:
            """The next frame, None behind the last."""
            return next(self.rest, None)

    quantize_static(
        str(model),
        str(made),
        Frames(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
