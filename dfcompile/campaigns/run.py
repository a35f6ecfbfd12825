"""Running a campaign: what is not in its results yet becomes tasks, and what a task has come to goes into the results at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dfcompile.campaigns import step
from dfcompile.campaigns.file import Campaign, Case
from dfcompile.campaigns.results import Results
from dfcompile.campaigns.step import BuildInput
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError
from dfcompile.store.cache import content_key
from dfcompile.synthesis.part import Part, table_of_parts
from dfcompile.synthesis.unit import Synthesis
from dfcompile.tasks.pool import Pool
from dfcompile.tasks.task import Outcome, Task, run_tasks
from dfcompile.toolchain import TOOLS, find_tool

BUILD, VERIFY, SYNTH, BITSTREAM = "build", "verify ", "synth", "bitstream"


@dataclass(frozen=True)
class Row:
    """A case with what is done for it: key of the result by step, the build first."""

    case: Case
    keys: dict[str, str]

    @property
    def model(self) -> str:
        return self.case.model.name

    @property
    def build(self) -> str:
        """Key of the build."""
        return self.keys[BUILD]


@dataclass(eq=False)
class Run:
    """A campaign under way.

    known:   outcomes by key, as far as they have been looked up or made
    running: keys of what the pool has; made: how many tasks have ended in this run
    """

    campaign: Campaign
    results: Results
    watch: Callable[[Run], None]
    known: dict[str, Outcome] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    made: int = 0
    _open: dict[str, list[Part]] = field(default_factory=dict)

    @cached_property
    def rows(self) -> list[Row]:
        """Every case with its steps."""
        asked = [*(VERIFY + e for e in self.campaign.verify), *([SYNTH] if self.campaign.synth else [])]
        asked += [BITSTREAM] if self.campaign.bitstream else []
        found = []
        for case in self.campaign.cases:
            build = BuildInput.of(case).key
            found.append(Row(case, {BUILD: build, **{s: content_key([s, self._tools, build]) for s in asked}}))
        return found

    @cached_property
    def _tools(self) -> str:
        """Versions of the tools that steps behind the build use."""
        return content_key(f"{name} {tool.version if (tool := find_tool(name)) else ''}" for name in TOOLS)

    def outcome(self, key: str) -> Outcome | None:
        """What a step has come to; None where it has not ended."""
        if key not in self.known and (found := self.results.find(key)):
            self.known[key] = found
        return self.known.get(key)

    def state(self, row: Row, name: str) -> str:
        """Of a step: "done", "failed", "running", "waiting", or "" where it has no build."""
        key = row.keys[name]
        if outcome := self.outcome(key):
            return "failed" if outcome.problems else "done"
        if key in self.running or key in self._open:
            return "running"
        built = self.outcome(row.build)
        return "" if built and built.problems else "waiting"

    def work(self, pool: Pool) -> None:
        """Do what is missing."""
        run_tasks(self._missing(), pool, self._done, self._begun)

    def _missing(self) -> Iterator[Task]:
        for row in self.rows:
            if self.results.is_built(row.model, row.build):
                yield from self._behind(row)
            else:
                self.known.pop(row.build, None)
                yield Task(row.build, step.build, partial(_build_arguments, row.case), (self._built, row))

    def _behind(self, row: Row) -> Iterator[Task]:
        """What is missing behind a build that is there."""
        built = self.outcome(row.build)
        if built is None or built.problems:
            return
        for name, key in row.keys.items():
            if self.outcome(key) is None:
                call, args, done = self._step(name)
                read = partial(self.results.read_build, row.model, row.build)
                yield Task(key, call, partial(_step_arguments, read, args), (done, row))

    def _step(self, name: str) -> tuple[Callable[..., Any], tuple[str, ...], Callable[[Task, Outcome], Iterable[Task]]]:
        """Call of a step behind the build, its arguments behind the build's files, and what takes its outcome."""
        if name == SYNTH:
            return step.parts, (), self._split
        if name == BITSTREAM:
            return step.bitstream, (), self._placed
        return step.verify, (name.removeprefix(VERIFY),), self._keep

    def _begun(self, task: Task) -> None:
        self.running.add(task.key)
        self.watch(self)

    def _done(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        self.running.discard(task.key)
        self.made += 1
        follow = [*task.about[0](task, outcome)]
        self.watch(self)
        return follow

    def _keep(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        self._settle(task.key, outcome)
        return ()

    def _settle(self, key: str, outcome: Outcome) -> None:
        self.known[key] = outcome
        self.results.keep(key, outcome)

    def _built(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        _, row = task.about
        if not outcome.problems:
            outcome = _stored(partial(self.results.put_build, row.model, row.build, outcome.value))
        self._settle(task.key, outcome)
        rows = [r for r in self.rows if r.build == row.build]
        return (t for r in rows for t in self._behind(r))

    def _placed(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        _, row = task.about
        if not outcome.problems:
            files, problems = outcome.value
            outcome = _stored(partial(self.results.add_to_build, row.model, row.build, files))
            outcome = Outcome(problems=outcome.problems or problems)
        self._settle(task.key, outcome)
        return ()

    def _split(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        """A synthesis becomes one of each module; those that another design has too run once."""
        if outcome.problems:
            self._settle(task.key, outcome)
            return
        self._open[task.key] = outcome.value
        for part in outcome.value:
            for module in part.modules:
                key = self._module_key(module)
                if self.outcome(key) is None:
                    yield Task(key, module.run, (), (self._synthesised, None))
        self._join()

    def _synthesised(self, task: Task, outcome: Outcome) -> Iterable[Task]:
        self._settle(task.key, outcome if outcome.problems else Outcome(outcome.value._asdict()))
        self._join()
        return ()

    def _join(self) -> None:
        """End each synthesis whose modules have all ended."""
        for key, parts in list(self._open.items()):
            ended = {m: self.outcome(self._module_key(m)) for p in parts for m in p.modules}
            failed = next((o for o in ended.values() if o and o.problems), None)
            if failed:
                self._settle(key, failed)
            elif all(ended.values()):
                self._settle(key, Outcome(table_of_parts(parts, {m: Resources(**o.value) for m, o in ended.items() if o})))
            else:
                continue
            del self._open[key]

    def _module_key(self, module: Synthesis) -> str:
        return content_key(["module", self._tools, *module.content])


def _build_arguments(case: Case) -> tuple[Any, ...]:
    return (BuildInput.of(case),)


def _step_arguments(read: Callable[[], step.Files], args: tuple[str, ...]) -> tuple[Any, ...]:
    return read(), *args


def _stored(write: Callable[[], None]) -> Outcome:
    try:
        write()
    except CompileError as e:
        return Outcome(problems=e.problems)
    return Outcome()


@contextlib.contextmanager
def opened(campaign: Campaign, watch: Callable[[Run], None] = lambda run: None) -> Iterator[Run]:
    """A campaign with its results, to which no other may write meanwhile. CompileError where one does."""
    results = Results(Path(campaign.out))
    with results.locked():
        yield Run(campaign, results, watch)
