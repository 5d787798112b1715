"""Neurons without memory, see `network.Threshold` and `network.GradedThreshold`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import GradedThreshold, Population, Threshold
from ..events import EventBuffer
from .arithmetic import clips, spread
from .base import Stepper

_ZERO = np.int32(0)
_ABOVE, _MAGNITUDE_ABOVE = 0, 1


class ThresholdStepper(Stepper):
    """Steps `network.Threshold` and `network.GradedThreshold`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, (Threshold, GradedThreshold))
        # 64 a + 64 b > 64 theta says the same as a > theta - b, and cannot overflow.
        if isinstance(neuron, Threshold):
            self.parameters = (spread(neuron.threshold - neuron.bias, population), _ABOVE)
        else:
            mode = _ABOVE if neuron.rectify else _MAGNITUDE_ABOVE
            self.parameters = (spread(neuron.threshold, population), mode)

    def states_needed(self) -> int:
        """Nothing is kept from step to step."""
        return 0

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _step(
            current, t0, *self.parameters,
            events.used, events.start, events.count, events.neuron, events.payload, events.graded,
            self.overflows["input_overflows"],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, threshold, mode, used, start, count, neuron, payload, graded, overflows
):
    for s in range(current.shape[0]):
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            start[s, t] = used
            for j in range(a.size):
                height = np.int32(abs(a[j])) if mode == _MAGNITUDE_ABOVE else a[j]
                fires = height > threshold[j]
                overflows[s] += clips(a[j])
                neuron[used] = j
                if graded:
                    payload[used] = a[j]
                    used += fires & (a[j] != _ZERO)
                else:
                    used += fires
            count[s, t] = used - start[s, t]
    return used
