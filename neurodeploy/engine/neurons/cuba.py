"""Current-based leaky integrate-and-fire neurons, see `network.CubaLIF`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import CubaLIF, Population
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, STATE_LIMIT
from ..events import EventBuffer
from .base import Stepper, at, decayed, pack

_SHIFT = np.int32(ACTIVATION_SHIFT)
_LIMIT = np.int32(STATE_LIMIT)
_SPAN = np.int32(2 * STATE_LIMIT)
_ZERO = np.int32(0)


class CubaStepper(Stepper):
    """Steps `network.CubaLIF`."""

    def __init__(
        self,
        population: Population,
        samples: int,
        steps: int,
        keep: tuple[str, ...],
        resets: NDArray[np.bool_],
    ) -> None:
        super().__init__(population, samples, steps, keep, resets)
        neuron = population.neuron
        assert isinstance(neuron, CubaLIF)
        self.parameters = (
            pack(DECAY_UNITY - neuron.current_decay, population),
            pack(DECAY_UNITY - neuron.voltage_decay, population),
            pack(neuron.threshold, population, ACTIVATION_SHIFT),
            pack(neuron.bias, population, ACTIVATION_SHIFT),
        )

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _step(
            current, t0, *self.state, *self.parameters, self.resets,
            events.used, events.start, events.count, events.neuron,
            *self.records, self.overflows["u_overflows"], self.overflows["v_overflows"],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, u, v, keep_u, keep_v, threshold, bias, resets,
    used, start, count, neuron, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    size = u.shape[1]
    top = np.int32(_LIMIT - 1)
    for s in range(current.shape[0]):
        us, vs = u[s], v[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if resets[t]:
                us[:] = 0
                vs[:] = 0
            wraps = 0
            clips = 0
            for j in range(size):
                i = np.int32(decayed(us[j], at(keep_u, j)) + np.int32(a[j] << _SHIFT))
                high = i > _LIMIT
                low = i <= np.int32(-_LIMIT)
                wraps += high | low
                i = np.int32(i - _SPAN) if high else (np.int32(i + _SPAN) if low else i)
                us[j] = i
                x = np.int32(decayed(vs[j], at(keep_v, j)) + np.int32(i + at(bias, j)))
                clips += (x > top) | (x < np.int32(-top))
                vs[j] = min(max(x, np.int32(-top)), top)
            u_overflows[s] += wraps
            v_overflows[s] += clips
            start[s, t] = used
            for j in range(size):
                fires = vs[j] > at(threshold, j)
                neuron[used] = j
                used += fires
                vs[j] = _ZERO if fires else vs[j]
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used
