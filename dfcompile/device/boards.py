"""Boards: what a design may use, and how fast its external memory is.

Budgets are the whole device; the figures and the documents they come from are in `boards.toml` beside this file. A board of
the user's own is a TOML file with the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from dfcompile.device import platform, wiring
from dfcompile.device.energy import POWER_DEFAULTS, Power
from dfcompile.device.family import FAMILIES
from dfcompile.device.platform import DMA_BITS, Platform
from dfcompile.device.wiring import Wiring
from dfcompile.errors import Problem, SettingError, did_you_mean
from dfcompile.store.setting import read_toml, wrong_number

USABLE: Mapping[str, float] = {"lut": 0.8, "ff": 0.8, "bram36": 0.95, "uram": 0.95, "dsp": 1.0}
"""Shares of a device that a design may fill: placement and routing and the shell need the rest."""
LINK: Mapping[str, float] = {"lut": 750, "ff": 300}
"""What the host link of an open board takes, besides a block RAM for each way."""


@dataclass(frozen=True)
class Board:
    """A board and the budget of its device.

    name:      as given to ``--board``
    title:     the maker's name for it
    part:      device
    family:    a name in `device.family.FAMILIES`
    lut, ff:   look-up tables (with as many inputs as the family's have) and flip-flops
    bram36:    36-kbit block RAMs (a pair of 18-kbit blocks counts as one)
    uram:      288-kbit UltraRAMs
    dsp:       DSP slices (of some families plain multipliers)
    bandwidth: peak of the external memory, 10^9 bytes per second
    ports:     ports of that memory that the logic has; 0 where it makes its own
    port_bits: width of each of them
    clock:     default clock, MHz
    source:    documents the figures come from
    wiring:    pins and host link of a board that bitstreams are made for with open tools
    vivado:    what surrounds a design on an AMD board
    power:     what it takes whatever the design does
    """

    name: str
    title: str
    part: str
    family: str
    lut: int
    ff: int
    bram36: float
    uram: int
    dsp: int
    bandwidth: float
    ports: int
    port_bits: int
    clock: float
    source: str
    wiring: Wiring | None = None
    vivado: Platform | None = None
    power: Power | None = None

    @property
    def budget(self) -> dict[str, float]:
        """What there is for a design, by the names of ``report.json``: the device less the host link."""
        return {k: n - self._link.get(k, 0) for k, n in self._device.items()}

    @property
    def _device(self) -> dict[str, float]:
        return {"lut": self.lut, "ff": self.ff, "bram36": self.bram36, "uram": self.uram, "dsp": self.dsp}

    @property
    def _link(self) -> Mapping[str, float]:
        return {**LINK, "bram36": 2 * FAMILIES[self.family].block} if self.wiring else {}

    def reachable(self, clock: float) -> float:
        """What the logic moves to and from the external memory at `clock` MHz, 10^9 bytes per second: a beat a cycle at each port."""
        return min(self.bandwidth, self.ports * self.port_bits / 8 * clock / 1000) if self.ports else self.bandwidth

    @property
    def stream_bits(self) -> int:
        """Widest beat that what feeds a design's streams moves at once; 0: it has no such limit."""
        return DMA_BITS if self.vivado else 0

    @property
    def streams_weights(self) -> bool:
        """Whether DMAs bring a design constants from an external memory in each frame."""
        return self.wiring is None and (self.vivado is None or self.vivado.kind != "jtag")

    @property
    def usable(self) -> dict[str, float]:
        """The part of the budget that a design may fill."""
        return {k: n * self.shares[k] - self._link.get(k, 0) for k, n in self._device.items()}

    @property
    def shares(self) -> Mapping[str, float]:
        """Shares of the device that a design and the host link may fill."""
        return {**USABLE, "lut": FAMILIES[self.family].fill or USABLE["lut"]}


_DEFAULTS: dict[str, Any] = {"title": "", "part": "", "uram": 0, "ports": 0, "port_bits": 0, "source": "the user's file"}


@cache
def boards() -> dict[str, Board]:
    """Name -> every board that comes with the compiler."""
    path = Path(__file__).with_name("boards.toml")
    return {name: _board(name, table, path) for name, table in read_toml(path).items()}


def find_board(name: str) -> Board:
    """A board by its name, or from a file when `name` ends in ``.toml``; SettingError when there is none."""
    if name.endswith(".toml"):
        path = Path(name)
        table = read_toml(path)
        return _board(str(table.pop("name", path.stem)), table, path)
    known = boards()
    if name not in known:
        raise SettingError(Problem("unknown-board", f"there is no board '{name}'", help=did_you_mean(name, known)))
    return known[name]


def _board(name: str, table: dict[str, Any], path: Path) -> Board:
    given = dict(table)
    inner, around, power = (given.pop(key, None) for key in ("wiring", "vivado", "power"))
    values = _checked(Board, {**_DEFAULTS, **given}, path, {"name", "wiring", "vivado", "power"})
    if inner is not None:
        values["wiring"] = wiring_of(inner, path)
    if around is not None:
        values["vivado"] = platform_of(around, path)
    if power is not None:
        values["power"] = _power_of(power, path)
    if values["family"] not in FAMILIES:
        raise _wrong(f"family '{values['family']}' is not known", did_you_mean(values["family"], FAMILIES), path)
    if not values["bandwidth"] or wrong_number("clock", values["clock"]):
        raise _wrong(f"bandwidth = {values['bandwidth']!r}, clock = {values['clock']!r}", "give GB/s and MHz above 0", path)
    if bool(values["ports"]) != bool(values["port_bits"]):
        raise _wrong(f"ports = {values['ports']!r}, port_bits = {values['port_bits']!r}", "give both, or none", path)
    if not re.fullmatch(r"[\w./+-]*", values["part"], re.ASCII):
        raise _wrong(f"part = {values['part']!r}", "give the maker's name of the device, e.g. xc7z020clg400-1", path)
    return Board(name=name, **values)


def _checked(kind: type, values: dict[str, Any], path: Path, apart: Collection[str] = ()) -> dict[str, Any]:
    """The values of a table, each of the type of its field; those of the fields `apart` are not in it. SettingError for others."""
    kinds = {f.name: str(f.type) for f in fields(kind) if f.name not in apart}
    for key in values:
        if key not in kinds:
            raise _wrong(f"unknown key '{key}'", did_you_mean(key, kinds), path)
    missing = [key for key in kinds if key not in values]
    if missing:
        raise _wrong(f"missing: {', '.join(missing)}", "`dfcompile boards --json` shows complete entries", path)
    for key, type_ in kinds.items():
        if not _fits(values[key], type_):
            raise _wrong(f"{key} = {values[key]!r}", f"give a value of type {type_}, not below 0", path)
    return values


def wiring_of(table: Any, path: Path) -> Wiring:
    """The table ``[wiring]`` of a file; SettingError for a wrong one."""
    if not isinstance(table, dict):
        raise _wrong(f"wiring = {table!r}", "give a table [NAME.wiring]", path)
    values = _checked(Wiring, {**wiring.DEFAULTS, **table}, path)
    for key, value in values.items():
        if isinstance(value, str) and key != "pins_from" and not re.fullmatch(r"[\w./ +-]*", value, re.ASCII):
            raise _wrong(f"{key} = {value!r}", "give the name that the tool or the pin has", path)
    if not values["oscillator"] or not values["baud"]:
        raise _wrong(f"oscillator = {values['oscillator']!r}, baud = {values['baud']!r}", "give MHz and bits per second above 0", path)
    return Wiring(**values)


def platform_of(table: Any, path: Path) -> Platform:
    """The table ``[vivado]`` of a file; SettingError for a wrong one."""
    if not isinstance(table, dict):
        raise _wrong(f"vivado = {table!r}", "give a table [NAME.vivado]", path)
    values = _checked(Platform, {**platform.DEFAULTS, **table}, path)
    if values["kind"] not in platform.KINDS:
        raise _wrong(f"kind = {values['kind']!r}", did_you_mean(values["kind"], platform.KINDS), path)
    for key, value in values.items():
        if isinstance(value, str) and key != "source" and not re.fullmatch(r"[\w.:* +-]*", value, re.ASCII):
            raise _wrong(f"{key} = {value!r}", "give the name that Vivado has for it", path)
    return Platform(**values)


def _power_of(table: Any, path: Path) -> Power:
    """The table ``[power]`` of a file; SettingError for a wrong one."""
    if not isinstance(table, dict):
        raise _wrong(f"power = {table!r}", "give a table [NAME.power]", path)
    return Power(**_checked(Power, {**POWER_DEFAULTS, **table}, path))


def _fits(value: Any, kind: str) -> bool:
    if kind == "str":
        return isinstance(value, str)
    return isinstance(value, int if kind == "int" else (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53


def _wrong(what: str, help: str, path: Path) -> SettingError:
    return SettingError(Problem("board-file", what, where=str(path), help=help))
