"""The calibration sweep: all units of `calibration_units`, and sums on chains and with starts of their own."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import calibration_units as units
from benchmarks.calibration_units import mvtu, vvtu
from dfcompile.device.family import FAMILIES
from dfcompile.units.base import Unit
from dfcompile.units.parts.carry import CARRY
from dfcompile.units.parts.packed import PACKED


def _chains() -> Iterator[Unit]:
    """Sums on carry chains."""
    for arithmetic in CARRY:
        yield mvtu("b", "b", "b", 16, 288, 4, 32, arithmetic=arithmetic)
        yield mvtu("u2", "s2", "u2", 16, 144, 4, 16, arithmetic=arithmetic)
        yield mvtu("u4", "s4", "u4", 16, 72, 4, 9, arithmetic=arithmetic)
        yield mvtu("s8", "s8", "", 8, 64, 2, 4, arithmetic=arithmetic, weight_style="bram")
        yield vvtu("u4", "s4", "u4", 32, 9, 4, arithmetic=arithmetic)


def _planes() -> Iterator[Unit]:
    """Bit planes behind registers, and sums in chains of slices."""
    yield mvtu("u2", "s2", "u2", 16, 144, 8, 16, arithmetic="lut", weight_style="bram")
    for arithmetic in PACKED:
        yield mvtu("u8", "s8", "u4", 32, 288, 4, 9, arithmetic=arithmetic, weight_style="bram")
        yield mvtu("u4", "s4", "", 30, 288, 5, 16, arithmetic=arithmetic, weight_style="bram")
        yield mvtu("s8", "s8", "", 16, 64, 4, 16, arithmetic=arithmetic, weight_style="bram")


def _started() -> Iterator[Unit]:
    """Sums that start with their thresholds, and inputs that come out of distributed RAM."""
    for arithmetic in ("auto", "carry4", "carry8"):
        late = {"arithmetic": arithmetic, "input_style": "lutram"}
        yield mvtu("b", "b", "b", 64, 576, 4, 16, weight_style="bram", **late)
        yield mvtu("b", "b", "b", 64, 576, 4, 16, weight_style="bram", threshold_style="start", **late)
        yield mvtu("b", "b", "b", 64, 576, 16, 32, weight_style="bram", threshold_style="start", **late)
        yield mvtu("b", "b", "b", 64, 784, 13, 49, weight_style="bram", threshold_style="start", **late)
        yield mvtu("b", "b", "b", 128, 64, 4, 32, weight_style="bram", threshold_style="start", **late)
        yield mvtu("u8", "b", "b", 64, 27, 8, 3, threshold_style="start", arithmetic=arithmetic)
        yield mvtu("u2", "s2", "u1", 32, 144, 4, 12, weight_style="bram", threshold_style="start", **late)
        yield mvtu("u4", "s4", "u4", 32, 288, 4, 8, weight_style="bram", **late)
        yield mvtu("b", "b", "b", 8, 128, 8, 16, threshold_style="start", arithmetic=arithmetic)


def of_family(unit: Unit, family: str) -> bool:
    """Whether a family has a unit: of its own cells, and distributed RAM with no register behind it only in LUTs of six inputs."""
    other = {*CARRY, *PACKED} - {FAMILIES[family].carry, FAMILIES[family].packed}
    late = getattr(unit, "input_style", "") == "lutram" and FAMILIES[family].lut_inputs < 6
    return getattr(unit, "arithmetic", "") not in other and not late


def sweep() -> dict[str, Unit]:
    """Name -> unit; the names tell what varies."""
    parts = (
        units.matrix_units,
        units.other_units,
        units.moving_units,
        units.further_units,
        units.padded_units,
        units.requantizing_units,
        units.product_units,
        units.row_units,
        units.table_units,
        units.sparse_units,
        units.norm_units,
        _chains,
        units.state_units,
        units.kept_units,
        _planes,
        _started,
    )
    made = [u for part in parts for u in part()]
    return {f"{u.kind}{i:02d}": u for i, u in enumerate(made)}
