"""What an HLS tool's front end could not take, read from LLVM IR: code with no fixed hardware, and memories without their values."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import llvmlite.binding as llvm
import networkx as nx
import numpy as np
from numpy.typing import NDArray

# Blocking reads and writes of streams are the tool's own.
STREAM = "_ZN3hls6stream"
HEAP = re.compile(r"_Zn[wa]|_Zd[la]|(malloc|calloc|realloc|free|aligned_alloc)$")
_CALLS = ("call", "invoke", "callbr")
_DIVISIONS = ("udiv", "sdiv", "urem", "srem")
_SHIFTS = ("shl", "lshr", "ashr")
# A number, or an array of zeros.
_ENTRY = re.compile(r"i64 (-?\d+)|((?:\[\d+ x )+)i64\]+ zeroinitializer")

Limbs = NDArray[np.uint64]


def breaches(text: str, memories: Mapping[str, Limbs], state: Sequence[str] = (), others: Sequence[str] = (), unit: str = "") -> list[str]:
    """What breaks the dialect in a module of LLVM IR, one sentence each.

    memories: name -> (depth, limbs) of every read-only memory that must be there, lowest limb first
    state:    names of variables that keep their values between calls, which are allowed
    others:   names of functions that other files define
    unit:     name of the function that must move its beats in one flat loop
    """
    module = llvm.parse_assembly(text)
    defined = tuple(f"_Z{len(name)}{name}R" for name in others)
    found = [*_globals(module, state), *_memories(module, memories), *_functions(module, defined)]
    found += [x for f in module.functions if not f.is_declaration for x in _arithmetic(f)]
    return found if found or not unit else list(_loops(module, unit))  # without recursion, as has been seen


def _globals(module: llvm.ModuleRef, state: Sequence[str]) -> Iterator[str]:
    for variable in module.global_variables:
        name, head = variable.name, str(variable).partition(" = ")[2]
        if name == "llvm.global_ctors":
            if not str(variable.global_value_type).startswith("[0 x "):
                yield "a global is filled at run time: llvm.global_ctors is not empty"
        elif not name.startswith("llvm.") and not re.search(r"\bconstant\b", head[:80]) and _plain(name) not in state:
            yield f"{_plain(name)} is a variable that keeps its value between calls"


def _plain(name: str) -> str:
    """The last part of the mangled name of a variable: a length and so many characters, before the letters that close a scope."""
    for match in re.finditer(r"(?=(\d+))", name):
        rest, length = name[match.end(1) :], int(match[1])
        if 0 < length <= len(rest) and re.fullmatch(r"E*(_\d+)?", rest[length:]):
            return rest[:length]
    return name


def _memories(module: llvm.ModuleRef, memories: Mapping[str, Limbs]) -> Iterator[str]:
    found = {_plain(v.name): v for v in module.global_variables}
    for name, words in memories.items():
        if name not in found:
            yield f"the memory {name} is missing"
        elif re.search(r"\bconstant\b", str(found[name])[:200]) is None:
            yield f"the memory {name} is not constant"
        elif not np.array_equal(values(str(found[name])), words.reshape(-1)):
            yield f"the memory {name} has other values than its file"


def values(variable: str) -> Limbs:
    """The 64-bit numbers of a global's initializer, in order."""
    numbers = list[int]()
    for number, sizes in _ENTRY.findall(variable):
        if number:
            numbers.append(int(number) % 2**64)
        else:
            numbers += [0] * int(np.prod([int(n) for n in re.findall(r"\d+", sizes)]))
    return np.array(numbers, np.uint64)


def _functions(module: llvm.ModuleRef, defined: tuple[str, ...]) -> Iterator[str]:
    calls, declared = nx.DiGraph(), {f.name for f in module.functions if f.is_declaration}
    for function in module.functions:
        calls.add_node(function.name)
        for instruction in (i for block in function.blocks for i in block.instructions):
            operands = list(instruction.operands)
            if instruction.opcode == "alloca" and operands[0].value_kind != llvm.ValueKind.constant_int:
                yield f"{function.name}: an array of variable size"
            if instruction.opcode not in _CALLS:
                continue
            callee = operands[-1]
            if callee.value_kind != llvm.ValueKind.function:
                yield f"{function.name}: an indirect call"
            elif HEAP.match(callee.name):
                yield f"{function.name}: dynamic memory ({callee.name})"
            elif callee.name not in declared:
                calls.add_edge(function.name, callee.name)
            elif not callee.name.startswith(("llvm.", STREAM, *defined)):
                yield f"{function.name}: a call of {callee.name}, which is nowhere defined"
    for loop in nx.strongly_connected_components(calls):
        if len(loop) > 1 or any(calls.has_edge(f, f) for f in loop):
            yield f"{min(loop)}: recursion"


