"""The slice of the fuzzers: it finds what is planted, its tests show it, and it never fails a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dfcompile.ir.graph import Graph
from dfcompile.streamline import pipeline
from dfcompile.streamline.decline import Decline
from tests import fuzz
from tools import mutate


def run_test(text: str, name: str, folder: Path) -> None:
    scope: dict[str, Any] = {}
    exec(text, scope)
    scope[name](folder)


def spoiled(graph: Graph, decline: Decline) -> Graph:
    """A pass that turns the first threshold of a graph round."""
    flips = [n for n in graph.constants if n.endswith(".flip")]
    return graph.replace(constants={**graph.constants, **{n: ~graph.constants[n] for n in flips[:1]}})


def first_find(fuzzer: fuzz.Fuzzer, folder: Path) -> fuzz.Find:
    for seed in range(1, 60):
        data = fuzzer.case(seed)
        try:
            fuzzer.run(data, seed, folder)
        except Exception as e:
            return fuzz.Find(fuzzer, seed, data, str(e))
    raise AssertionError("nothing found")


def test_a_find_is_a_test_that_fails_until_it_is_mended(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "PASSES", (*pipeline.PASSES, spoiled))
        found = first_find(fuzz.Networks(), tmp_path)
        with pytest.raises(AssertionError, match="pass spoiled changed the numbers"):
            run_test(found.test(), found.name, tmp_path)
    run_test(found.test(), found.name, tmp_path)


def test_a_damaged_model_that_raises(tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("planted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Graph, "verify", fail)
        found = first_find(fuzz.DamagedModels(), tmp_path)
        with pytest.raises(KeyError, match="planted"):
            run_test(found.test(), found.name, tmp_path)
    run_test(found.test(), found.name, tmp_path)


def test_the_seed_is_the_commits(root: Path, tmp_path: Path) -> None:
    assert fuzz.seed_of_commit(tmp_path) == fuzz.NO_COMMIT
    subprocess.run(
        "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x", shell=True, cwd=tmp_path, check=True
    )
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert fuzz.seed_of_commit(tmp_path) == int(head[:7], 16)


def test_the_same_seed_makes_the_same_cases() -> None:
    for fuzzer in fuzz.FUZZERS:
        assert fuzzer.case(5) == fuzzer.case(5) != fuzzer.case(6)
    assert [s for _, s in zip(range(3), fuzz.cases(7), strict=False)][2][1] == 70002


def test_the_run_reports_a_planted_fault_and_does_not_fail(root: Path, tmp_path: Path) -> None:
    """In a copy of the tree: exit status and closing line are those of the tests."""
    (fault,) = (f for f in mutate.load() if f.name == "extract-bisection-off-by-one")
    tree = mutate.Tree(root, tmp_path)
    (tree.folder / "tests" / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--fuzz", "2", "tests/test_nothing.py"]
    env = {**os.environ, "PYTHONPATH": str(tree.folder)}
    with tree.planted(fault):
        done = subprocess.run(command, cwd=tree.folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("fuzz slice, seed ") and not line.endswith(" 0 finds") for line in lines), done.stdout
    assert any(line.startswith("def test_random_") for line in lines)
    assert lines[-1].startswith("1 passed")
