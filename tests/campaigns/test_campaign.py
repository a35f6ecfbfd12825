"""Campaigns: the same bytes here and on a Dask cluster, nothing lost when a process is killed, nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import onnx
import pytest

from dfcompile.campaigns import step
from dfcompile.campaigns.campaign import run_campaign
from dfcompile.campaigns.file import Case, read_campaign
from dfcompile.campaigns.run import Run, opened
from dfcompile.campaigns.step import BuildInput
from dfcompile.campaigns.summary import summary
from dfcompile.command import cli
from dfcompile.device.resources import Resources
from dfcompile.errors import CompileError, Problem
from dfcompile.options import Options
from dfcompile.store.marker import MARKER
from dfcompile.synthesis.unit import Synthesis
from dfcompile.tasks.pool import inline
from tests.board.conftest import write_tiny
from tests.conftest import ROOT

MLP = "digits_mlp_w1a1.onnx"


def written(folder: Path, **keys: Any) -> Path:
    """A campaign's file with the model beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "examples" / MLP, folder / MLP)
    lines = [f"{k} = {json.dumps(v)}" for k, v in {"models": [MLP], **keys}.items()]
    (folder / "campaign.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "campaign.toml"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a campaign's results but the lock."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def test_twelve_builds_are_the_same_bytes_on_a_cluster_and_here_whatever_is_killed(tmp_path: Path) -> None:
    """Here the whole campaign is killed and run again; on the cluster one of two workers is."""
    distributed = pytest.importorskip("distributed", reason="it comes with the extra [cluster]")
    asked = {"boards": ["pynq-z2", "ulx3s"], "modes": ["dataflow"], "intervals": [768, 1024, 1536, 2048, 4096, 8192]}
    here, there = (written(tmp_path / name, **asked) for name in ("here", "there"))
    killed = subprocess.Popen([sys.executable, "-m", "dfcompile", "campaign", str(here), "--jobs", "1", "--quiet"], cwd=ROOT)
    results = here.parent / "campaign" / "results"
    deadline = time.monotonic() + 240
    while len(list(results.glob("*.json"))) < 3:
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    kept = len(list(results.glob("*.json")))
    found, made = run_campaign(here, jobs=1)
    assert 0 < made <= 12 - kept < 12 and {c["steps"]["build"]["state"] for c in found["cases"]} == {"done"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def kill(run: Run) -> None:
            if run.made == 3 and len(pids) == 2:
                os.kill(pids.pop(), signal.SIGKILL)

        assert run_campaign(there, scheduler=cluster.scheduler_address, watch=kill)[1] == 12 and len(pids) == 1
        assert run_campaign(there, scheduler=cluster.scheduler_address)[1] == 0
    first, second = (contents(f.parent / "campaign") for f in (here, there))
    assert first == second and len([n for n in first if n.endswith("/design.json")]) == 12


def test_failures_are_kept_with_their_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, boards=["icebreaker"], modes=["dataflow"], intervals=[50, 2048])
    assert cli.main(["campaign", str(file), "--jobs", "1"]) == 1
    said = capsys.readouterr()
    assert "2 tasks done" in said.out and "build of digits_mlp_w1a1.onnx, icebreaker, dataflow, 50 cycles" in said.err
    page = (tmp_path / "campaign" / "campaign.html").read_text(encoding="utf-8")
    assert "no folding with 50 cycles a frame fits icebreaker" in page and page.count("<circle") == 1
    assert cli.main(["campaign", str(file), "--jobs", "1", "--json"]) == 1
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert [c["steps"]["build"]["state"] for c in cases] == ["failed", "done"]
    assert cases[0]["figures"] is None and cases[0]["steps"]["build"]["problems"][0]["code"] == "does-not-fit"
    assert run_campaign(file, jobs=1)[1] == 0
    (made,) = (tmp_path / "campaign" / "builds").iterdir()
    (made / MARKER).unlink()
    shutil.rmtree(made)
    assert run_campaign(file, jobs=1)[1] == 1 and (made / "design.json").exists()


def test_units_that_designs_share_are_synthesised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, boards=["pynq-z2", "zcu104"], modes=["dataflow"], intervals=[1024, 1025], synth=True)
    runs: list[Synthesis] = []

    def fake(module: Synthesis) -> Resources:
        runs.append(module)
        return Resources(lut=10)

    monkeypatch.setattr(Synthesis, "run", fake)
    with opened(read_campaign(file)) as run:
        run.work(inline())
        found = summary(run)
    parts = [p for row in run.rows for p in step.parts(run.results.read_build(row.model, row.build))]
    modules = [m for p in parts for m in p.modules]
    assert len(runs) == len(set(runs)) == len(set(modules)) < len(modules)
    for case, row in zip(found["cases"], run.rows, strict=True):
        own = step.parts(run.results.read_build(row.model, row.build))
        assert case["figures"]["synthesised"] and case["figures"]["resources"]["lut"] == 10 * sum(len(p.modules) for p in own)
    with opened(read_campaign(file)) as again:
        again.work(inline())
        assert again.made == 0 and summary(again) == found


