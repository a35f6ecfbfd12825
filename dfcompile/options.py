"""Options of a build, checked in one place: for the command line, a ``build.toml`` and a Python call alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from dfcompile.device.boards import Board, find_board
from dfcompile.device.copies import KINDS, MOST, share
from dfcompile.device.family import DEFAULT
from dfcompile.errors import Problem, SettingError, did_you_mean
from dfcompile.store.setting import NUMBERS, read_toml, shown, wrong_file, wrong_number

MODES = ("auto", "dataflow", "loopback")
STREAM_WEIGHTS = ("auto", "never", "all")
CLOCK = 100.0
"""MHz, where neither a clock nor a board is given."""
Names = str | Iterable[str] | None
Folding = str | Path | Mapping[str, Any] | None


@dataclass(frozen=True)
class Options:
    """Options of `dfcompile.build`; the fields are the keys of ``build.toml``. SettingError with all that is wrong with the values.

    mode:       "auto", "dataflow" or "loopback"
    board:      name of a known board or path of a TOML file (see `dfcompile.device.boards`)
    fps:        asked frames per second; excludes `interval`
    interval:   asked cycles per frame; excludes `fps`
    clock:      MHz; None means the board's own
    folding:    the folding of each unit, or the engine of a loopback build: path of a JSON file, or its content
    input_type: what raw input streams carry: ``TYPE[:scale[:offset]]`` for all, ``INPUT=TYPE[:scale[:offset]]`` for one
    from_, to:  tensors between which the part of the model lies that is compiled (in the file: ``from``)
    stream_weights: which layers take their weights from external memory in each frame: "auto", the largest of a network that does
                not fit the board otherwise, as few as it needs; "never"; "all" that can
    copies:     of the design or the engine on the board, which share its frames, or "auto": as many as bring the highest rate, or the least
                that bring the asked one. An asked interval is that between frames of all together
    watts:      most power of board and design together, by the energy model; the rate goes down until it is kept
    argmax:     append a hardware ArgMax to the outputs
    max_port_bits: widest port of the accelerator: of a stream's beats, or of a loopback engine's buses; None: what the board can feed
    streaming:  a frame begins in the states of recurrent layers that the one before it left
    verify:     run the streamlined and the unit graph against the model during the build
    """

    mode: str = "auto"
    board: str | None = None
    fps: float | None = None
    interval: int | None = None
    clock: float | None = None
    folding: Folding = None
    input_type: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    argmax: bool = False
    streaming: bool = False
    verify: bool = True
    max_port_bits: int | None = None
    watts: float | None = None
    stream_weights: str = "auto"
    copies: int | str = 1

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise SettingError(problems)
        if self.fps is not None and self.fps > self.mhz * 1e6:
            cycles = f"at {self.mhz:g} MHz there are {self.mhz * 1e6:,g} cycles a second, and no design begins two frames in one"
            raise SettingError(Problem("bad-option", f"fps = {self.fps:,g} is more than a frame a cycle", why=cycles, help="ask for less"))

    @classmethod
    def of(cls, **given: Any) -> Options:
        """Options from a Python call: names as one text or several, no value as None."""
        listed = {k: names_of(k, v) for k, v in given.items() if k in _LISTS}
        board = given.get("board")
        paths = {"board": str(board)} if isinstance(board, Path) else {}
        return cls(**{k: v for k, v in {**given, **listed, **paths}.items() if v is not None})

    def _problems(self) -> Iterator[Problem]:
        if self.mode not in MODES:
            help_ = did_you_mean(self.mode, MODES) if isinstance(self.mode, str) else f"modes: {', '.join(MODES)}"
            yield Problem("bad-option", f"mode = {shown(self.mode)} is not known", help=help_)
        if self.stream_weights not in STREAM_WEIGHTS:
            help_ = did_you_mean(self.stream_weights, STREAM_WEIGHTS) if isinstance(self.stream_weights, str) else ", ".join(STREAM_WEIGHTS)
            yield Problem("bad-option", f"stream_weights = {shown(self.stream_weights)} is not known", help=help_)
        if self.fps is not None and self.interval is not None:
            yield Problem("bad-option", "fps and interval both set the speed", help="give one of them: fps = clock / interval")
        for name in NUMBERS:
            help_ = wrong_number(name, getattr(self, name))
            if help_:
                yield Problem("bad-option", f"{name} = {shown(getattr(self, name))} is out of range", help=help_)
        for name in ("argmax", "streaming", "verify"):
            if not isinstance(getattr(self, name), bool):
                yield Problem("bad-option", f"{name} = {shown(getattr(self, name))} is neither true nor false", help="give true or false")
        yield from self._wrong_copies()
        if self.stream_weights == "all" and isinstance(self.board, str):
            yield from _no_memory(self.board)
        if self.folding is not None and not isinstance(self.folding, str | Path | Mapping):
            help_ = "give the path of a JSON file, or a dict as report.json has it"
            yield Problem("bad-option", f"folding = {shown(self.folding)} is neither a file nor a dict", help=help_)
        for text in self.input_type:
            try:
                parse_input_type(text)
            except SettingError as e:
                yield from e.problems
        try:
            if isinstance(self.board, str):
                find_board(self.board)
            elif self.board is not None:
                yield Problem("bad-option", f"board = {shown(self.board)} is no name", help="`dfcompile boards` lists them")
        except SettingError as e:
            yield from e.problems

    def _wrong_copies(self) -> Iterator[Problem]:
        """What stands against several copies."""
        n, what = self.copies, f"copies = {shown(self.copies)}"
        if n != "auto" and (not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MOST):
            yield Problem("bad-option", f"{what} is no number of copies", help=f'give a number from 1 to {MOST}, or "auto"')
            return
        if n == 1:
            return
        why, help_ = "", "leave it out"
        if n == "auto" and self.folding is not None:
            why, help_ = "a folding is given, which says how large a copy is", "say how many copies there are to be"
        elif self.streaming is True:
            why = "frames go on from one another, so that all go through one design"
        elif isinstance(self.board, str):
            try:
                kind = found.vivado.kind if (found := find_board(self.board)).vivado else ""
            except SettingError:
                return  # told elsewhere
            if kind not in KINDS:
                why, help_ = f"{found.name} has one way in for all frames", "leave it out, or take a board with DMAs"
        else:
            why, help_ = "without a board there is nothing to share", "name a board"
        if why:
            yield Problem("bad-option", f"{what} cannot be here", why=why, help=help_)

    @cached_property
    def target(self) -> Board | None:
        """The board, with its figures."""
        return find_board(self.board) if self.board is not None else None

    @cached_property
    def share(self) -> Board | None:
        """What one copy of a design has of the board."""
        return share(self.target, self.count) if self.target else None

    @property
    def count(self) -> int:
        """Copies of a design; 1 as long as their number is to be found."""
        return self.copies if isinstance(self.copies, int) else 1

    @property
    def family(self) -> str:
        """Device family that areas are estimated for."""
        return self.target.family if self.target else DEFAULT

    @property
    def port_bits(self) -> int:
        """Most bits of a stream's beats at the accelerator's ports; 0: any."""
        limits = [n for n in (self.max_port_bits, self.target.stream_bits if self.target else 0) if n]
        return min(limits, default=0)

    @property
    def engine_board(self) -> Board | None:
        """The board as a loopback engine sees it: with memory ports no wider than its buses may be."""
        if self.target is None or self.max_port_bits is None:
            return self.target
        return replace(self.target, port_bits=min(self.target.port_bits or self.max_port_bits, self.max_port_bits))

    @property
    def mhz(self) -> float:
        """The clock in effect."""
        return self.clock if self.clock is not None else self.target.clock if self.target else CLOCK

    @property
    def wanted_interval(self) -> int | None:
        """Cycles per frame that are asked of a design, None where nothing is: copies have so many times longer."""
        if self.fps is not None:
            return max(1, int(self.count * self.mhz * 1e6 / self.fps))
        return self.interval * self.count if self.interval is not None else None

    def merged(self, given: Mapping[str, Any]) -> Options:
        """These options with the values in `given` that are not None or empty in place of their own.

        A given `fps` takes the place of an `interval`, and the other way round.
        """
        new = {k: v for k, v in given.items() if v is not None and v != ()}
        for name, other in (("fps", "interval"), ("interval", "fps")):
            if name in new and other not in new:
                new[other] = None
        return replace(self, **new)

    def kept(self) -> dict[str, Any]:
        """The options as a build keeps them: what is in effect; where the folding is no path, they do not depend on where files lie."""
        board: dict[str, Any] = {"board": self.target.name, "part": self.target.part} if self.target else {}
        if self.target and self.target.wiring:
            board["wiring"] = asdict(self.target.wiring)
        if self.target and self.target.vivado:
            board["vivado"] = {"ports": self.target.ports, "port_bits": self.target.port_bits, **asdict(self.target.vivado)}
        values = {key: getattr(self, name) for key, name in _FIELDS.items()}
        return values | {"clock": self.mhz, "input_type": self.input_type or None} | board

    def toml(self, **files: str) -> str:
        """The text of a ``build.toml`` that sets every option; options without a value stand as comments.

        files: names of board and folding files where the text will lie, in place of their paths
        """
        return "".join(_line(key, files.get(name, getattr(self, name))) for key, name in _FIELDS.items())


def _no_memory(name: str) -> Iterator[Problem]:
    """That a board has nothing that brings weights to a design in each frame."""
    try:
        board = find_board(name)
    except SettingError:
        return  # told elsewhere
    if not board.streams_weights:
        why = "its frames come over a serial line" if board.wiring else "its memory is block RAM"
        yield Problem("bad-option", f"stream_weights = 'all' is not for {board.name}", why=why, help="leave it out, or take another board")


_FIELDS = {f.name.rstrip("_"): f.name for f in fields(Options)}
"""Key of ``build.toml`` -> field: `from` is a word of Python's own."""
_LISTS = ("input_type", "from_", "to")


