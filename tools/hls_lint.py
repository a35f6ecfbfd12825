"""Holds the C++ library and the generated C++ to the dialect that Vitis and the open HLS tools both take.

Ordinary compilers know no HLS pragma, so a misspelt one would pass every test and fail at the user's. The rules:

* pragmas only by the macros of dfc_common.hpp, dfc_storage.hpp and dfc_top.hpp, of directives and options of the vendor's reference;
  those of interfaces as they stand, under ``#ifdef`` of the tool, in the generated tops alone
* ``DFC_PIPELINE`` is the first line of a loop body
* a range is never assigned to a range: through a typed temporary
* no dynamic memory, exceptions, virtual functions, goto, floating point or standard containers
* no variable at namespace scope but constants
* a header starts with ``#pragma once``; every static_assert says a sentence
* a template reads each of its parameters: what the optimiser chose must not get lost
* loops and arrays have the pragmas they need (`hls_loops`)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.hls_loops import breaches, closing, synthesised

# Test benches are ordinary programs.
EXEMPT = ("dfc_testbench.hpp", "testbench.cpp")
MACRO_HEADERS = ("dfc_common.hpp", "dfc_storage.hpp", "dfc_top.hpp")

# Directive -> options, of the pragmas that we use (Vitis HLS reference, UG1399).
DIRECTIVES: dict[str, set[str]] = {
    "inline": {"off", "recursive"},
    "pipeline": {"II", "off", "rewind", "style"},
    "unroll": {"factor", "skip_exit_check", "off"},
    "array_partition": {"variable", "type", "block", "cyclic", "complete", "factor", "dim", "off"},
    "array_reshape": {"variable", "type", "block", "cyclic", "complete", "factor", "dim", "off"},
    "bind_storage": {"variable", "type", "impl", "latency"},
    "bind_op": {"variable", "op", "impl", "latency"},
    "dependence": {"variable", "class", "type", "inter", "intra", "direction", "distance", "dependent"},  # never a false one
    "dataflow": {"disable_start_propagation"},
    "stream": {"variable", "type", "depth"},
    "interface": {"mode", "port", "bundle", "depth", "offset", "register", "register_mode", "latency"},
    "loop_tripcount": {"min", "max", "avg"},
    "loop_flatten": {"off"},
}
VALUES: dict[str, set[str]] = {
    "style": {"stp", "flp", "frp"},
    "dependent": {"true"},
    "mode": {"axis", "ap_ctrl_none", "ap_ctrl_hs", "ap_ctrl_chain", "m_axi", "s_axilite", "ap_none"},
}
FORBIDDEN = {
    r"\bnew\b|\bdelete\b|\bmalloc\b": "dynamic memory",
    r"\bthrow\b|\btry\b|\bcatch\b": "an exception",
    r"\bvirtual\b": "a virtual function",
    r"\bgoto\b": "goto",
    r"\bfloat\b|\bdouble\b": "floating point",
    r"std::(vector|string|map|set|deque|list|unique_ptr|shared_ptr|function)\b": "a standard container",
}
TOOLS = ("#ifdef __SYNTHESIS__", "#ifdef __BAMBU__")
RANGE = r"\.\s*range\s*\("
RANGE_TO_RANGE = re.compile(rf"{RANGE}[^;=]*\)\s*=(?!=)(?P<right>[^;]*);")
CAST = re.compile(r"\b(ap_u?int|integer)\s*<[^;()]*>\s*\(")
NOT_VARIABLES = r"(?!(?:const|constexpr|using|typedef|template|struct|class|enum|return|extern)\b)"
SCOPE_VARIABLE = re.compile(rf"^(?:static\s+|inline\s+)?{NOT_VARIABLES}[\w:<>, ]+[ &*]\w+(\[[^\]]*\])*\s*(=[^;]*)?;$")


@dataclass(frozen=True)
class Finding:
    """A breach of the dialect."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def strip(text: str) -> str:
    """Source without comments and string contents, line for line."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        return '""' if found[0] == '"' else "\n" * found.count("\n")

    return pattern.sub(blank, text)


def macros(folder: Path) -> set[str]:
    """Names of all DFC_ macros that the headers of a folder define."""
    return {m for file in MACRO_HEADERS if (folder / file).exists() for m in re.findall(r"#define (DFC_\w+)", (folder / file).read_text())}


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _pragmas(name: str, text: str) -> Iterator[Finding]:
    """Directives and options, in the macro definitions and of the interfaces."""
    for found in re.finditer(r"DFC_PRAGMA\(HLS (\w+)([^)]*)\)|^#pragma HLS (\w+)(.*)$", text, re.MULTILINE):
        bare = found[3] is not None
        directive, rest = (found[3], found[4]) if bare else (found[1], found[2])
        line = _line(text, found.start())
        if bare and (directive != "interface" or name.endswith(".hpp") or _condition(text[: found.start()]) not in TOOLS):
            yield Finding(name, line, "a bare pragma that is no interface of a top, under #ifdef of a tool")
        if not bare and directive == "interface":
            yield Finding(name, line, "an interface by a macro, which Bambu does not bind to the function")
        if directive not in DIRECTIVES:
            yield Finding(name, line, f"there is no pragma HLS {directive}")
            continue
        pairs = dict(re.findall(r"(\w+)\s*=\s*(\w+)", rest))
        words = set(re.findall(r"\w+", re.sub(r"(\w+)\s*=\s*\w+", r"\1", rest)))
        for word in sorted(words - DIRECTIVES[directive]):
            yield Finding(name, line, f"pragma HLS {directive} has no option {word}")
        for option, known in VALUES.items():
            if option in pairs and pairs[option] not in known:
                yield Finding(name, line, f"pragma HLS {directive} {option} cannot be {pairs[option]}")


def _condition(before: str) -> str:
    """The innermost conditional line that holds at the end of a text."""
    stack = list[str]()
    for line in re.findall(r"^#(?:if.*|else|endif)$", before, re.MULTILINE):
        if line.startswith("#if"):
            stack.append(line)
        else:
            stack.pop()
            stack += ["#else"] if line == "#else" else []
    return stack[-1] if stack else ""


def _macro_uses(name: str, lines: list[str], known: set[str]) -> Iterator[Finding]:
    own = {m for line in lines for m in re.findall(r"#define (DFC_\w+)", line)}
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("#"):
            continue
        for macro in re.findall(r"\bDFC_\w+", line):
            if macro not in known | own:
                yield Finding(name, number, f"{macro} is not defined in {' or '.join(MACRO_HEADERS)}")
        if re.match(r"\s*DFC_PIPELINE\b", line):
            before = next((text for text in reversed(lines[: number - 1]) if text.strip()), "")
            if not re.match(r"\s*(for|while) \(.*\{$|.*\)\s*\{$", before):
                yield Finding(name, number, "DFC_PIPELINE is not directly under the loop it governs")


def _constructs(name: str, text: str) -> Iterator[Finding]:
    for pattern, what in FORBIDDEN.items():
        for found in re.finditer(pattern, text):
            yield Finding(name, _line(text, found.start()), f"{what} is not in the dialect")
    for found in RANGE_TO_RANGE.finditer(text):
        if re.search(RANGE, found["right"]) and not CAST.search(found["right"]):
            yield Finding(name, _line(text, found.start()), "a range is assigned to a range: go through a typed temporary")
    for found in re.finditer(r"static_assert\s*\(((?:[^()]|\([^()]*\))*)\)\s*;", text):
        if '""' not in found[1]:
            yield Finding(name, _line(text, found.start()), "a static_assert without a sentence")


def _parameters(name: str, text: str) -> Iterator[Finding]:
    """Template parameters that nothing after the template's head reads; of overloads and specialisations one may ignore them."""
    heads = list(re.finditer(r"\btemplate <((?:[^<>]|<[^<>]*>)*)>\s*", text))
    named = [re.match(r"(?:struct|class) (\w+)|[^;{(]*?(\w+)\(", text[head.end() :]) for head in heads]
    names = [found and (found[1] or found[2]) for found in named]
    for head, own in zip(heads, names, strict=True):
        rest = text[head.end() :]
        stop = re.search(r"[;{]", rest)
        if not stop or (own and names.count(own) > 1):
            continue
        end = closing(rest, stop.start()) if stop[0] == "{" else stop.start()
        for parameter in re.findall(r"(?:int|long|bool|class)(?:\.\.\.)? (\w+)", head[1]):
            if not re.search(rf"\b{parameter}\b", rest[:end]):
                yield Finding(name, _line(text, head.start()), f"template parameter {parameter} is read nowhere")


