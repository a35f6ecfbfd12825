"""Seconds that a build takes, stage by stage, and its whole, over several runs.

python -m benchmarks.build_time MODEL.onnx [MODEL.onnx ...] [--runs 3] [--verify]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from dfcompile.build import build
from dfcompile.console import show_table


def measure(model: Path, verify: bool) -> dict[str, float]:
    """Seconds of each stage, of writing the folder, and of all together."""
    start = time.perf_counter()
    made = build(model, verify=verify)
    built = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "out")
        end = time.perf_counter()
    return {**made.report["seconds"], "write": end - built, "all": end - start}


def main() -> None:
    """Print a table: one row for each model, medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--verify", action="store_true", help="check the stages against the model, as `dfcompile build` does by default")
    given = parser.parse_args()
    rows: list[list[object]] = []
    columns: list[str] = []
    for model in given.models:
        runs = [measure(model, given.verify) for _ in range(given.runs)]
        columns = list(runs[0])
        rows.append([model.stem, *(statistics.median(r[c] for r in runs) for c in columns)])
    show_table(f"seconds, median of {given.runs} runs", ["model", *columns], rows)


if __name__ == "__main__":
    main()
