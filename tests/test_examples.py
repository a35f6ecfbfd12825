"""The trained examples: every output on every test image, in both formats, and the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfcompile import build

# Images of the test set where float32 executors put a value that lies next to a step on its other side, and the accuracy.
NETWORKS = {"digits_cnn_w2a2": (0, 354), "digits_cnn_w4a4": (2, 353), "digits_mlp_w1a1": (0, 353)}
FILES = [f"{name}{suffix}" for name in NETWORKS for suffix in ("", "_qcdq") if (name, suffix) != ("digits_mlp_w1a1", "_qcdq")]


def unlike(found: np.ndarray, wanted: np.ndarray) -> int:
    """Images whose outputs differ by more than the rounding of the result to float32."""
    return int((np.abs(found - wanted).max(axis=1) > 1e-6 * np.abs(wanted).max()).sum())


@pytest.mark.parametrize("file", FILES)
def test_every_output_is_exact(file: str, examples: Path) -> None:
    name = file.removesuffix("_qcdq")
    test = np.load(examples / f"{name}.npz")
    found = build(examples / f"{file}.onnx").run(test["images"])
    ties, right = NETWORKS[name]
    assert unlike(found, test["outputs_f64"]) == 0
    assert unlike(found, test["outputs_qcdq" if file != name else "outputs"]) == ties
    assert int((found.argmax(axis=1) == test["labels"]).sum()) == right


@pytest.mark.parametrize("name", ["digits_cnn_w2a2", "digits_cnn_w4a4"])
def test_both_formats_give_one_design(name: str, examples: Path) -> None:
    one, other = (build(examples / f"{name}{suffix}.onnx", verify=False) for suffix in ("", "_qcdq"))
    assert [(n.op.kind, n.op.parameters()) for n in one.design.nodes] == [(n.op.kind, n.op.parameters()) for n in other.design.nodes]
    for a, b in zip(one.design.nodes, other.design.nodes, strict=True):
        for m, k in zip(a.op.memories(), b.op.memories(), strict=True):
            np.testing.assert_array_equal(m.words, k.words)


@pytest.mark.slow
@pytest.mark.further
def test_demo(root: Path, examples: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(examples / "demo.py"), "-o", str(tmp_path / "out"), "--rtl-frames", "4"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "everything agrees" in done.stdout and "98.33%" in done.stdout
    assert (tmp_path / "out" / "report.html").exists()
