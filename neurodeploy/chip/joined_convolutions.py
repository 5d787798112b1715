"""Convolutions in parts, as the chip holds them: as one.

`rewrite.sums_in_parts` splits a convolution over its input channels, so that no part's sum
leaves 24 bits. Each list of a kernel belongs to one input channel, so each list, each input
axon and each entry of an axon map belongs to one of the parts. Together they take what the
whole convolution takes, and no more with more parts.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Projection


def with_parts_as_one(network: Network) -> Network:
    """Join parallel convolutions that read different input channels of one population.

    Joined are convolutions of one kind and geometry between the same two populations, as long
    as no input channel has weights in two of them. The network itself is returned where there
    are none.
    """
    joined: dict[tuple[Any, ...], list[_Sum]] = {}
    order: list[Projection | _Sum] = []
    for projection in network.projections:
        reads = projection.synapse.channels_read()
        if reads is None:
            order.append(projection)
            continue
        key = _geometry(projection)
        for whole in joined.get(key, []):
            if not (whole.reads & reads).any():
                whole.add(projection, reads)
                break
        else:
            joined.setdefault(key, []).append(_Sum(projection, reads))
            order.append(joined[key][-1])
    if len(order) == len(network.projections):
        return network
    projections = tuple(p if isinstance(p, Projection) else p.projection() for p in order)
    return replace(network, projections=projections)


class _Sum:
    """Parallel convolutions that become one."""

    def __init__(self, first: Projection, reads: NDArray[np.bool_]) -> None:
        self.first, self.reads = first, reads
        self.weight: NDArray[np.int32] | None = None

    def add(self, projection: Projection, reads: NDArray[np.bool_]) -> None:
        """Add one more part, which reads other channels."""
        if self.weight is None:
            self.weight = self.first.synapse.only_array.copy()
        self.weight += projection.synapse.only_array
        self.reads = self.reads | reads

    def projection(self) -> Projection:
        """All parts as one projection."""
        if self.weight is None:
            return self.first
        whole = self.weight
        return replace(self.first, synapse=self.first.synapse.with_arrays(lambda _: whole))


def _geometry(projection: Projection) -> tuple[Any, ...]:
    synapse = projection.synapse
    rest = ((f.name, getattr(synapse, f.name)) for f in fields(synapse) if f.name != "weight")
    # What is no plain value, such as an array of a subclass, is compared as the object it is.
    alike = tuple((name, v if isinstance(v, (int, str, tuple)) else id(v)) for name, v in rest)
    return projection.source, projection.target, type(synapse), *alike
