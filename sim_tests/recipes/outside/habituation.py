"""A neuron model of somebody else's package: three states, one file, no C++."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from neurodeploy.network import Neuron
from neurodeploy.network.fields import flag, integers
from neurodeploy.network.fixed_point import round_to_zero, saturate_voltage
from neurodeploy.network.neurons import Parameter


@dataclass(frozen=True, eq=False)
class Habituating(Neuron):
    r"""Fires less to what does not change: each spike makes all input weaker for a while.

    .. math::
        v &\leftarrow clip(rz(v\,(4096 - d)) + 64 a - h), \quad s = [v > 64\,\theta] \\
        h &\leftarrow rz(h\,(4096 - d_h)) + r s \\
        g &\leftarrow 0 \text{ where } s, \text{ else } \min(g + 1, 1000), \quad
        v \leftarrow 0 \text{ where } s

    Attributes
    ----------
    decay, recovery : int or int32 [neurons]
        d and d_h, 12-bit decays.
    threshold, rise : int or int32 [neurons]
    tells_age : bool
        Send 1 + g of before the spike in place of 1.
    """

    decay: Parameter = field(metadata=integers(0, 4096))
    recovery: Parameter = field(metadata=integers(0, 4096))
    threshold: Parameter = field(metadata=integers(1, 1 << 16))
    rise: Parameter = field(default=900, metadata=integers(0, 1 << 16))
    tells_age: bool = field(default=False, metadata=flag())
    kind: ClassVar[str] = "habituating"
    states: ClassVar[tuple[str, ...]] = ("v", "habit", "age")

    @property
    def graded(self):
        """See `Neuron.graded`."""
        return self.tells_age

    def step(self, states, current):
        """See `Neuron.step`."""
        kept = round_to_zero(states["v"] * (4096 - np.asarray(self.decay)))
        v = saturate_voltage(kept + 64 * current - states["habit"])
        fires = v > 64 * np.asarray(self.threshold)
        habit = round_to_zero(states["habit"] * (4096 - np.asarray(self.recovery)))
        after = {
            "v": np.where(fires, 0, v),
            "habit": habit + np.where(fires, self.rise, 0),
            "age": np.where(fires, 0, np.minimum(states["age"] + 1, 1000)),
        }
        return after, np.where(fires, 1 + states["age"] if self.tells_age else 1, 0)
