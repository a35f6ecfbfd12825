"""Every refusal says a way out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfcompile.errors import HELP, Problem

PACKAGE = Path(__file__).resolve().parent.parent / "dfcompile"
PLACES = {"Problem": 4, "Refusal": 3, "SettingError": 4, "problem": 4, "refuse": 4, "refusal": 4}
"""Functions that make a problem: where their help stands."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls that make a problem, and their codes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            code = node.args[0] if node.args else None
            if name in PLACES and isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value, node


def has_help(node: ast.Call) -> bool:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    starred = any(isinstance(a, ast.Starred) for a in node.args)
    return starred or len(node.args) > PLACES[name] or "help" in {k.arg for k in node.keywords}


def test_every_refusal_has_a_help() -> None:
    found = [(path, code, node) for path in sorted(PACKAGE.rglob("*.py")) for code, node in calls(path)]
    assert len(found) > 150
    missing = [f"{p.relative_to(PACKAGE)}:{n.lineno}: {code}" for p, code, n in found if not has_help(n) and code not in HELP]
    assert missing == []


def test_helps_are_used() -> None:
    used = {code for path in PACKAGE.rglob("*.py") for code, node in calls(path) if not has_help(node)}
    assert set(HELP) - used == set()


@pytest.mark.parametrize("code", HELP)
def test_a_help_of_its_own_goes_first(code: str) -> None:
    assert Problem(code, "x").help == HELP[code] and Problem(code, "x", help="y").help == "y"
