"""Synapses listed one by one, in order of delay and source: each message walks its stretch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import DelayedDense, OneToOne, Population, Sparse, Synapse
from ..events import EventBuffer
from ..layout import order_of
from .base import Delivery, narrowest


class ListedDelivery(Delivery):
    """A list of synapses.

    `delays` int64 [different delays], `indptr` int64 [different delays,
    sources + 1] into `targets` and `weight` [synapses].
    """

    def __init__(self, synapse: Synapse, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        into, out_of, delay, weight = self.synapses_of(synapse, source)
        listed = weight != 0
        into, out_of, weight = place_of(target)[into[listed]], out_of[listed], weight[listed]
        self.delays, which = np.unique(delay[listed].astype(np.int64), return_inverse=True)
        row = which * source.size + place_of(source)[out_of]
        order = np.lexsort((into, row))
        self.targets = np.ascontiguousarray(into[order], np.int32)
        self.weight = narrowest(weight[order])
        ends = np.cumsum(np.bincount(row, minlength=len(self.delays) * source.size))
        self.indptr = np.zeros((len(self.delays), source.size + 1), np.int64)
        self.indptr[:, 1:] = ends.reshape(len(self.delays), source.size)
        self.indptr[1:, 0] = self.indptr[:-1, -1]

    @property
    def longest_lag(self) -> int:
        """See `Delivery.longest_lag`."""
        return self.lag + int(self.delays.max(initial=0))

    def synapses_of(
        self, synapse: Any, source: Population
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Target, source (flat in (C, H, W) order), delay and weight of each synapse."""
        raise NotImplementedError

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        _deliver(
            events.start, events.count, events.neuron, events.payload, events.graded,
            self.lag, t0, t1, self.delays, self.indptr, self.targets, self.weight, current,
        )  # fmt: skip


class SparseDelivery(ListedDelivery):
    """Delivers `network.Sparse`."""

    def synapses_of(
        self, synapse: Sparse, source: Population
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """See `ListedDelivery.synapses_of`."""
        return synapse.targets, synapse.index, np.zeros_like(synapse.index), synapse.weight


class OneToOneDelivery(ListedDelivery):
    """Delivers `network.OneToOne`."""

    def synapses_of(
        self, synapse: OneToOne, source: Population
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """See `ListedDelivery.synapses_of`."""
        own = np.arange(source.size)
        return own, own, np.zeros_like(own), np.broadcast_to(synapse.weight, source.size)


class DelayedDenseDelivery(ListedDelivery):
    """Delivers `network.DelayedDense`."""

    def synapses_of(
        self, synapse: DelayedDense, source: Population
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """See `ListedDelivery.synapses_of`."""
        into, out_of = np.nonzero(synapse.weight)
        return into, out_of, synapse.delay[into, out_of], synapse.weight[into, out_of]


def place_of(population: Population) -> NDArray[np.int64]:
    """Number that the engine gives to each neuron, those in flat (C, H, W) order."""
    order = order_of(population)
    place = np.arange(population.size)
    if order.size:
        place[order] = np.arange(population.size)
    return place


@njit(nogil=True, cache=True)
def _deliver(  # type: ignore[no-untyped-def]
    start, count, neuron, payload, graded, lag, t0, t1, delays, indptr, targets, weight, current
):
    for s in range(current.shape[0]):
        for t in range(t0, t1):
            into = current[s, t - t0]
            for d in range(delays.size):
                sent = t - lag - delays[d]
                if sent < 0:
                    break
                first = start[s, sent]
                for e in range(first, first + count[s, sent]):
                    value = payload[e] if graded else np.int32(1)
                    j = neuron[e]
                    for k in range(indptr[d, j], indptr[d, j + 1]):
                        into[targets[k]] += np.int32(np.int32(weight[k]) * value)
