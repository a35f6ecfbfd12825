"""dfcompile: from a quantized ONNX model to a verified FPGA accelerator.

`build` compiles a model, `load` opens a saved build; both give an `Accelerator`. `check` says what stops a model from compiling,
`explain` what became of each of its nodes, `explore` what a board can do with it, `compare`
what quantization and the compiler did to its numbers. What the user has to mend is a `CompileError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dfcompile.errors import CompileError, KeywordError, Problem, did_you_mean

if TYPE_CHECKING:
    from dfcompile.front import Explanation
    from dfcompile.mode.accelerator import Accelerator
    from dfcompile.mode.comparison import Comparison

__version__ = "0.1.0"
__all__ = ["Accelerator", "CompileError", "build", "campaign", "check", "compare", "explain", "explore", "load"]

Names = str | Sequence[str] | None
Progress = Callable[[str], None]
P = ParamSpec("P")
R = TypeVar("R")


def _door(function: Callable[P, R]) -> Callable[P, R]:
    """A function that says which keyword may have been meant where it has none of that name. Its signature stays."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        odd = [k for k in kwargs if k not in names]
        if odd:
            problems = [Problem("bad-option", f"{function.__name__}() has no option '{k}'", help=did_you_mean(k, names)) for k in odd]
            raise KeywordError(problems)
        return function(*args, **kwargs)

    return call


@_door
def build(
    model: str | Path,
    *,
    mode: str = "auto",
    board: str | Path | None = None,
    fps: float | None = None,
    interval: int | None = None,
    clock: float | None = None,
    folding: str | Path | Mapping[str, Any] | None = None,
    input_type: Names = None,
    from_: Names = None,
    to: Names = None,
    argmax: bool = False,
    streaming: bool = False,
    verify: bool = True,
    max_port_bits: int | None = None,
    watts: float | None = None,
    stream_weights: str = "auto",
    copies: int | str = 1,
    dump_ir: str | Path | None = None,
    progress: Progress | None = None,
) -> Accelerator:
    """Compile a model. CompileError carries every problem found.

    mode:       "dataflow" (a unit for each layer), "loopback" (one engine runs all) or "auto"; board: a name, or a .toml file of one's own
    fps or interval: the speed to fold for (frames a second at `clock` MHz, or cycles a frame); clock: default the board's, else 100
    folding:    JSON file or dict, unit -> {pe, simd, ...}, others keep their own; in loopback mode {"engine": {pe, ..., batch}}
    input_type: "[input=]TYPE[:scale[:offset]]", what a raw input stream carries
    from_, to:  tensors between which the part lies that is compiled; none: the model's inputs, its outputs
    argmax:     find the largest output in hardware; verify: hold each stage against the model
    streaming:  recurrent layers go on from frame to frame (docs/attention.md)
    max_port_bits: widest port of the accelerator, of a stream or of a loopback engine's buses; default what the board's DMA takes, if any
    watts:      most power of board and design, by the energy model (docs/energy.md); the rate goes down until it is kept
    stream_weights: layers with weights in external memory: "auto", as few as let a design fit the board; "never"; "all"
    copies:     of design or engine on an AMD board, or "auto": as many as bring the highest rate, or the least that bring the asked one
    dump_ir:    folder for the graph after each pass; one of an earlier build is replaced
    progress:   called with the name of each stage
    """
    from dfcompile.options import Options
    from dfcompile.pipeline import compile_model

    options = Options.of(
        mode=mode,
        board=board,
        fps=fps,
        interval=interval,
        clock=clock,
        folding=folding,
        input_type=input_type,
        from_=from_,
        to=to,
        argmax=argmax,
        streaming=streaming,
        verify=verify,
        max_port_bits=max_port_bits,
        watts=watts,
        stream_weights=stream_weights,
        copies=copies,
    )
    return compile_model(Path(model), options, dump_ir, progress)


@_door
def load(out: str | Path) -> Accelerator:
    """A saved build, of either mode. CompileError when the folder is none or does not hold together."""
    from dfcompile.mode.saved import load as read

    return read(out)


