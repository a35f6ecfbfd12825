"""The command line: `dfcompile --help`.

Exit status: 0 done, 1 the model or the design is at fault, 2 usage, 3 a bug of the compiler. Heavy modules are imported by
the commands that need them, so that `--help` is immediate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dfcompile import __version__
from dfcompile.command import hardware, quality
from dfcompile.command.campaign import campaign
from dfcompile.command.console import progress, show_bug, show_build, show_json, show_problems, show_proposal, show_table, show_verdict
from dfcompile.command.ending import Terminated, collect_seldom, orderly
from dfcompile.command.parameter import (
    argmax_option,
    board_option,
    clock_option,
    complete_board,
    copies_option,
    from_option,
    input_type_option,
    inputs_option,
    jobs_option,
    json_option,
    mode_option,
    model_argument,
    out_argument,
    port_option,
    quiet_option,
    scheduler_option,
    seeds_option,
    stream_weights_option,
    streaming_option,
    timing_option,
    to_option,
    watts_option,
)
from dfcompile.device.boards import boards as known_boards
from dfcompile.errors import CompileError, Problem, SettingError
from dfcompile.mode.summary import part_line
from dfcompile.options import Options, read_config
from dfcompile.store.files import FULL, new_files, reason, writing
from dfcompile.text import one_line
from dfcompile.written import built

if TYPE_CHECKING:
    pass

F = TypeVar("F", bound=Callable[..., Any])
ENGINES = ("python", "hls", "rtl")
VERIFIED = ("hls", "rtl", "netlist")
ENGINE_COLUMNS = (
    "pe",
    "simd",
    "act_words",
    "weight_words",
    "bus_bits",
    "bound",
    "cycles",
    "fps",
    "ext_bytes",
    "utilisation",
    "lut",
    "bram36",
    "dsp",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="dfcompile")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
def cli(debug: bool) -> None:
    """From a quantized ONNX model to a verified FPGA accelerator."""


@cli.command()
@model_argument
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Build folder to write.")
@mode_option
@board_option
@click.option("--fps", type=float, metavar="N", help="Frames per second to reach.")
@click.option("--interval", type=int, metavar="CYCLES", help="Cycles per frame to reach.")
@clock_option
@click.option(
    "--folding",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE.json",
    help="Folding of each unit; with --mode loopback the parameters of the engine.",
)
@input_type_option
@from_option
@to_option
@argmax_option
@streaming_option
@port_option
@stream_weights_option
@copies_option
@watts_option
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.toml", help="The same options, from a file."
)
@click.option("--verify/--no-verify", default=None, help="Check each stage against the model (default), or not.")
@click.option("--dump-ir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write the graph after each pass.")
@click.option("--bitstream", "implement", is_flag=True, help="Make the bitstream too, as `dfcompile bitstream OUT` does.")
@seeds_option
@timing_option
@quiet_option
@json_option
def build(model: Path, out: Path, config: Path | None, dump_ir: Path | None, quiet: bool, as_json: bool, **given: Any) -> int:
    """Compile MODEL (.onnx) into the folder OUT."""
    implement, route = given.pop("implement"), {k: given.pop(k) for k in ("seeds", "allow_timing_fail")}
    settings = Options().merged(read_config(config) if config else {}).merged(given)
    try:
        with progress(quiet) as report:
            made = built(model, out, settings, [f for f in (config, dump_ir) if f], dump_ir, report)
    except SettingError:
        raise
    except CompileError as e:
        show_problems(e.problems)
        _propose(model, settings, e.problems)
        return 1
    if not as_json and not quiet:
        show_build(made.report, out)
    if implement:
        made.report.update(hardware.implement(out, quiet=quiet, silent=quiet or as_json, **route))
    if as_json:
        show_json(made.report)
    return 0


def _propose(model: Path, options: Options, problems: tuple[Problem, ...]) -> None:
    """Print the largest part of a refused model that compiles, or fits the board, where the whole was asked for."""
    if options.from_ or options.to:
        return
    from dfcompile.propose import propose, propose_fitting

    if options.board and {p.code for p in problems} == {"does-not-fit"}:
        from dfcompile.pipeline import fit

        show_proposal(propose_fitting(model, options, fit), model, options, "fits")
    else:
        show_proposal(propose(model, options.input_type, options.mode), model, options)


@cli.command()
@model_argument
@mode_option
@input_type_option
@from_option
@to_option
@argmax_option
@streaming_option
@json_option
def check(model: Path, as_json: bool, **given: Any) -> int:
    """Everything that stops MODEL from compiling, all at once, and the largest part of it that compiles."""
    from dfcompile.front import check as find_problems

    options = Options.of(**given)
    problems = find_problems(model, options)
    if as_json:
        show_json([vars(p) for p in problems])
    elif problems:
        show_problems(problems)
        _propose(model, options, problems)
    else:
        click.echo(f"{one_line(model.name)}: no problems")
    return 1 if problems else 0


@cli.command()
@model_argument
@input_type_option
@from_option
@to_option
@argmax_option
@stream_weights_option
@json_option
def explain(model: Path, as_json: bool, **given: Any) -> None:
    """What became of each ONNX node, by which pass, and why a pass declined."""
    from dfcompile.front import explain as trace

    found = trace(model, Options.of(**given))
    if as_json:
        show_json([dict(zip(("node", "op", "fate", "pass"), row, strict=True)) for row in found.rows])
    else:
        click.echo("\n".join(filter(None, (part_line(found.part.report if found.part else None), str(found)))))


@cli.command()
@out_argument
@inputs_option
@click.option(
    "-o",
    "--output",
    "outputs",
    required=True,
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="Y.npy",
    help="Where the outputs go, float32; once for each graph output.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="python", show_default=True, help="What runs the design.")
@quiet_option
def simulate(out: Path, inputs: tuple[Path, ...], outputs: tuple[Path, ...], engine: str, quiet: bool) -> None:
    """Run the built design OUT on the frames of X.npy."""
    from dfcompile.command.arrays import name_frames, read_frames, write_frames
    from dfcompile.mode.saved import load

    frames = [read_frames(path) for path in inputs]
    with new_files(outputs) as files, progress(quiet) as report:
        made = load(out)
        report(f"simulate ({engine})")
        results = made.simulate(name_frames(frames, tuple(made.host.input_shapes)), engine=engine)
        write_frames(results, dict(zip(outputs, files, strict=True)))


@cli.command()
@out_argument
@click.option("--engine", "engines", multiple=True, type=click.Choice(VERIFIED), help="Repeatable. Default: hls and rtl.")
@click.option("--frames", type=click.IntRange(1), metavar="N", help="Frames to run. Default: by the size of the design.")
@click.option(
    "--stalls",
    type=click.FloatRange(0, 0.95),
    default=0.0,
    metavar="P",
    help="Chance that a port stalls in a cycle, in the run with stalls. Default: 0.3.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the result as JSON; - for stdout.",
)
@quiet_option
def verify(out: Path, engines: tuple[str, ...], frames: int | None, stalls: float, json_file: Path | None, quiet: bool) -> int:
    """Hold the HLS C++ and the RTL of OUT equal to the model, beat for beat."""
    from dfcompile.mode.saved import load

    aside = str(json_file) == "-"
    with new_files([json_file] if json_file and not aside else []) as files, progress(quiet) as report:
        result = load(out).verify(engines or ENGINES[1:], frames, stalls, report, out)
        for file in files:
            with writing(str(json_file)):
                file.write(json.dumps(result, indent=2).encode() + b"\n")
    if aside:
        show_json(result)
    elif not quiet:
        for name, found in result["engines"].items():
            show_verdict(name, found)
    return 0 if all(found["pass"] for found in result["engines"].values()) else 1


@cli.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--board",
    required=True,
    metavar="NAME",
    shell_complete=complete_board,
    help="A board of `dfcompile boards`, or your own as a .toml file.",
)
@mode_option
@clock_option
@input_type_option
@from_option
@to_option
@argmax_option
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the numbers and the picture.")
@jobs_option
@scheduler_option
@quiet_option
@json_option
def explore(
    models: tuple[Path, ...], board: str, out: Path | None, jobs: int, scheduler: str | None, quiet: bool, as_json: bool, **given: Any
) -> None:
    """The Pareto front of frame rate against resources; for loopback the array-shape heat map, for one MODEL or several on one engine."""
    from dfcompile.exploration import explore as search
    from dfcompile.tasks.pool import pool_for

    options = Options.of(board=board, **given)
    with pool_for(jobs, scheduler) as pool, progress(quiet) as report:
        found = search(models, options, out, progress=report, pool=pool)
    if as_json:
        show_json(found)
    elif not quiet:
        title = f"{', '.join(m.name for m in models)} on {board}, {found['mode']}"
        points: list[dict[str, Any]] = found["points"]
        best = found.get("best")  # of engines, which have more to them than fits a line
        columns = ENGINE_COLUMNS if best else list(points[0]) if points else []
        show_table(title, columns, [["" if p[c] is None else p[c] for c in columns] for p in points])
        if best:
            _best_engine(best, found["gap"])


def _best_engine(best: dict[str, Any], gap: float) -> None:
    parameters = ", ".join(f"{k} {best[k]:,}" for k in ENGINE_COLUMNS[:4])
    proof = f"another may be up to {gap:.1%} faster" if gap else "no other of the engines compared is faster"
    click.echo(f"best: {parameters}: {best['cycles']:,} cycles; {proof}")


cli.add_command(quality.report)
cli.add_command(quality.quantize)
cli.add_command(quality.evaluate)
cli.add_command(quality.compare)
cli.add_command(campaign)
cli.add_command(hardware.synth)
cli.add_command(hardware.bitstream)


@cli.command()
@json_option
def boards(as_json: bool) -> None:
    """Boards and their budgets."""
    known = known_boards().values()
    if as_json:
        show_json([asdict(b) for b in known])
        return
    columns = ("name", "family", "lut", "ff", "bram36", "uram", "dsp", "bandwidth", "clock", "part")
    rows = [[getattr(b, c) for c in columns] for b in known]
    show_table("", ["name", "family", "LUT", "FF", "BRAM36", "URAM", "DSP", "GB/s", "MHz", "part"], rows)


@cli.command()
@json_option
def units(as_json: bool) -> None:
    """Hardware unit kinds and what they support."""
    from dfcompile.units import all_units

    rows = [[kind, ", ".join(unit.fold_fields) or "-", (unit.__doc__ or "").strip().split("\n\n")[0]] for kind, unit in all_units().items()]
    if as_json:
        show_json([dict(zip(("kind", "folding", "does"), row, strict=True)) for row in rows])
    else:
        show_table("", ["kind", "folding", "does"], [[k, f, " ".join(d.split())] for k, f, d in rows])


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """Which tools are installed, which are missing, and the command that installs each."""
    from dfcompile.command.doctor import examine

    found = examine()
    if as_json:
        show_json([vars(f) for f in found])
    else:
        rows = [["yes" if f.found else "no", f.name, f.version, f.used_for, "" if f.found else f.install] for f in found]
        show_table("", ["found", "tool", "version", "used for", "install with"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        collect_seldom()
    try:
        with orderly():
            return int(cli.main(arguments, prog_name="dfcompile", standalone_mode=False) or 0)
    except click.ClickException as e:
        e.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    except Terminated as e:
        print("terminated", file=sys.stderr)
        return 128 + int(e.args[0])
    except SettingError as e:
        show_problems(e.problems)
        return 2
    except CompileError as e:
        show_problems(e.problems)
        return 1
    except OSError as e:
        if e.errno not in FULL:
            show_bug(e, debug="--debug" in arguments)
            return 3
        show_problems([Problem("disk", "a file cannot be written", why=reason(e), help="free some space where it lies, and try again")])
        return 1
    except Exception as e:
        show_bug(e, debug="--debug" in arguments)
        return 3


if __name__ == "__main__":
    sys.exit(main())
