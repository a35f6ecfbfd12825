"""How well a design classifies: accuracy, top-k, confusion, agreement with the model without its activation quantizers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.streamline.host import HostSide

Progress = Callable[[str], None]
TOP = 5
STEPS = 20
"""Runs that the frames are spread over: the marks of the progress bar."""
LEAST_FRAMES, MOST_FRAMES = 64, 4096
"""Frames of a run; engines that simulate hardware may take fewer."""
FLOAT_FRAMES = 32
"""Frames of a run of the float model, whose tensors are float64 and all alive at once."""
_SHOWN = 4


def evaluate(
    host: HostSide,
    simulate: Callable[[Mapping[str, Array]], Any],
    x: Array | Mapping[str, Array],
    labels: Array,
    engine: str,
    reference: Graph | None,
    progress: Progress,
    together: bool = False,
) -> dict[str, Any]:
    """`Accelerator.evaluate` with what runs frames on an engine.

    reference: the float model, where there is one to agree with; together: whether a frame depends on those before it
    """
    feeds = host.checked(x)
    count = len(next(iter(feeds.values())))
    wanted = _checked_labels(labels, count)
    if engine != "python":
        simulate(_part(feeds, slice(0, 1)))  # compiles what runs the frames, so that the seconds below are those of running
    start = time.perf_counter()
    scores = _scores(_runs(simulate, feeds, count if together else _size(count, engine), f"evaluate ({engine})", progress))
    seconds = time.perf_counter() - start
    classes = scores.shape[1] if scores.ndim == 2 else int(max(wanted.max(), scores.max())) + 1
    _check_range(wanted, classes)
    chosen = scores.argmax(1) if scores.ndim == 2 else scores
    agreement = None
    if reference:
        agreement = float(np.mean(_float_classes(reference, feeds, progress) == chosen))
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (wanted, chosen), 1)
    return {
        "engine": engine,
        "images": count,
        "classes": classes,
        "top1": float(np.mean(chosen == wanted)),
        "top5": float(np.mean(rank(scores, wanted) < TOP)) if scores.ndim == 2 else None,
        "agreement": agreement,
        "images_per_s": count / seconds,
        "confusion": confusion.tolist(),
    }


def rank(scores: Array, labels: Array) -> Array:
    """Place of each label among the scores (n, classes) of its frame, 0 the best; of equal ones the lower class stands first."""
    own = np.take_along_axis(scores, labels[:, None], 1)
    before = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < labels[:, None]))
    return np.asarray(before.sum(1))


def _size(count: int, engine: str) -> int:
    return min(MOST_FRAMES, max(LEAST_FRAMES if engine == "python" else 1, -(-count // STEPS)))


def _part(feeds: Mapping[str, Array], frames: slice) -> dict[str, Array]:
    return {k: v[frames] for k, v in feeds.items()}


def _runs(run: Callable[[Mapping[str, Array]], Any], feeds: Mapping[str, Array], size: int, step: str, progress: Progress) -> Iterator[Any]:
    """What a function gives for the frames, so many at a time."""
    count = len(next(iter(feeds.values())))
    for first in range(0, count, size):
        yield run(_part(feeds, slice(first, first + size)))
        progress(f"{step} {min(first + size, count)}/{count}")


def _scores(parts: Iterator[Any]) -> Array:
    """Scores (n, classes), or classes (n,) where the outputs are those. CompileError for outputs that are neither."""
    results = [_classifying(part) for part in parts]
    return np.concatenate(results)


def _classifying(result: Any) -> Array:
    if isinstance(result, Mapping):
        help_ = "build the part of the model up to the scores, with --to"
        raise CompileError(Problem("wrong-input", f"the model has {len(result)} outputs: {', '.join(result)}", "", _WHY, help_))
    values = np.asarray(result)
    axes = [n for n in values.shape[1:] if n > 1]
    if len(axes) > 1:
        shape = "x".join(map(str, ("N", *values.shape[1:])))
        raise CompileError(Problem("wrong-input", f"the model's output of shape {shape} is no list of scores", "", _WHY, _NO_SCORES))
    if axes:
        return values.reshape(len(values), axes[0])
    classes = values.reshape(-1)
    if np.any(classes != np.rint(classes)) or np.any(classes < 0):
        raise CompileError(Problem("wrong-input", "the model gives one number a frame, which is no class", "", _WHY, _NO_SCORES))
    return classes.astype(np.int64)


_WHY = "a frame's class is where its scores are largest, or the number that ArgMax gives"
_NO_SCORES = "run other models with `dfcompile simulate` and compare their outputs as they are meant"


def _checked_labels(labels: Array, count: int) -> Array:
    """Labels (n,) as integers; CompileError with all that is wrong with them."""
    given = np.asarray(labels)
    shape = "x".join(map(str, given.shape)) or "a single number"
    help_ = "give one whole number a frame, from 0 to the number of classes less 1"
    if given.ndim == 2 and given.shape[1] > 1:
        raise CompileError(
            Problem("wrong-input", f"the labels are of shape {shape}", "", "a frame has one label", f"{help_}: labels.argmax(1)")
        )
    if given.ndim not in (1, 2) or given.dtype.kind not in "iufb":
        raise CompileError(
            Problem("wrong-input", f"the labels are of shape {shape} and of {given.dtype}", "", "a frame has one label", help_)
        )
    found, problems = given.reshape(-1), []
    if len(found) != count:
        problems.append(Problem("wrong-input", f"there are {len(found):,} labels for {count:,} frames", "", "a frame has one label", help_))
    with np.errstate(invalid="ignore"):
        odd = np.flatnonzero(~((found == np.rint(found)) & (found >= 0) & (np.abs(found) < 2**31)))
    if len(odd):
        shown = ", ".join(f"{found[i]:g} (frame {i})" for i in odd[:_SHOWN])
        problems.append(Problem("wrong-input", f"{len(odd):,} labels are no classes", "", f"they are {shown}", help_))
    if problems:
        raise CompileError(problems)
    return np.asarray(found.astype(np.int64))


def _check_range(labels: Array, classes: int) -> None:
    odd = np.flatnonzero(labels >= classes)
    if len(odd):
        shown = ", ".join(f"{labels[i]} (frame {i})" for i in odd[:_SHOWN])
        what, why = f"{len(odd):,} labels are beyond the {classes} classes of the model", f"they are {shown}"
        raise CompileError(
            Problem("wrong-input", what, "", why, f"number the classes from 0 to {classes - 1}, in the order of the model's outputs")
        )


def _float_classes(reference: Graph, feeds: Mapping[str, Array], progress: Progress) -> Array:
    def run(part: Mapping[str, Array]) -> Any:
        found = reference.execute({k: np.asarray(v, np.float64) for k, v in part.items()})
        return found if len(found) > 1 else next(iter(found.values()))

    scores = _scores(_runs(run, feeds, FLOAT_FRAMES, "float model", progress))
    return np.asarray(scores.argmax(1)) if scores.ndim == 2 else scores
