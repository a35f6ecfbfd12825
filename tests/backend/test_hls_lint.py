"""The dialect's linter: the library is clean, and each rule finds its breach."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfcompile.backend.hls_lint import lint_folder, lint_text, macros, strip


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
    "void f() { o.range(7, 0) = a.range(15, 8); }": "a range is assigned to a range",
    "void f() { int* p = new int; }": "dynamic memory",
    "void f() { throw 1; }": "an exception",
    "void f() { double x = 0; }": "floating point",
    "void f(std::vector<int> x) {}": "a standard container",
    "static_assert(true);": "a static_assert without a sentence",
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
    'static_assert(sizeof(int) == 4, "int has 32 bits");',
    "namespace dfc {\nnamespace {\nconst int x = 3;\n}\n}",
]


@pytest.mark.parametrize("text", ALLOWED, ids=lambda t: t[:24])
def test_allowed(text: str, root: Path) -> None:
    assert lint_text("unit.cpp", text + "\n", macros(root / "hls")) == []


def test_header_guard() -> None:
    (found,) = lint_text("unit.hpp", "// text\nint f();\n", set())
    assert str(found) == "unit.hpp:1: a header must start with #pragma once"


def test_strip_keeps_lines() -> None:
    assert strip('a /* b\n c */ d // e\n"f//g"') == 'a \n d \n""'
