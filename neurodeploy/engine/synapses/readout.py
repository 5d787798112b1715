"""Readouts on the host: sums of groups, in the step in which messages are sent."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import Average, Population, Readout
from ..events import EventBuffer
from ..layout import order_of
from .base import Delivery


class GroupDelivery(Delivery):
    """Sums the messages of each group of neurons that are consecutive in (C, H, W) order."""

    def __init__(self, synapse: Readout, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        if not isinstance(target.neuron, Average):
            raise UnsupportedError(
                f"projection {source.name}->{target.name}: only an average can read out a "
                f"population on the host"
            )
        order = order_of(source)
        flat = order if order.size else np.arange(source.size, dtype=np.int32)
        group = flat // target.neuron.group_size
        places = np.argsort(order_of(target))  # the target may be an image, too
        self.group = (places[group] if places.size else group).astype(np.int32)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        _deliver(
            events.start, events.count, events.neuron, events.payload, events.graded,
            self.lag, t0, t1, self.group, current,
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _deliver(start, count, neuron, payload, graded, lag, t0, t1, group, current):  # type: ignore[no-untyped-def]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                value = payload[e] if graded else np.int32(1)
                current[s, t - t0, group[neuron[e]]] += value
