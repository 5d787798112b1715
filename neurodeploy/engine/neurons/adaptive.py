"""Adaptive leaky integrate-and-fire neurons, see `network.ALIF`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ...network import ALIF, Population
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from .arithmetic import clipped, clips, scaled, spread, wrapped, wraps
from .base import KernelStepper, decayed, listed

_ZERO = np.int32(0)


class AdaptiveStepper(KernelStepper):
    """Steps `network.ALIF`; keeps the threshold as its rise above rest."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, ALIF)
        self.parameters = (
            spread(DECAY_UNITY - neuron.current_decay, population),
            spread(DECAY_UNITY - neuron.voltage_decay, population),
            spread(DECAY_UNITY - neuron.threshold_decay, population),
            spread(DECAY_UNITY - neuron.refractory_decay, population),
            spread(neuron.threshold, population, ACTIVATION_SHIFT),
            spread(neuron.threshold_step, population, ACTIVATION_SHIFT),
            spread(neuron.bias, population, ACTIVATION_SHIFT),
            neuron.input_exponent,
        )

    def states_needed(self) -> int:
        """Current, voltage, the threshold's rise, refractoriness."""
        return 4

    def kernel(self) -> Callable[..., int]:
        """See `KernelStepper.kernel`."""
        kernel: Callable[..., int] = _step
        return kernel


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, u, v, rise, refractory, keep_u, keep_v, keep_rise, keep_refractory,
    rest, rise_step, bias, exponent, resets,
    used, start, count, neuron, payload, graded, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = u.shape[1]
    for s in range(current.shape[0]):
        us, vs, rises, refractories = u[s], v[s], rise[s], refractory[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if resets[t]:
                us[:] = 0
                vs[:] = 0
                rises[:] = 0
                refractories[:] = 0
            for j in range(size):
                arriving = np.int32(scaled(a[j], exponent) + bias[j])
                i = np.int32(decayed(us[j], keep_u[j]) + arriving)
                u_overflows[s] += wraps(i)
                us[j] = wrapped(i)
                x = np.int32(decayed(vs[j], keep_v[j]) + us[j])
                vs[j] = clipped(x)
                rises[j] = decayed(rises[j], keep_rise[j])
                refractories[j] = decayed(refractories[j], keep_refractory[j])
                threshold = np.int32(rest[j] + rises[j])
                v_overflows[s] += clips(x) | clips(threshold) | clips(refractories[j])
            start[s, t] = used
            for j in range(size):
                threshold = np.int32(rest[j] + rises[j])
                fires = vs[j] >= np.int32(threshold + refractories[j])
                used = listed(neuron, payload, graded, used, j, fires, vs[j])
                if fires:
                    refractories[j] = np.int32(refractories[j] + np.int32(threshold + threshold))
                    rises[j] = np.int32(rises[j] + rise_step[j])
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used
