"""Work as a graph of tasks named by their content: each runs once, wherever the pool has it run, and what it makes possible runs behind it.

A worker that dies takes nothing with it: its tasks run again, one at a time, so that one that kills every process is found.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from typing import Any

import dfcompile
from dfcompile.errors import CompileError, Problem
from dfcompile.tasks.pool import Pool
from dfcompile.tasks.version import compiler_key

TRIES = 3
"""Times that a task is begun whose process dies."""


@dataclass(frozen=True, eq=False)
class Task:
    """A call that another process can make.

    key:  names the call and its arguments by their content: of tasks with one key a single one runs
    call: a function of a module, with arguments and a result that can be pickled
    args: its arguments, or what reads them when it begins
    about: what the one who gave it needs to know it again; stays in this process
    """

    key: str
    call: Callable[..., Any]
    args: tuple[Any, ...] | Callable[[], tuple[Any, ...]] = ()
    about: Any = None


@dataclass(frozen=True)
class Outcome:
    """What a call has come to: its value, or the problems that it ended with; crash: the traceback of an error that is a bug."""

    value: Any = None
    problems: tuple[Problem, ...] = ()
    crash: str = ""


def attempt(code: str, call: Callable[..., Any], *args: Any) -> Outcome:
    """The outcome of a call, made by the compiler of this code where one is named."""
    if code and code != compiler_key():
        why = f"the code of dfcompile {dfcompile.__version__} there is not that of the machine that asks"
        problem = Problem("worker-version", "a worker has another dfcompile", why=why, help="install the same on every machine")
        return Outcome(problems=(problem,))
    try:
        return Outcome(call(*args))
    except CompileError as e:
        return Outcome(problems=e.problems)
    except Exception as e:
        what = f"this is a bug in dfcompile: {type(e).__name__}: {e}"
        crash = "".join(traceback.format_exception(e))
        return Outcome(problems=(Problem("bug", what, why=crash, help="please report it with the model, if you may"),), crash=crash)


def run_tasks(
    tasks: Iterable[Task],
    pool: Pool,
    done: Callable[[Task, Outcome], Iterable[Task]] = lambda task, outcome: (),
    begun: Callable[[Task], None] = lambda task: None,
) -> None:
    """Run tasks, those first that come first.

    done:  called with each task and its outcome, in this thread; what it returns runs before what waits
    begun: called with each task that goes to the pool
    """
    waiting, seen = deque(tasks), set[str]()
    alone: deque[Task] = deque()  # were running when a process died: one of them may be why
    tries: dict[str, int] = {}
    running: dict[Future[Any], Task] = {}

    def submit(task: Task) -> None:
        seen.add(task.key)
        begun(task)
        running[pool.submit(attempt, pool.code, task.call, *(task.args() if callable(task.args) else task.args))] = task

    while waiting or alone or running:
        if alone and not running:
            submit(alone.popleft())
        while waiting and not alone and len(running) < pool.size() and not any(tries.get(t.key) for t in running.values()):
            if (task := waiting.popleft()).key not in seen:
                submit(task)
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            task = running.pop(future)
            error = CancelledError("cancelled") if future.cancelled() else future.exception()
            if error is None:
                waiting.extendleft(reversed([*done(task, future.result())]))
                continue
            if isinstance(error, BrokenExecutor):
                pool.close()
            tries[task.key] = tries.get(task.key, 0) + 1
            if tries[task.key] < TRIES:
                alone.append(task)
            else:
                waiting.extendleft(reversed([*done(task, Outcome(problems=(_lost(error),)))]))


def _lost(error: BaseException) -> Problem:
    why = f"{type(error).__name__}: {error}"
    help_ = "it may need more memory than there is: take fewer --jobs or larger workers, then run it again"
    return Problem("lost-task", f"the process that ran it died {TRIES} times", why=why, help=help_)


def gather(calls: Sequence[Task], pool: Pool, progress: Callable[[int], None] = lambda count: None) -> list[Any]:
    """The values of independent tasks, in their order. CompileError with the problems of the first that failed.

    progress: called with how many are done
    """
    found: dict[str, Outcome] = {}

    def done(task: Task, outcome: Outcome) -> Iterable[Task]:
        found[task.key] = outcome
        progress(len(found))
        return ()

    run_tasks(calls, pool, done)
    for task in calls:
        outcome = found[task.key]
        if outcome.crash:
            raise RuntimeError(outcome.crash)
        if outcome.problems:
            raise CompileError(outcome.problems)
    return [found[task.key].value for task in calls]
