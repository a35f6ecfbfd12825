"""A small model through all passes of streamlining, held to the exact oracle on frames full of ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from dfcompile.streamline.pipeline import Streamlined, streamline
from tests import exact_oracle
from tests.frontend.make import graph_of


def streamlined(proto: onnx.ModelProto, folder: Path, frames: int = 3) -> Streamlined:
    """The integer graph, after its outputs were found equal to exact arithmetic."""
    graph = graph_of(proto, folder)
    made = streamline(graph, {})
    rng = np.random.default_rng(5)
    feeds = {t: (np.round(rng.normal(size=(frames, *graph.tensors[t].shape[1:])) * 12) / 8).astype(np.float32) for t in graph.inputs}
    codes = made.graph.execute(made.host.encode(feeds))
    found = made.host.decode(codes)
    for i in range(frames):
        exact = exact_oracle.run(proto, {t: x[i : i + 1] for t, x in feeds.items()})
        for name, wanted in exact.items():
            size = max(float(np.abs(wanted).max()), 1e-9)
            np.testing.assert_allclose(found[name][i].reshape(wanted.shape[1:]), wanted[0], rtol=1e-12, atol=1e-12 * size)
    return made


def ops(made: Streamlined) -> list[str]:
    """Kinds of the integer operators."""
    return [n.op.kind for n in made.graph.nodes]
