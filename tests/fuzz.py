"""A small slice of the fuzzers, other cases for every commit: what it finds is printed as a ready-made test.

usage: python -m tests.fuzz [--seconds S] [--seed N]

The seed comes from the commit's hash, so the same commit tries the same cases, as far as its seconds of processor time go. A find
does not fail the test run it ends: mend it, and put its test into the suite.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import onnx

from benchmarks.fuzz_import import attempt, damaged_bytes, damaged_model
from tests.frontend.small import SMALL

ROOT = Path(__file__).resolve().parent.parent
NO_COMMIT = 1  # the seed where there is no git
CASE_SECONDS = 20


class Fuzzer(Protocol):
    """Makes a case of a seed, tries it, and writes it down as a test."""

    @property
    def name(self) -> str:
        """Begins the names of the tests of its finds."""
        ...

    def case(self, seed: int) -> bytes:
        """The case: a model file."""
        ...

    def run(self, data: bytes, seed: int, folder: Path) -> None:
        """Raises what it finds."""
        ...

    def call(self, seed: int) -> tuple[str, str]:
        """Import and call of a test that has `data` and `tmp_path`."""
        ...


@dataclass(frozen=True)
class Networks:
    """Random legal networks of a kind are exact in a mode (tests/streamline/test_random_graphs.py)."""

    maker: str = "qonnx"
    mode: str = "dataflow"

    @property
    def name(self) -> str:
        return f"random_{self.maker}_{self.mode}"

    def case(self, seed: int) -> bytes:
        from tests.streamline.test_random_graphs import MAKERS

        model, _ = MAKERS[self.maker](seed, 1 + seed % 7)
        return bytes(model.SerializeToString())

    def run(self, data: bytes, seed: int, folder: Path) -> None:
        from tests.streamline.test_random_graphs import check_model

        check_model(onnx.ModelProto.FromString(data), seed, folder, self.mode)

    def call(self, seed: int) -> tuple[str, str]:
        return (
            "import onnx\n    from tests.streamline.test_random_graphs import check_model",
            f'check_model(onnx.ModelProto.FromString(data), {seed}, tmp_path, "{self.mode}")',
        )


class DamagedModels:
    """Damaged files give problems, nothing else (benchmarks/fuzz_import.py)."""

    name = "damaged_model"

    def case(self, seed: int) -> bytes:
        rng = random.Random(seed)
        make = rng.choice(list(SMALL.values()))
        return rng.choice((damaged_bytes, damaged_model, damaged_model))(rng, make().SerializeToString())

    def run(self, data: bytes, seed: int, folder: Path) -> None:
        attempt(data, folder / "damaged.onnx")

    def call(self, seed: int) -> tuple[str, str]:
        return "from benchmarks.fuzz_import import attempt", 'attempt(data, tmp_path / "damaged.onnx")'


NETWORKS = tuple(Networks(maker, mode) for maker in ("qonnx", "int8", "blocks", "sequences") for mode in ("dataflow", "loopback"))
FUZZERS: tuple[Fuzzer, ...] = tuple(f for networks in NETWORKS for f in (networks, DamagedModels(), DamagedModels()))


@dataclass(frozen=True)
class Find:
    """What a case raised, and the case."""

    fuzzer: Fuzzer
    seed: int
    data: bytes
    error: str

    @property
    def name(self) -> str:
        return f"test_{self.fuzzer.name}_{self.seed}"

    def test(self) -> str:
        """A pytest function, complete in itself."""
        imports, call = self.fuzzer.call(self.seed)
        text = base64.b85encode(zlib.compress(self.data, 9)).decode()
        lines = "".join(f'        r"""{text[i : i + 110]}"""\n' for i in range(0, len(text), 110))
        return (
            f"def {self.name}(tmp_path):\n    import base64, zlib\n    {imports}\n\n"
            f"    data = zlib.decompress(base64.b85decode(\n{lines}    ))\n    {call}\n"
        )


def seed_of_commit(root: Path = ROOT) -> int:
    """A number from the commit's hash."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return NO_COMMIT
    return int(done.stdout[:7], 16)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"not done after {CASE_SECONDS} seconds")


def cases(seed: int) -> Iterator[tuple[Fuzzer, int]]:
    """Fuzzers in turn, each case with a seed of its own."""
    for i in itertools.count():
        yield FUZZERS[i % len(FUZZERS)], seed * 10_000 + i


def search(seed: int, seconds: float) -> tuple[int, list[Find]]:
    """Cases until the processor time is over; how many, and the finds."""
    end, finds, count = time.process_time() + seconds, list[Find](), 0
    before = signal.signal(signal.SIGALRM, _too_long)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for fuzzer, own in cases(seed):
                if time.process_time() >= end:
                    break
                data = fuzzer.case(own)
                signal.alarm(CASE_SECONDS)
                try:
                    fuzzer.run(data, own, Path(folder))
                except Exception:
                    finds.append(Find(fuzzer, own, data, "".join(traceback.format_exc().splitlines(keepends=True)[-3:])))
                finally:
                    signal.alarm(0)
                count += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    return count, finds


def report(seed: int, count: int, finds: Sequence[Find]) -> str:
    """What the slice says: one line, and for each find its error and a test."""
    text = f"fuzz slice, seed {seed} (from the commit): {count} cases, {len(finds)} finds\n"
    return text + "".join(f"\n{f.error}\nA test of it:\n\n{f.test()}" for f in finds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and print; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try a few random cases.")
    parser.add_argument("--seconds", type=float, default=20, help="of processor time")
    parser.add_argument("--seed", type=int, default=None, help="instead of the commit's")
    options = parser.parse_args(arguments)
    seed = seed_of_commit() if options.seed is None else options.seed
    count, finds = search(seed, options.seconds)
    print(report(seed, count, finds), end="")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
