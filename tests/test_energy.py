"""The energy model, held to toggles and areas counted by hand."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import dfcompile as dfc
from dfcompile import pipeline
from dfcompile.command import cli
from dfcompile.device.boards import boards, find_board
from dfcompile.device.energy import Energies, Power
from dfcompile.device.family import ENERGIES
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError, SettingError
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.loopback.search.sweep import sweep
from dfcompile.mode.energy import Activity, Part, dataflow_parts, energy_report, stream_activity, toggles
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.units.base import Stream
from tests.conftest import ROOT

CNN, MLP = (ROOT / "examples" / f"{name}.onnx" for name in ("digits_cnn_w2a2", "digits_mlp_w1a1"))


@pytest.fixture(scope="module")
def cnn() -> dfc.Accelerator:
    return dfc.build(CNN, board="pynq-z2", mode="dataflow", verify=False, interval=1728)


@pytest.mark.parametrize(
    ("stream", "codes", "changed"),
    [
        (Stream((1, 1, 4), IntType(2, False), 1), [0, 3, 3, 1], 2 + 0 + 1),  # 00 11 11 01
        (Stream((1, 1, 4), IntType(2, False), 2), [0, 3, 3, 1], 3),  # 1100 0111: lane 0 lowest
        (Stream((1, 1, 3), IntType(4), 1), [7, -8, -1], 4 + 3),  # 0111 1000 1111
        (Stream((1, 2, 2), BIPOLAR, 2), [-1, 1, 1, -1], 2),  # 10 01
        (Stream((1, 1, 2), IntType(9), 1), [255, -256], 9),  # 0 1111 1111, 1 0000 0000
    ],
)
def test_toggles_by_hand(stream: Stream, codes: list[int], changed: int) -> None:
    frame = np.array(codes).reshape(1, *stream.shape)
    assert toggles(stream, frame)[:2] == (changed, (stream.beats - 1) * stream.width)
    same, most, _ = toggles(stream, np.concatenate([frame, frame]))  # and from the last word back to the first
    back = bin(int("".join(f"{b:08b}" for b in stream.pack(frame)[-1] ^ stream.pack(frame)[0]), 2)).count("1")
    assert (same, most) == (2 * changed + back, (2 * stream.beats - 1) * stream.width)


def test_frames_one_by_one_toggle_as_much_as_together(cnn: dfc.Accelerator) -> None:
    """And a build's activity is that of the first two of the frames that its test benches get."""
    first = cnn.golden_frames().inputs[0][:2]
    apart, stream, tensor = Activity(cnn.design.streams()), cnn.design.streams()[cnn.graph.inputs[0]], cnn.graph.inputs[0]
    for frame in first:
        apart.see([tensor], [frame[None]])
    changed, most, _ = toggles(stream, first)
    assert apart.rates[tensor] == changed / most > 0
    parts = dataflow_parts(cnn.design, cnn.family, stream_activity(cnn.design, [first]))
    assert {p.name: p.activity for p in parts} == pytest.approx({u["name"]: u["activity"] for u in cnn.report["energy"]["units"]}, abs=1e-4)


def test_energy_of_parts_by_hand() -> None:
    """2 cycles of work in 10: 100 LUTs that toggle in every fourth beat, 50 flip-flops, a half block RAM, 3 slices."""
    e = Energies(lut=2.0, ff=0.5, bram36=8.0, dsp=4.0, source="")
    part = Part("u", Resources(100, 50, 0.5, 0, 3), 0.25, 2)
    assert part.dynamic_uj(e, 10) == pytest.approx(1e-6 * (100 * 0.25 * 2.0 * 2 + 50 * 0.5 * 10 + 0.5 * 8 * 2 + 3 * 4 * 2))


def test_shares_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENERGIES, "xc7", Energies(1.0, 0.0, 0.0, 0.0, "a paper"))
    parts = [Part("u", Resources(1000), 0.5, 4000)]  # 2 uJ
    board = replace(find_board("pynq-z2"), power=Power(0.25, 1.5, "a board"))
    found = energy_report(parts, "xc7", board, 10_000, 100.0, 800, "frames")  # 100 us
    shares = {"dynamic_uj": 2.0, "memory_uj": 800 * 8 * 1300 / 64 * 1e-6, "static_uj": 25.0, "board_uj": 150.0}
    assert {k: found[k] for k in shares} == pytest.approx(shares)
    assert found["frame_uj"] == pytest.approx(sum(shares.values())) and found["watts"] == pytest.approx(found["frame_uj"] / 100)
    assert found["model"] == "a model, not a measurement" and "a paper; board: a board" in found["source"]
    bare = energy_report(parts, "xc7", replace(board, power=None), 10_000, 100.0, 0, "frames")
    assert (bare["static_uj"], bare["board_uj"], bare["frame_uj"]) == (None, None, pytest.approx(2.0))
    assert "without the static and the board share" in bare["model"]


