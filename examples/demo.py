"""Build the trained 2-bit digits CNN and prove it: Python, compiled HLS C++ and Verilator RTL on real test images.

python examples/demo.py -o demo_out
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile import Accelerator, build
from dfcompile.command.console import Report, progress, show_table
from dfcompile.mode.page import write_report

HERE = Path(__file__).parent
TOLERANCE = 1e-5  # the float reference rounds each sum to float32; the accelerator's integers do not


def run_engines(made: Accelerator, images: np.ndarray, frames: dict[str, int], report: Report) -> dict[str, tuple[np.ndarray, float]]:
    """Outputs and seconds of each engine on its number of frames."""
    found = {}
    for engine, count in frames.items():
        report(f"run {count} images ({engine})")
        start = time.monotonic()
        outputs = np.asarray(made.simulate(images[:count], engine=engine))
        found[engine] = outputs, time.monotonic() - start
    return found


def compare(found: dict[str, tuple[np.ndarray, float]], test: Any) -> tuple[list[list[object]], bool]:
    """One row for each engine, and whether all of them are right."""
    reference, labels = test["outputs"], test["labels"]
    limit = TOLERANCE * np.abs(reference).max()
    rows: list[list[object]] = [["float reference", len(labels), f"{(reference.argmax(1) == labels).mean():.2%}", "", "", ""]]
    right = True
    for engine, (outputs, seconds) in found.items():
        n = len(outputs)
        same = int((np.abs(outputs - reference[:n]) <= limit).all(axis=1).sum())
        exact = bool(np.array_equal(outputs, found["python"][0][:n]))
        right &= same == n and exact
        accuracy = f"{(outputs.argmax(1) == labels[:n]).mean():.2%}"
        rows.append([engine, n, accuracy, f"{same} of {n}", "yes" if exact else "NO", f"{seconds:.1f}"])
    return rows, right


def main() -> int:
    """Build, run, verify, report; 0 when everything agrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("demo_out"), help="build folder to write")
    parser.add_argument("--rtl-frames", type=int, default=100, help="images to run in RTL simulation")
    given = parser.parse_args()
    test = np.load(HERE / "digits_cnn_w2a2.npz")
    with progress(quiet=False) as report:
        made = build(HERE / "digits_cnn_w2a2.onnx", board="pynq-z2", progress=report)
        made.save(given.out)
        n = len(test["images"])
        found = run_engines(made, test["images"], {"python": n, "hls": n, "rtl": given.rtl_frames}, report)
        checked = made.verify(progress=report, folder=given.out)
        page = write_report(given.out)
    rows, right = compare(found, test)
    show_table("Accuracy on handwritten digits", ["engine", "images", "accuracy", "equal to float", "equal to python", "seconds"], rows)
    print()
    rtl = checked["engines"]["rtl"]
    columns = ["cycles", "predicted", "measured in RTL"]
    timing = [[what, rtl[f"predicted_{what}_cycles"], rtl[f"{what}_cycles"]] for what in ("interval", "latency")]
    show_table("Cycles for a frame", columns, timing)
    print()
    budget = made.report["budget"]
    area = [[k, math.ceil(v), budget[k], f"{v / budget[k]:.1%}" if budget[k] else "-"] for k, v in made.report["resources"].items()]
    show_table("Estimated resources on pynq-z2", ["resource", "used", "available", "share"], area)
    agree = right and all(e["pass"] for e in checked["engines"].values()) and all(p == m for _, p, m in timing)
    print(f"\nbuild: {given.out}   report: {page}\n" + ("everything agrees" if agree else "NOT everything agrees"))
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
