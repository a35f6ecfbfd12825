"""Tokens: the accesses that the proof takes from descriptors are those of the engine, and faults planted in the choice of tokens fall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from dfcompile.loopback import token
from dfcompile.loopback.access import EXTERNAL, Accesses
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Descriptor, Opcode, Unit, unpack_all
from dfcompile.loopback.engine import Engine
from dfcompile.loopback.program import Program
from dfcompile.loopback.step import Step
from dfcompile.loopback.token_proof import prove_tokens, unit_of
from tests.loopback.cases import CASES, outputs
from tests.loopback.resnet import resnet
from tests.loopback.test_program import SHAPES

Rows = dict[str, NDArray[np.uint8]]


def program_of(case: str, shape: str) -> Program:
    net = CASES[case]()
    return compile_program(net.graph(*outputs(net)), SHAPES[shape])


def spilling() -> Program:
    """A network whose activations go to external memory and back, in strips."""
    graph = resnet((1, 1), True, size=48, base=16, classes=20)
    return compile_program(graph, EngineConfig(pe=16, simd=16, act_words=1024, weight_words=256, weight_bits=4))


def descriptors(program: Program) -> list[Descriptor]:
    """As the engine reads them."""
    return unpack_all(program.code)


def rows(engine: Engine) -> Rows:
    """Every memory as rows of bytes, one row a word."""
    config = engine.config
    found = {"act": engine.act.view(np.uint8), "weight": engine.weights.reshape(config.weight_words, -1)}
    found["list"] = engine.lists.memory.view(np.uint8).reshape(config.list_words, config.bus_bytes)
    return found | {"tree": engine.tree.view(np.uint8).reshape(len(engine.tree), -1), EXTERNAL: engine.memory.reshape(-1, config.bus_bytes)}


def after(program: Program, d: Descriptor, before: Rows, acc: NDArray[np.int64]) -> Engine:
    """An engine with these memories, once it has executed one descriptor."""
    engine = Engine(program.config, np.zeros(program.size, np.uint8))
    for name, part in rows(engine).items():
        part[:] = before[name]
    engine.acc[:] = acc
    if isinstance(d, Compute):
        engine.compute(d, 0)
    else:
        engine.transfer(d)
    return engine


RUNS = (
    ("convolutions", "square"),
    ("convolutions", "wide"),
    ("pools", "tall"),
    ("products", "square"),
    ("zeros", "square"),
    ("levels", "square"),
)


@pytest.mark.parametrize(("case", "shape"), RUNS)
def test_accesses_are_those_of_the_engine(case: str, shape: str) -> None:
    """What a descriptor writes depends on no other words than those it reads by its accesses, and it writes no others."""
    program = program_of(case, shape)
    config, random = program.config, np.random.default_rng(1)
    engine = Engine(config, program.image({p.name: random.integers(0, 2, (1, *_shape(p))) for p in program.inputs}))
    state, acc = {n: m.copy() for n, m in rows(engine).items()}, engine.acc.copy()
    accesses = Accesses(config, program.constants, program.constants_address)
    for d in descriptors(program)[:60]:
        if d.opcode == Opcode.FINISH:
            break
        touched = accesses.of(d)
        noise = {n: random.integers(0, 256, m.shape).astype(np.uint8) for n, m in state.items()}
        for access in touched:
            if not access.writes:
                noise[access.memory][access.words] = state[access.memory][access.words]
        real, blind = after(program, d, state, acc), after(program, d, noise, acc)
        lanes = slice(d.lane, d.lane + min(config.pe, config.simd)) if isinstance(d, Compute) else slice(None)
        for name, start in state.items():
            written = np.zeros(len(start), bool)
            for access in touched:
                if access.writes and access.memory == name:
                    written[access.words] = True
            np.testing.assert_array_equal(rows(real)[name][~written], start[~written])
            np.testing.assert_array_equal(rows(blind)[name][~written], noise[name][~written])
            np.testing.assert_array_equal(rows(blind)[name][written][:, lanes], rows(real)[name][written][:, lanes])
        np.testing.assert_array_equal(real.acc, blind.acc)
        state, acc = {n: m.copy() for n, m in rows(real).items()}, real.acc.copy()


def _shape(port: Any) -> tuple[int, int, int]:
    return (port.storage.height, port.storage.width, port.storage.channels)


def disordered(made: list[Descriptor], config: EngineConfig) -> bool:
    """By brute force over all pairs and all paths: whether two descriptors touch a word, one writes it, and nothing orders them."""
    order = nx.DiGraph()
    queues: dict[Unit, list[int]] = {u: [] for u in Unit}
    signals: dict[tuple[Unit, Unit], list[int]] = {}
    words = []
    for i, d in enumerate(made):
        own = unit_of(d)
        order.add_edge(("start", i), ("end", i))
        for j in queues[own][-1:]:
            order.add_edge(("start", j), ("start", i))
            order.add_edge(("end", j), ("end", i))
            if own != Unit.COMPUTE or d.drain:  # type: ignore[union-attr]
                order.add_edge(("end", j), ("start", i))
        for unit in Unit:
            if d.waits >> unit & 1:
                order.add_edge(("end", signals[unit, own].pop(0)), ("start", i))
            if d.signals >> unit & 1:
                signals.setdefault((own, unit), []).append(i)
        queues[own].append(i)
        words.append([(a.memory, a.writes, set(np.arange(10**6)[a.words].tolist())) for a in Accesses(config).of(d)])
    reach = {i: nx.descendants(order, ("end", i)) for i in range(len(made))}
    for i, j in combinations(range(len(made)), 2):
        for (m, first, a), (n, then, b) in product(words[i], words[j]):
            in_order = unit_of(made[i]) == unit_of(made[j]) == Unit.COMPUTE and then  # the array reads and writes in order
            if m == n and (first or then) and not in_order and not a.isdisjoint(b) and ("start", j) not in reach[i]:
                return True
    return False


@pytest.mark.parametrize("field", ["waits", "drain"])
def test_the_proof_agrees_with_brute_force_on_what_is_needed(field: str) -> None:
    """Each wait and each drain left out, with its signals: the proof objects just where two descriptors are out of order."""
    program = program_of("convolutions", "square")
    made = descriptors(program)
    prove_tokens(made, program.config)
    assert not disordered(made, program.config)
    places = [i for i, d in enumerate(made) if getattr(d, field, 0)]
    needed = 0
    for i in places:
        for mask in (1, 2, 4) if field == "waits" else (1,):
            if not getattr(made[i], field) & mask:
                continue
            changed = [*made[:i], replace(made[i], **{field: getattr(made[i], field) & ~mask}), *made[i + 1 :]]
            if field == "waits":
                changed = _unsignalled(made, changed, i, Unit(mask.bit_length() - 1))
            broken = disordered(changed, program.config)
            needed += broken
            try:
                prove_tokens(changed, program.config)
                assert not broken
            except ValueError as e:
                assert broken or "may give a result" in str(e), e
    assert needed >= len(places) // 2


def _unsignalled(made: list[Descriptor], changed: list[Descriptor], at: int, source: Unit) -> list[Descriptor]:
    """Without the signal that the wait of descriptor `at` for a queue took: the k-th wait takes the k-th signal."""
    own = unit_of(made[at])
    nth = sum(1 for d in made[:at] if unit_of(d) == own and d.waits >> source & 1)
    givers = [i for i, d in enumerate(made) if unit_of(d) == source and d.signals >> own & 1]
    giver = givers[nth]
    return [replace(d, signals=d.signals & ~(1 << own)) if i == giver else d for i, d in enumerate(changed)]


def blind_to(memory: str) -> Callable[..., Any]:
    """`conflicts` that sees nothing of a memory."""

    def found(steps: Sequence[Step], config: EngineConfig, size: int) -> list[dict[Unit, int]]:
        fields = ("reads", "writes")
        kept = [replace(s, **{f: tuple(x for x in getattr(s, f) if x[0] != memory) for f in fields}) for s in steps]
        return HONEST(kept, config, size)

    return found


def without(reads: bool) -> Callable[..., Any]:
    """`conflicts` that forgets what steps read, or what they write."""

    def found(steps: Sequence[Step], config: EngineConfig, size: int) -> list[dict[Unit, int]]:
        return HONEST([replace(s, **{"reads" if reads else "writes": ()}) for s in steps], config, size)

    return found


def one_early(steps: Sequence[Step], config: EngineConfig, size: int) -> list[dict[Unit, int]]:
    """`conflicts` that asks for the step before the right one."""
    return [{u: at - 1 for u, at in needs.items()} for needs in HONEST(steps, config, size)]


HONEST = token.conflicts
FAULTS = {"act": blind_to("act"), "weight": blind_to("weight"), "tree": blind_to("tree"), "ext": blind_to("ext"),
          "reads": without(True), "writes": without(False), "early": one_early}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_in_the_choice_of_tokens_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted faults in `conflicts`, which chooses the tokens: the proof has nothing of it."""
    assert spilling().spilled
    monkeypatch.setattr(token, "conflicts", FAULTS[fault])
    with pytest.raises(ValueError, match=r"may start before|waits for a token"):
        spilling()


def test_what_the_emitter_forgets_to_note_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are chosen from what the emitter notes; the proof looks at the descriptors."""
    program = spilling()
    steps = [s if isinstance(s.descriptor, Compute) else replace(s, reads=(), writes=()) for s in program.steps]
    made = token.add_tokens([_bare(s) for s in steps], program.config, program.program_address)
    with pytest.raises(ValueError, match="may start before"):
        prove_tokens([s.descriptor for s in made], program.config)


def _bare(step: Step) -> Step:
    changed = replace(step.descriptor, waits=0, signals=0)
    return replace(step, descriptor=replace(changed, drain=0) if isinstance(changed, Compute) else changed)
