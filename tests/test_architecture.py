"""The shape of the code: which way imports point, how long files and functions are, what must not appear."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import settings

from tests.examples import examples, simulated

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dfcompile"

# Lowest first. A module may import from the layers below its own and from its own room; rooms of one layer know nothing of each other.
LAYERS = (
    {"text"},
    {"__init__", "errors"},
    {"store", "toolchain"},
    {"tasks", "quantization"},
    {"jit"},
    {"ir"},
    {"device"},
    {"options"},
    {"frontend", "streamline", "units"},
    {"dataflow", "loopback"},
    {"folding", "timing"},
    {"loops"},
    {"emit"},
    {"run"},
    {"synthesis"},
    {"report"},
    {"mode"},
    {"front"},
    {"several", "spill"},
    {"propose"},
    {"pipeline"},
    {"written"},
    {"exploration"},
    {"campaigns"},
    {"command"},
    {"__main__"},
)


def sources(*folders: str) -> list[Path]:
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Full names of everything that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(part: str) -> int:
    found = [i for i, names in enumerate(LAYERS) if part in names]
    assert found, f"dfcompile/{part} is in no layer: add it to LAYERS"
    return found[0]


def part(name: str) -> str:
    """The second part of a dotted name: dfcompile.ir.graph -> ir."""
    pieces = name.split(".")
    return pieces[1] if len(pieces) > 1 and ((PACKAGE / pieces[1]).is_dir() or (PACKAGE / f"{pieces[1]}.py").exists()) else "__init__"


def test_imports_point_one_way() -> None:
    wrong = []
    for path in sources("dfcompile"):
        own = part(module_name(path))
        for name in imports(path):
            if not name.startswith("dfcompile"):
                continue
            other = part(name)
            if other != own and layer(other) >= layer(own):
                wrong.append(f"{module_name(path)} imports {name}")
    # The package itself offers build and load, lazily.
    assert [w for w in wrong if not w.startswith("dfcompile imports")] == []


def test_no_import_cycles() -> None:
    names = {module_name(p) for p in sources("dfcompile")}
    graph = nx.DiGraph()
    for path in sources("dfcompile"):
        own = module_name(path)
        for name in imports(path):
            target = name if name in names else name.rpartition(".")[0]
            # A module may ask its own package what lies in the folder; that is no dependency on what the package imports.
            if target in names and own != "dfcompile" and not own.startswith(target):
                graph.add_edge(own, target)
    assert list(nx.simple_cycles(graph)) == []


def test_one_file_imports_onnx() -> None:
    found = [module_name(p) for p in sources("dfcompile") if any(re.match(r"onnx(\.|$)", name) for name in imports(p))]
    assert len(found) == 1 and found[0].startswith("dfcompile.frontend."), found


def test_one_file_imports_numba() -> None:
    """numba's own cache on disk ends the program where it cannot be read or written."""
    assert [module_name(p) for p in sources("dfcompile") if any(re.match(r"numba(\.|$)", name) for name in imports(p))] == ["dfcompile.jit"]


def test_no_environment_variables() -> None:
    pattern = re.compile(r"os\.environ|os\.getenv|\bgetenv\(")
    assert [f"{p.relative_to(ROOT)}: {m[0]}" for p in sources("dfcompile") for m in pattern.finditer(p.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("folder", ["dfcompile", "tests", "examples", "benchmarks", "tools"])
def test_files_are_short(folder: str) -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in sources(folder)}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_libraries_are_short() -> None:
    limits = {".sv": 200, ".svh": 200, ".hpp": 400}
    files = [p for folder in ("rtl", "hls") for p in (ROOT / folder).iterdir() if p.suffix in limits]
    assert files
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert {name: n for name, n in lengths.items() if n > limits[Path(name).suffix]} == {}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_are_short() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{f.lineno} {f.name}: {f.end_lineno - f.lineno + 1} lines"
        for path in sources("dfcompile", "tests", "examples", "benchmarks", "tools")
        for f in functions(path)
        if f.end_lineno is not None and f.end_lineno - f.lineno + 1 > 60
    ]
    assert found == []