def _scope(name: str, text: str) -> Iterator[Finding]:
    """Variables at namespace scope: braces of namespaces do not count as depth."""
    depth, statement, opened = 0, "", list[bool]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for char in line:
            if char == "{":
                opened.append(re.match(r"\s*(inline\s+)?namespace\b", statement) is not None)
                depth += not opened[-1]
            elif char == "}":
                depth -= not opened.pop()
            statement = "" if char in "{}" and not depth else statement + char
            if char == ";":
                if not depth and SCOPE_VARIABLE.match(statement.strip()):
                    yield Finding(name, number, "a variable at namespace scope that is not constant")
                statement = ""


def lint_text(name: str, source: str, known: set[str]) -> list[Finding]:
    """Breaches in one file; `known` are the macros there are."""
    if name in EXEMPT:
        return []
    text = strip(source)
    found = [
        *_pragmas(name, text),
        *_macro_uses(name, text.splitlines(), known),
        *_constructs(name, text),
        *_parameters(name, text),
        *_scope(name, text),
    ]
    built = synthesised(text)
    found += [Finding(name, _line(built, at), sentence) for at, sentence in breaches(built)]
    first = next((line for line in text.splitlines() if line.strip()), "")
    if name.endswith(".hpp") and first != "#pragma once":
        found.append(Finding(name, 1, "a header must start with #pragma once"))
    return sorted(found, key=lambda f: f.line)


def lint_folder(folder: Path) -> list[Finding]:
    """Breaches in all C++ files of a folder."""
    known = macros(folder)
    files = sorted(p for place in (folder, folder / "unit") for p in place.glob("*.[hc]pp"))
    return [f for p in files for f in lint_text(p.name, p.read_text(), known)]
