"""The model corpus that lies beside a developer's checkout; a clone elsewhere has none, and its tests are skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).resolve().parent.parent.parent / "shared" / "models"
needs_models = pytest.mark.skipif(not (MODELS / "manifest.json").exists(), reason="no ../shared/models beside this checkout")


def manifest() -> list[dict[str, Any]]:
    """The entries of the corpus, for `pytest.mark.parametrize`; empty where there is no corpus."""
    path = MODELS / "manifest.json"
    if not path.exists():
        return []
    models = json.loads(path.read_text(encoding="utf-8"))["models"]
    return models if isinstance(models, list) else [{**entry, "name": name} for name, entry in models.items()]


MODELS2 = MODELS.parent / "models2"
needs_models2 = pytest.mark.skipif(not (MODELS2 / "manifest.json").exists(), reason="no ../shared/models2 beside this checkout")
