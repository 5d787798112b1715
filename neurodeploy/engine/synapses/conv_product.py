"""Convolutions of busy layers as matrix products, a step at a time.

What a step's messages hit is laid out as rows of a matrix [target positions,
kernel x source channels]; one product with the weights gives all currents.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...network import Conv, Population
from ..events import EventBuffer


class ConvProduct:
    """Weights [kernel rows x kernel columns x source channels, targets] in float32.

    For plain spikes, and weights whose sums float32 holds exactly.
    """

    def __init__(self, synapse: Conv, source: Population, target: Population) -> None:
        self.synapse = synapse
        self.shape = source.shape
        self.sources = source.size
        weight = synapse.weight.transpose(2, 3, 1, 0)
        self.weight = np.ascontiguousarray(weight.reshape(-1, len(synapse.weight)), np.float32)
        self.positions = target.size // target.shape[0]

    def deliver(
        self, events: EventBuffer, lag: int, t0: int, t1: int, current: NDArray[np.int32]
    ) -> None:
        """See `Delivery.deliver`."""
        channels, height, width = self.shape
        (pad_y, pad_x), (step_y, step_x) = self.synapse.padding, self.synapse.stride
        spread_y, spread_x = self.synapse.dilation
        _, _, taps_y, taps_x = self.synapse.weight.shape
        plane = np.zeros((height + 2 * pad_y, width + 2 * pad_x, channels), np.float32)
        reach = (spread_y * (taps_y - 1) + 1, spread_x * (taps_x - 1) + 1)
        seen = sliding_window_view(plane, reach, axis=(0, 1))  # type: ignore[call-overload]
        seen = seen[::step_y, ::step_x, :, ::spread_y, ::spread_x].transpose(0, 1, 3, 4, 2)
        rows = np.empty(seen.shape, np.float32)
        matrix = rows.reshape(self.positions, -1)
        product = np.empty((self.positions, self.weight.shape[1]), np.float32)
        lines = plane.reshape(len(plane), -1)
        for s in range(len(current)):
            for t in range(max(t0, lag), t1):
                first = events.start[s, t - lag]
                sent = events.neuron[first : first + events.count[s, t - lag]]
                _mark(sent, lines, width * channels, pad_y, pad_x * channels)
                rows[:] = seen
                np.matmul(matrix, self.weight, out=product)
                _add(product.ravel(), current[s, t - t0])


@njit(nogil=True, cache=True)
def _mark(sent, lines, length, pad_y, margin):  # type: ignore[no-untyped-def]
    """Set what was sent to 1 in the plane's lines [rows, columns x channels], the rest to 0."""
    lines[:] = np.float32(0)
    row, first = 0, 0
    for n in sent:
        if not first <= n < first + length:  # seldom: messages stand in order
            row = n // length
            first = row * length
        lines[row + pad_y, margin + n - first] = np.float32(1)


@njit(nogil=True, cache=True)
def _add(product, into):  # type: ignore[no-untyped-def]
    for j in range(into.size):
        into[j] += np.int32(product[j])
