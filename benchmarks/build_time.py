"""Processor seconds and memory that a build takes, from the ONNX file to the complete folder, stage by stage.

python -m benchmarks.build_time [mobilenet_v1 resnet50 vgg16 wide_activations MODEL.onnx ...] [--runs 1] [--no-verify]
python -m benchmarks.build_time residual_chain:100 conv_chain:1000 lstm_step:4 products:100

Each run is a process of its own, on two threads as numpy takes them; seconds are of user and system, memory is the largest resident set.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.known_models import KNOWN
from benchmarks.models import GROWING
from dfcompile.command.console import show_table


def measure(model: Path, verify: bool) -> dict[str, float]:
    """Processor seconds of loading the program, of each stage, of writing the folder and of all together; GB at most."""
    from dfcompile import build
    from dfcompile.command.ending import collect_seldom

    collect_seldom()
    marks = [("load", time.process_time())]
    made = build(model, verify=verify, progress=lambda stage: marks.append((stage, time.process_time())))
    marks.append(("write", time.process_time()))
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "out")
    end = time.process_time()
    starts = [0.0, *(t for _, t in marks[1:]), end]
    found: dict[str, float] = {}
    for (text, _), a, b in zip(marks, starts[:-1], starts[1:], strict=True):
        stage = re.split(r":| \d", text)[0]
        found[stage] = found.get(stage, 0.0) + b - a
    return {**found, "all": end, "GB": _peak()}


def _peak() -> float:
    """GB of the largest resident set so far; `ru_maxrss` would be that of the process before this program where that was larger."""
    text = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", text)[0]) / 2**20


def in_process(model: Path, verify: bool) -> dict[str, float]:
    """`measure` in a process of its own."""
    code = "import json, pathlib, sys; from benchmarks.build_time import measure\n"
    code += "print(json.dumps(measure(pathlib.Path(sys.argv[1]), sys.argv[2] == 'True')))"
    done = subprocess.run([sys.executable, "-c", code, model, str(verify)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table: one row for each model, medians over the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["mobilenet_v1", "resnet50", "vgg16", "wide_activations"])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="do not compare the units with the model's numbers")
    given = parser.parse_args()
    unknown = [m for m in given.models if m not in KNOWN and m.partition(":")[0] not in GROWING and not Path(m).is_file()]
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}; there are {', '.join([*KNOWN, *(f'{g}:N' for g in GROWING)])}, and ONNX files")
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.models:
            kind, _, count = name.partition(":")
            if kind in GROWING:
                model = GROWING[kind](Path(folder), int(count))
            else:
                model = KNOWN[name](Path(folder)) if name in KNOWN else Path(name)
            runs = [in_process(model, given.verify) for _ in range(given.runs)]
            rows[model.stem] = {c: round(statistics.median(r.get(c, 0.0) for r in runs), 2) for c in runs[0]}
    columns = dict.fromkeys(c for row in rows.values() for c in row)  # first use has one more stage
    cells = [[name, *(row.get(c, 0.0) for c in columns)] for name, row in rows.items()]
    show_table("processor seconds, and memory at most", ["model", *columns], cells)


if __name__ == "__main__":
    main()
