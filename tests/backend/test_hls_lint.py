"""The dialect's linter: the library is clean, and each rule finds its breach."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.hls_lint import MACRO_HEADERS, lint_folder, lint_text, macros, strip


def test_the_library_is_clean(root: Path) -> None:
    assert [str(f) for f in lint_folder(root / "hls")] == []


BREACHES = {
    "int total;": "a variable at namespace scope",
    "static ap_uint<8> state[4];": "a variable at namespace scope",
    "void f() { DFC_PIPELIN(1) }": "DFC_PIPELIN is not defined",
    "void f() {\n  int i = 0;\n  DFC_PIPELINE(1)\n}": "not directly under the loop",
    "#define X DFC_PRAGMA(HLS piplein II = 1)": "there is no pragma HLS piplein",
    "#define X DFC_PRAGMA(HLS pipeline ii = 1)": "pragma HLS pipeline has no option ii",
    "#define X DFC_PRAGMA(HLS pipeline style = flush)": "style cannot be flush",
    "void f() {\n#pragma HLS unroll\n}": "a bare pragma",
    "#ifdef __BAMBU__\n#pragma HLS unroll\n#endif\nvoid f() {}": "a bare pragma",
    "#pragma HLS interface port=x mode=axis\nvoid f() {}": "a bare pragma",
    "#ifdef __BAMBU__\n#else\n#pragma HLS interface port=x mode=axis\n#endif\nvoid f() {}": "a bare pragma",
    "#ifdef __BAMBU__\n#pragma HLS interface port=x mode=stream\n#endif\nvoid f() {}": "mode cannot be stream",
    "void f() {\n  DFC_PRAGMA(HLS interface port = x mode = axis)\n}": "an interface by a macro",
    "void f() { o.range(7, 0) = a.range(15, 8); }": "a range is assigned to a range",
    "void f() { int* p = new int; }": "dynamic memory",
    "void f() { throw 1; }": "an exception",
    "void f() { double x = 0; }": "floating point",
    "void f(std::vector<int> x) {}": "a standard container",
    "static_assert(true);": "a static_assert without a sentence",
    "struct Walk {\n  unsigned n, i;\n};": "n is carried from one iteration to the next",
    "class Walk {\n  void next() { n_++; }\n  std::uint32_t n_ = 0;\n};": "n_ is carried from one iteration to the next",
    "void f(S& in) {\n  int sum = 0;\n  for (int i = 0; i < 9; i++) {\n    DFC_PIPELINE(1)\n    sum += in.read();\n  }\n}": "sum is",
    "template <int Pe, int Style>\nvoid f() { int x[Pe]; }\nint Style() { return 1; }": "template parameter Style is read nowhere",
}


@pytest.mark.parametrize("text", BREACHES, ids=lambda t: t[:24])
def test_breaches(text: str, root: Path) -> None:
    found = lint_text("unit.cpp", text + "\n", macros(root / "hls"))
    assert any(BREACHES[text] in f.text for f in found), found


ALLOWED = [
    "constexpr int Width = 8;",
    "const ap_uint<8> words[2] = {1, 2};",
    "using beat = ap_uint<8>;",
    "void f();",
    "void f() { o.range(7, 0) = ap_uint<8>(a.range(15, 8)); }",
    "void f() {\n  for (int i = 0; i < 3; i++) {\n    DFC_PIPELINE(1)\n  }\n}",
    "// new double #pragma HLS\nvoid f() {}",
    "#ifdef __BAMBU__\n#pragma HLS interface port=x mode=axis\n#endif\nvoid f() {}",
    "void f() {\n#ifdef __SYNTHESIS__\n#pragma HLS interface mode=s_axilite port=x offset=0x10\n#endif\n}",
    "struct Walk {\n  ap_uint<8> n, i;\n  int last() const { return 7; }\n};",
    "void f(S& in) {\n  int count = 0;\n  for (int i = 0; i < 9; i++) {\n    DFC_PIPELINE(1)\n    int own = in.read();\n    own++;\n  }\n}",
    'static_assert(sizeof(int) == 4, "int has 32 bits");',
    "namespace dfc {\nnamespace {\nconst int x = 3;\n}\n}",
]


@pytest.mark.parametrize("text", ALLOWED, ids=lambda t: t[:24])
def test_allowed(text: str, root: Path) -> None:
    assert lint_text("unit.cpp", text + "\n", macros(root / "hls")) == []


UNIT = """
const dfc::Rom<2, 4, 70> Table = {{
#include "table.inc"
}};
void f(hls::stream<ap_uint<8>>& in) {
  DFC_BANKS(Table)
  DFC_LIMBS(Table)
  int acc[2];
  DFC_PARTITION(acc)
  int kept[4];
  for (int i = 0; i < 9; i++) {
    DFC_PIPELINE(1)
    DFC_DISTANCE(kept, 4)
    const ap_uint<8> beat = in.read();
    kept[beat] = 1;
    for (int p = 0; p < 2; p++) {
      DFC_UNROLL
      acc[p] += beat;
    }
  }
}
"""
PRAGMAS = {
    "    DFC_PIPELINE(1)\n": "begins neither with DFC_PIPELINE nor with DFC_UNROLL",
    "      DFC_UNROLL\n": "inside a pipelined or unrolled one does not begin with DFC_UNROLL",
    "  DFC_PARTITION(acc)\n": "array acc is indexed by an unrolled loop and not partitioned",
    "    DFC_DISTANCE(kept, 4)\n": "array kept outlives the iterations of a loop",
    "  DFC_BANKS(Table)\n": "memory Table is read by all lanes and not split by lane",
    "  DFC_LIMBS(Table)\n": "the limbs of a word of memory Table lie one after the other",
}


@pytest.mark.parametrize("pragma", PRAGMAS, ids=str.strip)
def test_a_pragma_that_is_missing(pragma: str, root: Path) -> None:
    assert lint_text("unit.cpp", UNIT, macros(root / "hls")) == []
    found = lint_text("unit.cpp", UNIT.replace(pragma, ""), macros(root / "hls"))
    assert any(PRAGMAS[pragma] in f.text for f in found), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DFC_PIPELINE(1)", "DFC_UNROLL", "a loop that moves beats does not begin with DFC_PIPELINE"),
        ("      DFC_UNROLL", "      DFC_PIPELINE(1)", "does not begin with DFC_UNROLL"),
        ("DFC_PIPELINE(1)", "DFC_PIPELINE(2)", "a loop is pipelined at another interval than 1"),
        ("acc[2];", "acc[2];\n  DFC_PRAGMA(HLS dependence variable = acc inter false)", "pragma HLS dependence has no option false"),
        ("DFC_PARTITION(acc)", "DFC_PARTITION(more)", "array acc is indexed"),
        ("int acc[2];", "int more[2], acc[3][2];", ""),
        ("acc[p]", "acc[0]", ""),
    ],
)
def test_a_wrong_pragma(old: str, new: str, message: str, root: Path) -> None:
    found = lint_text("unit.cpp", UNIT.replace(old, new), macros(root / "hls"))
    assert [message in f.text for f in found] == ([True] if message else [])


def test_every_pragma_of_the_library_is_needed(root: Path) -> None:
    """Each taken away by itself is a breach, so that none can get lost: loops of all units, arrays, memories, processes."""
    known, missed, count = macros(root / "hls"), [], 0
    for path in sorted((root / "hls").glob("dfc_*.hpp")):
        lines = path.read_text().splitlines()
        for i, line in enumerate(lines):
            if re.match(r"\s+DFC_(PIPELINE|UNROLL|PARTITION)", line):
                count += 1
                if not lint_text(path.name, "\n".join(lines[:i] + lines[i + 1 :]), known):
                    missed.append(f"{path.name}:{i + 1}: {line.strip()}")
    assert count > 60 and missed == []


@pytest.mark.parametrize(
    "macro", ["PIPELINE", "UNROLL", "PARTITION", "INLINE", "DISTANCE", "BANKS", "LIMBS", "BIND_ROM", "BIND_RAM", "BIND_MUL"]
)
def test_macros_are_the_pragmas(macro: str, root: Path, golden: Callable[[str, str], None]) -> None:
    """A macro that lost its meaning would pass everything else."""
    text = "".join((root / "hls" / file).read_text() for file in MACRO_HEADERS)
    (line,) = re.findall(rf"#define DFC_{macro}(?:\(.*?\))?[ \\\n]+(DFC_PRAGMA\([^)]*\))", text)
    golden(f"backend/pragma_{macro.lower()}.txt", line)


@pytest.mark.parametrize("name", ["lb_core", "lb_load", "loopback"])
def test_pragmas_of_the_engine(name: str, root: Path, golden: Callable[[str, str], None]) -> None:
    """Dimensions and depths, which nothing but a synthesis would miss."""
    lines = (root / "hls" / f"dfc_{name}.hpp").read_text().splitlines()
    golden(f"backend/pragmas_{name}.txt", "\n".join(line.strip() for line in lines if re.match(r"\s+DFC_", line)))


def test_header_guard() -> None:
    (found,) = lint_text("unit.hpp", "// text\nint f();\n", set())
    assert str(found) == "unit.hpp:1: a header must start with #pragma once"


def test_strip_keeps_lines() -> None:
    assert strip('a /* b\n c */ d // e\n"f//g"') == 'a \n d \n""'