@_door
def check(
    model: str | Path,
    *,
    mode: str = "auto",
    input_type: Names = None,
    from_: Names = None,
    to: Names = None,
    argmax: bool = False,
    streaming: bool = False,
) -> tuple[Problem, ...]:
    """Everything that stops a model, or its part between tensors, from compiling; empty when nothing does. Loopback programs are made
    with mode "loopback" alone, for an engine as wide as the model needs.
    """
    from dfcompile.front import check as find_problems
    from dfcompile.options import Options

    given = {"mode": mode, "input_type": input_type, "from_": from_, "to": to, "argmax": argmax, "streaming": streaming}
    return find_problems(Path(model), Options.of(**given))


@_door
def explain(model: str | Path, *, input_type: Names = None, from_: Names = None, to: Names = None, argmax: bool = False) -> Explanation:
    """Where every ONNX node went, also when the model cannot be compiled or only its part between tensors is."""
    from dfcompile.front import explain as trace
    from dfcompile.options import Options

    return trace(Path(model), Options.of(input_type=input_type, from_=from_, to=to, argmax=argmax))


@_door
def explore(
    model: str | Path | Sequence[str | Path],
    *,
    board: str | Path,
    mode: str = "auto",
    clock: float | None = None,
    input_type: Names = None,
    from_: Names = None,
    to: Names = None,
    argmax: bool = False,
    out: str | Path | None = None,
    points: int = 12,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What a board can do: the Pareto front of dataflow designs, frame rate against resources, or loopback engines of every shape.

    model: one network, or in loopback mode several that share an engine
    out:   folder for explore.json and explore.svg
    jobs:  processes of this machine that search; scheduler: a Dask scheduler whose workers do
    See `dfcompile.exploration.explore` for what is returned. CompileError when nothing fits.
    """
    from dfcompile.exploration import explore as search
    from dfcompile.options import Options
    from dfcompile.tasks.pool import pool_for

    models = [Path(model)] if isinstance(model, str | Path) else [Path(m) for m in model]
    options = Options.of(mode=mode, board=board, clock=clock, input_type=input_type, from_=from_, to=to, argmax=argmax)
    with pool_for(jobs, scheduler) as pool:
        return search(models, options, Path(out) if out is not None else None, points, progress, pool)


@_door
def compare(model: str | Path, design: Accelerator, x: Any, *, engine: str = "python", progress: Progress | None = None) -> Comparison:
    """A design against its model, layer by layer, on frames x as `Accelerator.run` takes them: what quantization did (the ONNX graph
    against itself without its activation quantizers) and, apart from that, what the compiler did (the design against the ONNX graph).

    CompileError for another model than that of the design.
    """
    from dfcompile.mode.comparison import compare as hold
    from dfcompile.mode.float_model import quantized_model

    quantized = quantized_model(model, design.options, design.host)
    return hold(design.name, design.host, lambda part: design.trace(part, engine), quantized, x, engine, progress or (lambda _: None))


@_door
def campaign(file: str | Path, *, jobs: int | None = None, scheduler: str | None = None) -> dict[str, Any]:
    """Do what a campaign's TOML file asks for and its results lack; see `dfcompile.campaigns.campaign.run_campaign`.

    jobs:      processes of this machine, default one for each core
    scheduler: a Dask scheduler whose workers do it instead
    Returns {"cases": [{"model", "board", "mode", ..., "build", "steps", "figures", "front"}]}. Failures are in it; CompileError where the
    file is at fault.
    """
    from dfcompile.campaigns.campaign import run_campaign

    return run_campaign(Path(file), jobs, scheduler)[0]


def __getattr__(name: str) -> Any:
    # The class is loaded with what it needs when it is asked for: the command line must answer --help without loading numpy.
    if name == "Accelerator":
        from dfcompile.mode.accelerator import Accelerator

        return Accelerator
    raise AttributeError(f"module 'dfcompile' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