def _arithmetic(function: llvm.ValueRef) -> Iterator[str]:
    """Divisions by what varies; products, divisions and shifts by what varies on a way from one iteration to the next, which must fit a
    cycle. (Of the variable of a loop that an HLS tool unrolls any division is a constant.)

    Such a way leads through registers of the IR, or through places of memory that have one address all the time.
    """
    instructions = {_identity(i): i for block in function.blocks for i in block.instructions}
    flow = nx.DiGraph()
    for own, instruction in instructions.items():
        operands = list(instruction.operands)
        flow.add_edges_from((_identity(o), own) for o in operands)
        if instruction.opcode == "store":
            flow.add_edges_from((own, place) for place in _lasting(operands[1], instructions))
        elif instruction.opcode == "load":
            flow.add_edges_from((place, own) for place in _lasting(operands[0], instructions))
        if instruction.opcode in _DIVISIONS and _varies(operands[1]):
            yield f"{function.name}: a division by what varies"
    for way in nx.strongly_connected_components(flow):
        for instruction in (instructions[i] for i in way if i in instructions and len(way) > 1):
            if instruction.opcode == "mul":
                yield f"{function.name}: a product on the way from one iteration to the next"
            elif instruction.opcode in _DIVISIONS and not _is_power_of_two(list(instruction.operands)[1]):
                yield f"{function.name}: a division on the way from one iteration to the next"
            elif instruction.opcode in _SHIFTS and _varies(list(instruction.operands)[1], instructions):
                yield f"{function.name}: a shift by what varies on the way from one iteration to the next"


def _varies(value: llvm.ValueRef, instructions: Mapping[int, llvm.ValueRef] = MappingProxyType({})) -> bool:
    """Whether a value is more than a constant, or, by these instructions, than a choice of one of a few."""
    made = instructions.get(_identity(value))
    if made is not None and made.opcode in ("select", "zext", "sext", "trunc"):
        return any(_varies(v, instructions) for v in list(made.operands)[made.opcode == "select" :])
    return value.value_kind in (llvm.ValueKind.instruction, llvm.ValueKind.argument)


def _is_power_of_two(value: llvm.ValueRef) -> bool:
    """Of a constant, which may be a vector's."""
    numbers = [] if _varies(value) else [int(n) for n in re.findall(r"(?<![\w<])\d+(?![\w ])", str(value))]
    return bool(numbers) and all(n > 0 and n & (n - 1) == 0 for n in numbers)


def _identity(value: llvm.ValueRef) -> int:
    return int(ctypes.cast(value._ptr, ctypes.c_void_p).value or 0)


def _lasting(pointer: llvm.ValueRef, instructions: Mapping[int, llvm.ValueRef]) -> Iterator[str]:
    """What a pointer's text says of its place, a name and constants; nothing of the function's own memory, whose places are shared."""
    base = pointer
    while (made := instructions.get(_identity(base))) is not None:
        if made.opcode != "getelementptr":
            return
        base = next(made.operands)
    yield str(pointer).partition(" = ")[2].strip() or str(pointer).strip()


def _loops(module: llvm.ModuleRef, unit: str) -> Iterator[str]:
    """Whether all reads and writes of streams stand in one loop, and in no loop within it; they may be in functions that are called."""
    functions = {f.name: f for f in module.functions if not f.is_declaration}
    name = next(n for n in functions if n.startswith(f"_Z{len(unit)}{unit}R"))
    while True:
        flow, moves = _moves(functions[name], functions)
        outer = [loop for loop in _cycles(flow) if moves.keys() & loop]
        called = [f for b in moves for f in moves[b]]
        if not outer and len(called) == 1 and called[0] in functions:
            name = called[0]  # which does it all
            continue
        break
    if len(outer) != 1 or not moves.keys() <= outer[0]:
        yield f"{unit}: beats move in {len(outer)} loops" + (" and outside" if moves.keys() - set().union(*outer) else "")
        return
    (head,) = {b for a, b in flow.edges if b in outer[0] and a not in outer[0]}
    within = any(moves.keys() & loop for loop in _cycles(flow.subgraph(outer[0] - {head})))
    if within or any(_cycles(flow) and moves.keys() & set().union(*_cycles(flow)) for flow, moves in _below(called, functions)):
        yield f"{unit}: beats move in a loop within the loop"


def _moves(function: llvm.ValueRef, functions: Mapping[str, llvm.ValueRef]) -> tuple[nx.DiGraph, dict[str, list[str]]]:
    """The blocks of a function, and those that move beats with what they call for it."""
    flow, moves = nx.DiGraph(), dict[str, list[str]]()
    for block in function.blocks:
        flow.add_node(block.name)
        for operand in (o for i in block.instructions for o in i.operands):
            if operand.value_kind == llvm.ValueKind.basic_block:
                flow.add_edge(block.name, operand.name)
            elif operand.value_kind == llvm.ValueKind.function and (
                operand.name.startswith(STREAM) or (operand.name in functions and _moves(functions[operand.name], functions)[1])
            ):
                moves.setdefault(block.name, []).append(operand.name)
    return flow, moves


def _below(names: list[str], functions: Mapping[str, llvm.ValueRef]) -> Iterator[tuple[nx.DiGraph, dict[str, list[str]]]]:
    """`_moves` of functions that are called, and of those that they call for it."""
    for name in names:
        if name in functions:
            flow, moves = _moves(functions[name], functions)
            yield flow, moves
            yield from _below([f for called in moves.values() for f in called], functions)


def _cycles(flow: nx.DiGraph) -> list[set[str]]:
    return [c for c in nx.strongly_connected_components(flow) if len(c) > 1 or any(flow.has_edge(b, b) for b in c)]
