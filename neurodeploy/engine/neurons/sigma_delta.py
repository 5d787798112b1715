"""Sigma-delta neurons, see `network.neurons.sigma_delta`; ports and readouts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Delta, GeneralSigmaDelta, Population, SigmaDelta
from ...network.fixed_point import SIGMA_DELTA_SHIFT, STATE_EXPONENT, STATE_LIMIT
from ...network.neurons import Parameter
from ..events import EventBuffer
from .base import Stepper, at, emit, flags_for, pack

_LIMIT = np.int32(STATE_LIMIT)
_SIGMA_DELTA = np.int32(SIGMA_DELTA_SHIFT)
_ZERO = np.int32(0)
_LEAST = np.int32(np.iinfo(np.int32).min)
_MOST = np.int32(np.iinfo(np.int32).max)


class SigmaDeltaStepper(Stepper):
    """Steps `network.Delta`, `network.SigmaDelta` and `network.GeneralSigmaDelta`."""

    scratch: tuple[NDArray[np.int32], NDArray[np.uint8]] | None = None

    def __init__(self, population: Population) -> None:
        super().__init__(population)
        neuron = population.neuron
        assert isinstance(neuron, (Delta, SigmaDelta, GeneralSigmaDelta))
        bias: Parameter = 0
        floor, ceiling, shift, bits = _LEAST, _MOST, STATE_EXPONENT, 0
        if isinstance(neuron, GeneralSigmaDelta):
            bias, shift = neuron.bias, neuron.message_shift
            floor, ceiling = np.int32(neuron.lowest), np.int32(neuron.highest)
        else:
            bits = SIGMA_DELTA_SHIFT - neuron.fraction_bits
        if isinstance(neuron, SigmaDelta):
            bias, floor = neuron.bias, _ZERO if neuron.rectify else _LEAST
        self.parameters = (
            pack(neuron.threshold, population, bits),
            pack(bias, population, bits),
            isinstance(neuron, Delta),
            floor,
            ceiling,
            np.int32(shift),
        )

    def states_needed(self) -> int:
        """Sigma, activation, residue."""
        return 3

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        if self.scratch is None:
            self.scratch = np.empty(self.size, np.int32), flags_for(self.size)
        events.used = _step(
            current, t0, *self.state, *self.parameters, *self.scratch,
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
    current, t0, sigma, act, residue, threshold, bias, encodes, floor, ceiling, shift, x, sends,
    used, start, count, neuron, payload, u_record, v_record, u_overflows,
):  # fmt: skip
    words = sends.view(np.uint64)
    for s in range(current.shape[0]):
        sigmas, acts, residues = sigma[s], act[s], residue[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if encodes:
                _encode(a, x)
            else:
                u_overflows[s] += _integrate(a, sigmas, bias, floor, ceiling, x)
            _send(x, acts, residues, threshold, shift, sends)
            first = used
            used = emit(words, neuron, used)
            for e in range(first, used):
                payload[e] = x[np.uint64(neuron[np.uint64(e)])]
            start[s, t] = first
            count[s, t] = used - first
            if u_record.size:
                u_record[s, t] = residues if encodes else sigmas
            if v_record.size:
                v_record[s, t] = acts
    return used


# Loops of few arrays each and nothing wider than int32, so that LLVM vectorises them; see `cuba`.


@njit(nogil=True, cache=True)
def _encode(a, x):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        x[j] = np.int32(a[j] << _SIGMA_DELTA)


@njit(nogil=True, cache=True)
def _integrate(a, sigma, bias, floor, ceiling, x):  # type: ignore[no-untyped-def]
    """Add to sigma and give the activation; returns how many sigmas have left 24 bits."""
    leaves = _ZERO
    for j in range(x.size):
        total = np.int32(sigma[j] + a[j])
        sigma[j] = total
        out = np.int32(total >= _LIMIT) | np.int32(total < np.int32(-_LIMIT))
        leaves = np.int32(leaves + np.int32(out))
        x[j] = min(max(np.int32(total + at(bias, j)), floor), ceiling)
    return leaves


@njit(nogil=True, cache=True)
def _send(x, act, residue, threshold, shift, sends):  # type: ignore[no-untyped-def]
    """Turn the activations `x` into messages, 0 where none is sent."""
    for j in range(x.size):
        delta = np.int32(np.int32(x[j] - act[j]) + residue[j])
        sent = delta if np.int32(abs(delta)) >= at(threshold, j) else _ZERO
        residue[j] = np.int32(delta - sent)
        act[j] = x[j]
        message = np.int32(sent >> shift)
        x[j] = message
        sends[j] = message != _ZERO


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
