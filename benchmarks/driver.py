"""Frames per second that the driver's host side can do: encode, pack, unpack, decode on one core, with a transfer that returns at once.

python -m benchmarks.driver
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import dfcompile as dfc

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MODELS = ("digits_mlp_w1a1", "digits_cnn_w2a2")
FRAMES = 100_000


def load(folder: Path) -> Any:
    """The driver module of a build."""
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("driver", folder / "driver.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rate(path: Path) -> float:
    """Frames a second of processor time, the best of three runs."""
    with tempfile.TemporaryDirectory() as temporary:
        dfc.build(path, mode="dataflow", verify=False).save(Path(temporary) / "out")
        driver = load(Path(temporary) / "out" / "driver").Driver()
        (name,) = (p.data["input"] for p in driver.inputs)
        (shape,) = (tuple(v.shape[1:]) for v in [np.load(path.with_suffix(".npz"))["images"]])
        x = np.random.default_rng(0).uniform(0, 1, (FRAMES, *shape))
        driver.transfer = lambda beats: [
            np.zeros((len(beats[0]) // driver.inputs[0].beats * p.beats, p.bytes), np.uint8) for p in driver.outputs
        ]
        times = []
        for _ in range(3):
            start = time.process_time()
            driver.run({name: x})
            times.append(time.process_time() - start)
        return FRAMES / min(times)


if __name__ == "__main__":
    print("| model | frames per second |\n|---|---|")
    for model in MODELS:
        print(f"| {model} | {rate(EXAMPLES / f'{model}.onnx'):,.0f} |")
