"""Sigma-delta neurons, see `network.Delta`, `SigmaDelta` and `Sigma`; ports and readouts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Delta, Population, SigmaDelta
from ...network.fixed_point import SIGMA_DELTA_SHIFT, STATE_EXPONENT, STATE_LIMIT
from ...network.neurons import Parameter
from ..events import EventBuffer
from .base import Stepper, at, emit, flags_for, pack

_LIMIT = np.int32(STATE_LIMIT)
_SIGMA_DELTA = np.int32(SIGMA_DELTA_SHIFT)
_STATE = np.int32(STATE_EXPONENT)
_ZERO = np.int32(0)

_ENCODES, _RECTIFIES, _PLAIN = 0, 1, 2


class SigmaDeltaStepper(Stepper):
    """Steps `network.Delta` and `network.SigmaDelta`."""

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, (Delta, SigmaDelta))
        mode = _ENCODES
        bias: Parameter = 0
        if isinstance(neuron, SigmaDelta):
            mode, bias = _RECTIFIES if neuron.rectify else _PLAIN, neuron.bias
        self.parameters = (
            pack(neuron.threshold, population, SIGMA_DELTA_SHIFT - neuron.fraction_bits),
            pack(bias, population, SIGMA_DELTA_SHIFT - neuron.fraction_bits),
            mode,
        )

    def states_needed(self) -> int:
        """Sigma, activation, residue."""
        return 3

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _step(
            current, t0, *self.state, *self.parameters,
            events.used, events.start, events.count, events.neuron, events.payload,
            *self.records, self.overflows["u_overflows"],
        )  # fmt: skip


class SigmaStepper(Stepper):
    """Steps `network.Sigma`: sends the sum so far."""

    def states_needed(self) -> int:
        """Sigma."""
        return 1

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _accumulate(
            current, t0, self.state[0],
            events.used, events.start, events.count, events.neuron, events.payload,
            self.records[0], self.overflows["u_overflows"],
        )  # fmt: skip


class RelayStepper(Stepper):
    """Sends what it is given: `network.Source` and `network.Average`."""

    on_chip = False

    def states_needed(self) -> int:
        """None."""
        return 0

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = _relay(
            current, t0, flags_for(self.size),
            events.used, events.start, events.count, events.neuron, events.payload,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _relay(current, t0, sends, used, start, count, neuron, payload):  # type: ignore[no-untyped-def]
    words = sends.view(np.uint64)
    for s in range(current.shape[0]):
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            for j in range(a.size):
                sends[j] = a[j] != _ZERO
            start[s, t] = used
            used = emit(words, neuron, used)
            count[s, t] = used - start[s, t]
            if payload.size:
                for e in range(start[s, t], used):
                    payload[e] = a[neuron[e]]
    return used


@njit(nogil=True, cache=True)
def _step(  # type: ignore[no-untyped-def]
    current, t0, sigma, act, residue, threshold, bias, mode,
    used, start, count, neuron, payload, u_record, v_record, u_overflows,
):  # fmt: skip
    size = act.shape[1]
    for s in range(current.shape[0]):
        sigmas, acts, residues = sigma[s], act[s], residue[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            start[s, t] = used
            leaves = 0
            for j in range(size):
                if mode == _ENCODES:
                    x = np.int32(a[j] << _SIGMA_DELTA)
                else:
                    sigmas[j] = np.int32(sigmas[j] + a[j])
                    leaves += (sigmas[j] >= _LIMIT) | (sigmas[j] < np.int32(-_LIMIT))
                    x = np.int32(sigmas[j] + at(bias, j))
                    if mode == _RECTIFIES:
                        x = max(x, _ZERO)
                delta = np.int32(np.int32(x - acts[j]) + residues[j])
                sent = delta if np.int32(abs(delta)) >= at(threshold, j) else _ZERO
                residues[j] = np.int32(delta - sent)
                acts[j] = x
                message = np.int32(sent >> _STATE)
                neuron[used] = j
                payload[used] = message
                used += message != _ZERO
            u_overflows[s] += leaves
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = residues if mode == _ENCODES else sigmas
            if v_record.size:
                v_record[s, t] = acts
    return used


@njit(nogil=True, cache=True)
def _accumulate(  # type: ignore[no-untyped-def]
    current, t0, sigma, used, start, count, neuron, payload, u_record, u_overflows
):
    for s in range(current.shape[0]):
        total = sigma[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            start[s, t] = used
            leaves = 0
            for j in range(total.size):
                value = np.int32(total[j] + a[j])
                total[j] = value
                leaves += (value >= _LIMIT) | (value < np.int32(-_LIMIT))
                neuron[used] = j
                payload[used] = value
                used += value != _ZERO
            u_overflows[s] += leaves
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = total
    return used
