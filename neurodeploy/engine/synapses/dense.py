"""Dense synapses: each message adds a row of weights."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Dense, Population
from ..events import EventBuffer
from ..layout import to_engine
from .base import Delivery, narrowest


class DenseDelivery(Delivery):
    """Rows of weights [sources, targets]."""

    def __init__(self, synapse: Dense, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        rows = to_engine(synapse.weight, source).T
        self.weight = narrowest(to_engine(rows, target))

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        _deliver(
            events.start, events.count, events.neuron, events.payload, events.graded,
            self.lag, t0, t1, self.weight, current,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _deliver(start, count, neuron, payload, graded, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            last = first + count[s, t - lag]
            e = first
            if graded:
                while e < last:
                    row = weight[neuron[e]]
                    value = payload[e]
                    for j in range(into.size):
                        into[j] += np.int32(np.int32(row[j]) * value)
                    e += 1
                continue
            # Four rows at once: `into` is loaded and stored a quarter as often.
            while e + 3 < last:
                r0, r1 = weight[neuron[e]], weight[neuron[e + 1]]
                r2, r3 = weight[neuron[e + 2]], weight[neuron[e + 3]]
                for j in range(into.size):
                    pair = np.int32(np.int32(r0[j]) + np.int32(r1[j]))
                    other = np.int32(np.int32(r2[j]) + np.int32(r3[j]))
                    into[j] += np.int32(pair + other)
                e += 4
            while e < last:
                row = weight[neuron[e]]
                for j in range(into.size):
                    into[j] += row[j]
                e += 1
