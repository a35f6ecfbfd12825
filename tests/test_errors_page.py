"""The page of errors has every code of the package, and none besides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import sources

PREFIXES = {"wrong_file": "config-"}
SELVES = ("self", "cls")


def calls_with_codes(trees: list[ast.Module]) -> dict[str, int]:
    """Names of what takes a problem's code (or `key`, behind its own prefix) as an argument, and at which place."""
    found = {"Problem": 0}
    for tree in trees:
        for node in ast.walk(tree):
            owner = [node.name] if isinstance(node, ast.FunctionDef) else []
            if isinstance(node, ast.ClassDef):
                owner = [node.name for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
                node = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), node)
            if owner and isinstance(node, ast.FunctionDef) and owner[0] != "__init__":
                names = [a.arg for a in node.args.args if a.arg not in SELVES]
                if "code" in names and "what" in names:
                    found[owner[0]] = names.index("code")
    return found


def codes(trees: list[ast.Module]) -> Iterator[str]:
    takes = calls_with_codes(trees)
    for tree in trees:
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if name in takes and len(call.args) > takes[name]:
                given = call.args[takes[name]]
                texts = [n.value for n in ast.walk(given) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                if not isinstance(given, ast.JoinedStr | ast.Attribute | ast.Name | ast.Subscript):
                    assert texts, f"a code that this test cannot read: {ast.unparse(call)}"
                    yield from (PREFIXES.get(name, "") + t for t in texts)


def test_every_code_has_a_cause_and_a_way_out(root: Path) -> None:
    used = set(codes([ast.parse(p.read_text(encoding="utf-8")) for p in sources("dfcompile")]))
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \|$", (root / "docs" / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = [code for code, _, _ in rows]
    assert len(told) == len(set(told)) and all(cause.strip() and way.strip() for _, cause, way in rows)
    assert len(used) > 70 and sorted(used - set(told)) == [] and sorted(set(told) - used) == []
