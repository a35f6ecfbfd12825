"""Random integer graphs with loops over time: rows of pixels, a step each; some operators read what later ones gave a step before."""

from __future__ import annotations

import numpy as np

from dfcompile.ir.graph import Graph, Node
from dfcompile.ir.intop import IntAdd, IntConcat, IntDelay, IntMul, IntSlice, LookupCode
from tests.loopback.cases import Net


def random_loop(seed: int, keep: bool = False) -> tuple[Net, Graph]:
    """The net, whose inputs besides x are states, and the graph with the states' ends joined. keep: states go on from frame to frame"""
    rng = np.random.default_rng(seed)
    steps, bits = int(rng.choice([2, 3, 6, 12])), int(rng.choice([2, 4, 6, 8]))
    low = int(rng.choice([0, -(1 << bits - 1)]))
    kinds = [((1, steps, int(rng.integers(1, 20))), low, low + (1 << bits) - 1) for _ in range(rng.integers(1, 4))]
    if len(kinds) > 1 and rng.random() < 0.5:
        kinds[1] = kinds[0]
    states = {f"s{k}": kind for k, kind in enumerate(kinds)}
    net = Net(seed, x=((1, steps, int(rng.integers(1, 20))), -20, 90), **states)
    made = ["x", *states]
    for _ in range(rng.integers(3, 10)):
        made.append(_another(net, rng, made))
    ends = {name: _end(net, rng, made, kind) for name, kind in states.items()}
    if rng.random() < 0.3 and len(kinds) > 1 and kinds[0] == kinds[1]:
        ends["s1"] = ends["s0"]
    elif rng.random() < 0.2:  # a state that comes a step later
        ends["s0"] = next((t for t, kind in states.items() if t != "s0" and kind == kinds[0]), ends["s0"])
    outputs = tuple(dict.fromkeys([made[-1], ends["s0"], *rng.choice(made[1:], 2).tolist()]))
    delays = [Node(f"delay_{t}", IntDelay(int(rng.integers(low, low + (1 << bits))), keep), (ends[t],), (t,)) for t in states]
    return net, Graph("loop", (*delays, *net.nodes), net.tensors, net.constants, ("x",), outputs).without_dead()


def _another(net: Net, rng: np.random.Generator, made: list[str]) -> str:
    x, y = (str(t) for t in rng.choice(made, 2))
    lo, hi = (int(e) for e in (net.ranges[x][0].min(), net.ranges[x][1].max()))
    c, kind = net.tensors[x].channels, rng.choice(["conv", "sum", "product", "joined", "part", "table", "codes"])
    if kind == "sum":
        return net.steps(net.node(IntAdd((2, -1), 3), x, net.conv(y, c, top=1)), 6)
    if kind == "product":
        z = net.steps(net.conv(y, c, top=2), 4, -8)
        return net.steps(net.node(IntMul(), x, z), 7, -64)
    if kind == "joined":
        return net.node(IntConcat(), x, y) if x != y else net.steps(x, 3)
    if kind == "part" and c > 1:
        return net.node(IntSlice(int(rng.integers(0, c - 1)), c), x)
    if kind == "table" and hi - lo < 300:
        return net.node(LookupCode(lo), x, table=rng.integers(-30, 100, (c, hi - lo + 1)))
    return net.steps(net.conv(x, int(rng.integers(1, 24))), int(rng.integers(1, 8)), -3)


def _end(net: Net, rng: np.random.Generator, made: list[str], kind: tuple[tuple[int, int, int], int, int]) -> str:
    """What a state becomes: codes that it may have."""
    (_, _, channels), low, high = kind
    parts = [net.conv(str(t), channels, top=3) for t in ("x", rng.choice(made), made[-1])]
    bits = (high - low + 1).bit_length() - 1
    x = net.steps(net.node(IntAdd((1, 1)), net.node(IntAdd((1, 1)), *parts[:2]), parts[2]), bits, low)
    if rng.random() < 0.3:  # a part of a tensor, whose place another state's buffer does not take
        return net.node(IntSlice(0, channels), net.node(IntConcat(), x, net.steps(x, bits, low)))
    return x
