"""Refusals: the text of each is a golden file; damaged files never end in anything but problems."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fuzz_import import attempt, damaged_bytes, damaged_model
from dfcompile.frontend import import_model
from tests.frontend.bad import BAD
from tests.frontend.small import SMALL


@pytest.mark.parametrize("name", BAD)
def test_message(name: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(BAD[name](tmp_path))
    tracemalloc.start()
    result = import_model(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**29, f"{peak} bytes were needed to refuse the file"
    assert result.problems
    golden(f"errors/import_{name}.txt", "\n\n".join(map(str, result.problems)))


def test_missing_file(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    result = import_model(tmp_path / "nothing.onnx")
    golden("errors/import_missing_file.txt", "\n\n".join(map(str, result.problems)))


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert [p.code for p in import_model(tmp_path).problems] == ["no-file"]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", [damaged_bytes, damaged_model])
def test_damaged_models(name: str, damage: Callable[[random.Random, bytes], bytes], tmp_path: Path) -> None:
    rng, data = random.Random(name), SMALL[name]().SerializeToString()
    for _ in range(100):
        attempt(damage(rng, data), tmp_path / "damaged.onnx")


@pytest.mark.parametrize("name", SMALL)
def test_every_cut(name: str, tmp_path: Path) -> None:
    data = SMALL[name]().SerializeToString()
    for end in range(0, len(data), 17):
        attempt(data[:end], tmp_path / "cut.onnx")
