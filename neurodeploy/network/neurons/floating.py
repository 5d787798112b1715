"""Neurons that compute in float32: what a framework trained, before quantization."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import choice, flag, floats
from .base import Neuron
from .registry import NEURONS

FloatParameter: TypeAlias = "float | NDArray[np.float32]"
"""One number for the whole population, or one per neuron, flat in (C, H, W) order."""


@NEURONS.register
@dataclass(frozen=True, eq=False)
class FloatLIF(Neuron):
    r"""A leaky integrator of a current, made discrete in time; NIR's neurons are cases of it.

    .. math::
        u' &= k_u u + g_u (a + b_u) \\
        c &= u' \text{ or, if it sees the last current, } u \\
        v' &= k_v v + g_v c + b_v \\
        f &= [v' > \theta] \text{ or } [v' \ge \theta] \\
        s &= f, \; v', \text{ or } \max(0, \lfloor v' / \theta \rfloor)

    A reset R is :math:`v = v_r`, or :math:`v = v - \theta` (for each spike, where several are
    counted). It happens to v' in the step of the spike (``same``), to v just before the next
    update (``before``: the same spikes, v recorded before the reset), or to v' in the
    next step after its update, whose input a reset to a value then wipes out (``after``:
    by subtraction v' = k_v v + g_v c + b_v - theta s, with the spikes s of the step before).

    ``again`` is a subtraction in the step of the spike where a v that is still above the
    threshold is lowered by it once more while the next step decides whether to fire, and
    is given it back where it does not (snnTorch's Leaky with ``reset_delay=False``):

    .. math::
        r = [v > \theta], \quad f = [v' - r \theta > \theta], \quad v = v' - f \theta

    Attributes
    ----------
    current_keep, current_gain, current_bias : float or float32 [neurons]
        k_u, g_u and b_u. A k_u of 0 and g_u of 1: no memory of the current.
    voltage_keep, voltage_gain, voltage_bias : float or float32 [neurons]
        k_v, g_v and b_v.
    threshold : float or float32 [neurons]
        Ignored where `sends` is ``voltage``.
    reset : {"value", "subtract", "none"}
    reset_value : float or float32 [neurons]
        v_r.
    reset_time : {"same", "before", "after", "again"}
        ``again`` with ``subtract`` alone.
    inclusive : bool
        Fire at the threshold itself (``>=``).
    sees_last_current : bool
        Whether v integrates the current of the step before.
    minimum : float, float32 [neurons] or None
        What v is raised to after a reset where it is below.
    sends : {"spike", "voltage", "count"}
        What a message carries: 1, the voltage at every step (a readout), or how often the
        threshold fits into the voltage.

    Notes
    -----
    All in float32, in this order. A current arrives in the step in which it was sent, see
    `Network.closes` for recurrence.
    """

    current_keep: FloatParameter = field(default=0.0, metadata=floats())
    current_gain: FloatParameter = field(default=1.0, metadata=floats())
    current_bias: FloatParameter = field(default=0.0, metadata=floats())
    voltage_keep: FloatParameter = field(default=0.0, metadata=floats())
    voltage_gain: FloatParameter = field(default=1.0, metadata=floats())
    voltage_bias: FloatParameter = field(default=0.0, metadata=floats())
    threshold: FloatParameter = field(default=1.0, metadata=floats())
    reset: str = field(default="value", metadata=choice("value", "subtract", "none"))
    reset_value: FloatParameter = field(default=0.0, metadata=floats())
    reset_time: str = field(default="same", metadata=choice("same", "before", "after", "again"))
    inclusive: bool = field(default=False, metadata=flag())
    sees_last_current: bool = field(default=False, metadata=flag())
    minimum: FloatParameter | None = field(default=None, metadata=floats(optional=True))
    sends: str = field(default="spike", metadata=choice("spike", "voltage", "count"))
    kind: ClassVar[str] = "float-lif"
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    is_float: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reset_time == "again" and (self.reset != "subtract" or self.sends != "spike"):
            raise NetworkError(
                f"{self.label}: reset_time 'again' with reset {self.reset!r} that sends "
                f"{self.sends}; it needs reset 'subtract' and single spikes"
            )

    @classmethod
    def relay(cls) -> FloatLIF:
        """Neurons that send on what they get, in the same step."""
        return cls(sends="voltage", reset="none")

    @property
    def is_readout(self) -> bool:  # type: ignore[override]
        """Whether the host reads v."""
        return self.sends == "voltage"

    @property
    def graded(self) -> bool:
        """Whether messages carry a number other than 1."""
        return self.sends != "spike"

    @property
    def has_current(self) -> bool:
        """Whether the current lasts beyond a step, or enters a step late."""
        return bool(np.any(np.asarray(self.current_keep) != 0)) or self.sees_last_current
