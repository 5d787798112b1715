"""Pools and unpools: each message adds one kernel's weights, mostly to its own channel."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Pool, Population, Unpool
from ..events import EventBuffer
from .base import Delivery, narrowest


class PoolDelivery(Delivery):
    """Delivers `network.Pool` and `network.Unpool`.

    `rows` int64 [channels, source rows, kernel rows] and `columns` int64 [source
    columns, kernel columns] add up to the target neuron as the engine numbers
    it; a row or column of -1 is none.
    """

    def __init__(self, synapse: Pool | Unpool, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        self.weight = narrowest(synapse.weight)
        channels, height, width = target.shape
        rows, columns = synapse.rows(source.shape), synapse.columns(source.shape)
        place = (rows % height) * width * channels + rows // height
        self.rows = np.where(rows >= 0, place, -1)
        self.columns = np.where(columns >= 0, columns * channels, -1)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        _deliver(
            events.start, events.count, events.neuron, events.payload, events.graded,
            self.lag, t0, t1, self.weight, self.rows, self.columns, current,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _deliver(  # type: ignore[no-untyped-def]
    start, count, neuron, payload, graded, lag, t0, t1, weight, rows, columns, current
):
    channels, width = rows.shape[0], columns.shape[0]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                position, c = divmod(neuron[e], channels)
                y, x = divmod(position, width)
                value = payload[e] if graded else np.int32(1)
                for ky in range(weight.shape[0]):
                    row = rows[c, y, ky]
                    if row < 0:
                        continue
                    for kx in range(weight.shape[1]):
                        if columns[x, kx] >= 0:
                            tap = np.int32(np.int32(weight[ky, kx]) * value)
                            into[row + columns[x, kx]] += tap
