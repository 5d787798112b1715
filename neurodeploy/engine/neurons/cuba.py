"""Current-based leaky integrate-and-fire neurons, see `network.CubaLIF`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import CubaLIF, Population
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, STATE_LIMIT
from ..events import EventBuffer
from .base import Stepper, at, decayed, emit, pack, whole_words

_SHIFT = np.int32(ACTIVATION_SHIFT)
_LIMIT = np.int32(STATE_LIMIT)
_SPAN = np.int32(2 * STATE_LIMIT)
_BEYOND = np.int32(-STATE_LIMIT)
"""Bits that a magnitude has only at 2^23 and above (the sign too, for that of -2^31)."""
_ZERO = np.int32(0)


class CubaStepper(Stepper):
    """Steps `network.CubaLIF`."""

    scratch: tuple[NDArray[np.int32], NDArray[np.uint8]] | None = None

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
        """See `Stepper.step`; `current` becomes u."""
        window = current.shape[1]
        # The first window is the longest, unless the population starts within it.
        if self.scratch is None or len(self.scratch[1]) < window:
            before = np.empty(self.size, np.int32)
            self.scratch = before, np.zeros((window, whole_words(self.size)), np.uint8)
        before, fired = self.scratch
        events.used = _step(
            current, t0, *self.state, *self.parameters, self.resets, self.memoryless,
            before, fired[:window],
            events.used, events.start, events.count, events.neuron,
            *self.records, self.overflows["u_overflows"], self.overflows["v_overflows"],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, u, v, keep_u, keep_v, threshold, bias, resets, memoryless, before, fired,
    used, start, count, neuron, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    words = fired.view(np.uint64)
    window, size = current.shape[1], current.shape[2]
    for s in range(current.shape[0]):
        rows = current[s].reshape(-1)
        if memoryless:
            u_overflows[s] += _set_u(rows, size)
        else:
            u_overflows[s] += _step_u(rows, u[s], keep_u, resets, t0)
        record = v_record[s] if v_record.size else fired[:0].view(np.int32)
        v_overflows[s] += _step_v(
            rows, v[s], before, keep_v, threshold, bias, resets, t0, fired, record
        )
        for t in range(window):
            start[s, t0 + t] = used
            used = emit(words[t], neuron, used)
            count[s, t0 + t] = used - start[s, t0 + t]
        if u_record.size:
            u_record[s, t0 : t0 + window] = current[s]
    return used


# What leaves 24 bits is rare. So the loops over all neurons only collect the bits of all
# magnitudes, and where one reached 2^23 another loop wraps, clips and counts. A loop each for
# u and v, flat arrays, accumulators cast back to int32: with few enough arrays in a loop, and
# nothing wider than int32, LLVM vectorises it at full width. All steps of a window in one
# call, because passing arrays costs as much as stepping a hundred neurons.


@njit(nogil=True, cache=True)
def _step_u(rows, u, keep, resets, t0):  # type: ignore[no-untyped-def]
    """Turn the currents of a window, row by row, into u; `u` is the state before and after."""
    size = u.size
    wraps = 0
    for t in range(rows.size // size):
        if resets[t0 + t]:
            u[:] = 0
        row = rows[t * size : (t + 1) * size]
        reached = _ZERO
        for j in range(size):
            i = np.int32(decayed(u[j], at(keep, j)) + np.int32(row[j] << _SHIFT))
            reached = np.int32(reached | np.int32(abs(i)))
            u[j] = i
            row[j] = i
        if reached & _BEYOND:
            wraps += _wrap_u(row)
            u[:] = row
    return wraps


@njit(nogil=True, cache=True)
def _set_u(rows, size):  # type: ignore[no-untyped-def]
    reached = _ZERO
    for j in range(rows.size):
        i = np.int32(rows[j] << _SHIFT)
        reached = np.int32(reached | np.int32(abs(i)))
        rows[j] = i
    return _wrap_u(rows) if reached & _BEYOND else 0


@njit(nogil=True, cache=True)
def _wrap_u(u):  # type: ignore[no-untyped-def]
    wraps = 0
    for j in range(u.size):
        over = np.int32(np.int32(u[j] > _LIMIT) - np.int32(u[j] <= np.int32(-_LIMIT)))
        wraps += abs(over)
        u[j] -= np.int32(over * _SPAN)
    return wraps


@njit(nogil=True, cache=True)
def _step_v(rows, v, before, keep, threshold, bias, resets, t0, fired, record):  # type: ignore[no-untyped-def]
    """Step v through the u of a window; `before` keeps a step's v as it was before the reset."""
    size = v.size
    clips = 0
    for t in range(rows.size // size):
        if resets[t0 + t]:
            v[:] = 0
        u = rows[t * size : (t + 1) * size]
        fires = fired[t]
        reached = _ZERO
        for j in range(size):
            x = np.int32(decayed(v[j], at(keep, j)) + np.int32(u[j] + at(bias, j)))
            reached = np.int32(reached | np.int32(abs(x)))
            before[j] = x
            spikes = x > at(threshold, j)
            fires[j] = spikes
            v[j] = _ZERO if spikes else x
        if reached & _BEYOND:
            clips += _clip_v(before, v, threshold, fires)
        if record.size:
            record[t0 + t] = v
    return clips


@njit(nogil=True, cache=True)
def _clip_v(before, v, threshold, fires):  # type: ignore[no-untyped-def]
    top = np.int32(_LIMIT - 1)
    clips = 0
    for j in range(v.size):
        x = min(max(before[j], np.int32(-top)), top)
        clips += before[j] != x
        spikes = x > at(threshold, j)
        fires[j] = spikes
        v[j] = _ZERO if spikes else x
    return clips
