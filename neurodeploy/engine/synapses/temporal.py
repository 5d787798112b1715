"""Taps in time: each tap is a projection of its own that comes later."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Dense, Population, TemporalFIR
from ..events import EventBuffer
from .base import Delivery
from .dense import DenseDelivery
from .listed import ListedDelivery


class TemporalFIRDelivery(Delivery):
    """Delivers `network.TemporalFIR` in either form."""

    def __init__(self, synapse: TemporalFIR, source: Population, target: Population) -> None:
        super().__init__(synapse, source, target)
        if synapse.weight.ndim == 2:
            self.parts.append(_OwnTaps(synapse, source, target))
            return
        for k, weight in enumerate(synapse.weight):
            tap = DenseDelivery(Dense(weight), source, target)
            tap.lag = synapse.steps + k
            self.parts.append(tap)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        for tap in self.parts:
            tap.deliver(events, t0, t1, current)


class _OwnTaps(ListedDelivery):
    """Taps that lead from each neuron to its counterpart."""

    def synapses_of(
        self, synapse: TemporalFIR, source: Population
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """See `ListedDelivery.synapses_of`."""
        delay, neuron = np.nonzero(synapse.weight)
        return neuron, neuron, delay, synapse.weight[delay, neuron]
