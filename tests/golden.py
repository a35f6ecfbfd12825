"""Golden files: texts that are meant to change only on purpose (`pytest --update-golden`)."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "golden"


def check_golden(name: str, text: str, update: bool = False) -> None:
    """Hold `text` equal to ``tests/golden/<name>``, or write that file when `update`."""
    path = FOLDER / name
    text = text.rstrip("\n") + "\n"
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no golden file {path.name}: look at this text, then run pytest --update-golden\n{text}"
    assert text == path.read_text(encoding="utf-8"), f"differs from golden/{name}; if meant so, run pytest --update-golden"
