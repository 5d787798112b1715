"""Dense synapses: each message adds a row of weights."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Dense, Population
from ..events import EventBuffer
from ..layout import to_engine
from .base import EXACT, Product, ProductDelivery, narrowest
from .dense_product import DenseProduct

I16, I32, U = np.int16, np.int32, np.uint64


class DenseDelivery(ProductDelivery):
    """Rows of weights [sources, targets].

    The matrix product must be asked for: adding rows of int8 beat OpenBLAS's
    float32 product on one core of a Xeon at every activity up to 60 % (256 x 256
    to 2048 x 2048: 1.3 to 4 times at 40 %) and was its equal at 90 %. A message
    costs one byte a synapse, the product four whether anything was sent or not,
    and a window of steps has too few rows to make up for it.
    """

    def __init__(self, synapse: Dense, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        rows = to_engine(synapse.weight, source).T
        self.weight = narrowest(to_engine(rows, target))
        magnitudes = np.abs(self.weight.astype(np.int64)).sum(axis=0)
        self.exact = bool(magnitudes.max(initial=0) < EXACT)
        self.busy = 1.0

    def make_product(self, any_size: bool) -> Product | None:
        """See `ProductDelivery.make_product`."""
        return DenseProduct(self.weight) if self.exact and any_size else None

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        if product := self.product_for(events, t0, t1):
            product.deliver(events, self.lag, t0, t1, current)
            return
        kernel = _add_rows
        if events.graded:
            kernel = _add_multiples
        elif self.weight.dtype == np.int8:
            kernel = _add_narrow_rows
        kernel(
            events.start, events.count, events.neuron, events.payload,
            self.lag, t0, t1, self.weight.ravel(), current,
        )  # fmt: skip


# Kernels index flat arrays with unsigned numbers: Numba then neither checks for
# negative indices nor makes slices. Several rows are added in one pass, so that
# the currents are loaded and stored less often.


@njit(nogil=True, cache=True)
def _add_multiples(start, count, neuron, payload, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
    size = current.shape[2]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                row = np.int64(neuron[e]) * size
                value = payload[e]
                for j in range(size):
                    into[U(j)] += I32(I32(weight[U(row + j)]) * value)


@njit(nogil=True, cache=True)
def _add_rows(start, count, neuron, payload, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
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
def _add_narrow_rows(start, count, neuron, payload, lag, t0, t1, weight, current):  # type: ignore[no-untyped-def]
    """Add rows of int8, eight at a time in int16, which holds the sum of eight."""
    size = current.shape[2]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            e = start[s, t - lag]
            last = e + count[s, t - lag]
            while e + 7 < last:
                r0, r1 = np.int64(neuron[e]) * size, np.int64(neuron[e + 1]) * size
                r2, r3 = np.int64(neuron[e + 2]) * size, np.int64(neuron[e + 3]) * size
                r4, r5 = np.int64(neuron[e + 4]) * size, np.int64(neuron[e + 5]) * size
                r6, r7 = np.int64(neuron[e + 6]) * size, np.int64(neuron[e + 7]) * size
                for j in range(size):
                    a = I16(I16(weight[U(r0 + j)]) + I16(weight[U(r1 + j)]))
                    b = I16(I16(weight[U(r2 + j)]) + I16(weight[U(r3 + j)]))
                    c = I16(I16(weight[U(r4 + j)]) + I16(weight[U(r5 + j)]))
                    d = I16(I16(weight[U(r6 + j)]) + I16(weight[U(r7 + j)]))
                    into[U(j)] += I32(I16(I16(a + b) + I16(c + d)))
                e += 8
            while e < last:
                row = np.int64(neuron[e]) * size
                for j in range(size):
                    into[U(j)] += I32(weight[U(row + j)])
                e += 1
