"""What the command `campaign` shows: a table that lives, lines where there is no terminal, the same from Python."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import dfcompile as dfc
from dfcompile.campaigns.file import read_campaign
from dfcompile.campaigns.run import Run, opened
from dfcompile.command import cli
from dfcompile.command.campaign import _table
from dfcompile.tasks.pool import inline
from tests.campaigns.test_campaign import written


def shown(run: Run) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(_table(run))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_follows_the_run(tmp_path: Path) -> None:
    file = written(tmp_path, boards=["icebreaker"], modes=["dataflow"], intervals=[50, 2048], verify=["hls"])
    seen: list[str] = []
    with opened(read_campaign(file), lambda run: seen.append(shown(run))) as run:
        first = shown(run)
        missing = list(run._missing())
        assert len(missing) == 2 and first.count("waiting") == 4
    assert "50 cycles" in first and "2,048 cycles" in first and "verify hls" in first
    one = written(tmp_path / "one", boards=["icebreaker"], modes=["dataflow"], intervals=[50])
    with opened(read_campaign(one), lambda run: seen.append(shown(run))) as run:
        run.work(inline())
    assert "running" in seen[0] and "failed" in seen[-1]


def test_lines_where_there_is_no_terminal_and_the_same_from_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, boards=["icebreaker"], modes=["dataflow"], intervals=[50])
    found = dfc.campaign(file, jobs=1)
    assert found["cases"][0]["steps"]["build"]["state"] == "failed"
    assert cli.main(["campaign", str(file), "--jobs", "1"]) == 1
    said = capsys.readouterr()
    assert "nothing to do: every result is there" in said.out and "does-not-fit" in said.err
    assert cli.main(["campaign", str(file), "--jobs", "1", "--quiet"]) == 1
    assert capsys.readouterr().out == ""
    (tmp_path / "campaign" / "results").rename(tmp_path / "gone")
    assert cli.main(["campaign", str(file), "--jobs", "1"]) == 1
    said = capsys.readouterr()
    assert "1 of 1 steps, 1 failed" in said.err and "1 tasks done" in said.out
