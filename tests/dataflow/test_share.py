"""Memories that share block RAMs: the best pairs, the same values in the same cycles, the blocks that Yosys takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration_units import mvtu
from dfcompile import build
from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import SharedMemory, ported_memory, saved_by, share_memories, shared_memories, unit_resources
from dfcompile.device.cost import rates, vector
from dfcompile.emit.interface import Interface
from dfcompile.emit.rtl import emit_rtl
from dfcompile.ir.graph import Node
from dfcompile.mode.synth import synth
from dfcompile.run.compile import lint
from dfcompile.run.hls import run_hls
from dfcompile.run.rtl import run_rtl
from dfcompile.synthesis.unit import shared_synthesis
from dfcompile.units.base import Memory
from tests.backend.designs import joined
from tests.conftest import ROOT
from tests.examples import some


def memory(depth: int, width: int, style: str = "bram", seed: int = 0) -> Memory:
    rng = np.random.default_rng(seed)
    bits = np.zeros((depth, -(-width // 8) * 8), dtype=np.uint8)
    bits[:, :width] = rng.integers(0, 2, (depth, width))
    return Memory("Weights", width, np.packbits(bits, axis=1, bitorder="little"), style)


def dense_layers(*shapes: tuple[int, int, str]) -> Design:
    """Dense layers one after another, outputs at 2 bits: (rows, lanes, weight style), the first of 24 columns."""
    nodes, columns = [], 24
    for i, (rows, simd, style) in enumerate(shapes):
        unit = mvtu("u2", "s2", "u2", rows, columns, 1, simd, weight_style=style)
        nodes.append(Node(f"d{i}", unit, (f"t{i}",), (f"t{i + 1}",)))
        columns = rows
    return joined("dense_layers", nodes, ("t0",), (f"t{len(shapes)}",))


def pairings(names: list[str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """All ways to pair some of the names."""
    if len(names) < 2:
        yield ()
        return
    yield from pairings(names[1:])
    for other in names[1:]:
        for rest in pairings([n for n in names[1:] if n != other]):
            yield ((names[0], other), *rest)


@pytest.mark.parametrize("depths", [(300, 300), (257, 700), (512, 512), (3, 1000), (1000, 3), (600, 300)])
def test_both_memories_are_where_the_hardware_reads_them(depths: tuple[int, int]) -> None:
    first, second = memory(depths[0], 9, seed=1), memory(depths[1], 20, seed=2)
    pair = SharedMemory(("a", "b"), first, second)
    words = pair.words
    assert np.array_equal(words[: first.depth, :2], first.words)
    above = pair.depth - (1 << (second.depth - 1).bit_length())
    found = [words[(above + i) if above >= first.depth else pair.depth - 1 - i] for i in range(second.depth)]
    assert np.array_equal(np.array(found), second.words)


def test_the_pairs_are_the_best_of_all() -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        shapes = [(int(rng.integers(4, 60)), 1, str(rng.choice(["bram", "bram", "lut"]))) for _ in range(6)]
        design = dense_layers(*shapes)
        names = [n.name for n in design.nodes]
        memories = {n: ported_memory(design, n) for n in names}

        def worth(pairs: tuple[tuple[str, str], ...], held: dict[str, Memory | None] = memories) -> float:
            made = [SharedMemory((a, b), x, y) for a, b in pairs if (x := held[a]) and (y := held[b])]
            return sum(float(rates("xc7") @ vector(saved_by(p, "xc7"))) for p in made)

        best = max(worth(p) for p in pairings(names))
        found = share_memories(design, "xc7")
        assert worth(found.shared) == pytest.approx(best, abs=0.01)
        before, after = (sum(r.bram36 for r in unit_resources(d, "xc7").values()) for d in (design, found))
        saved = sum(saved_by(p, "xc7").bram36 for p in shared_memories(found))
        assert after == pytest.approx(before - saved)


def test_values_and_cycles_stay(tmp_path: Path) -> None:
    apart = dense_layers((40, 2, "bram"), (24, 1, "bram"), (30, 1, "bram"), (9, 1, "lut"), (12, 1, "bram"))
    design = replace(apart, shared=(("d0", "d4"), ("d1", "d2")))
    codes = [np.random.default_rng(0).integers(0, 4, (4, *design.streams()["t0"].shape))]
    wanted = design.graph.execute({"t0": codes[0]})[design.graph.outputs[0]]
    runs = [run_rtl(d, codes) for d in (apart, design)]
    for run in (*runs, run_rtl(design, codes, 0.4, 3)):
        assert np.array_equal(run.outputs[0], wanted)
    assert runs[0].frame_done.tolist() == runs[1].frame_done.tolist()
    assert np.array_equal(run_hls(design, codes)[0], wanted)
    emit_rtl(design, tmp_path)
    assert {p.name for p in tmp_path.glob("*__*.mem")} == {"d0__d4.mem", "d1__d2.mem"}
    assert not (tmp_path / "d0_weights.mem").exists()
    lint(tmp_path, Interface.of(design).names.top)


SHAPES = [((300, 18), (300, 18)), ((300, 10), (600, 18)), ((3000, 4), (900, 3)), ((200, 36), (250, 40))]


@pytest.mark.parametrize("family", some(["xc7", "xcup", "ecp5"], always=["xcup"]))
@pytest.mark.parametrize("shapes", some(SHAPES, always=SHAPES[:1]))
def test_yosys_takes_the_blocks_of_the_estimate(family: str, shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    pair = SharedMemory(("a", "b"), memory(*shapes[0], seed=1), memory(*shapes[1], seed=2))
    assert shared_synthesis(pair, family).run().bram36 == pair.resources(family).bram36


@pytest.mark.further
@pytest.mark.slow
def test_a_build_takes_the_block_rams_that_it_reports(tmp_path: Path) -> None:
    model = ROOT / "examples" / "digits_cnn_w2a2.onnx"
    plain = build(model, interval=32768, verify=False)
    styles = {n.name: {"weight_style": "bram"} for n in plain.design.nodes if plain.design.unit(n.name).ported}
    made = build(model, interval=32768, folding=styles, verify=False)
    assert made.design.shared
    made.save(tmp_path / "out")
    found = synth(tmp_path / "out")
    assert found["total"]["synthesised"]["bram36"] == found["total"]["estimated"]["bram36"] == made.resources.bram36
    assert made.report["resources"]["bram36"] < sum(made.design.unit(n.name).resources("xc7").bram36 for n in made.design.nodes) + sum(
        f.resources("xc7").bram36 for f in made.design.fifos().values()
    )
    assert [p["units"] for p in made.report["shared_memories"]] == [list(p) for p in made.design.shared]
