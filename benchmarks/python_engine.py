"""Images per second of the Python engine beside onnxruntime on the QCDQ form of the same network, in one run.

    python -m benchmarks.python_engine MODEL.onnx QCDQ.onnx [--batch 64] [--threads 2] [--runs 5]

Both get the same images (random values from 0 to 1) and the same cores. The batch axis of the QCDQ model is freed first, so that
onnxruntime, too, works on the whole batch at once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from dfcompile import build
from dfcompile.command.console import show_table


def free_batch(path: Path) -> bytes:
    """The model with a symbolic batch axis; constant reshapes to (1, n) become (-1, n)."""
    model = onnx.load(path)
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    shapes = {n.input[1] for n in model.graph.node if n.op_type == "Reshape"}
    for constant in model.graph.initializer:
        if constant.name in shapes:
            value = onnx.numpy_helper.to_array(constant).copy()
            value[0] = -1 if -1 not in value else 0
            constant.CopyFrom(onnx.numpy_helper.from_array(value, constant.name))
    return bytes(model.SerializeToString())


def rate(run: Callable[[], object], batch: int, runs: int) -> float:
    """Images per second: median over the runs, after one to warm up."""
    run()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return batch / statistics.median(seconds)


def onnxruntime_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session on the freed model with that many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(free_batch(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Print images per second of both and how many images they agree on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("qcdq", type=Path)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])  # holds for both, whatever they start
    made = build(given.model, verify=False)
    session = onnxruntime_session(given.qcdq, given.threads)
    shape = next(iter(made.host.input_shapes.values()))
    images = np.random.default_rng(0).random((given.batch, *shape), dtype=np.float32)
    name = session.get_inputs()[0].name
    ours, theirs = made.run(images), session.run(None, {name: images})[0]
    same = int(np.isclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max()).all(axis=1).sum())
    speed = rate(lambda: made.run(images), given.batch, given.runs)
    peer = rate(lambda: session.run(None, {name: images}), given.batch, given.runs)
    rows = [["dfcompile, Python engine", speed, speed / peer], ["onnxruntime, QCDQ", peer, 1.0]]
    show_table(f"{given.model.stem}: batch {given.batch}, {given.threads} threads", ["engine", "images/s", "to onnxruntime"], rows)
    print(f"same outputs on {same} of {given.batch} images")


if __name__ == "__main__":
    main()