def test_a_design_counted_stream_by_stream(cnn: dfc.Accelerator) -> None:
    """Activities of the digits CNN on images against words made and compared one by one; a picture of one word toggles nothing."""
    images = np.load(CNN.with_suffix(".npz"))["images"][:2]
    codes = cnn.host.encode(cnn.host.checked(images))
    found = stream_activity(cnn.design, [codes[t] for t in cnn.graph.inputs])
    values, streams = cnn.graph.execute(codes, keep=found), cnn.design.streams()
    for t in (cnn.graph.inputs[0], "steps_dequantize_2:0", "conv_matmul_0:0"):
        bits = streams[t].dtype.bits
        beats = values[t].reshape(-1, streams[t].lanes).astype(int).tolist()
        words = [sum((c & (2**bits - 1)) << (bits * i) for i, c in enumerate(beat)) for beat in beats]
        changed = sum((a ^ b).bit_count() for a, b in pairwise(words))
        assert found[t] == pytest.approx(changed / ((len(words) - 1) * bits * streams[t].lanes)), t
    still = cnn.energy(np.zeros((2, 1, 8, 8), np.float32))
    assert still["units"][0]["activity"] == 0 and still["dynamic_uj"] < cnn.energy(images)["dynamic_uj"]
    assert still["activity_of"] == "2 given frames"


def test_bit_operations(cnn: dfc.Accelerator) -> None:
    """Multiplications of each layer by the bits of both; the same in both modes."""
    wanted = 64 * 16 * 9 * 4 * 2 + 64 * 16 * 144 * 2 * 2 + 16 * 32 * 144 * 2 * 2 + 10 * 128 * 2 * 2
    assert cnn.report["energy"]["bit_operations"] == wanted
    assert dfc.build(CNN, mode="loopback", verify=False).report["energy"]["bit_operations"] == wanted
    signs = 64 * 128 * 4 + 128 * 128 + 128 * 10  # weights and activations of one bit, behind inputs of four
    made = dfc.build(MLP, board="pynq-z2", mode="dataflow", verify=False)  # whose layers are adders of their constant weights
    assert made.report["energy"]["bit_operations"] == signs
    assert any(u["folding"].get("arithmetic") == "graph" or u["kind"] == "mvtu" for u in made.report["units"])