def test_a_missing_tool_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, boards=["pynq-z2"], modes=["dataflow"], intervals=[2048], synth=True)

    def missing(module: Synthesis) -> Resources:
        raise CompileError(Problem("missing-tool", "'pyosys' is not installed", help="install it"))

    monkeypatch.setattr(Synthesis, "run", missing)
    with opened(read_campaign(file)) as run:
        run.work(inline())
        assert summary(run)["cases"][0]["steps"]["synth"]["state"] == "failed"
    monkeypatch.setattr(Synthesis, "run", lambda module: Resources(lut=1))
    with opened(read_campaign(file)) as run:
        run.work(inline())
        assert summary(run)["cases"][0]["steps"]["synth"]["state"] == "done"


def test_one_campaign_at_a_time(tmp_path: Path) -> None:
    campaign = read_campaign(written(tmp_path, boards=["pynq-z2"]))
    with opened(campaign), pytest.raises(CompileError, match="another campaign is at work"), opened(campaign):
        pass


def test_a_build_takes_its_files_along(tmp_path: Path) -> None:
    """External data, a board and a folding of the user's; equal inputs have one key, wherever they lie."""
    model = onnx.load(ROOT / "examples" / MLP)
    names = ("here", "there")
    for name in names:
        (tmp_path / name).mkdir()
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        onnx.save(copy, tmp_path / name / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
        (tmp_path / name / "f.json").write_text("{}")
    given = [BuildInput.of(Case(tmp_path / n / "m.onnx", Options(folding=tmp_path / n / "f.json", mode="dataflow"))) for n in names]
    assert set(given[0].files) == {"model/m.onnx", "model/w.bin", "set/f.json"} and given[0].key == given[1].key
    assert "design.json" in step.build(given[0])
    (tmp_path / "there" / "f.json").write_text("{ }")
    again = BuildInput.of(Case(tmp_path / "there" / "m.onnx", Options(folding=tmp_path / "there" / "f.json", mode="dataflow")))
    assert again.options == given[0].options and again.key != given[0].key


def test_every_option_is_in_the_key() -> None:
    """Each is another build."""
    model, common = ROOT / "examples" / MLP, {"mode": "dataflow", "board": "pynq-z2"}
    other: dict[str, Any] = {"mode": "loopback", "board": "zcu104", "fps": 10.0, "interval": 64, "clock": 90.0, "folding": {"a": {"pe": 1}}}
    other |= {"input_type": ("uint8:1/8",), "from_": ("a",), "to": ("b",), "argmax": True, "streaming": True, "verify": False}
    other |= {"max_port_bits": 64, "watts": 2.5, "stream_weights": "all", "copies": 2}
    assert set(other) == {f.name for f in fields(Options)}
    keys = [BuildInput.of(Case(model, Options(**{**common, **o}))).key for o in ({}, *({k: v} for k, v in other.items()))]
    assert len({*keys}) == len(keys)


@pytest.mark.further
@pytest.mark.slow
def test_every_step_of_a_real_campaign(tmp_path: Path) -> None:
    """Verified, synthesised, placed and routed, and nothing to do the second time."""
    tiny = write_tiny(tmp_path / "tiny.onnx")
    file = written(
        tmp_path,
        models=[tiny.name],
        boards=["ulx3s"],
        modes=["dataflow"],
        intervals=[32],
        verify=["hls", "rtl"],
        synth=True,
        bitstream=True,
    )
    found, made = run_campaign(file, jobs=2)
    (case,) = found["cases"]
    assert {s["state"] for s in case["steps"].values()} == {"done"}, case
    assert case["figures"]["synthesised"] and case["figures"]["fmax_mhz"] > case["figures"]["clock_mhz"]
    assert (tmp_path / "campaign" / case["build"] / "board" / "tiny_board.bit").exists() and made >= 6
    assert run_campaign(file, jobs=2) == (found, 0)