def test_no_function_stands_twice() -> None:
    seen: dict[str, str] = {}
    found = []
    for path in sources("dfcompile"):
        for f in functions(path):
            assert f.end_lineno is not None
            body = [s for s in f.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            text = ast.dump(ast.Module(body, []))
            where = f"{path.relative_to(ROOT)}:{f.lineno} {f.name}"
            if f.end_lineno - f.body[0].lineno >= 4 and text in seen:
                found.append(f"{seen[text]} = {where}")
            seen.setdefault(text, where)
    assert found == []


def test_nothing_is_dead() -> None:
    vulture = pytest.importorskip("vulture", reason="vulture comes with the extra [test]")
    found = vulture.Vulture()
    found.scavenge([str(ROOT / folder) for folder in ("dfcompile", "tests", "examples", "benchmarks", "tools")])
    assert [str(item.get_report()) for item in found.get_unused_code(min_confidence=80)] == []


def test_every_assertion_says_what_it_means() -> None:
    """By its message or by a comment behind it: a user who meets it sees a sentence, not an empty AssertionError."""
    found = []
    for path in sources("dfcompile"):
        lines = path.read_text(encoding="utf-8").splitlines()
        asserts = (n for n in ast.walk(ast.parse("\n".join(lines))) if isinstance(n, ast.Assert))
        found += [f"{path.relative_to(ROOT)}:{n.lineno}" for n in asserts if n.msg is None and "#" not in lines[n.lineno - 1]]
    assert found == []


def test_nothing_is_left_open() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError(\(\))?$|\$[A-Z]{3,}\$", re.MULTILINE)
    files = sources("dfcompile", "examples") + [
        p for d in ("rtl", "hls", "templates") for p in (ROOT / d).rglob("*") if p.is_file() and p.suffix != ".pyc"
    ]
    assert [f"{p.relative_to(ROOT)}: {m[0]}" for p in files for m in pattern.finditer(p.read_text(encoding="utf-8"))] == []


def test_every_unit_has_its_header_and_module() -> None:
    from dfcompile.units import all_units

    missing = [
        str(p.relative_to(ROOT))
        for kind in all_units()
        for p in (ROOT / "hls" / f"dfc_{kind}.hpp", ROOT / "rtl" / f"dfc_{kind}.sv")
        if not p.exists()
    ]
    assert all_units() and missing == []


FRAME = {"Beats", "Positions", "Vectors", "Elements", "Height"}
"""Sizes of a frame: a C++ function ends after one, a module runs on."""


@pytest.mark.parametrize("path", sorted((ROOT / "rtl").glob("*.sv")), ids=lambda p: p.stem)
def test_every_parameter_of_a_module_is_used(path: Path) -> None:
    """Besides where its range is checked."""
    text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
    used = re.sub(r"^  if \((?:(?!\bbegin\b).)*begin : gen_check.*?^  end$", "", text, flags=re.MULTILINE | re.DOTALL)
    declared = re.findall(r"^\s*parameter\b[^=\n]*?(\w+)\s*=", text, re.MULTILINE)
    assert [name for name in declared if name not in FRAME and len(re.findall(rf"\b{name}\b", used)) < 2] == []


def test_property_counts_follow_full() -> None:
    """A count that a test sets by itself would hold under --full too."""
    own = re.compile(r"max_examples\s*=|@settings\((?!suppress_health_check=list\(HealthCheck\)\))")
    files = [p for p in sources("tests") if p.name not in ("conftest.py", "examples.py", "test_architecture.py")]
    assert [f"{p.relative_to(ROOT)}: {m[0]}" for p in files for m in own.finditer(p.read_text(encoding="utf-8"))] == []
    before = settings.get_current_profile_name()
    try:
        settings.load_profile("suite")
        assert (examples(25).max_examples, simulated(8).max_examples) == (25, 4)
        settings.load_profile("planted")
        assert (examples(25).max_examples, simulated(8).max_examples) == (25, 8)
        settings.load_profile("nightly")
        assert (examples(25).max_examples, simulated(8).max_examples, settings().max_examples) == (2000, 200, 2000)
    finally:
        settings.load_profile(before)
