"""How many inputs and outputs a model may have."""

from __future__ import annotations

from dfcompile.errors import Problem
from dfcompile.frontend.model import OnnxModel

MOST_PORTS = 256


def too_many_ports(model: OnnxModel) -> list[Problem]:
    """Problems of a model with more inputs or outputs than an accelerator has use for."""
    found = []
    for kind, ports, way in (("inputs", model.inputs, "Split or Slice"), ("outputs", model.outputs, "Concat")):
        if len(ports) > MOST_PORTS:
            what, why = f"the model has {len(ports):,} {kind}", f"each is a stream port of the accelerator; the limit is {MOST_PORTS}"
            help_ = f"make them parts of few tensors ({way}), or compile a part of the model (--from, --to)"
            found.append(Problem("too-many-ports", what, why=why, help=help_))
    return found
