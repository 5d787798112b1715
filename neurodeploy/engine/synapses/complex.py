"""Complex synapses: real currents fill the first half of a row, imaginary the second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import Complex, ComplexConv, ComplexDense, Dense, Population, Source
from ..events import EventBuffer
from ..layout import order_of
from .base import Delivery
from .conv import ConvDelivery
from .dense import DenseDelivery
from .listed import SparseDelivery
from .pool import PoolDelivery
from .transpose import ConvTransposeDelivery


class ComplexDenseDelivery(DenseDelivery):
    """One dense matrix to twice as many targets."""

    def __init__(self, synapse: ComplexDense, source: Population, target: Population) -> None:
        order = order_of(target)
        halves = [part[order] if order.size else part for part in (synapse.real, synapse.imag)]
        both = Population(target.name, (2 * target.size,), Source())  # only its size counts
        super().__init__(Dense(np.concatenate(halves)), source, both)


PARTS: dict[str, type[Delivery]] = {
    "conv": ConvDelivery,
    "conv-transpose": ConvTransposeDelivery,
    "pool": PoolDelivery,
    "unpool": PoolDelivery,
    "sparse": SparseDelivery,
}
"""Operators that a complex one can be made of, by ``kind``."""


class ComplexPartsDelivery(Delivery):
    """Two operators, each into a scratch array that is added to its half."""

    def __init__(
        self, synapse: Complex | ComplexConv, source: Population, target: Population
    ) -> None:
        super().__init__(synapse, source, target)
        for part in synapse.parts:
            if part.kind not in PARTS:
                raise UnsupportedError(
                    f"projection {source.name}->{target.name}: the engine has no complex "
                    f"{part.kind} synapse; it has complex-dense and {', '.join(PARTS)}"
                )
        self.parts += (PARTS[part.kind](part, source, target) for part in synapse.parts)

    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """See `Delivery.deliver`."""
        size = current.shape[2] // 2
        for half, part in enumerate(self.parts):
            sums = np.zeros((*current.shape[:2], size), np.int32)
            part.deliver(events, t0, t1, sums)
            current[:, :, half * size : (half + 1) * size] += sums
