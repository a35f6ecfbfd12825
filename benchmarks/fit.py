"""The LUT coefficients that fit the calibration sweep best, for dfcompile/device/family.py.

    python -m benchmarks.fit --family ecp5

Robust least squares on the relative errors, from the present values; prints them beside the new ones and the errors of both.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.calibrate import error, read_table
from benchmarks.calibration_sweep import sweep
from dfcompile.device import area
from dfcompile.device.family import FAMILIES
from dfcompile.units.parts import mac_area, threshold_area

TABLES = ("rates", "costs", "units")
REACH = 3.0
"""How far a coefficient may go from where it is, as a factor; one that is 0 stays."""


def flat(family: str) -> dict[str, float]:
    """The coefficients in place, those that have several parts part by part."""
    found = {}
    for table in TABLES:
        for name, value in asdict(getattr(FAMILIES[family], table)).items():
            parts = value if isinstance(value, tuple) else (value,)
            found |= {f"{table}.{name}" + f".{i}" * (len(parts) > 1): float(part) for i, part in enumerate(parts)}
    return found


def set_values(family: str, values: NDArray[np.float64]) -> None:
    """Put coefficients in place."""
    rest = iter(values)
    for table in TABLES:
        now = getattr(FAMILIES[family], table)
        changed = {
            name: tuple(float(next(rest)) for _ in value) if isinstance(value, tuple) else float(next(rest))
            for name, value in asdict(now).items()
        }
        FAMILIES[family] = replace(FAMILIES[family], **{table: replace(now, **changed)})
    for known in (*vars(area).values(), *vars(mac_area).values(), *vars(threshold_area).values()):  # what was found by the values before
        if hasattr(known, "cache_clear"):
            known.cache_clear()


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, default="ecp5")
    family = parser.parse_args().family
    units = sweep()
    pairs = [(units[n], real["lut"]) for n, real in read_table()[family].items() if n in units]
    coefficients = flat(family)
    start = np.array(list(coefficients.values()))
    scale = np.where(start == 0, 1.0, start)
    free = start != 0

    def errors(values: NDArray[np.float64]) -> NDArray[np.float64]:
        set_values(family, values)
        return np.array([error(real, unit.resources(family).lut) for unit, real in pairs])

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = start.copy()
        found[free] = values
        return found

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([errors(whole(values)), 0.02 * (values / scale[free] - 1)])  # what the sweep does not tell stays

    bounds = (start[free] / REACH, start[free] * REACH)
    fitted = whole(least_squares(residuals, start[free], bounds=bounds, loss="soft_l1", f_scale=0.3).x)
    for what, values in (("present", start), ("fitted", fitted)):
        left = np.abs(errors(values))
        print(f"{what}: median {median(left):.1%}, worst {left.max():.1%}")
    for name, old, new in zip(coefficients, start, fitted, strict=True):
        print(f"{name:20s} {old:6.2f} -> {new:6.2f}")


if __name__ == "__main__":
    main()