@pytest.mark.parametrize("mode", ["dataflow", "loopback"])
def test_the_report_of_a_build(mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.main(["build", str(CNN), "-o", str(out), "--board", "pynq-z2", "--mode", mode, "--no-verify"]) == 0
    report = json.loads((out / "report.json").read_text())
    energy = report["energy"]
    assert energy["frame_uj"] == pytest.approx(sum(energy[k] for k in ("dynamic_uj", "memory_uj", "static_uj", "board_uj")))
    assert energy["watts"] == pytest.approx(energy["frame_uj"] * 1e-6 * report["timing"]["fps"])
    assert energy["dynamic_uj"] == pytest.approx(sum(u["dynamic_uj"] for u in energy["units"]))
    assert (energy["memory_uj"] > 0) == (mode == "loopback")
    assert f"{energy['watts']:.3g} W (a model, not a measurement)" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert 'id="energy"' in page and f"{energy['watts']:.3f}" in page and "A model, not a measurement" in page
    assert dfc.load(out).energy() == energy


def test_families_without_figures() -> None:
    made = dfc.build(MLP, board="ulx3s", mode="dataflow", verify=False)
    energy = made.report["energy"]
    assert (
        (energy["frame_uj"], energy["watts"]) == (None, None)
        and energy["model"].startswith("none: no energies")
        and energy["bit_operations"]
    )
    assert 'id="energy"' not in made.page()
    with pytest.raises(SettingError, match="has no figures here"):
        dfc.build(MLP, board="ulx3s", mode="dataflow", verify=False, watts=2.0)


def test_the_page_says_of_each_family_whether_it_has_energies() -> None:
    rows = [line for line in (ROOT / "docs" / "energy.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    for family in {b.family for b in boards().values()}:
        said = [line for line in rows if re.match(rf"\| [^|]*\b{family}\b", line)]
        assert any("| none: " in line for line in said) == (family not in ENERGIES) and said, family


def test_more_watts_are_never_slower() -> None:
    """Of rising budgets: each is kept, no build is slower than with less, and one that is wide enough changes nothing."""
    asked = {"board": "pynq-z2", "mode": "dataflow", "verify": False}
    free, floor = dfc.build(MLP, **asked), 0.142 + 1.382
    over = free.report["energy"]["watts"] - floor
    limits = [floor + over * k for k in (0.4, 0.6, 0.8, 2)]
    made = [dfc.build(MLP, watts=w, **asked) for w in limits]
    intervals = [m.timing.interval_cycles for m in made]
    assert intervals == sorted(intervals, reverse=True) and len(set(intervals)) >= 3 and intervals[-1] == free.timing.interval_cycles
    assert all(m.report["energy"]["watts"] <= w for m, w in zip(made, limits, strict=True))
    again = dfc.build(MLP, watts=limits[1], **asked)
    assert {**again.report, "seconds": {}} == {**made[1].report, "seconds": {}} and again.options["watts"] == limits[1]
    assert again.options["interval"] is None


@pytest.mark.further
def test_an_engine_within_watts() -> None:
    """Loopback: each array shape of the board is built by itself; a budget between their powers takes the fastest below it."""
    asked = {"board": "pynq-z2", "mode": "loopback", "verify": False}
    model = CNN.with_name("digits_cnn_w4a4.onnx")
    free = dfc.build(model, **asked)
    assert isinstance(free, LoopbackAccelerator)
    engines: dict[tuple[int, int], dfc.Accelerator] = {(free.config.pe, free.config.simd): free}
    for p in sweep([free.graph], find_board("pynq-z2"), 100.0, most=1).every:
        if (p.config.pe, p.config.simd) not in engines:
            with contextlib.suppress(CompileError):  # the network does not fit this one's memories
                engines[p.config.pe, p.config.simd] = dfc.build(model, **asked, folding={"engine": asdict(p.config)})
    watts = sorted(m.report["energy"]["watts"] for m in engines.values())
    intervals = []
    for limit in (watts[0] + 1e-6, watts[3] + 1e-6, watts[-1] + 1e-6):
        made = dfc.build(model, watts=limit, **asked)
        assert made.report["energy"]["watts"] <= limit
        intervals.append(made.timing.interval_cycles)
        assert intervals[-1] == min(m.timing.interval_cycles for m in engines.values() if m.report["energy"]["watts"] <= limit)
        assert (made.options["folding"], made.options["watts"]) == (None, limit)
    assert intervals == sorted(intervals, reverse=True) and len(set(intervals)) == 3
    least, shape = min((m.report["energy"]["watts"], s) for s, m in engines.items())
    with pytest.raises(CompileError, match=f"of {len(engines)} engines .* {shape[0]} x {shape[1]}, takes {least:.4g} W"):
        dfc.build(model, watts=least - 1e-6, **asked)
    with pytest.raises(
        CompileError, match=f"makes no frame in {intervals[1] - 1:,} cycles(.|\n)*pynq-z2 within .* W takes {intervals[1]:,}"
    ):
        dfc.build(model, watts=watts[3] + 1e-6, interval=intervals[1] - 1, **asked)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"watts": 1.0}, "pynq-z2 takes 1.524 W whatever the design does"),
        ({"watts": 1.53, "interval": 64}, "at 64 cycles a frame it takes"),
        ({"watts": 1.53, "mode": "loopback"}, "by the energy model"),
        ({"watts": 1.5241}, "cycles a frame it takes"),
    ],
)
def test_watts_that_no_design_keeps(asked: dict[str, object], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SLOWER", 8.0)  # fewer steps to the slowest design
    with pytest.raises(CompileError, match="does-not-fit") as error:
        dfc.build(MLP, **{"board": "pynq-z2", "mode": "dataflow", "verify": False, **asked})
    assert why in str(error.value)


def test_boards_say_where_their_power_is_from(tmp_path: Path) -> None:
    assert all(b.power.source for b in boards().values() if b.power)
    text = 'part = ""\nfamily = "xc7"\nlut = 17600\nff = 35200\nbram36 = 60\ndsp = 80\nbandwidth = 1.0\nclock = 100\n'
    (tmp_path / "b.toml").write_text(text + "[power]\nstatic = 0.1\n")
    assert find_board(str(tmp_path / "b.toml")).power == Power(0.1, 0.0, "the user's file")
    (tmp_path / "b.toml").write_text(text + "[power]\nstatic = -1.0\n")
    with pytest.raises(SettingError, match=r"static = -1\.0"):
        find_board(str(tmp_path / "b.toml"))
