"""Dense synapses of busy layers as matrix products, several steps at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..events import EventBuffer

ROW_NUMBERS = 1 << 18
"""Numbers of what was sent that one product takes in, so that they stay in cache (1 MiB)."""


class DenseProduct:
    """Weights [sources, targets] in float32.

    For plain spikes, and weights whose sums float32 holds exactly.
    """

    def __init__(self, weight: NDArray[Any]) -> None:
        self.weight = np.ascontiguousarray(weight, np.float32)
        self.sources = len(weight)

    def deliver(
        self, events: EventBuffer, lag: int, t0: int, t1: int, current: NDArray[np.int32]
    ) -> None:
        """See `Delivery.deliver`."""
        first = max(t0, lag)
        steps = t1 - first
        if steps < 1:
            return
        size = current.shape[2]
        total = len(current) * steps
        height = min(total, max(1, ROW_NUMBERS // max(self.sources, size)))
        rows = np.empty((height, self.sources), np.float32)
        sums = np.empty((height, size), np.float32)
        for row in range(0, total, height):
            some = min(height, total - row)
            _mark(events.start, events.count, events.neuron, lag, first, steps, row, rows[:some])
            np.matmul(rows[:some], self.weight, out=sums[:some])
            _add(sums[:some], steps, row, first - t0, current)


@njit(nogil=True, cache=True)
def _mark(start, count, neuron, lag, first, steps, row, rows):  # type: ignore[no-untyped-def]
    """Fill rows [some steps, sources] with what was sent; `row` counts steps of all samples."""
    rows[:] = np.float32(0)
    for i in range(len(rows)):
        s, t = divmod(row + i, steps)
        t += first - lag
        for e in range(start[s, t], start[s, t] + count[s, t]):
            rows[i, neuron[e]] = np.float32(1)


@njit(nogil=True, cache=True)
def _add(sums, steps, row, skipped, current):  # type: ignore[no-untyped-def]
    for i in range(len(sums)):
        s, t = divmod(row + i, steps)
        into = current[s, skipped + t]
        for j in range(into.size):
            into[j] += np.int32(sums[i, j])
