"""Commands on how good a design's results are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dfcompile.command.console import progress, show_json, show_table
from dfcompile.command.parameter import inputs_option, json_option, model_argument, out_argument, quiet_option
from dfcompile.store.files import new_files, note, writing
from dfcompile.text import one_line

ENGINES = ("python", "hls", "rtl")
_WIDEST = 20
"""Classes up to which the confusion is printed as a table."""


@click.command()
@out_argument
@inputs_option
@click.option(
    "--labels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="Y.npy",
    help="The class of each frame, whole numbers from 0.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="python", show_default=True, help="What runs the design.")
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="MODEL.onnx",
    help="The model: how often the design's class is that of the model without its activation quantizers.",
)
@quiet_option
@json_option
def evaluate(out: Path, inputs: tuple[Path, ...], labels: Path, engine: str, model: Path | None, quiet: bool, as_json: bool) -> None:
    """Accuracy of the built design OUT on labelled frames: top-1, top-5, confusion, images a second."""
    from dfcompile.command.arrays import name_frames, read_frames
    from dfcompile.mode.saved import load

    frames, wanted = [read_frames(path) for path in inputs], read_frames(labels)
    with progress(quiet) as report:
        made = load(out)
        found = made.evaluate(name_frames(frames, tuple(made.host.input_shapes)), wanted, engine, model, report)
    if model and found["agreement"] is None:
        name, file = one_line(made.name), one_line(str(model))
        note(f"the frames of {name} go on from one another (--streaming), those of {file} do not: no agreement is told")
    if as_json:
        show_json(found)
    elif not quiet:
        _show(made.name, found)


@click.command()
@model_argument
@click.option(
    "-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="Q.onnx", help="Where the quantized model goes."
)
@click.option(
    "--data",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="X.npy",
    help="Typical frames in the model's input layout, batch axis first; once for each graph input, in the model's order.",
)
@quiet_option
def quantize(model: Path, out: Path, data: tuple[Path, ...], quiet: bool) -> None:
    """Quantize a float MODEL to 8 bits with onnxruntime's static quantizer, for those who have none."""
    from dfcompile.command.arrays import name_frames, read_frames
    from dfcompile.quantization import input_names
    from dfcompile.quantization import quantize as make

    with progress(quiet) as report:
        make(model, out, name_frames([read_frames(path) for path in data], input_names(model)), report)
    if not quiet:
        click.echo(f"written to {one_line(str(out))}; next: dfcompile check {one_line(str(out))}")


@click.command()
@model_argument
@out_argument
@inputs_option
@click.option("--engine", type=click.Choice(ENGINES), default="python", show_default=True, help="What runs the design.")
@click.option("-o", "--out", "svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg", help="Where the picture goes.")
@quiet_option
@json_option
def compare(model: Path, out: Path, inputs: tuple[Path, ...], engine: str, svg: Path | None, quiet: bool, as_json: bool) -> int:
    """The built design OUT against its MODEL, layer by layer: what quantization did to the numbers, and what the compiler did (nothing)."""
    import dfcompile
    from dfcompile.command.arrays import name_frames, read_frames
    from dfcompile.mode.saved import load

    frames = [read_frames(path) for path in inputs]
    with new_files([svg] if svg else []) as files, progress(quiet) as report:
        made = load(out)
        found = dfcompile.compare(model, made, name_frames(frames, tuple(made.host.input_shapes)), engine=engine, progress=report)
        for file in files:
            with writing(str(svg)):
                file.write(found.svg.encode())
    if as_json:
        show_json(found.json)
    elif not quiet:
        click.echo(str(found))
    return 0 if found.equal else 1


@click.command()
@out_argument
@click.argument("other", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html",
    help="Where the page of two builds goes. Default: comparison.html.",
)  # fmt: skip
def report(out: Path, other: Path | None, output: Path | None) -> None:
    """Write OUT/report.html: pipeline, cycles and resources, FIFO occupancy, roofline in one file. Of two builds, a page side by side."""
    from dfcompile.mode.page import draw_pair, write_report

    if other is None:
        if output:
            raise click.UsageError("-o is for the page of two builds; the report of one is in its folder")
        click.echo(write_report(out))
        return
    target = output or Path("comparison.html")
    with new_files([target]) as (file,):
        text = draw_pair(out, other)
        with writing(str(target)):
            file.write(text.encode("utf-8", errors="replace"))
    click.echo(target)


def _show(name: str, found: dict[str, Any]) -> None:
    shares = [("top-1", found["top1"]), ("top-5", found["top5"]), ("agreement with the float model", found["agreement"])]
    text = ", ".join(f"{what} {share:.2%}" for what, share in shares if share is not None)
    click.echo(f"{one_line(name)} ({found['engine']}): {found['images']:,} images, {text}, {found['images_per_s']:,.4g} images/s")
    if found["classes"] <= _WIDEST:
        rows = [[label, *row] for label, row in enumerate(found["confusion"])]
        click.echo("confusion, a row for each label, a column for each result:")
        show_table("", ["", *map(str, range(found["classes"]))], rows)
