"""The lists of planted faults: every one still applies, a few are planted in each run, all of them under --full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import mutate

FAULTS = {f.name: f for f in mutate.load()}
ALWAYS = ("exact-half-up-rounds-down", "check-units-finds-nothing")


@pytest.mark.parametrize("name", FAULTS)
def test_fault_applies(name: str, root: Path) -> None:
    fault = FAULTS[name]
    fault.planted((root / fault.file).read_text(encoding="utf-8"))
    assert fault.note and fault.tests and fault.missing_tests(root) == []


def test_tests_that_faults_name_run(root: Path) -> None:
    """They exist as pytest knows them, with the parameters that are given, and marks of the long suite do not leave them out."""
    named = sorted({t for f in FAULTS.values() for t in f.tests if "::" in t})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *named]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    found = done.stdout.splitlines()
    assert [n for n in named if not any(line.startswith(n) for line in found)] == []


def test_faults_are_noticed() -> None:
    missed = [f"{v.word}: {v.fault.name}" for v in mutate.run([FAULTS[n] for n in ALWAYS]) if not v.is_as_wanted]
    assert missed == []


@pytest.mark.full
def test_all_faults_are_noticed() -> None:
    missed = [f"{v.word}: {v.fault.name}" for v in mutate.run(list(FAULTS.values())) if not v.is_as_wanted]
    assert missed == []


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A tree with one module and one test that holds half of it."""
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n")
    (tmp_path / "test_sums.py").write_text("import sums\n\n\ndef test_add():\n    assert sums.add(1, 2) == 3\n")
    return tmp_path


def fault(old: str, new: str, *tests: str, survives: str = "") -> mutate.Fault:
    return mutate.Fault(f"{old} --> {new}", "sums.py", old, new, tests or ("test_sums.py",), "wrong", survives)


def test_verdicts(small: Path) -> None:
    faults = [fault("a + b", "a * b"), fault("a - b", "b - a"), fault("def add", "def plus"), fault("def sub", "def ("), fault("+", "-")]
    found = list(mutate.run(faults, small, ()))
    assert [v.word for v in found] == ["killed", "survived", "killed", "broken", "killed"]
    assert [v.is_as_wanted for v in found] == [True, False, True, False, True]
    assert found[0].first == "test_sums.py::test_add" and "SyntaxError" in found[3].first
    assert "a * b" not in (small / "sums.py").read_text()


def test_an_explained_survivor_must_survive(small: Path) -> None:
    found = list(mutate.run([fault("a - b", "b - a", survives="nobody calls it"), fault("+", "-", survives="wrong")], small, ()))
    assert [v.is_as_wanted for v in found] == [True, False]


def test_a_test_that_fails_without_the_fault_notices_nothing(small: Path) -> None:
    (small / "test_sums.py").write_text("def test_add():\n    assert False\n")
    (found,) = mutate.run([fault("a + b", "a * b")], small, ())
    assert (found.word, found.is_as_wanted) == ("red", False)


def test_a_test_that_hangs_without_the_fault_notices_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutate.Tree, "run", lambda *_: (None, ""))
    (found,) = mutate.run([fault("a + b", "a * b")], small, ())
    assert (found.word, found.is_as_wanted) == ("red", False)


@pytest.mark.parametrize(
    ("line", "test"),
    [
        ("FAILED tests/test_a.py::test_b - assert 1 == 2", "tests/test_a.py::test_b"),
        ("FAILED tests/test_a.py::test_b[one of 2-x] - E - x", "tests/test_a.py::test_b[one of 2-x]"),
        ("FAILED tests/test_a.py::TestA::test_b[x - 1] - E", "tests/test_a.py::TestA::test_b[x - 1]"),
        ("ERROR tests/test_a.py::test_b[no folding]", "tests/test_a.py::test_b[no folding]"),
        ("ERROR tests/test_a.py - ImportError", "tests/test_a.py"),
    ],
)
def test_the_test_that_failed_is_read_from_what_pytest_says(line: str, test: str) -> None:
    found = mutate.FAILURE.search(f"..F\n{line}\n1 failed in 1 s\n")
    assert found and found[1] == test


@pytest.mark.parametrize("old", ["a", "nowhere"])
def test_old_text_must_stand_once(old: str) -> None:
    with pytest.raises(ValueError, match=r"its old text stands [02] times"):
        fault(old, "x").planted("a = a")


def test_missing_tests_are_named(small: Path) -> None:
    tests = ("test_sums.py::test_add[1]", "test_sums.py::test_sub", "test_gone.py")
    assert fault("+", "-", *tests).missing_tests(small) == ["test_sums.py::test_sub", "test_gone.py"]


@pytest.mark.parametrize(
    ("text", "message"), [("[[fault]]\nname = 'f'", "f: 'tests'"), ("[[fault]]\ntests = []\nwhy = 1", "a fault without a name: .*'why'")]
)
def test_damaged_lists(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        mutate.load(tmp_path)


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small: Path) -> None:
    faults = [fault("a + b", "a * b"), fault("a - b", "b - a")]
    verdicts = [mutate.Verdict(faults[0], "killed", 1.0), mutate.Verdict(faults[1], "survived", 1.0)]
    monkeypatch.setattr(mutate, "load", lambda: faults)
    monkeypatch.setattr(mutate, "run", lambda chosen: [v for v in verdicts if v.fault in chosen])
    assert mutate.main([]) == 1
    assert "2 faults, 1 noticed; not as wanted: a - b --> b - a" in capsys.readouterr().out
    assert mutate.main(["--only", "a + *", "--json"]) == 0
    assert '"verdict": "killed"' in capsys.readouterr().out
    assert mutate.main(["--only", "none"]) == 1
