"""The table of operators in the docs is the code's."""

from __future__ import annotations

from tools.operator_table import TARGET, table


def test_the_operator_table_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == table(), "run: python -m tools.operator_table"
