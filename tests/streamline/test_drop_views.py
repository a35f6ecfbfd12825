"""view(view(x)) --> view(x); a view to the shape it already has --> nothing."""

from __future__ import annotations

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntConcat, IntPool, View, Window
from dfcompile.streamline.rewrite import drop_views
from tests.streamline.graphs import Builder, assert_same, kinds

POOL = IntPool("max", Window((2, 1), (2, 1)))


def rewritten(before: Graph) -> Graph:
    after = drop_views(before)
    assert_same(before, after)
    return after


def test_a_view_of_a_view_is_one() -> None:
    b = Builder()
    y = b.op(View((1, 1, 24)), b.op(View((2, 2, 6)), b.op(View((4, 3, 2)), b.input((2, 4, 3), 0, 7))))
    (node,) = rewritten(b.graph(y)).nodes
    assert node.op == View((1, 1, 24)) and node.inputs == ("x0",)


def test_a_view_that_changes_nothing_goes() -> None:
    b = Builder()
    y = b.op(POOL, b.op(View((2, 4, 3)), b.input((2, 4, 3), 0, 7)))
    assert kinds(rewritten(b.graph(y))) == ["int_pool"]


def test_a_way_there_and_back_goes() -> None:
    b = Builder()
    y = b.op(POOL, b.op(View((2, 4, 3)), b.op(View((1, 1, 24)), b.input((2, 4, 3), 0, 7))))
    assert kinds(rewritten(b.graph(y))) == ["int_pool"]


def test_an_output_keeps_its_view() -> None:
    """Its name is what the host reads."""
    b = Builder()
    y = b.op(View((2, 4, 3)), b.input((2, 4, 3), 0, 7))
    assert rewritten(b.graph(y)).outputs == (y,)


def test_a_fork_keeps_what_its_other_reader_needs() -> None:
    b = Builder()
    inner = b.op(View((4, 3, 2)), b.input((2, 4, 3), 0, 7))
    first, second = b.op(POOL, inner), b.op(View((1, 1, 24)), inner)
    after = rewritten(b.graph(first, second))
    assert kinds(after) == ["view", "int_pool", "view"] and after.node("n2").inputs == ("x0",)


def test_both_operands_are_renamed() -> None:
    b = Builder()
    x = b.input((2, 4, 3), 0, 7)
    y = b.op(IntConcat(), b.op(View((2, 4, 3)), x), b.op(View((2, 4, 3)), x))
    (node,) = rewritten(b.graph(y)).nodes
    assert node.inputs == (x, x)
