"""Messages of a population over a block of samples, as the kernels pass them on.

``start`` and ``count`` [samples, steps] say where in ``neuron`` (and
``payload``) the messages of a step lie; steps may stand there in any order.
Neurons are numbered as the engine numbers them, see `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..network import Population
from .layout import to_engine

SLACK = 8
"""Entries that kernels may write beyond the last message, so as not to branch for each."""


@dataclass
class EventBuffer:
    """Messages of one population, growing as its neurons are stepped.

    Attributes
    ----------
    start : int64 [samples, steps]
    count : int32 [samples, steps]
    neuron : int32 [capacity]
    payload : int32 [capacity], or empty where every payload is 1
    used : int
        Entries of `neuron` in use.
    """

    start: NDArray[np.int64]
    count: NDArray[np.int32]
    neuron: NDArray[np.int32]
    payload: NDArray[np.int32]
    used: int = 0

    @classmethod
    def empty(cls, samples: int, steps: int, capacity: int, graded: bool) -> EventBuffer:
        """Make room for `capacity` messages."""
        return cls(
            np.zeros((samples, steps), np.int64),
            np.zeros((samples, steps), np.int32),
            np.empty(capacity + SLACK, np.int32),
            np.empty(capacity + SLACK if graded else 0, np.int32),
        )

    @property
    def graded(self) -> bool:
        """Whether messages carry payloads."""
        return self.payload.size > 0

    def reserve(self, more: int) -> None:
        """Make room for `more` events beyond those in use."""
        needed = self.used + more + SLACK
        if needed <= len(self.neuron):
            return
        size = max(needed, 2 * len(self.neuron))
        for name in ("neuron", "payload") if self.graded else ("neuron",):
            old = getattr(self, name)
            grown = np.empty(size, np.int32)
            grown[: self.used] = old[: self.used]
            setattr(self, name, grown)

    def rest(self, t0: int, t1: int) -> None:
        """Note that nothing is sent in steps t0..t1."""
        self.start[:, t0:t1] = self.used
        self.count[:, t0:t1] = 0

    def forget_oldest(self) -> None:
        """Drop the first step of the one sample, move the others up and leave the last empty."""
        first = _move_up(self.start, self.count, self.used)
        if 2 * first > len(self.neuron):  # what is left fits into the half already left behind
            live = slice(first, self.used)
            self.neuron[: self.used - first] = self.neuron[live]
            if self.graded:
                self.payload[: self.used - first] = self.payload[live]
            self.start -= first
            self.used -= first

    def delayed(self, delay: NDArray[np.int32]) -> EventBuffer:
        """Move each message `delay[neuron]` steps on; past the last step it is dropped."""
        samples, steps = self.start.shape
        moved = EventBuffer.empty(samples, steps, self.used, self.graded)
        out = (moved.start, moved.count, moved.neuron, moved.payload)
        moved.used = _delay(
            self.start, self.count, self.neuron, self.payload, self.graded, delay, out
        )
        return moved

    def counted(self, order: NDArray[np.int32], size: int) -> NDArray[np.int64]:
        """Messages of each neuron, int64 [samples, neurons], translated by `order`."""
        counts = np.zeros((len(self.start), size), np.int32)
        _count(self.start, self.count, self.neuron, counts)
        if not order.size:
            return counts.astype(np.int64)
        translated = np.empty(counts.shape, np.int64)
        translated[:, order] = counts
        return translated

    def gathered(
        self, order: NDArray[np.int32], in_order: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """Neurons and payloads in order of sample and step, neurons translated by `order`.

        `in_order` says that they stand so already.
        """
        if in_order and not order.size:
            payload = self.payload[: self.used] if self.graded else None
            return self.neuron[: self.used], payload
        neuron = np.empty(self.used, np.int32)
        payload = np.empty(self.used if self.graded else 0, np.int32)
        _gather(
            self.start, self.count, self.neuron, self.payload, self.graded, order, neuron, payload
        )
        return neuron, payload if self.graded else None


class DelayLine:
    """Messages of a population in a cycle, held back until they leave.

    Parameters
    ----------
    population : Population
        With an axonal delay.
    samples, steps : int

    Attributes
    ----------
    left : EventBuffer
        Messages that have left, up to the step last passed on.
    """

    def __init__(self, population: Population, samples: int, steps: int) -> None:
        self.delay = self.of(population)
        self.left = EventBuffer.empty(samples, steps, population.size, population.neuron.graded)
        self.held = np.zeros((samples, int(self.delay.max()) + 1, population.size), np.int32)

    @staticmethod
    def of(population: Population) -> NDArray[np.int32]:
        """Give a population's axonal delays in the engine's order."""
        assert population.axon_delay is not None
        return np.array(to_engine(population.axon_delay, population), np.int32, order="C")

    def pass_on(self, sent: EventBuffer, t: int, clock: int | None = None) -> None:
        """Take in what was sent at step t, and let go what leaves at step t.

        `clock` is the true time where t is only a place in the buffers.
        """
        left = self.left
        clock = t if clock is None else clock
        left.reserve(self.held.shape[0] * self.held.shape[2])
        left.used = _pass_on(
            sent.start, sent.count, sent.neuron, sent.payload, sent.graded, self.delay, self.held,
            t, clock, left.used, left.start, left.count, left.neuron, left.payload,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _pass_on(  # type: ignore[no-untyped-def]
    start, count, neuron, payload, graded, delay, held,
    t, clock, used, left_start, left_count, left_neuron, left_payload,
):  # fmt: skip
    samples, length, size = held.shape
    for s in range(samples):
        for e in range(start[s, t], start[s, t] + count[s, t]):
            j = neuron[e]
            held[s, (clock + delay[j]) % length, j] = payload[e] if graded else 1
        leaving = held[s, clock % length]
        left_start[s, t] = used
        for j in range(size):
            if leaving[j] != 0:
                left_neuron[used] = j
                if graded:
                    left_payload[used] = leaving[j]
                leaving[j] = 0
                used += 1
        left_count[s, t] = used - left_start[s, t]
    return used


@njit(nogil=True, cache=True)
def _move_up(start, count, used):  # type: ignore[no-untyped-def]
    """Drop the first step of the first sample; give the first event that is still needed."""
    last = start.shape[1] - 1
    for t in range(last):
        start[0, t] = start[0, t + 1]
        count[0, t] = count[0, t + 1]
    count[0, last] = 0
    return start[0, 0] if last else used


@njit(nogil=True, cache=True)
def _delay(start, count, neuron, payload, graded, delay, out):  # type: ignore[no-untyped-def]
    new_start, new_count, new_neuron, new_payload = out
    samples, steps = start.shape
    new_count[:] = 0
    for s in range(samples):
        for t in range(steps):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                later = t + delay[neuron[e]]
                if later < steps:
                    new_count[s, later] += 1
    total = 0
    for s in range(samples):
        for t in range(steps):
            new_start[s, t] = total
            total += new_count[s, t]
    new_count[:] = 0
    for s in range(samples):
        for t in range(steps):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                later = t + delay[neuron[e]]
                if later < steps:
                    at = new_start[s, later] + new_count[s, later]
                    new_neuron[at] = neuron[e]
                    if graded:
                        new_payload[at] = payload[e]
                    new_count[s, later] += 1
    return total


@njit(nogil=True, cache=True)
def _gather(start, count, neuron, payload, graded, order, out_neuron, out_payload):  # type: ignore[no-untyped-def]
    at = 0
    for s in range(start.shape[0]):
        for t in range(start.shape[1]):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                out_neuron[at] = order[neuron[e]] if order.size else neuron[e]
                if graded:
                    out_payload[at] = payload[e]
                at += 1


@njit(nogil=True, cache=True)
def _count(start, count, neuron, counts):  # type: ignore[no-untyped-def]
    for s in range(start.shape[0]):
        of_sample = counts[s]
        for t in range(start.shape[1]):
            first = start[s, t]
            for e in range(first, first + count[s, t]):
                of_sample[np.uint64(neuron[np.uint64(e)])] += np.int32(1)
