"""The conformance check of the C++ notices each thing that an HLS tool could not take, and the generated C++ has none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dfcompile.ir.types import IntType
from dfcompile.loopback.config import EngineConfig
from dfcompile.units.repack import Repack
from tests.three_way import one_unit
from tools.hls_conformance import check_design, check_engine, check_source
from tools.llvm_ir import breaches

CLEAN = """
#include <cstdint>
#include <ap_int.h>
#include <hls_stream.h>
namespace {
const std::uint64_t Table[4][1] = {{1}, {2}, {3}, {4}};
}
__attribute__((noinline)) void drain(hls::stream<ap_uint<8>>& in, int count) {
  while (count != 0 && in.read() != 0) count--;
}
void unit(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<16>>& out, int beats) {
  for (int i = 0; i < beats; i++) {
    const ap_uint<8> beat = in.read();
    ap_uint<16> word = Table[i % 4][0];
    word.range(15, 8) = ap_uint<8>(beat + 1);
    out.write(word);
  }
}
"""
TABLE = np.arange(1, 5, dtype=np.uint64).reshape(4, 1)
READ, ROM = "const ap_uint<8> beat = in.read();", "const std::uint64_t Table[4][1] = {{1}, {2}, {3}, {4}};"
WORD = "ap_uint<16> word = Table[i % 4][0];"
VARIABLE = ROM.replace("const ", "")
FILLED = """struct Filled {
  std::uint64_t words[4][1];
  Filled() { for (int i = 0; i < 4; i++) words[i][0] = i + 1; }
};
const Filled filled;
const std::uint64_t (&Table)[4][1] = filled.words;"""


def found(text: str, folder: Path) -> list[str]:
    source = folder / "unit.cpp"
    source.write_text(text)
    return check_source(source, {"Table": TABLE}, unit="unit")


def test_a_clean_source(tmp_path: Path) -> None:
    assert found(CLEAN, tmp_path) == []


CARRIED = "ap_uint<8> kept = 1; for (int i = 0; i < beats; i++) {{ kept = ap_uint<8>({} + in.read()); if (kept == 7) return; }}"
# Of each fault its place in the source, the text that it adds there, and what is said of it.
ADDED = {
    "a test whether a stream is empty": (READ, "if (in.empty()) return;", "no member named 'empty'"),
    "a test whether a stream is full": (READ, "if (out.full()) return;", "no member named 'full'"),
    "the size of a stream": (READ, "if (in.size()) return;", "no member named 'size'"),
    "a read that does not block": (READ, "ap_uint<8> more; in.read_nb(more);", "no member named 'read_nb'"),
    "Bambu's read that does not block": (READ, "ap_uint<8> more; in.nb_read(more);", "no member named 'nb_read'"),
    "a named stream": (READ, 'hls::stream<ap_uint<8>> inner("inner"); inner.write(beat);', "no matching constructor"),
    "a copied stream": (READ, "hls::stream<ap_uint<8>> copy(in);", "deleted"),
    "a word from text with a radix": (READ, 'const auto more = ap_uint<8>("0x12", 16);', "no matching"),
    "a word from text": (READ, 'const ap_uint<8> more("12");', "no matching"),
    "a word from a real number": (READ, "const ap_uint<8> more = 1.5;", "no viable conversion"),
    "a range assigned to a range": (WORD, "word.range(15, 8) = beat.range(7, 0);", "deleted"),
    "a range in parentheses": (READ, "const ap_uint<8> more = beat(7, 0);", "does not provide a call operator"),
    "a complement that is widened": (READ, "const ap_uint<16> more = ~beat;", "a complement is not widened"),
    "a constexpr word": (READ, "constexpr ap_uint<8> one = 1;", "must be initialized by a constant expression"),
    "C++17": (READ, "if constexpr (sizeof(int) == 4) return;", "C++17 extension"),
    "a warning": (READ, "int unused;", "unused variable"),
    "a static variable": (READ, "static int count = 0; if (count++ == beat) return;", "count is a variable that keeps its value"),
    "dynamic memory": (READ, "volatile int* some = new int[4]; some[i] = 1; if (some[i] == beat) return;", "dynamic memory"),
    "an array of variable size": (READ, "volatile int some[beat.to_int()]; some[0] = 1;", "variable length arrays"),
    "beats outside of the loop": ("int beats) {", "out.write(0);", "and outside"),
    "two loops": ("out.write(word);", "}\n  for (int i = 0; in.read() != i; i++) {", "beats move in 2 loops"),
    "a loop in the loop": ("out.write(word);", "while (in.read() != 0) {}", "beats move in a loop within the loop"),
    "a loop in a function that the loop calls": (READ, "drain(in, beat.to_int());", "beats move in a loop within the loop"),
    "a product that is carried": ("int beats) {", CARRIED.format("kept * 3"), "a product on the way from one iteration to the next"),
    "a shift that is carried": (
        "int beats) {",
        CARRIED.format("(kept << (kept & 7))"),
        "a shift by what varies on the way from one iteration",
    ),
    "a product that a member carries": (
        ROM,
        "}\nstruct Walk { unsigned at; __attribute__((noinline)) void next(unsigned by) { at = at * by + 1; } };\n"
        "unsigned use(Walk& walk) { walk.next(3); walk.next(walk.at); return walk.at; }\nnamespace {",
        "a product on the way from one iteration to the next",
    ),
    "a division": (READ, "if (i % (int(beat) + 1) == 2) return;", "a division by what varies"),
    "a division that is carried": ("int beats) {", CARRIED.format("kept.to_uint() % 10"), "a division on the way from one iteration"),
    "an array from alloca": (
        READ,
        "volatile int* some = static_cast<int*>(__builtin_alloca(beat.to_uint64())); some[0] = 1;",
        "an array of variable size",
    ),
    "a variable that lives on": (ROM, "}\nint total;\nnamespace {", "total is a variable that keeps its value"),
    "recursion": (ROM, "}\nint deep(int n) { return n < 2 ? 1 : deep(n - 1) + deep(n - 2); }\nnamespace {", "recursion"),
    "a call of nothing": (ROM, "}\nint elsewhere(int);\nint use() { return elsewhere(1); }\nnamespace {", "is nowhere defined"),
    "printing": (ROM, '}\nextern "C" int puts(const char*);\nvoid use() { puts("x"); }\nnamespace {', "a call of puts"),
    "an indirect call": (ROM, "}\nint use(int (*which)(int)) { return which(1); }\nnamespace {", "an indirect call"),
    "a virtual function": (
        ROM,
        "}\nstruct Base { virtual int get(); };\nint use(Base& base) { return base.get(); }\nnamespace {",
        "an indirect call",
    ),
}
MEMORIES = {
    "filled at run time": (FILLED, "declaration requires a global constructor"),
    "not constant": (VARIABLE + "\n}\nstd::uint64_t* open() { return &Table[0][0]; }\nnamespace {", "the memory Table is not constant"),
    "of another name": (ROM.replace("Table", "Other") + "\n#define Table Other", "the memory Table is missing"),
    "with another value": (ROM.replace("{4}", "{5}"), "the memory Table has other values"),
    "of zeros": ("const std::uint64_t Table[4][1] = {};", "the memory Table has other values"),
    "too short": (ROM.replace(", {4}", "").replace("[4]", "[3]"), "the memory Table has other values"),
}


@pytest.mark.parametrize("what", ADDED)
def test_each_breach_is_noticed(what: str, tmp_path: Path) -> None:
    place, text, says = ADDED[what]
    assert CLEAN.count(place) == 1
    sentences = found(CLEAN.replace(place, f"{place} {text}"), tmp_path)
    assert any(says in s for s in sentences), sentences


@pytest.mark.parametrize("what", MEMORIES)
def test_a_wrong_memory_is_noticed(what: str, tmp_path: Path) -> None:
    text, says = MEMORIES[what]
    sentences = found(CLEAN.replace(ROM, text), tmp_path)
    assert any(says in s for s in sentences), sentences


CONSTRUCTOR = """
@Table = internal constant [2 x [2 x i64]] [[2 x i64] [i64 1, i64 -1], [2 x i64] zeroinitializer]
@llvm.global_ctors = appending global [{} x {{ i32, ptr, ptr }}] {}
define internal void @fill() {{
  ret void
}}
"""


def test_a_constructor_is_noticed_and_an_empty_list_is_none() -> None:
    """clang's warning stops every source that has one; what another front end leaves behind is seen all the same."""
    words = np.array([[1, 2**64 - 1], [0, 0]], np.uint64)
    assert breaches(CONSTRUCTOR.format(0, "zeroinitializer"), {"Table": words}) == []
    one = CONSTRUCTOR.format(1, "[{ i32, ptr, ptr } { i32 65535, ptr @fill, ptr null }]")
    assert breaches(one, {"Table": words}) == ["a global is filled at run time: llvm.global_ctors is not empty"]


def test_repack_moves_by_constants() -> None:
    assert check_design(one_unit(Repack((1, 6, 18), IntType(3), 4, 18, 5, 18))) == []


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(EngineConfig(), marks=pytest.mark.further),
        EngineConfig(pe=4, simd=8, tree_levels=5, acc_bits=64, scale_bits=48, root_bits=90, list_words=16, code_bits=4),
    ],
    ids=["counts", "scales"],
)
def test_the_loopback_engine(config: EngineConfig) -> None:
    assert check_engine(config) == []
