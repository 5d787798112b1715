"""The sigma-delta form, for streams: a message is the change of an activation.

The first population takes values and sends their changes; the others add up what arrives, rectify
and send a change once it reaches the population's threshold. A stream that stands still costs
nothing. Equations: `network.GeneralSigmaDelta`, which Lava has for the rectifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..network import Delta, GeneralSigmaDelta, InputTransform, Neuron, Population
from ..network.fixed_point import SPIKE_EXPONENT
from ..network.neurons.sigma_delta import HIGHEST, LOWEST
from .calibration import Range
from .graded import Building, Built
from .graph import refuse
from .units import Unit

FINER_BITS = 4
"""By which a change's payload is finer than an activation's: each message rounds down, and nobody
repays it, so that a population drifts by half a payload's unit a message."""

INPUT_BITS = 6
"""Of a value presented: `Delta` gives its messages 6 more."""

LARGEST_SHIFT = 24
"""Of `GeneralSigmaDelta.message_shift`."""


def build_sigma_delta(
    units: Sequence[Unit],
    measured: Mapping[str, Range],
    bits: int,
    activation_bits: int,
    thresholds: Mapping[str, float],
) -> Built:
    """Make the network; parameters as `graded.build_graded`.

    `thresholds` are shares of what the calibration's percentile is, by unit; 0 where none is
    named, which is the smallest change that a payload holds.
    """
    made = _Changes(measured, bits, activation_bits)
    made.thresholds = thresholds
    # Changes are negative, too, whatever sends them.
    return made.of(units)


class _Changes(Building):
    starts_late = False
    thresholds: Mapping[str, float]

    def input(self, unit: Unit) -> tuple[Population, float]:
        """See `Building.input`: an encoder, which takes values and sends changes."""
        top = (1 << min(self.activation_bits, INPUT_BITS)) - 1
        scale = top / (self.measured[unit.name].largest or 1.0)
        threshold = round(self.thresholds.get(unit.name, 0) * top)
        encoder = Delta(threshold)
        port = Population(unit.name, unit.shape, encoder, transform=InputTransform(scale, 0.0))
        return port, scale * (1 << SPIKE_EXPONENT)

    def late(self, name: str, hops: int, signed: bool) -> str:
        """See `Building.late`."""
        return super().late(name, hops, True)

    def neuron(self, unit: Unit, scale: float, largest: float) -> tuple[Neuron, float]:
        """See `Building.neuron`."""
        if unit.is_binary:
            raise refuse(
                unit.name,
                "binary map",
                "changes as a whole",
                'give to="graded", where it is one spike',
            )
        bias = np.rint(unit.bias * scale).astype(np.int64)
        alike = bool((bias == bias[0]).all())
        own = int(bias[0]) if alike else bias.astype(np.int32)
        if unit.activation == "readout":
            return GeneralSigmaDelta(0, own, message_shift=0), scale
        top = (1 << (self.activation_bits + FINER_BITS)) - 1
        typical = self.measured[unit.name].typical * scale
        shift = max(0, int(np.ceil(np.log2(typical / top)))) if typical > top else 0
        shift = min(shift, LARGEST_SHIFT)
        wanted = round(self.thresholds.get(unit.name, 0) * typical)
        lowest = 0 if unit.activation == "rectify" else LOWEST
        return GeneralSigmaDelta(
            max(1 << shift, wanted), own, lowest, HIGHEST, message_shift=shift
        ), scale / 2.0**shift
