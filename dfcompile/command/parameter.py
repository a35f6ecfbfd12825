"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

from dfcompile.device.boards import boards
from dfcompile.options import MODES, STREAM_WEIGHTS

model_argument = click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
out_argument = click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
quiet_option = click.option("--quiet", is_flag=True, help="No progress and no summary.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
input_type_option = click.option(
    "--input-type",
    multiple=True,
    metavar="[INPUT=]TYPE[:scale[:offset]]",
    help="What the raw input stream carries, e.g. uint8:1/255, bipolar, int4:0.5; repeatable, with the name of a graph input where "
    "they differ. Default: codes of the model's own input quantizer.",
)
from_option = click.option(
    "--from", "from_", multiple=True, metavar="TENSOR", help="Only the part of the model behind this tensor; repeatable."
)
to_option = click.option("--to", multiple=True, metavar="TENSOR", help="Only the part of the model up to this tensor; repeatable.")
argmax_option = click.option("--argmax", is_flag=True, default=None, help="Find the largest output in hardware.")

streaming_option = click.option(
    "--streaming", is_flag=True, default=None, help="Recurrent layers go on from frame to frame: a long sequence comes in parts."
)


def complete_board(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of boards for the completion of a shell."""
    return [name for name in boards() if name.startswith(incomplete)]


board_option = click.option(
    "--board", metavar="NAME", shell_complete=complete_board, help="A board of `dfcompile boards`, or your own as a .toml file."
)
clock_option = click.option("--clock", type=float, metavar="MHZ", help="Clock. Default: the board's.")
mode_option = click.option("--mode", type=click.Choice(MODES), help="Default: auto.")
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 1024), default=1, show_default=True, metavar="N", help="Processes of this machine that work at a time."
)
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Work on the workers of this Dask scheduler instead, e.g. tcp://host:8786."
)
port_option = click.option(
    "--max-port-bits", type=int, metavar="N", help="Widest port of the accelerator. Default: what the board's DMA takes, if it has one."
)
stream_weights_option = click.option(
    "--stream-weights",
    type=click.Choice(STREAM_WEIGHTS),
    help="Layers whose weights come from external memory in each frame. Default: auto, as few as a design needs to fit the board.",
)


def copies_of(text: str) -> int | str:
    """A number of copies, or "auto"."""
    return int(text) if text.isdecimal() else text


copies_option = click.option(
    "--copies",
    type=copies_of,
    metavar="N|auto",
    help="Copies of the design or the engine on an AMD board, which share the frames; auto: as many as bring the highest rate. Default: 1.",
)
seeds_option = click.option(
    "--seeds", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N", help="Places tried until one reaches the clock."
)
timing_option = click.option("--allow-timing-fail", is_flag=True, help="Make the bitstream though the clock is missed.")
inputs_option = click.option(
    "-i",
    "--input",
    "--inputs",
    "inputs",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="X.npy",
    help="Frames in the model's input layout, float32, batch axis first; once for each graph input.",
)
watts_option = click.option(
    "--watts", type=float, metavar="W", help="Most power of board and design, by the energy model; the rate goes down until it is kept."
)