def names_of(option: str, given: Any) -> tuple[str, ...]:
    """The texts of an option that takes one, several or none. SettingError for anything else."""
    found = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else () if given is None else (given,)
    if not all(isinstance(text, str) for text in found):
        raise SettingError(Problem("bad-option", f"{option.rstrip('_')} = {shown(given)} is no text", help="give a text or several"))
    return found


def _line(name: str, value: Any) -> str:
    if value is None:
        return f"# {name}: not set\n"
    if isinstance(value, bool):
        return f"{name} = {str(value).lower()}\n"
    if isinstance(value, str):
        return f"{name} = {_quoted(value)}\n"
    if isinstance(value, tuple):
        return f"{name} = [{', '.join(map(_quoted, value))}]\n"
    return f"{name} = {value}\n"


def _quoted(text: str) -> str:
    """A TOML basic string: what does not print, line ends among it, as escapes."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


def read_config(path: Path) -> dict[str, Any]:
    """Fields and values of a ``build.toml``, of the types of `Options`.

    A relative `folding` or board file is taken from the folder of the configuration file.
    """
    found: dict[str, Any] = {}
    for key, value in read_toml(path).items():
        if key not in _FIELDS:
            raise wrong_file("key", f"unknown key '{key}'", did_you_mean(key, _FIELDS), str(path))
        found[_FIELDS[key]] = _typed(key, value, path)
    for key in ("folding", "board"):
        if str(found.get(key, "")).endswith((".json", ".toml")):
            found[key] = str(path.parent / found[key])
    return found


_KINDS: dict[str, tuple[type, ...]] = {
    "mode": (str,), "board": (str,), "fps": (int, float), "interval": (int,), "clock": (int, float), "folding": (str,),
    "input_type": (str, list), "from": (str, list), "to": (str, list), "argmax": (bool,), "streaming": (bool,), "verify": (bool,),
    "max_port_bits": (int,), "watts": (int, float), "stream_weights": (str,), "copies": (int, str),
}  # fmt: skip


def _typed(key: str, value: Any, path: Path) -> Any:
    kinds = _KINDS[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(k.__name__ for k in kinds)
        raise wrong_file("type", f"key '{key}' is {value!r}", f"give a value of type {wanted}", str(path))
    if list not in kinds:
        return value
    items: list[Any] = [value] if not isinstance(value, list) else value
    if not all(isinstance(item, str) for item in items):
        raise wrong_file("type", f"key '{key}' is {value!r}", "give a list of strings", str(path))
    return tuple(items)


def parse_input_type(text: str) -> tuple[str, Fraction, Fraction]:
    """Split ``[INPUT=]TYPE[:scale[:offset]]``: type name, scale and offset as exact fractions (1 and 0 when absent).

    Numbers may be decimal (``0.5``, ``1e-3``) or a ratio (``1/255``). SettingError when malformed.
    """
    from dfcompile.ir.types import IntType

    example = "examples: uint8:1/255, bipolar, int4:0.5, uint8:1/128:-1"
    name, *numbers = text.rpartition("=")[2].lower().split(":")
    try:
        IntType.parse(name)
        if len(numbers) > 2:
            raise ValueError("too many fields")
        scale, offset = [_number(n) for n in numbers] + [Fraction(1), Fraction(0)][len(numbers) :]
        if scale <= 0:
            raise ValueError("the scale must be above 0")
    except ValueError as e:
        raise SettingError(Problem("input-type", f"'{text}' is not an input type", why=str(e), help=example)) from e
    return name, scale, offset


def _number(text: str) -> Fraction:
    parts = [p.strip() for p in text.split("/")]
    try:
        sizes = [abs(float(p)) for p in parts]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2):
        raise ValueError(f"'{text}' is not a number")
    if not all(s < 1e30 for s in sizes) or len(text) > 120:  # an exact 1e999999999 would fill the memory
        raise ValueError(f"'{text}' is out of range")
    if sizes[1:] == [0]:
        raise ValueError(f"'{text}' divides by 0")
    over, *under = (Fraction(p) for p in parts)
    return over / under[0] if under else over
