"""Plant faults in a copy of the tree, one at a time, and see whether the tests notice.

usage: python -m tools.mutate [--only GLOB] [--json]

A fault is a table in tools/faults/*.toml:

    [[fault]]
    name = "max-pool-of-a-falling-chain"
    file = "dfcompile/streamline/encode_window.py"
    old = "the text, which stands exactly once in the file"
    new = "what takes its place"
    tests = ["tests/streamline/test_encode_window.py"]  # files or node ids
    note = "what goes wrong for the user"
    survives = "only where no test can notice: why"

Verdicts: killed (a test failed), timeout (a test hung: counts as killed), survived, broken (the tests could not even be collected),
red (the test that failed does so without the fault too).
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT / "tools" / "faults"
SLOWEST = 1200  # seconds; a hung test, on any machine
NOTICED = ("killed", "timeout")
PASSED, FAILED = 0, 1  # exit codes of pytest
FAILURE = re.compile(
    r"^(?:FAILED|ERROR) (\S+?\.py(?:::[^\s\[]+(?:\[.*?\])?)*)(?: - .*)?$", re.MULTILINE
)  # in pytest's summary; names of cases have spaces
OPTIONS = ("-p", "_hypothesis_pytestplugin", "--hypothesis-profile=planted")  # of pytest: a failure needs no smallest example here


@dataclass(frozen=True)
class Fault:
    """One change of one file, and the tests that must notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    note: str
    survives: str = ""

    def planted(self, text: str) -> str:
        """The text of the file with the fault in it. ValueError unless `old` stands there exactly once."""
        found = text.count(self.old)
        if found != 1 or self.old == self.new:
            raise ValueError(f"fault {self.name}: its old text stands {found} times in {self.file}")
        return text.replace(self.old, self.new)

    def missing_tests(self, root: Path) -> list[str]:
        """Those of its tests that are not there."""
        return [t for t in self.tests if not _is_test(root, t)]


@dataclass(frozen=True)
class Verdict:
    """What the tests said to a fault; `word` is killed, timeout, survived, broken or red."""

    fault: Fault
    word: str
    seconds: float
    first: str = ""

    @property
    def is_as_wanted(self) -> bool:
        """Whether the fault was noticed, or is listed with the reason why it cannot be."""
        return self.word == "survived" if self.fault.survives else self.word in NOTICED

    def row(self) -> dict[str, str | float]:
        """What --json prints; `by` is the test that failed."""
        return {"name": self.fault.name, "file": self.fault.file, "verdict": self.word, "seconds": round(self.seconds, 1), "by": self.first}

    def __str__(self) -> str:
        text = f"{self.word:9} {self.seconds:6.1f} s  {self.fault.name}: {self.fault.survives or self.fault.note}"
        return f"{text}\n{self.first}" if self.word == "broken" else text


def _is_test(root: Path, node: str) -> bool:
    file, *names = node.partition("[")[0].split("::")
    path = root / file
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8") if names else ""
    return all(f"def {n}(" in text or f"class {n}" in text for n in names)


def load(folder: Path = LISTS) -> list[Fault]:
    """All faults, in the order of the lists. ValueError for a key that is unknown, missing, or a name given twice."""
    found: list[Fault] = []
    for path in sorted(folder.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
            try:
                found.append(Fault(**{**table, "tests": tuple(table["tests"])}))
            except (TypeError, KeyError) as e:
                raise ValueError(f"{path.name}: {table.get('name', 'a fault without a name')}: {e}") from None
    names = [f.name for f in found]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError(f"faults named twice: {', '.join(sorted(twice))}")
    return found


class Tree:
    """A copy of the checkout in which faults are planted and tests run."""

    def __init__(self, root: Path, folder: Path, options: Sequence[str] = OPTIONS) -> None:
        self.folder, self.options = folder / "tree", options
        shutil.copytree(root, self.folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "demo_out", "build", "dist"))
        self._stamps = itertools.count(int(time.time()))

    @contextmanager
    def planted(self, fault: Fault) -> Iterator[None]:
        """The tree with the fault in it."""
        path = self.folder / fault.file
        good = path.read_text(encoding="utf-8")
        self._write(path, fault.planted(good))
        try:
            yield
        finally:
            self._write(path, good)

    def _write(self, path: Path, text: str) -> None:
        # Bytecode is known by size and second of its source: a new second each time, or the last fault's would run again.
        path.write_text(text, encoding="utf-8")
        stamp = next(self._stamps)
        os.utime(path, (stamp, stamp))

    def run(self, tests: Sequence[str]) -> tuple[int | None, str]:
        """Exit code of pytest (None: it hung) and what it said."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *self.options, *tests]
        # Other plugins cost a second at each start.
        env = {**os.environ, "PYTHONPATH": str(self.folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        # Bytecode is told to be stale by size and second: a fault may be neither longer nor later than what it replaces.
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=env, timeout=SLOWEST, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout


def judge(tree: Tree, fault: Fault) -> Verdict:
    """Plant one fault and run its tests."""
    start = time.monotonic()
    with tree.planted(fault):
        code, said = tree.run(fault.tests)
    word = {PASSED: "survived", FAILED: "killed", None: "timeout"}.get(code, "broken")
    failed = FAILURE.search(said)
    return Verdict(fault, word, time.monotonic() - start, said if word == "broken" else failed[1] if failed else "")


def run(faults: Sequence[Fault], root: Path = ROOT, options: Sequence[str] = OPTIONS) -> Iterator[Verdict]:
    """A verdict for each fault, as they come. What noticed it must pass in the tree without it."""
    sound: dict[tuple[str, ...], bool] = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(root, Path(folder), options)
        for fault in faults:
            verdict = judge(tree, fault)
            if verdict.word in NOTICED:
                tests = (verdict.first,) if verdict.first else fault.tests
                if tests not in sound:
                    sound[tests] = tree.run(tests)[0] == PASSED
                if not sound[tests]:
                    verdict = replace(verdict, word="red")
            yield verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults and print a table; 1 when one was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description="Plant faults and see whether the tests notice.")
    parser.add_argument("--only", default="*", metavar="GLOB", help="faults whose name matches")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    options = parser.parse_args(arguments)
    verdicts: list[Verdict] = []
    for v in run([f for f in load() if fnmatch.fnmatch(f.name, options.only)]):
        verdicts.append(v)
        print(json.dumps(v.row()) if options.json else v, flush=True)
    bad = [v.fault.name for v in verdicts if not v.is_as_wanted]
    if not options.json:
        print(f"{len(verdicts)} faults, {sum(v.word in NOTICED for v in verdicts)} noticed; not as wanted: {', '.join(bad) or 'none'}")
    return 1 if bad or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
