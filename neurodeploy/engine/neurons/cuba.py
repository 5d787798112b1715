"""Current-based leaky integrate-and-fire neurons, see `network.CubaLIF`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import CubaLIF, Population
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, STATE_LIMIT
from ..events import EventBuffer
from .base import Stepper, at, decayed, emit, flags_for, pack

_SHIFT = np.int32(ACTIVATION_SHIFT)
_LIMIT = np.int32(STATE_LIMIT)
_SPAN = np.int32(2 * STATE_LIMIT)
_ZERO = np.int32(0)


class CubaStepper(Stepper):
    """Steps `network.CubaLIF`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, CubaLIF)
        self.parameters = (
            pack(DECAY_UNITY - neuron.current_decay, population),
            pack(DECAY_UNITY - neuron.voltage_decay, population),
            pack(neuron.threshold, population, ACTIVATION_SHIFT),
            pack(neuron.bias, population, ACTIVATION_SHIFT),
        )
        # A current that does not last needs no state: this step's input is all of it.
        self.memoryless = bool(np.all(neuron.current_decay == DECAY_UNITY))

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _step(
            current, t0, *self.state, *self.parameters, self.resets, self.memoryless,
            flags_for(self.size),
            events.used, events.start, events.count, events.neuron,
            *self.records, self.overflows["u_overflows"], self.overflows["v_overflows"],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, u, v, keep_u, keep_v, threshold, bias, resets, memoryless, fired,
    used, start, count, neuron, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    words = fired.view(np.uint64)
    for s in range(current.shape[0]):
        us, vs = u[s], v[s]
        for t in range(t0, t0 + current.shape[1]):
            if resets[t]:
                us[:] = 0
                vs[:] = 0
            a = current[s, t - t0]
            if memoryless:
                u_overflows[s] += _set_u(a)
                us = a
            else:
                u_overflows[s] += _step_u(a, us, keep_u)
            v_overflows[s] += _step_v(us, vs, keep_v, threshold, bias, fired)
            start[s, t] = used
            used = emit(words, neuron, used)
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used


# Two loops rather than one: with few enough arrays in each, LLVM vectorises them.


@njit(nogil=True, cache=True)
def _step_u(a, u, keep):  # type: ignore[no-untyped-def]
    wraps = _ZERO
    for j in range(u.size):
        i = np.int32(decayed(u[j], at(keep, j)) + np.int32(a[j] << _SHIFT))
        over = np.int32(np.int32(i > _LIMIT) - np.int32(i <= np.int32(-_LIMIT)))
        wraps += np.int32(abs(over))
        u[j] = np.int32(i - np.int32(over * _SPAN))
    return wraps


@njit(nogil=True, cache=True)
def _set_u(a):  # type: ignore[no-untyped-def]
    wraps = _ZERO
    for j in range(a.size):
        i = np.int32(a[j] << _SHIFT)
        over = np.int32(np.int32(i > _LIMIT) - np.int32(i <= np.int32(-_LIMIT)))
        wraps += np.int32(abs(over))
        a[j] = np.int32(i - np.int32(over * _SPAN))
    return wraps


@njit(nogil=True, cache=True)
def _step_v(u, v, keep, threshold, bias, fired):  # type: ignore[no-untyped-def]
    top = np.int32(_LIMIT - 1)
    clips = _ZERO
    for j in range(v.size):
        x = np.int32(decayed(v[j], at(keep, j)) + np.int32(u[j] + at(bias, j)))
        y = min(max(x, np.int32(-top)), top)
        clips += np.int32(x != y)
        fires = y > at(threshold, j)
        fired[j] = fires
        v[j] = _ZERO if fires else y
    return clips
