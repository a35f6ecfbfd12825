"""The wheel carries everything: a model is built from an installed wheel, in an empty folder, far from the checkout."""

from __future__ import annotations

import json
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, cwd=root)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel; its dependencies are lent by the present environment."""
    home = tmp_path_factory.mktemp("env")
    venv.create(home, with_pip=False, symlinks=True)
    made = home / "bin" / "python"
    packages = Path(run(made, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    # A plain path line does not read the .pth files there, so an editable dfcompile stays out of reach.
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    run(sys.executable, "-m", "pip", "--python", made, "install", "--no-deps", "--no-index", "--ignore-installed", "-q", wheel, cwd=home)
    return made


def test_wheel_carries_the_libraries(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [p for folder in ("templates", "hls", "rtl") for p in (root / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
    assert wanted
    assert {f"dfcompile/_data/{p.relative_to(root)}" for p in wanted} - names == set()
    assert {f"dfcompile/{p.relative_to(root / 'dfcompile')}" for p in (root / "dfcompile").rglob("*.py")} - names == set()
    assert {"dfcompile/device/boards.toml", "dfcompile/py.typed"} - names == set()


def test_build_from_the_wheel(python: Path, examples: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import dfcompile; print(dfcompile.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(python.parent.parent)
    command = python.parent / "dfcompile"
    run(command, "build", examples / "digits_mlp_w1a1.onnx", "-o", "out", "--quiet", cwd=tmp_path)
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["timing"]["interval_cycles"] > 0
    assert list((tmp_path / "out" / "rtl").glob("*.sv")) and list((tmp_path / "out" / "hls").glob("*.hpp"))
