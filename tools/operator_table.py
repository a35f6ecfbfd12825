"""Write docs/operators.md from the importer's converters: python -m tools.operator_table"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dfcompile.frontend.importer  # registers the converters  # noqa: F401
from dfcompile.frontend.call import CONVERTERS, Converter

TARGET = Path(__file__).resolve().parent.parent / "docs" / "operators.md"
HEAD = """# ONNX operators

Every operator that the importer takes, what becomes of it, and the limits that its converter checks (`...` stands for what the
message fills in). Operators not listed are refused with `error[unsupported-op]`. Later stages may refuse a combination, with its
reason: see `dfcompile check`. This page is written by `python -m tools.operator_table` from the code.

| operator | what it is | refused |
|---|---|---|
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


def table() -> str:
    """The page."""
    rows = []
    for name, converter in sorted(CONVERTERS.items(), key=lambda item: item[0].lower()):
        summary = (inspect.getdoc(converter) or "").partition("\n")[0]
        limits = "; ".join(dict.fromkeys(refusals(converter)))
        rows.append("| " + " | ".join(t.replace("|", "\\|") for t in (name, summary, limits)) + " |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
