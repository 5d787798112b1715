"""Convolutions: each message adds its kernel, channels last."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Conv, Population
from ...network.fixed_point import STATE_LIMIT
from ..events import EventBuffer
from .base import Delivery, narrowest


class ConvDelivery(Delivery):
    """Kernels [source channels, kernel rows, kernel columns, targets per group].

    `rows` [source rows, kernel rows] and `columns` say where a tap lands, see
    `Conv.reach`; `layout` = source channels, source channels per group, target
    channels, target width.
    """

    def __init__(self, synapse: Conv, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        weight = synapse.weight
        out, per_group = weight.shape[:2]
        grouped = weight.reshape(synapse.groups, -1, *weight.shape[1:])
        # [groups, targets, sources, rows, columns] -> [all sources, rows, columns, targets]
        packed = grouped.transpose(0, 2, 3, 4, 1)
        shape = (synapse.groups * per_group, *weight.shape[2:], out // synapse.groups)
        self.weight = narrowest(packed.reshape(shape))
        self.rows = synapse.reach(0, source.shape[1])
        self.columns = synapse.reach(1, source.shape[2])
        self.layout = (source.shape[0], per_group, out, target.shape[2])
        largest = np.abs(weight.astype(np.int64)).reshape(out, -1).sum(axis=1).max()
        self.may_wrap = bool(source.neuron.graded or largest >= STATE_LIMIT)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        _deliver(
            events.start, events.count, events.neuron, events.payload, events.graded,
            self.lag, t0, t1, self.weight, self.rows, self.columns, self.layout, current,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _deliver(  # type: ignore[no-untyped-def]
    start, count, neuron, payload, graded, lag, t0, t1, weight, rows, columns, layout, current
):
    source_channels, group_size, target_channels, target_width = layout
    width = columns.shape[0]
    taps_y, taps_x, group_targets = weight.shape[1], weight.shape[2], weight.shape[3]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                position, c = divmod(neuron[e], source_channels)
                y, x = divmod(position, width)
                offset = (c // group_size) * group_targets
                value = payload[e] if graded else np.int32(1)
                for ky in range(taps_y):
                    row = rows[y, ky]
                    if row < 0:
                        continue
                    for kx in range(taps_x):
                        column = columns[x, kx]
                        if column < 0:
                            continue
                        at = (row * target_width + column) * target_channels + offset
                        tap = weight[c, ky, kx]
                        target = into[at : at + group_targets]
                        if graded:
                            for j in range(group_targets):
                                target[j] += np.int32(np.int32(tap[j]) * value)
                        else:
                            for j in range(group_targets):
                                target[j] += tap[j]


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
