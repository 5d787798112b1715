"""Convolutions of busy layers by tables of sums, in integers.

Channels last, the inputs that a kernel row covers stand side by side. Every
nine of them are nine bits, which pick a row out of a table that holds the sum
of the kernel's weights for each of the 512 patterns: one addition in place of
up to nine. (The method of Arlazarov, Dinic, Kronrod and Faradzev 1970, the
"four Russians", for products of matrices of bits.)
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Conv, Population
from ..events import EventBuffer
from ..neurons.base import PACK
from .base import narrowest

U, I32 = np.uint64, np.int32

BITS = 9
"""Inputs a table takes together."""

TABLE_BYTES = 1 << 22
"""Largest tables to make: they should stay in a core's cache, or nearly."""


class ConvTables:
    """Tables of one projection's kernels, made when they are first needed.

    For plain spikes.
    """

    def __init__(self, synapse: Conv, source: Population, target: Population) -> None:
        self.synapse = synapse
        channels, height, width = source.shape
        _, _, self.taps_y, taps_x = synapse.weight.shape
        pad_y, pad_x = synapse.padding
        bits = taps_x * channels
        # A kernel row in pieces of nearly the same length, none longer than BITS.
        self.edges = np.linspace(0, bits, -(-bits // BITS) + 1).astype(np.int64)
        self.rows = height + 2 * pad_y
        self.row_bytes = -(-((width + 2 * pad_x) * channels) // 8) * 8
        self.row = width * channels
        self.margin = pad_y, pad_x * channels
        self.step = synapse.stride[0], synapse.stride[1] * channels
        self.spread = synapse.dilation[0]
        self.targets = target.shape[1], target.shape[2]

    @staticmethod
    def suit(synapse: Conv) -> bool:
        """Whether tables can be made: one group, neighbouring columns, not too large."""
        # A subclass has a reach of its own.
        if type(synapse) is not Conv or synapse.groups != 1 or synapse.dilation[1] != 1:
            return False
        out, channels, taps_y, taps_x = synapse.weight.shape
        pieces = taps_y * -(-taps_x * channels // BITS)
        return 4 * pieces * (1 << BITS) * out <= TABLE_BYTES

    @cached_property
    def table(self) -> NDArray[Any]:
        """Sums [kernel rows x pieces, patterns, targets]."""
        weight = self.synapse.weight.transpose(2, 3, 1, 0)
        weight = weight.reshape(self.taps_y, -1, weight.shape[3]).astype(np.int32)
        pieces = len(self.edges) - 1
        table = np.zeros((self.taps_y * pieces, 1 << BITS, weight.shape[2]), np.int32)
        _fill(np.ascontiguousarray(weight), self.edges, table)
        return narrowest(table)

    def deliver(
        self, events: EventBuffer, lag: int, t0: int, t1: int, current: NDArray[np.int32]
    ) -> None:
        """See `Delivery.deliver`."""
        table = self.table
        sent = np.zeros(self.rows * self.row_bytes, np.uint8)
        # Two bytes more, because nine bits are read as three bytes.
        packed = np.zeros(sent.size // 8 + 2, np.uint8)
        index = np.empty(len(table), np.uint64)
        _deliver(
            events.start, events.count, events.neuron, lag, t0, t1,
            sent, sent.view(np.uint64), packed, self.row, self.row_bytes, self.margin, self.step,
            self.spread, self.targets, self.edges, self.taps_y, table.ravel(), index, current,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _fill(weight, edges, table):  # type: ignore[no-untyped-def]
    """Sum the weights of every pattern: that without its lowest bit, plus that bit's."""
    pieces = edges.size - 1
    for ky in range(weight.shape[0]):
        for piece in range(pieces):
            sums = table[ky * pieces + piece]
            for pattern in range(1, 1 << (edges[piece + 1] - edges[piece])):
                low = 0
                while not (pattern >> low) & 1:
                    low += 1
                rest = pattern & (pattern - 1)
                for c in range(weight.shape[2]):
                    sums[pattern, c] = sums[rest, c] + weight[ky, edges[piece] + low, c]


@njit(nogil=True, cache=True)
def _deliver(  # type: ignore[no-untyped-def]
    start, count, neuron, lag, t0, t1,
    sent, words, packed, row, row_bytes, margin, step, spread, targets, edges, taps_y,
    table, index, current,
):  # fmt: skip
    channels = U(current.shape[2] // (targets[0] * targets[1]))
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            first = start[s, t - lag]
            _mark(neuron[first : first + count[s, t - lag]], sent, row, row_bytes, margin)
            for w in range(words.size):
                packed[w] = np.uint8((words[w] * PACK) >> U(56))
                words[w] = U(0)
            into = current[s, t - t0]
            for y in range(targets[0]):
                for x in range(targets[1]):
                    corner = y * step[0] * row_bytes + x * step[1]
                    _look_up(packed, corner, spread * row_bytes, edges, taps_y, channels, index)
                    _add(table, index, into, U(y * targets[1] + x) * channels, channels)


@njit(nogil=True, cache=True)
def _mark(neuron, sent, row, row_bytes, margin):  # type: ignore[no-untyped-def]
    """Set the bytes of what was sent in rows that have a margin."""
    y, first = 0, 0
    for n in neuron:
        if not first <= n < first + row:  # seldom: messages stand in order
            y = n // row
            first = y * row
        sent[U((y + margin[0]) * row_bytes + margin[1] + n - first)] = np.uint8(1)


@njit(inline="always")
def _look_up(packed, corner, line, edges, taps_y, channels, index):  # type: ignore[no-untyped-def]
    """Say where in the table each piece of a kernel at bit `corner` stands."""
    n = U(0)
    for ky in range(taps_y):
        for piece in range(edges.size - 1):
            bit = U(corner + ky * line + edges[piece])
            byte = bit >> U(3)
            bits = (
                U(packed[byte]) | U(packed[byte + U(1)]) << U(8) | U(packed[byte + U(2)]) << U(16)
            )
            mask = (U(1) << U(edges[piece + 1] - edges[piece])) - U(1)
            pattern = (bits >> (bit & U(7))) & mask
            index[n] = ((n << U(BITS)) + pattern) * channels
            n += U(1)


@njit(inline="always")
def _add(table, index, into, at, channels):  # type: ignore[no-untyped-def]
    """Add rows of the table, up to four in a pass, so that sums are stored less often."""
    n = U(0)
    number = U(index.size)
    while n + U(3) < number:
        a, b, c, d = index[n], index[n + U(1)], index[n + U(2)], index[n + U(3)]
        for j in range(channels):
            pair = I32(I32(table[a + j]) + I32(table[b + j]))
            into[at + j] += I32(pair + I32(I32(table[c + j]) + I32(table[d + j])))
        n += U(4)
    if n + U(2) < number:
        a, b, c = index[n], index[n + U(1)], index[n + U(2)]
        for j in range(channels):
            into[at + j] += I32(I32(I32(table[a + j]) + I32(table[b + j])) + I32(table[c + j]))
        n += U(3)
    while n < number:
        a = index[n]
        for j in range(channels):
            into[at + j] += I32(table[a + j])
        n += U(1)
