"""Write docs/operators.md from the importer's converters: python -m tools.operator_table"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dfcompile.frontend.importer  # registers the converters  # noqa: F401
from dfcompile.frontend.call import CONVERTERS, Converter

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "operators.md"
TRIED = ROOT / "docs" / "operators_tried.json"
HEAD = """# ONNX operators

Every operator that the importer takes, what becomes of it, what was tried, and the limits that its converter checks (`...` stands for
what the message fills in). Operators not listed are refused with `error[unsupported-op]`. Later stages may refuse a combination, with
its reason: `dfcompile check` says it, and proposes the largest part of the model that compiles. This page is written by
`python -m tools.operator_table` from the code.

"Tried" counts models of a corpus of exports (`python -m tools.operators_tried FOLDER...` tried them and wrote
`docs/operators_tried.json`): how many hold the operator, and how many of those came out exact as dataflow and on the loopback engine; the
rest were refused, for this operator or for another. "Tests" are the files of tests/ that named it then.

| operator | what it is | tried | tests | refused |
|---|---|---|---|---|
"""


def refusals(converter: Converter) -> Iterator[str]:
    """What-texts of the refusals that a converter raises itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(converter)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal" and len(node.args) > 1:
            yield _text(node.args[1])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "..." for v in node.values)
    return "..."


def shown_tried(counts: dict[str, int] | None) -> str:
    """``12: 12 dataflow, 11 loopback``, or "" for what no model of the corpus holds."""
    return f"{counts['models']}: {counts['dataflow']} dataflow, {counts['loopback']} loopback" if counts else ""


def shown_files(files: list[str]) -> str:
    """The first files, and how many more there are."""
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def table() -> str:
    """The page."""
    rows, tried = [], json.loads(TRIED.read_text(encoding="utf-8"))
    for name, converter in sorted(CONVERTERS.items(), key=lambda item: item[0].lower()):
        summary = (inspect.getdoc(converter) or "").partition("\n")[0]
        limits = "; ".join(dict.fromkeys(refusals(converter)))
        cells = (name, summary, shown_tried(tried["models"].get(name)), shown_files(tried["tests"].get(name, [])), limits)
        rows.append("| " + " | ".join(t.replace("|", "\\|") for t in cells) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
