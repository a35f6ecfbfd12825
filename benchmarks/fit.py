"""The LUT coefficients that fit the calibration sweep best, for dfcompile/device/family.py.

    python -m benchmarks.fit --family ecp5

Robust least squares on the relative errors, from the present values; prints them beside the new ones and the errors of both.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.calibrate import error, read_table
from benchmarks.calibration_units import sweep
from dfcompile.device import area
from dfcompile.device.family import FAMILIES
from dfcompile.units.parts import mac_area

TABLES = ("rates", "costs")


def set_values(family: str, values: NDArray[np.float64]) -> None:
    """Put coefficients in place."""
    rest = iter(values)
    for name in TABLES:
        table = getattr(FAMILIES[family], name)
        changed = replace(table, **{f.name: float(next(rest)) for f in fields(table)})
        FAMILIES[family] = replace(FAMILIES[family], **{name: changed})
    for known in (*vars(area).values(), *vars(mac_area).values()):  # what was found by the values before
        if hasattr(known, "cache_clear"):
            known.cache_clear()


def get_values(family: str) -> NDArray[np.float64]:
    """The coefficients in place."""
    return np.array([v for name in TABLES for v in asdict(getattr(FAMILIES[family], name)).values()])


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, default="ecp5")
    family = parser.parse_args().family
    units = sweep()
    pairs = [(units[n], real["lut"]) for n, real in read_table()[family].items() if n in units]
    start = get_values(family)

    def errors(values: NDArray[np.float64]) -> NDArray[np.float64]:
        set_values(family, values)
        return np.array([error(real, unit.resources(family).lut) for unit, real in pairs])

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([errors(values), 0.02 * (values / start - 1)])  # what the sweep does not tell stays

    found = least_squares(residuals, start, bounds=(start * 0.5, start * 2), loss="soft_l1", f_scale=0.1)
    for what, values in (("present", start), ("fitted", found.x)):
        left = np.abs(errors(values))
        print(f"{what}: median {median(left):.1%}, worst {left.max():.1%}")
    names = [f.name for name in TABLES for f in fields(getattr(FAMILIES[family], name))]
    for name, old, new in zip(names, start, found.x, strict=True):
        print(f"{name:14s} {old:6.2f} -> {new:6.2f}")


if __name__ == "__main__":
    main()
