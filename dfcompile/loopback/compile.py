"""Integer graph --> program: lower, allocate, emit, add tokens, prove them."""

from __future__ import annotations

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph
from dfcompile.loopback.allocate import allocate
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import unpack_all
from dfcompile.loopback.emit import Emitter
from dfcompile.loopback.kept import area_of
from dfcompile.loopback.lower import lower
from dfcompile.loopback.lowered import Lowered
from dfcompile.loopback.program import PAGE, Port, Program
from dfcompile.loopback.repeat import unfolded
from dfcompile.loopback.token import add_tokens
from dfcompile.loopback.token_proof import prove_tokens

NO_LAYER = Problem(
    "not-loopback", "the network has no layer for the loopback engine to run",
    why="its outputs are its inputs, or parts of them: all that the model does, the host does (`dfcompile explain` says it)",
    help="build it with --mode dataflow",
)  # fmt: skip


def _up(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _equal_images(low: Lowered) -> None:
    """The array walks all operands of a layer with one image stride: their buffers get the same size."""
    groups = [{low.storage[o.tensor].buffer for o in layer.operands} for layer in low.layers]
    changed = True
    while changed:
        changed = False
        for names in groups:
            most = max(low.buffers[b] for b in names)
            changed |= any(low.buffers[b] < most for b in names)
            low.buffers.update(dict.fromkeys(names, most))


def compile_program(graph: Graph, config: EngineConfig, batch: int = 1, proved: bool = True) -> Program:
    """A program for one engine. CompileError with every node that it cannot run, or when a layer does not fit.

    proved: its tokens are proved, as those of a program that is to run must be; not those of one whose cycles alone are asked for
    """
    low = lower(graph, config)
    if low.problems:
        raise CompileError(low.problems)
    if not low.layers:
        raise CompileError(NO_LAYER)
    if batch > 1:
        _equal_images(low)
    placement = allocate(low, config, batch)
    ends = {low.storage[t].buffer for t in (*low.inputs, *low.outputs)}
    external: dict[str, int] = {}
    at = 0
    for name in sorted((placement.outside | ends) - low.fixed.keys()):
        external[name] = at
        at += _up(batch * low.buffers[name] * config.word_bytes)
    states = area_of(low, config, at, batch)
    at = states.end
    emitter = Emitter(low, placement, external, config, batch, at, states.addresses)
    external.update((name, emitter.constants.add(batch * data)) for name, data in low.fixed.items())
    emitter.run()
    first_states = emitter.constants.add(states.first) if states.first else 0
    program_address = _up(at + len(emitter.constants.data))
    steps = add_tokens(emitter.steps, config, at)

    def port(name: str) -> Port:
        s = low.storage[name]
        return Port(name, s, external[s.buffer], low.buffers[s.buffer] * config.word_bytes, low.packs.get(name))

    made = Program(
        config, batch, tuple(steps), tuple(low.layers), bytes(emitter.constants.data), at, program_address,
        tuple(port(t) for t in low.inputs), tuple(port(t) for t in dict.fromkeys(low.outputs)), tuple(sorted(placement.outside)),
        states=states.first, states_address=states.start, first_states=first_states,
    )  # fmt: skip
    if proved:
        prove_tokens(list(unfolded(unpack_all(made.code), config)), config, made.constants, at)
    return made
