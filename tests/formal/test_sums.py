"""Proofs that dot products on carry chains, and products by digits, are the plain expressions, for every operand and pattern of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfcompile.ir.types import IntType
from dfcompile.units.parts.arithmetic import ARITHMETIC_CODES, Products
from tests.formal.prove import Verdict, mutated, prove


def parameters(x: str, w: str, simd: int, steps: int, arithmetic: str) -> dict[str, int]:
    """Of the bench; types as "s2", "u2", "b" (-1 or +1), w "x": the input or its complement."""
    xnor, bipolar = w == "x", x == "b"
    xbits, wbits = (1 if t in "bx" else int(t[1:]) for t in (x, w))
    acc = IntType(xbits + bipolar + wbits + (steps * simd - 1).bit_length() + 1, signed=True)
    products = Products(IntType(xbits + bipolar, signed=x[0] == "s"), IntType(wbits, signed=w[0] == "s"), xnor, acc)
    return {
        "Simd": simd, "InBits": xbits, "InSigned": int(x[0] == "s"), "InBipolar": int(bipolar), "WeightBits": wbits,
        "WeightSigned": int(w[0] == "s"), "Xnor": int(xnor), "Steps": steps, "AccBits": acc.bits,
        "Arithmetic": ARITHMETIC_CODES[arithmetic], "Latency": products.dot_latency(simd, arithmetic),
    }  # fmt: skip


CASES = [
    ("u1", "x", 4, 2, "carry4"), ("u1", "x", 7, 1, "carry8"), ("u2", "s2", 2, 2, "carry4"), ("s2", "s2", 2, 2, "carry8"),
    ("s2", "u2", 3, 1, "carry4"), ("b", "s2", 2, 2, "carry4"), ("s2", "x", 3, 2, "carry8"), ("u1", "s1", 3, 2, "carry4"),
    ("u3", "s3", 1, 2, "carry8"), ("s3", "s3", 1, 1, "carry4"), ("u2", "s3", 1, 3, "carry4"),
    pytest.param("u1", "x", 12, 2, "carry4", marks=pytest.mark.full), pytest.param("u2", "s2", 4, 2, "carry4", marks=pytest.mark.full),
]  # fmt: skip


@pytest.mark.parametrize(("x", "w", "simd", "steps", "arithmetic"), CASES)
def test_carry_chains_are_plain_sums(x: str, w: str, simd: int, steps: int, arithmetic: str, tmp_path: Path) -> None:
    assert prove("sums_bench", parameters(x, w, simd, steps, arithmetic), tmp_path) == Verdict()


THRESHOLDS = (3, -2, 0)


def started(x: str, w: str, simd: int, steps: int, arithmetic: str, folder: Path) -> dict[str, int]:
    """Of the bench where sums start with minus one of three thresholds in turn, whose file is left in `folder`.

    Sums have a bit more than they need, and so a place above what the numbers reach.
    """
    (folder / "thresholds.mem").write_text("\n".join(f"{t & 255:02x}" for t in (0, 0, 0, 0, *THRESHOLDS, 0)) + "\n")
    given = parameters(x, w, simd, steps, arithmetic)
    values = sum((t & 255) << 8 * i for i, t in enumerate(THRESHOLDS))
    return given | {"Start": 1, "AccBits": max(5, given["AccBits"] + 1), "Thresholds": values}


STARTS = [
    ("u1", "x", 4, 2, "auto"), ("u2", "s2", 2, 2, "auto"), ("u1", "x", 4, 2, "carry4"), ("u1", "x", 7, 1, "carry8"),
    ("s2", "s2", 2, 2, "carry8"),
    pytest.param("u2", "s3", 1, 3, "carry4", marks=pytest.mark.further),
]  # fmt: skip


@pytest.mark.parametrize(("x", "w", "simd", "steps", "arithmetic"), STARTS)
def test_signs_are_comparisons_with_thresholds(x: str, w: str, simd: int, steps: int, arithmetic: str, tmp_path: Path) -> None:
    assert prove("sums_bench", started(x, w, simd, steps, arithmetic, tmp_path), tmp_path) == Verdict()


STARTED = [
    ("dfc_starts", "later[(i+Rows-1)%Rows]", "later[i]", "carry4"),  # the next sum starts with this one's word
    ("dfc_starts", "Offset + (Width'(1) << (Width - 1)) -", "Offset + (Width'(1) << (Width - 1)) - 1'b1 -", "auto"),
    ("dfc_carry_total", "start_i[2][Full-1:0];", "start_i[1][Full-1:0];", "carry4"),  # after a reset
    ("dfc_carry_total", "Reach + 1 < Bits) ? Reach + 1", "Reach + 1 < Bits) ? Reach", "carry4"),  # the majority of the highest place
]


@pytest.mark.parametrize(("module", "old", "new", "arithmetic"), STARTED)
def test_a_fault_of_starts_is_found(module: str, old: str, new: str, arithmetic: str, tmp_path: Path) -> None:
    changed = mutated(tmp_path, module, old, new)
    assert prove("sums_bench", started("u1", "x", 4, 2, arithmetic, tmp_path), tmp_path, [changed]).falls


FAULTS = [
    ("dfc_dot_carry", "(XSigned && i == XBits - 1)", "(XSigned && i == 0)", ("s2", "x", 3, 2, "carry8")),  # of a term without another
    ("dfc_dot_carry", "next + 1 < top) ? top - 1", "next < top) ? top - 1", ("u1", "x", 7, 1, "carry8")),  # of rows of three
    ("dfc_dot_carry", "found[k]      = (k[0] && k[1])", "found[k]      = (k[0] && k[3])", ("u1", "x", 7, 1, "carry8")),
    ("dfc_carry_total", "found[i][k]      = (k[0] && k[1])", "found[i][k]      = (k[0] && k[3])", ("s2", "s2", 2, 2, "carry4")),
    ("dfc_sums", "carry_constants(Steps * Simd,", "carry_constants(Simd,", ("s2", "s2", 2, 2, "carry4")),
]


PACKED_CASES = [
    ("u3", "s3", 1, 2, "packed25", 2), ("s3", "s3", 1, 2, "packed27", 2), ("s3", "u3", 1, 1, "packed27", 2),
    ("s2", "s4", 2, 1, "packed27", 1),
    pytest.param("u2", "s4", 2, 1, "packed25", 2, marks=pytest.mark.further),
]  # fmt: skip


@pytest.mark.parametrize(("x", "w", "simd", "steps", "arithmetic", "lanes"), PACKED_CASES)
def test_packed_products_are_plain_sums(x: str, w: str, simd: int, steps: int, arithmetic: str, lanes: int, tmp_path: Path) -> None:
    """Every pair of weights with every input, and a chain of two slices."""
    assert prove("sums_bench", {**parameters(x, w, simd, steps, arithmetic), "Pe": lanes}, tmp_path) == Verdict()


SLICES = [
    ("dfc_dots_packed", "= Signed;", "= 1'b0;", ("s3", "s3", 1, 1, "packed25"), 2),  # a negative field borrows of the next
    ("dfc_dots_packed", "WSigned != 0 && w_q[Late][p][WBits-1]", "1'b0", ("s3", "s3", 1, 1, "packed25"), 2),
    ("dfc_slice", "? 9'b000010101 :", "? 9'b000110101 :", ("s2", "s4", 2, 1, "packed27"), 1),  # what the slice before has is left out
]


@pytest.mark.parametrize(("module", "old", "new", "case", "lanes"), SLICES)
def test_a_fault_of_slices_is_found(
    module: str, old: str, new: str, case: tuple[str, str, int, int, str], lanes: int, tmp_path: Path
) -> None:
    changed = mutated(tmp_path, module, old, new)
    assert prove("sums_bench", {**parameters(*case), "Pe": lanes}, tmp_path, [changed]).falls


@pytest.mark.parametrize(("module", "old", "new", "case"), FAULTS)
def test_a_fault_is_found(module: str, old: str, new: str, case: tuple[str, str, int, int, str], tmp_path: Path) -> None:
    assert prove("sums_bench", parameters(*case), tmp_path, [mutated(tmp_path, module, old, new)]).falls


PRODUCTS = [
    (1, 1, 1),
    (3, 2, 1),
    (2, 3, 1),
    (2, 3, 2),
    (3, 4, 2),
    (3, 5, 2),
    (2, 6, 3),
    (2, 7, 3),
    (2, 9, 2),
    (2, 9, 4),
    (2, 10, 3),
    (4, 4, 1),
]


@pytest.mark.parametrize(("a", "f", "stages"), PRODUCTS)
def test_products_by_digits_are_products(a: int, f: int, stages: int, tmp_path: Path) -> None:
    """With every number of stages and of levels, a lone node and one of half a digit."""
    assert prove("product_bench", {"ABits": a, "FBits": f, "Stages": stages}, tmp_path) == Verdict()


DIGITS = [
    ("Top ? Width'(less_d)", "Top ? Width'(thrice_d)"),  # the sign of the factor
    ("Top ? Width'(less_d <<< 1)", "!Top ? Width'(less_d <<< 1)"),
    ("signed'(low[ABits+Half-1:Half])", "low[ABits+Half-1:Half]"),
    ("(l > 0 && stage_of(l + 1) > stage_of(l))", "(stage_of(l + 1) > stage_of(l))"),  # a register too many
]


@pytest.mark.parametrize(("old", "new"), DIGITS)
def test_a_wrong_digit_is_found(old: str, new: str, tmp_path: Path) -> None:
    assert prove(
        "product_bench", {"ABits": 2, "FBits": 6, "Stages": 3}, tmp_path, [mutated(tmp_path, "dfc_product_digits", old, new)]
    ).falls
