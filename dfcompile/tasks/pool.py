"""Where tasks run: in this thread, on threads, on processes of this machine, or on a Dask cluster, through one interface."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from dfcompile.errors import Problem, SettingError
from dfcompile.tasks.version import compiler_key


@dataclass(eq=False)
class Pool:
    """An executor that can be made again when its processes have died.

    start: makes the executor; its end is the pool's
    size:  tasks that it can have at a time; asked for again and again, as a cluster may grow
    end:   ends an executor without waiting for what it still runs
    code:  of the compiler that its workers must have, "" where they are this one's
    """

    start: Callable[[], Executor]
    size: Callable[[], int]
    end: Callable[[Executor], None] = lambda executor: executor.shutdown(wait=True, cancel_futures=True)
    code: str = ""
    _executor: Executor | None = field(default=None, init=False)

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a call; its exceptions are those of the future."""
        if self._executor is None:
            self._executor = self.start()
        return self._executor.submit(call, *args)

    def close(self) -> None:
        """End the executor; the next call starts another."""
        if self._executor is not None:
            self.end(self._executor)
            self._executor = None


class _Inline(Executor):
    """Calls made at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as e:
            future.set_exception(e)
        return future


def inline() -> Pool:
    """One call after the other, in this thread."""
    return Pool(_Inline, lambda: 1)


def threads(jobs: int) -> Pool:
    """Threads of this process: for calls that wait for other programs."""
    return Pool(lambda: ThreadPoolExecutor(jobs), lambda: jobs)


def processes(jobs: int) -> Pool:
    """Processes of this machine; they end when this one does, however it does."""

    def start() -> Executor:
        # spawn: a fork of a process with threads (BLAS, numba) may hang
        return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_follow_parent)

    return Pool(start, lambda: jobs, _kill)


def _follow_parent() -> None:
    """Let this process end when the one that started it does, also when that is killed: nobody would take its results."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a process of a pool has a parent"
    sentinel = parent.sentinel

    def follow() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _kill(executor: Executor) -> None:
    running = list((getattr(executor, "_processes", None) or {}).values())  # no public name before Python 3.14
    executor.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.terminate()
    for process in running:
        process.join()


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """The workers of a Dask scheduler. SettingError where the package is missing or no scheduler answers."""
    try:
        from distributed import Client
    except ImportError as e:
        help_ = "python -m pip install 'dfcompile[cluster]'"
        raise SettingError(Problem("missing-tool", "'distributed' is not installed", why="--scheduler needs it", help=help_)) from e
    try:
        client = Client(address, timeout=20, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        help_ = "start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
        raise SettingError(Problem("no-scheduler", f"no Dask scheduler answers at '{address}'", why=str(e), help=help_)) from e

    def size() -> int:
        """Twice as many as run at a time, so that no worker waits for the next."""
        return 2 * max(1, sum(int(n) for n in client.nthreads().values()))

    pool = Pool(lambda: client.get_executor(pure=False), size, lambda executor: executor.shutdown(wait=False), compiler_key())
    try:
        yield pool
    finally:
        pool.close()
        client.close()


@contextlib.contextmanager
def pool_for(jobs: int, scheduler: str | None = None) -> Iterator[Pool]:
    """The pool that a user asks for: a cluster where a scheduler is named, else `jobs` processes, or this thread for one."""
    if scheduler is not None:
        with cluster(scheduler) as pool:
            yield pool
        return
    pool = processes(jobs) if jobs > 1 else inline()
    try:
        yield pool
    finally:
        pool.close()
