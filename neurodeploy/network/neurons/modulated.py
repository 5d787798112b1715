"""Neurons that write the traces which three-factor learning rules read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..fields import choice, integers, one_integer
from ..fixed_point import STATE_LIMIT
from .base import IntArray, Parameter
from .lif import CubaLIF
from .registry import NEURONS

TRACE_TOP = 127
"""Largest value of a trace, 7 bits."""

KEEP_BITS = 7
"""A trace keeps so many 128ths of itself in a step."""


@NEURONS.register
@dataclass(frozen=True, eq=False)
class ModulatedLIF(CubaLIF):
    r"""`CubaLIF` with a third factor m and the traces y1, y2 and y3 of three-factor rules.

    u, v and the message s are `CubaLIF`'s. With m, what synapses deliver into the third factor
    (`Projection.into`), clipped to 24 bits, and v' the voltage before the reset:

    .. math::
        y_1 &\leftarrow \min(127, \lfloor y_1 k_1 / 128 \rfloor + h s) \quad\text{(trace), or} \\
        y_1 &\leftarrow \max(0, h - \lfloor |v' - 64\,\theta| / 2^w \rfloor)
            \quad\text{(surrogate)} \\
        e &= m - c\,s \\
        y_2 &\leftarrow \min(127, \lfloor y_2 k / 128 \rfloor + \max(e, 0)) \\
        y_3 &\leftarrow \min(127, \lfloor y_3 k / 128 \rfloor + \max(-e, 0))

    Attributes
    ----------
    current_decay, voltage_decay, threshold, bias : int or int32 [neurons]
        As in `CubaLIF`.
    y1_is : {"trace", "surrogate"}
        Whether y1 is a trace of the neuron's messages, or the triangle that stands for the
        derivative of its step function.
    y1_size : int or int32 [neurons]
        h in 0..127: what a message adds, or the height of the triangle.
    y1_keep : int or int32 [neurons]
        k_1 in 0..128 of the trace.
    y1_width : int
        w in 0..23 of the triangle: it is 2^w wide for each unit of its height.
    signal_keep : int or int32 [neurons]
        k in 0..128. With 0, y2 and y3 are the signal of the step alone.
    message_cost : int or int32 [neurons]
        c, what a message of its own takes off the signal: with m a target, y2 - y3 is what the
        delta rule calls the error.

    Notes
    -----
    Lava has the ports (``LearningNeuronModelFixed``) and no neuron of its own that uses them in
    integers; on a chip this is a neuron program of its own. The two signs of the error stand in
    two traces because a trace has none.
    """

    y1_is: str = field(default="trace", metadata=choice("trace", "surrogate"))
    y1_size: Parameter = field(default=0, metadata=integers(0, TRACE_TOP))
    y1_keep: Parameter = field(default=0, metadata=integers(0, 1 << KEEP_BITS))
    y1_width: int = field(default=0, metadata=one_integer(0, 23))
    signal_keep: Parameter = field(default=0, metadata=integers(0, 1 << KEEP_BITS))
    message_cost: Parameter = field(default=0, metadata=integers(-(1 << 16), 1 << 16))
    kind: ClassVar[str] = "modulated-lif"
    states: ClassVar[tuple[str, ...]] = ("u", "v", "y1", "y2", "y3")
    has_third_factor: ClassVar[bool] = True

    def step(
        self, states: Mapping[str, IntArray], current: IntArray
    ) -> tuple[dict[str, IntArray], IntArray]:
        """See `Neuron.step`; the second current is the third factor."""
        u = self.next_current(states["u"], current[0])
        reached = self.next_voltage(states["v"], u)
        sent = self.messages(reached)
        signal = np.clip(current[1], 1 - STATE_LIMIT, STATE_LIMIT - 1) - self.message_cost * sent
        after = {
            "u": u,
            "v": np.where(sent, 0, reached),
            "y1": self._y1(states["y1"], reached, sent),
            "y2": _followed(states["y2"], self.signal_keep, np.maximum(signal, 0)),
            "y3": _followed(states["y3"], self.signal_keep, np.maximum(-signal, 0)),
        }
        return after, sent

    def _y1(self, y1: IntArray, reached: IntArray, sent: IntArray) -> IntArray:
        if self.y1_is == "trace":
            return _followed(y1, self.y1_keep, self.y1_size * sent)
        far = np.abs(reached - self.scaled("threshold")) >> self.y1_width
        height: IntArray = np.maximum(self.y1_size - far, 0)
        return height


def _followed(trace: IntArray, keep: Parameter, added: IntArray) -> IntArray:
    kept = np.asarray(trace, np.int64) * keep >> KEEP_BITS
    return np.minimum(kept + added, TRACE_TOP)
