"""Convolutions: each message adds its kernel to the targets, channels last.

Messages of neighbouring channels at one position reach the same targets, and
stand next to each other in the list; up to four of them are added in one pass.
Along a row, taps that land on neighbouring targets form a run: one contiguous
stretch of (targets x channels) numbers, so that the inner loop is long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Conv, Population
from ...network.fixed_point import STATE_LIMIT
from ..events import EventBuffer
from .base import Delivery, divided, narrowest, reciprocal
from .conv_tables import ConvTables

I32, U = np.int32, np.uint64


BUSY = 0.07
"""Share of the sources that must send on average before tables beat single messages.

Measured on PilotNet's first three layers: equal at 0.05 to 0.08."""


class ConvDelivery(Delivery):
    """Kernels packed as runs.

    `weight` [source channels, kernel rows, all runs], flat, with `row_length`
    numbers for the runs of a kernel row; `runs` int64 [source columns, at most,
    3]: first target column, length in numbers and place in `weight` of each run
    (length 0: none); `rows` see `Conv.reach`; `layout` = source channels,
    source channels per group, target channels, target width.
    """

    def __init__(self, synapse: Conv, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        weight = synapse.weight
        out, per_group = weight.shape[:2]
        grouped = weight.reshape(synapse.groups, -1, *weight.shape[1:])
        # [groups, targets, sources, rows, columns] -> [all sources, rows, columns, targets]
        packed = grouped.transpose(0, 2, 3, 4, 1)
        shape = (synapse.groups * per_group, *weight.shape[2:], out // synapse.groups)
        columns = synapse.reach(1, source.shape[2])
        joined = synapse.groups == 1  # only then do a target's channels follow the one before
        runs, self.runs = _pack_runs(packed.reshape(shape), columns, joined)
        self.weight, self.row_length = runs.ravel(), runs.shape[2]
        self.rows = synapse.reach(0, source.shape[1])
        self.layout = (source.shape[0], per_group, out, target.shape[2])
        self.by_channels, self.by_width = reciprocal(source.shape[0]), reciprocal(source.shape[2])
        largest = np.abs(weight.astype(np.int64)).reshape(out, -1).sum(axis=1).max()
        self.tables = ConvTables(synapse, source, target) if ConvTables.suit(synapse) else None
        self.sources, self.busy = source.size, BUSY
        self.may_wrap = bool(source.neuron.graded or largest >= STATE_LIMIT)

    def choose(self, kernels: str) -> None:
        """See `Delivery.choose`."""
        if kernels == "events":
            self.tables = None
        self.busy = -1.0 if kernels == "dense" else BUSY

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        if self.tables is not None and not events.graded:
            sent = events.count[:, max(t0 - self.lag, 0) : max(t1 - self.lag, 0)]
            if sent.size and sent.mean() > self.busy * self.sources:
                self.tables.deliver(events, self.lag, t0, t1, current)
                return
        deliver = _deliver_graded if events.graded else _deliver
        deliver(
            events.start, events.count, events.neuron, events.payload, self.lag, t0, t1,
            self.weight, self.row_length, self.runs, self.rows, self.layout,
            self.by_channels, self.by_width, current,
        )  # fmt: skip


def _pack_runs(
    weight: NDArray[np.int32], columns: NDArray[np.int64], joined: bool
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Lay the taps of each source column out in runs of neighbouring target columns."""
    places: dict[tuple[int, ...], int] = {}
    pieces = []
    total = 0
    found: list[list[tuple[int, int, int]]] = []
    targets = weight.shape[3]
    for taps in columns:
        landing = sorted((int(column), k) for k, column in enumerate(taps) if column >= 0)
        groups: list[list[tuple[int, int]]] = []
        for column, k in landing:
            if joined and groups and groups[-1][-1][0] == column - 1:
                groups[-1].append((column, k))
            else:
                groups.append([(column, k)])
        runs = []
        for group in groups:
            key = tuple(k for _, k in group)
            if key not in places:
                places[key] = total
                pieces.append(weight[:, :, key].reshape(*weight.shape[:2], -1))
                total += len(key) * targets
            runs.append((group[0][0], len(key) * targets, places[key]))
        found.append(runs)
    table = np.zeros((len(columns), max(1, max(map(len, found))), 3), np.int64)
    for x, runs in enumerate(found):
        for r, run in enumerate(runs):
            table[x, r] = run
    if not pieces:
        pieces = [np.zeros((*weight.shape[:2], 0), np.int32)]
    return narrowest(np.concatenate(pieces, axis=2)), table


# Kernels below index flat arrays with unsigned numbers: Numba then neither checks
# for negative indices nor makes slices, which costs more than a short run's sums.


def _make_kernel(graded: bool) -> Any:
    """Make the kernel for plain or for graded messages; a weight times 1 costs nothing then."""
    one = I32(1)

    @njit(nogil=True, cache=True)
    def deliver(  # type: ignore[no-untyped-def]
        start, count, neuron, payload, lag, t0, t1,
        weight, row_length, runs, rows, layout, by_channels, by_width, current,
    ):  # fmt: skip
        source_channels, group_size, target_channels, target_width = layout
        width = runs.shape[0]
        group_targets = target_channels // (source_channels // group_size)
        taps = rows.shape[1]
        kernel = taps * row_length
        for s in range(current.shape[0]):
            for t in range(max(t0, lag), t1):
                into = current[s, t - t0]
                e = start[s, t - lag]
                last = e + count[s, t - lag]
                while e < last:
                    position = divided(neuron[e], by_channels)
                    base = position * source_channels
                    c0 = neuron[e] - base
                    group = 0 if group_size == source_channels else c0 // group_size
                    # Channels of the same group at the same position, up to four.
                    ceiling = base + (group + 1) * group_size
                    end = e + 1
                    while end < last and end < e + 4 and base <= neuron[end] < ceiling:
                        end += 1
                    together = end - e
                    e1, e2, e3 = min(e + 1, end - 1), min(e + 2, end - 1), end - 1
                    k0, k1 = c0 * kernel, (neuron[e1] - base) * kernel
                    k2, k3 = (neuron[e2] - base) * kernel, (neuron[e3] - base) * kernel
                    p0, p1 = (payload[e], payload[e1]) if graded else (one, one)
                    p2, p3 = (payload[e2], payload[e3]) if graded else (one, one)
                    e = end
                    y = divided(position, by_width)
                    x = position - y * width
                    offset = group * group_targets
                    for ky in range(taps):
                        row = rows[y, ky]
                        if row < 0:
                            continue
                        for r in range(runs.shape[1]):
                            length = runs[x, r, 1]
                            if length == 0:
                                break
                            at = (row * target_width + runs[x, r, 0]) * target_channels + offset
                            first = ky * row_length + runs[x, r, 2]
                            w0, w1, w2, w3 = k0 + first, k1 + first, k2 + first, k3 + first
                            if together == 1:
                                for j in range(length):
                                    into[U(at + j)] += I32(I32(weight[U(w0 + j)]) * p0)
                            elif together == 2:
                                for j in range(length):
                                    a = I32(I32(weight[U(w0 + j)]) * p0)
                                    into[U(at + j)] += I32(a + I32(I32(weight[U(w1 + j)]) * p1))
                            elif together == 3:
                                for j in range(length):
                                    a = I32(I32(weight[U(w0 + j)]) * p0)
                                    b = I32(I32(weight[U(w1 + j)]) * p1)
                                    c = I32(I32(weight[U(w2 + j)]) * p2)
                                    into[U(at + j)] += I32(I32(a + b) + c)
                            else:
                                for j in range(length):
                                    a = I32(I32(weight[U(w0 + j)]) * p0)
                                    b = I32(I32(weight[U(w1 + j)]) * p1)
                                    c = I32(I32(weight[U(w2 + j)]) * p2)
                                    d = I32(I32(weight[U(w3 + j)]) * p3)
                                    into[U(at + j)] += I32(I32(a + b) + I32(c + d))

    return deliver


_deliver, _deliver_graded = _make_kernel(False), _make_kernel(True)


@njit(nogil=True, cache=True)
def wrap_currents(current: NDArray[np.int32], overflows: NDArray[np.int64]) -> None:
    """Wrap each current to 24 signed bits, counting how often, per sample."""
    for s in range(current.shape[0]):
        flat = current[s].reshape(-1)
        wraps = 0
        for j in range(flat.size):
            value = flat[j]
            wrapped = np.int32(np.int32(value << np.int32(8)) >> np.int32(8))
            wraps += wrapped != value
            flat[j] = wrapped
        overflows[s] += wraps
