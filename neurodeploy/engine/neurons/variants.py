"""Variants of the leaky integrator: `network.GeneralCubaLIF`, `LeakyIntegrator`, `TernaryLIF`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import GeneralCubaLIF, LeakyIntegrator, Population, TernaryLIF
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, STATE_LIMIT
from ...network.neurons import Parameter
from ..events import EventBuffer
from .arithmetic import clipped, clips, scaled, spread, wrapped, wraps
from .base import KernelStepper, Stepper, decayed, listed

_ZERO = np.int32(0)
_ONE = np.int32(1)
_ZERO_RESET, _SUBTRACT, _LATE = range(3)
_NEVER = STATE_LIMIT
"""A threshold in the state's unit that a clipped voltage does not exceed."""


class VariantStepper(KernelStepper):
    """Steps `network.GeneralCubaLIF` and `network.LeakyIntegrator`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, (GeneralCubaLIF, LeakyIntegrator))
        u_bias: Parameter = 0
        v_bias: Parameter = neuron.bias
        threshold, refractory = spread(_NEVER, population), spread(1, population)
        reset, amount, entering = _ZERO_RESET, threshold, 0
        if isinstance(neuron, GeneralCubaLIF):
            threshold = spread(neuron.threshold, population, ACTIVATION_SHIFT)
            refractory = spread(neuron.refractory, population)
            reset = ("zero", "subtract", "subtract-late").index(neuron.reset)
            amount = spread(neuron.taken_off, population)
            if neuron.bias_into == "current":
                u_bias, v_bias = neuron.bias, 0
            entering = neuron.voltage_exponent
        self.parameters = (
            spread(DECAY_UNITY - neuron.current_decay, population),
            spread(DECAY_UNITY - neuron.voltage_decay, population),
            threshold,
            spread(u_bias, population, ACTIVATION_SHIFT),
            spread(v_bias, population, ACTIVATION_SHIFT),
            refractory,
            reset,
            amount,
            neuron.input_exponent,
            entering,
        )

    def states_needed(self) -> int:
        """Current, voltage, steps still to wait after a spike."""
        return 3

    def kernel(self) -> Callable[..., int]:
        """See `KernelStepper.kernel`."""
        kernel: Callable[..., int] = _step
        return kernel


class TernaryStepper(Stepper):
    """Steps `network.TernaryLIF`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, TernaryLIF)
        self.parameters = (
            spread(DECAY_UNITY - neuron.current_decay, population),
            spread(DECAY_UNITY - neuron.voltage_decay, population),
            spread(neuron.upper, population, ACTIVATION_SHIFT),
            spread(neuron.lower, population, ACTIVATION_SHIFT),
            spread(neuron.bias, population, ACTIVATION_SHIFT),
        )

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _step_ternary(
            current, t0, *self.state, *self.parameters, self.resets,
            events.used, events.start, events.count, events.neuron, events.payload,
            *self.records, self.overflows["u_overflows"], self.overflows["v_overflows"],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, u, v, wait, keep_u, keep_v, threshold, u_bias, v_bias, refractory, reset,
    amount, exponent, entering, resets, used, start, count, neuron, payload, graded,
    u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = u.shape[1]
    for s in range(current.shape[0]):
        us, vs, waits = u[s], v[s], wait[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if resets[t]:
                us[:] = 0
                vs[:] = 0
                waits[:] = 0
            for j in range(size):
                arriving = np.int32(scaled(a[j], exponent) + u_bias[j])
                i = np.int32(decayed(us[j], keep_u[j]) + arriving)
                u_overflows[s] += wraps(i)
                us[j] = wrapped(i)
                adds = scaled(np.int32(us[j] + v_bias[j]), entering)
                x = np.int32(decayed(vs[j], keep_v[j]) + adds)
                if reset == _LATE and vs[j] > threshold[j]:  # it has spiked and not been reset
                    x = np.int32(x - amount[j])
                awake = waits[j] == _ZERO
                v_overflows[s] += awake & clips(x)
                vs[j] = clipped(x) if awake else vs[j]
            start[s, t] = used
            for j in range(size):
                fires = (vs[j] > threshold[j]) & (waits[j] == _ZERO)
                used = listed(neuron, payload, graded, used, j, fires, vs[j])
                if fires:
                    if reset == _ZERO_RESET:
                        vs[j] = _ZERO
                    elif reset == _SUBTRACT:
                        vs[j] = np.int32(vs[j] - amount[j])
                    waits[j] = np.int32(refractory[j] - _ONE)
                else:
                    waits[j] = max(np.int32(waits[j] - _ONE), _ZERO)
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used


@njit(nogil=True, cache=True)
def _step_ternary(  # type: ignore[no-untyped-def]
    current, t0, u, v, keep_u, keep_v, upper, lower, bias, resets,
    used, start, count, neuron, payload, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = u.shape[1]
    for s in range(current.shape[0]):
        us, vs = u[s], v[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if resets[t]:
                us[:] = 0
                vs[:] = 0
            for j in range(size):
                i = np.int32(decayed(us[j], keep_u[j]) + scaled(a[j], ACTIVATION_SHIFT))
                u_overflows[s] += wraps(i)
                us[j] = wrapped(i)
                x = np.int32(decayed(vs[j], keep_v[j]) + np.int32(us[j] + bias[j]))
                v_overflows[s] += clips(x)
                vs[j] = clipped(x)
            start[s, t] = used
            for j in range(size):
                sign = np.int32(vs[j] > upper[j]) - np.int32(vs[j] < lower[j])
                neuron[used] = j
                payload[used] = sign
                fires = sign != _ZERO
                used += fires
                vs[j] = _ZERO if fires else vs[j]
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used
