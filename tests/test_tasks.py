"""Tasks on threads and processes: each once, what they make possible behind them, and nothing lost when a process dies."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dfcompile import explore
from dfcompile.errors import CompileError, Problem, SettingError
from dfcompile.tasks.pool import Pool, inline, pool_for, processes, threads
from dfcompile.tasks.task import TRIES, Outcome, Task, gather, run_tasks
from dfcompile.tasks.version import compiler_key
from tests.conftest import ROOT

POOLS: dict[str, Callable[[], Pool]] = {"inline": inline, "threads": lambda: threads(2), "processes": lambda: processes(2)}


def double(x: int) -> int:
    return 2 * x


def fail(kind: str) -> None:
    if kind == "problem":
        raise CompileError(Problem("bad-option", "a setting is wrong", help="mend it"))
    raise ZeroDivisionError("by 0")


def die_once(marker: Path) -> str:
    """The process ends at the first call of all."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with closing(POOLS[request.param]()) as made:
        yield made


def test_each_key_runs_once_and_what_follows_runs_behind_it(pool: Pool) -> None:
    found: list[tuple[str, int]] = []

    def done(task: Task, outcome: Outcome) -> Iterable[Task]:
        found.append((task.key, outcome.value))
        return [Task(f"{task.key}+", double, (outcome.value,))] if len(task.key) < 3 else []

    run_tasks([Task("a", double, (1,)), Task("b", double, (5,)), Task("a", double, (1,))], pool, done)
    assert sorted(found) == [("a", 2), ("a+", 4), ("a++", 8), ("b", 10), ("b+", 20), ("b++", 40)]


def test_failures_are_outcomes(pool: Pool) -> None:
    found: dict[str, Outcome] = {}

    def done(task: Task, outcome: Outcome) -> Iterable[Task]:
        found[task.key] = outcome
        return ()

    run_tasks([Task("p", fail, ("problem",)), Task("c", fail, ("crash",)), Task("g", double, (1,))], pool, done)
    assert found["g"] == Outcome(2)
    assert found["p"].problems == (Problem("bad-option", "a setting is wrong", help="mend it"),) and not found["p"].crash
    assert found["c"].problems[0].code == "bug" and "ZeroDivisionError: by 0" in found["c"].crash
    with pytest.raises(CompileError, match="a setting is wrong"):
        gather([Task("g", double, (1,)), Task("p", fail, ("problem",))], pool)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by 0"):
        gather([Task("c", fail, ("crash",))], pool)


def test_values_come_in_order(pool: Pool) -> None:
    counts: list[int] = []
    assert gather([Task(str(i), double, (i,)) for i in range(5)], pool, counts.append) == [0, 2, 4, 6, 8]
    assert counts == [1, 2, 3, 4, 5]


def test_a_process_that_dies_loses_nothing_and_one_that_always_dies_is_named(tmp_path: Path) -> None:
    found: dict[str, Outcome] = {}
    begun: list[str] = []

    def done(task: Task, outcome: Outcome) -> Iterable[Task]:
        found[task.key] = outcome
        return ()

    tasks = [Task("once", die_once, (tmp_path / "m",)), Task("always", die), *(Task(str(i), double, (i,)) for i in range(4))]
    with closing(processes(2)) as pool:
        run_tasks(tasks, pool, done, lambda task: begun.append(task.key))
    assert found["once"].value == "done"
    assert [found[str(i)].value for i in range(4)] == [0, 2, 4, 6]
    assert found["always"].problems[0].code == "lost-task" and begun.count("always") == TRIES


def test_a_worker_of_another_version_is_refused() -> None:
    assert gather([Task("a", double, (1,))], dataclasses.replace(inline(), code=compiler_key())) == [2]
    with pytest.raises(CompileError, match="a worker has another dfcompile"):
        gather([Task("a", double, (1,))], dataclasses.replace(inline(), code="another"))


def test_errors_travel_between_processes() -> None:
    for error in (CompileError, SettingError):
        made = error([Problem("a", "first"), Problem("b", "second", help="do")])
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is error and again.problems == made.problems and str(again) == str(made)


@pytest.mark.parametrize("mode", ["dataflow", pytest.param("loopback", marks=pytest.mark.full)])
def test_what_is_explored_does_not_depend_on_how_many_work(mode: str) -> None:
    found = [explore(ROOT / "examples" / "digits_mlp_w1a1.onnx", board="pynq-z2", mode=mode, jobs=jobs) for jobs in (1, 2)]
    assert found[0] == found[1] and len(found[0]["points"]) > 2


def test_a_scheduler_that_does_not_answer_is_refused() -> None:
    pytest.importorskip("distributed", reason="it comes with the extra [cluster]")
    with pytest.raises(SettingError, match="no Dask scheduler answers at 'nonsense:'"), pool_for(1, "nonsense:"):
        pass
