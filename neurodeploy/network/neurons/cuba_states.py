"""The equations of u and v that the leaky integrators share, in NumPy: slow and clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_UNITY,
    round_to_zero,
    saturate_voltage,
    wrap_current,
)
from .base import IntArray, Neuron, Parameter

Rule: TypeAlias = Callable[[IntArray], IntArray]


class CubaStates(Neuron):
    r"""A current u that leaks into a voltage v that leaks.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 2^e a + 64 b_u) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + 2^{e_v} (u + 64 b_v))

    Methods take and give int64 [..., neurons], any leading axes.

    Attributes
    ----------
    current_decay, voltage_decay, bias, bias_into, reset, refractory
    input_exponent, voltage_exponent
        As in `GeneralCubaLIF`; what a model does not have is as in `CubaLIF`.
    """

    current_decay: Parameter
    voltage_decay: Parameter
    bias: Parameter
    bias_into: str = "voltage"
    input_exponent: int = ACTIVATION_SHIFT
    voltage_exponent: int = 0
    reset: str = "zero"
    refractory: Parameter = 1
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    has_initial_voltage: ClassVar[bool] = True

    @property
    def constant_current(self) -> Parameter:
        """See `Neuron.constant_current`."""
        return self.bias if self.bias_into == "current" else 0

    def next_current(
        self,
        u: IntArray,
        current: IntArray,
        rounded: Rule = round_to_zero,
        limited: Rule = wrap_current,
    ) -> IntArray:
        """Give u after a step in which the synapses deliver `current`, in weight units.

        Another rounding of the decay, or another limit, is what other simulators do.
        """
        kept = rounded(np.asarray(u, np.int64) * (DECAY_UNITY - np.asarray(self.current_decay)))
        return limited(kept + _scaled(current, self.input_exponent) + self._bias_into("current"))

    def next_voltage(
        self,
        v: IntArray,
        u: IntArray,
        rounded: Rule = round_to_zero,
        limited: Rule = saturate_voltage,
    ) -> IntArray:
        """Give v after a step that leaves u, before any reset; rules as in `next_current`."""
        kept = rounded(np.asarray(v, np.int64) * (DECAY_UNITY - np.asarray(self.voltage_decay)))
        kept = kept - self.owed(v)
        return limited(kept + _scaled(u + self._bias_into("voltage"), self.voltage_exponent))

    def owed(self, v: IntArray) -> IntArray:
        """What a reset that comes late takes off v in its next update; here nothing."""
        return np.zeros_like(v)

    def after_message(self, v: IntArray) -> IntArray:
        """Give v after a message, from v before the reset."""
        return np.zeros_like(v)

    def synaptic_current(self, before: IntArray, u: IntArray) -> IntArray | None:
        """See `Neuron.synaptic_current`; what has wrapped is told as it wrapped."""
        if self.input_exponent < 0:
            return None
        return (u - self.next_current(before, np.zeros_like(u))) >> self.input_exponent

    def voltage_before_reset(
        self, before: IntArray, u: IntArray, sent: IntArray | None
    ) -> IntArray | None:
        """See `Neuron.voltage_before_reset`; v that is held tells nothing."""
        if np.any(np.asarray(self.refractory) > 1):
            return None
        if self.reset == "zero" and sent is not None:
            before = np.where(sent != 0, 0, before)
        return self.next_voltage(before, u)

    def messages(self, v: IntArray) -> IntArray:
        """Give what is sent at a voltage before the reset; here nothing."""
        return np.zeros_like(v)

    def fires(self, v: IntArray) -> NDArray[np.bool_]:
        """Whether a voltage before the reset sends a message."""
        return np.not_equal(self.messages(v), 0)

    def step(
        self, states: Mapping[str, IntArray], current: IntArray
    ) -> tuple[dict[str, IntArray], IntArray]:
        """See `Neuron.step`; neurons may have further axes before them."""
        u = self.next_current(states["u"], current)
        wait = states.get("wait", np.zeros_like(u))
        v = np.where(wait == 0, self.next_voltage(states["v"], u), states["v"])
        fired = (wait == 0) & self.fires(v)
        sent = np.where(fired, self.messages(v), 0)
        wait = np.where(fired, np.asarray(self.refractory) - 1, np.maximum(wait - 1, 0))
        after = {"u": u, "v": np.where(fired, self.after_message(v), v), "wait": wait}
        return {name: after[name] for name in self.states}, sent

    def scaled(self, mantissa: str) -> IntArray:
        """Give a parameter that is in 1/64 of the state's unit in that unit."""
        return np.asarray(self.parameters[mantissa], np.int64) << ACTIVATION_SHIFT

    def _bias_into(self, what: str) -> IntArray:
        return self.scaled("bias") if self.bias_into == what else np.zeros(1, np.int64)


def _scaled(values: IntArray, exponent: int) -> IntArray:
    """Multiply by a power of two, rounding towards zero."""
    whole = np.asarray(values, np.int64)
    return whole << exponent if exponent >= 0 else round_to_zero(whole, -exponent)
