"""Options, fixtures and marks of the whole suite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, settings

pytest.register_assert_rewrite("tests.golden", "tests.three_way", "tests.frontend.make", "tests.streamline.exactly")

from dfcompile.command.ending import collect_seldom  # noqa: E402
from dfcompile.run import compile  # noqa: E402
from tests.golden import check_golden  # noqa: E402  the rewrite must be registered first

# The same examples in every run, and no limit on seconds: a loaded machine must not make a test fail.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.register_profile("planted", phases=(Phase.explicit, Phase.generate))  # tools/mutate.py: failures are not shrunk

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files from the present results")
    parser.addoption("--quick", action="store_true", help="leave out the tests marked slow")
    parser.addoption("--full", action="store_true", help="run the tests marked full too, with 2,000 examples for each property")
    parser.addoption("--fuzz", type=float, metavar="S", default=0, help="end with S processor seconds of the fuzzers (tests/fuzz.py)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The fuzzers' slice, in a process of its own: whatever it meets, the exit status stays that of the tests."""
    if not config.getoption("--fuzz"):
        return
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(config.getoption("--fuzz"))]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60 + 20 * config.getoption("--fuzz"), check=False)
        text = done.stdout + (done.stderr if done.returncode not in (0, 1) else "")
    except subprocess.TimeoutExpired as e:
        text = f"the slice was not done after {e.timeout:g} seconds: {' '.join(command[1:])}"
    terminalreporter.section("fuzz")
    terminalreporter.write_line(text.rstrip())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {"slow"} if config.getoption("--quick") else set()
    if not config.getoption("--full"):
        left_out |= {"full"} if settings.get_current_profile_name() == "planted" else {"full", "further"}
    named = tuple(a for a in config.args if "::" in a)  # a test that is asked for by its name runs
    kept, dropped = [], []
    for item in items:
        left = any(item.get_closest_marker(m) for m in left_out) and not item.nodeid.startswith(named)
        (dropped if left else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def pytest_configure(config: pytest.Config) -> None:
    collect_seldom()
    if "PYTEST_XDIST_WORKER" in os.environ:
        compile.JOBS = 1  # the workers fill the cores, and what is compiled in one piece takes less of them
    if config.getoption("--full"):
        settings.load_profile("nightly")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("errors/name.txt", text)` holds a text equal to the file under tests/golden/."""
    update = bool(request.config.getoption("--update-golden"))
    return lambda name, text: check_golden(name, text, update)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder with the trained models."""
    return ROOT / "examples"
