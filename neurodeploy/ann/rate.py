r"""The rate form: integrate-and-fire neurons whose spikes stand for shares of a threshold.

.. math::
    v \leftarrow v + \sum w\, \theta_{source} s + b, \quad s = [v > \theta], \quad
    v \leftarrow v - \theta s

An input is presented as it is at every step, the bias acts at every step, and a spike is worth its
neuron's threshold: a percentile of what the unit sends on the calibration inputs (Wu et al.,
"Progressive Tandem Learning", 2021). Voltages begin at half a threshold (Bu et al., "Optimized
Potential Initialization", 2022). The readout has no memory: its v, added up, decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..network import GeneralCubaLIF, Neuron
from ..network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, THRESHOLD_BITS
from .calibration import Range
from .graded import HEADROOM, Building, Built, exponent_for, whole
from .graph import refuse
from .units import Unit

LARGEST_HEADROOM = 256
"""A voltage that falls longer than so many largest sums stays where 24 bits end."""


def build_rate(
    units: Sequence[Unit],
    measured: Mapping[str, Range],
    bits: int,
    activation_bits: int,
    steps: int,
) -> Built:
    """Make the network; parameters as `graded.build_graded`, and the steps of a presentation."""
    made = _Rates(measured, bits, activation_bits)
    made.headroom = min(HEADROOM * steps, LARGEST_HEADROOM)
    return made.of(units)


class _Rates(Building):
    def initial_voltage(self, neuron: Neuron) -> int:
        """Half a threshold, so that a count is rounded, not cut off."""
        return int(getattr(neuron, "threshold", 0)) << (ACTIVATION_SHIFT - 1)

    def neuron(self, unit: Unit, scale: float, largest: float) -> tuple[Neuron, float]:
        """See `Building.neuron`."""
        bias = unit.bias * scale
        exponent = exponent_for(scale * largest)
        if unit.is_binary:
            raise refuse(
                unit.name, "binary map", "is no rate", 'give to="graded", where it is one spike'
            )
        if unit.activation == "readout":
            exponent = exponent_for(scale * largest * HEADROOM / self.headroom)
            return self.readout(unit, bias, exponent), scale * 2.0**exponent
        factor = scale * 2.0**exponent / 64
        wanted = self.measured[unit.name].typical * factor
        threshold = int(np.clip(np.rint(wanted), 1, (1 << THRESHOLD_BITS) - 1))
        return GeneralCubaLIF(
            DECAY_UNITY,
            0,
            threshold,
            bias=whole(unit.name, np.rint(unit.bias * factor)),
            reset="subtract",
            input_exponent=exponent,
        ), factor / threshold
