"""Commands that documents show exist as they are written; the campaign that they show is one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dfcompile.campaigns.campaign import run_campaign
from dfcompile.campaigns.file import read_campaign
from dfcompile.command.cli import cli
from tests.conftest import ROOT

PAGES = sorted(p for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if p.name != "commands.md")


def commands(text: str) -> Iterator[list[str]]:
    """Lines of code blocks, and pieces of text set as code, that begin with dfcompile; those with an ellipsis are no whole ones."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    pieces = re.findall(r"`(dfcompile [^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^\s*(?:\$ |- run: |RUN )?(dfcompile [^\n]*)$", blocks, re.MULTILINE)
    for line in (*lines, *pieces):
        words = shlex.split(line.partition(" && ")[0], comments=True)
        if "..." not in line and len(words) > 1 and not words[1].startswith("-"):
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_of_a_page_exists(page: Path) -> None:
    for name, *arguments in commands(page.read_text(encoding="utf-8")):
        command = cli.commands.get(name)
        assert command, f"{page.name}: there is no command {name}"
        try:
            whole = cli.make_context("dfcompile", [name], resilient_parsing=True)  # a command keeps the first context's help option
            command.make_parser(click.Context(command, parent=whole, info_name=name)).parse_args([a for a in arguments if a != "|"])
        except click.UsageError as e:
            pytest.fail(f"{page.name}: dfcompile {name} {shlex.join(arguments)}: {e.format_message()}")


def campaign_of_its_page(folder: Path) -> Path:
    """The file that docs/campaigns.md shows, with its models beside it."""
    (text,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "campaigns.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for name in re.findall(r"\w+\.onnx", text):
        (folder / name).write_bytes((ROOT / "examples" / name).read_bytes())
    (folder / "c.toml").write_text(text, encoding="utf-8")
    return folder / "c.toml"


def test_the_campaign_of_its_page(tmp_path: Path) -> None:
    found = read_campaign(campaign_of_its_page(tmp_path))
    assert len(found.cases) == 16 and found.verify == ("hls", "rtl") and found.synth


@pytest.mark.full
def test_the_campaign_of_its_page_builds(tmp_path: Path) -> None:
    """Its builds, without what is done behind each."""
    file = campaign_of_its_page(tmp_path)
    kept = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith(("verify", "synth"))]
    file.write_text("\n".join(kept), encoding="utf-8")
    found, made = run_campaign(file, jobs=2)
    assert made == 16 and {case["steps"]["build"]["state"] for case in found["cases"]} == {"done"}
