"""The page of commands, from what `--help` knows: `python -m tools.command_page` writes docs/commands.md."""

from __future__ import annotations

from pathlib import Path

import click

from dfcompile.command.cli import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """# Commands

<!-- `python -m tools.command_page` writes this page -->

Exit status: 0 done, 1 the model or the design is at fault, 2 usage, 3 a bug of the compiler. Errors and progress go to stderr, results to
stdout. [Errors](errors.md) lists what can stop a command.
"""


def render() -> str:
    """The page as Markdown."""
    group = cli.make_context("dfcompile", [], resilient_parsing=True)
    found = [HEAD]
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=name, parent=group)
        usage = " ".join(command.collect_usage_pieces(context))
        about = " ".join((command.help or "").split())
        found.append(f"## {name}\n\n```\ndfcompile {name} {usage}\n```\n\n{_safe(about)}\n")
        options = [p.get_help_record(context) for p in command.get_params(context) if isinstance(p, click.Option)]
        rows = "".join(f"| `{record[0].replace('|', ' or ')}` | {_safe(record[1])} |\n" for record in options if record)
        found.append(f"| option | does |\n|---|---|\n{rows}")
    return "\n".join(found)


def _safe(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
