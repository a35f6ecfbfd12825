"""Work and traffic of each layer of a program, and its place under the two roofs."""

from __future__ import annotations

from dataclasses import dataclass

from dfcompile.loopback.descriptor import Compute, Opcode, Target
from dfcompile.loopback.group import cycles
from dfcompile.loopback.predict import Prediction
from dfcompile.loopback.program import Program


@dataclass(frozen=True)
class LayerTraffic:
    """One layer of one run (a batch).

    macs:         multiplications of the network's layer
    steps:        array steps; macs / (steps * lanes) is the utilisation while it computes
    cycles:       between the end of the layer before and its own end
    constant_bytes, act_bytes: loaded weights and thresholds; activations loaded and stored
    roof_cycles:  the larger of macs / lanes and bytes / bus
    """

    name: str
    source: tuple[str, ...]
    macs: int
    steps: int
    cycles: int
    constant_bytes: int
    act_bytes: int
    roof_cycles: float

    @property
    def utilisation(self) -> float:
        """Roof cycles over cycles."""
        return self.roof_cycles / self.cycles if self.cycles else 0.0


def layer_traffic(program: Program, prediction: Prediction) -> tuple[LayerTraffic, ...]:
    """Every layer of a program in order; the loads of the network's inputs count for the first."""
    config, taken = program.config, prediction.layer_cycles()
    count = len(program.layers)
    steps, constant, act = [0] * count, [0] * count, [0] * count
    for s in program.steps:
        layer, d = max(0, s.layer), s.descriptor
        if isinstance(d, Compute):
            steps[layer] += cycles(d, config)
        elif d.opcode != Opcode.FINISH:
            size = d.beats * config.bus_bytes
            if d.target == Target.ACT:
                act[layer] += size
            else:
                constant[layer] += size
    result = []
    for i, layer_ in enumerate(program.layers):
        macs = layer_.macs * program.batch
        roof = max(macs / config.multipliers, (constant[i] + act[i]) / config.bus_bytes)
        result.append(LayerTraffic(layer_.name, layer_.source, macs, steps[i], taken.get(i, 0), constant[i], act[i], roof))
    return tuple(result)
