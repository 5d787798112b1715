"""Dense synapses: each message adds a row of weights."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Dense, Population
from ..events import EventBuffer
from ..layout import to_engine
from .base import Delivery, narrowest

U16, I32, U = np.uint16, np.int32, np.uint64

BIAS = 128
"""Added to weights of eight bits, so that no packed byte has a sign."""

MOST_ROWS = 256
"""Rows of bytes that 16 bits can add up: 256 * 255 < 2^16."""

LANES = 16
"""Packed pairs of one vector register; rows are filled up to whole ones."""


class DenseDelivery(Delivery):
    """Rows of weights [sources, targets], packed two to 16 bits where eight bits hold each."""

    def __init__(self, synapse: Dense, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        rows = to_engine(synapse.weight, source).T
        self.rows = np.array(to_engine(rows, target), np.int32, order="C")
        # Mixed-sign weights of a NetX file are even and go to 254: their halves fit.
        bits = int(np.bitwise_or.reduce(self.rows, axis=None)) if self.rows.size else 0
        self.shift = (bits & -bits).bit_length() - 1 if bits else 0
        halves = self.rows >> self.shift
        self.packs = bool(halves.min(initial=0) >= -BIAS and halves.max(initial=0) < BIAS)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        sent = events.start, events.count, events.neuron
        if events.graded:
            _add_multiples(*sent, events.payload, self.lag, t0, t1, self.plain, current)
        elif self.packs:
            weight, lanes = self.packed
            sums = np.empty((2, lanes), np.uint16)
            _add_packed(*sent, self.lag, t0, t1, weight, I32(self.shift), *sums, current)
        else:
            _add_rows(*sent, self.lag, t0, t1, self.plain, current)

    @cached_property
    def plain(self) -> NDArray[Any]:
        """Weights as they are, flat."""
        return narrowest(self.rows).ravel()

    @cached_property
    def packed(self) -> tuple[NDArray[np.uint16], int]:
        """Weights of targets j and half + j in one number of 16 bits, and numbers in a row."""
        sources, size = self.rows.shape
        half = (size + 1) // 2
        lanes = -(-half // LANES) * LANES
        bytes_ = np.full((2, sources, lanes), BIAS, np.uint16)
        biased = (self.rows >> self.shift) + BIAS
        bytes_[0, :, :half] = biased[:, :half]
        bytes_[1, :, : size - half] = biased[:, half:]
        return (bytes_[0] | bytes_[1] << 8).ravel(), lanes


# Kernels index flat arrays with unsigned numbers: Numba then neither checks for
# negative indices nor makes slices. Several rows are added in one pass, so that
# the sums are loaded and stored less often.


@njit(nogil=True, cache=True)
def _add_multiples(start, count, neuron, payload, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
    size = current.shape[2]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            e = start[s, t - lag]
            last = e + count[s, t - lag]
            while e + 3 < last:
                r0, r1 = np.int64(neuron[e]) * size, np.int64(neuron[e + 1]) * size
                r2, r3 = np.int64(neuron[e + 2]) * size, np.int64(neuron[e + 3]) * size
                p0, p1, p2, p3 = payload[e], payload[e + 1], payload[e + 2], payload[e + 3]
                for j in range(size):
                    pair = I32(I32(I32(weight[U(r0 + j)]) * p0) + I32(I32(weight[U(r1 + j)]) * p1))
                    other = I32(I32(I32(weight[U(r2 + j)]) * p2) + I32(I32(weight[U(r3 + j)]) * p3))
                    into[U(j)] += I32(pair + other)
                e += 4
            while e < last:
                row = np.int64(neuron[e]) * size
                value = payload[e]
                for j in range(size):
                    into[U(j)] += I32(I32(weight[U(row + j)]) * value)
                e += 1


@njit(nogil=True, cache=True)
def _add_rows(start, count, neuron, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
    size = current.shape[2]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            e = start[s, t - lag]
            last = e + count[s, t - lag]
            while e + 3 < last:
                r0, r1 = np.int64(neuron[e]) * size, np.int64(neuron[e + 1]) * size
                r2, r3 = np.int64(neuron[e + 2]) * size, np.int64(neuron[e + 3]) * size
                for j in range(size):
                    pair = I32(I32(weight[U(r0 + j)]) + I32(weight[U(r1 + j)]))
                    other = I32(I32(weight[U(r2 + j)]) + I32(weight[U(r3 + j)]))
                    into[U(j)] += I32(pair + other)
                e += 4
            while e < last:
                row = np.int64(neuron[e]) * size
                for j in range(size):
                    into[U(j)] += I32(weight[U(row + j)])
                e += 1


@njit(nogil=True, cache=True)
def _add_packed(start, count, neuron, lag, t0, t1, weight, shift, low, high, current):  # type: ignore[no-untyped-def]
    """Add rows of packed bytes: `low` sums the numbers, modulo 2^16, `high` their upper bytes.

    The sum of the lower bytes is then ``low - 2^8 high`` modulo 2^16, which is exact
    because it is below 2^16 (`MOST_ROWS`). Three operations for every two
    weights, where widening each would take four and a slower kind.
    """
    size = current.shape[2]
    half = (size + 1) // 2
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            first = start[s, t - lag]
            last = first + count[s, t - lag]
            while first < last:
                rows = min(last - first, MOST_ROWS)
                _sum_rows(neuron, first, first + rows, weight, low, high)
                into = current[s, t - t0]
                bias = I32(BIAS * rows)
                for j in range(half):
                    lower = U16(low[U(j)] - U16(high[U(j)] << U16(8)))
                    into[U(j)] += I32(I32(I32(lower) - bias) << shift)
                for j in range(size - half):
                    into[U(half + j)] += I32(I32(I32(high[U(j)]) - bias) << shift)
                first += rows


@njit(nogil=True, cache=True)
def _sum_rows(neuron, e, last, weight, low, high):  # type: ignore[no-untyped-def]
    n = low.size
    byte = U16(8)
    for j in range(n):
        low[j] = U16(0)
        high[j] = U16(0)
    while e + 7 < last:
        r0, r1 = np.int64(neuron[e]) * n, np.int64(neuron[e + 1]) * n
        r2, r3 = np.int64(neuron[e + 2]) * n, np.int64(neuron[e + 3]) * n
        r4, r5 = np.int64(neuron[e + 4]) * n, np.int64(neuron[e + 5]) * n
        r6, r7 = np.int64(neuron[e + 6]) * n, np.int64(neuron[e + 7]) * n
        for j in range(n):
            a, b = weight[U(r0 + j)], weight[U(r1 + j)]
            c, d = weight[U(r2 + j)], weight[U(r3 + j)]
            f, g = weight[U(r4 + j)], weight[U(r5 + j)]
            h, k = weight[U(r6 + j)], weight[U(r7 + j)]
            whole = U16(U16(U16(a + b) + U16(c + d)) + U16(U16(f + g) + U16(h + k)))
            ab, cd = U16(U16(a >> byte) + U16(b >> byte)), U16(U16(c >> byte) + U16(d >> byte))
            fg, hk = U16(U16(f >> byte) + U16(g >> byte)), U16(U16(h >> byte) + U16(k >> byte))
            low[U(j)] += whole
            high[U(j)] += U16(U16(ab + cd) + U16(fg + hk))
        e += 8
    while e + 1 < last:
        r0, r1 = np.int64(neuron[e]) * n, np.int64(neuron[e + 1]) * n
        for j in range(n):
            a, b = weight[U(r0 + j)], weight[U(r1 + j)]
            low[U(j)] += U16(a + b)
            high[U(j)] += U16(U16(a >> byte) + U16(b >> byte))
        e += 2
    if e < last:
        r0 = np.int64(neuron[e]) * n
        for j in range(n):
            low[U(j)] += weight[U(r0 + j)]
            high[U(j)] += U16(weight[U(r0 + j)] >> byte)
