"""The notebooks run as they are, from top to bottom, and are kept without outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "notebooks"
QUICK = "folding"
NAMES = sorted(p.stem for p in FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("name", [n if n == QUICK else pytest.param(n, marks=pytest.mark.full) for n in NAMES])
def test_a_notebook_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="it comes with the extra [test]")
    nbclient = pytest.importorskip("nbclient", reason="it comes with the extra [test]")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # for lines that begin with !
    made = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(made, timeout=1800, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [o for cell in made.cells if cell.cell_type == "code" for o in cell.outputs]
    assert [o for o in outputs if o.output_type == "error"] == []
    assert [o for o in outputs if "image/svg+xml" in o.get("data", {})] or name in ("add_a_unit", "from_onnxruntime", "to_a_board")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_outputs(name: str, root: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="it comes with the extra [test]")
    made = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(made)
    cells = [c for c in made.cells if c.cell_type == "code"]
    assert cells and all(not c.outputs and c.execution_count is None for c in cells)
    assert f"notebooks/{name}.ipynb" in (root / "docs" / "notebooks.md").read_text(encoding="utf-8")
