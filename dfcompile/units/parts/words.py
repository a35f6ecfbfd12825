"""Weights as the words that lanes read, step by step."""

from __future__ import annotations

import numpy as np

from dfcompile.units.base import Array


def words_of(weights: Array, row_folds: int, column_folds: int, pe: int, simd: int, run: int, fill: int) -> Array:
    """(groups, mh, mw) of each weight something -> (groups, row_folds, column_folds, pe, simd), with dummy rows and columns.

    Lanes start again after each `run` columns. Products of dummies are 0: dummy rows are, and dummy columns are `fill`, +1 where a product
    is an input that the hardware masks to 0.
    """
    groups, mh, mw = weights.shape
    runs = weights.reshape(groups, mh, mw // run, run)
    rest = column_folds * simd // runs.shape[2] - run
    padding = ((0, 0), (0, row_folds * pe - mh), (0, 0), (0, rest))
    padded = np.pad(runs, padding, constant_values=fill)
    return padded.reshape(groups, row_folds, pe, column_folds, simd).transpose(0, 1, 3, 2, 4)
