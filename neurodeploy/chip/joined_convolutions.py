"""Convolutions in parts, as the chip holds them: as one.

`rewrite.sums_in_parts` splits a convolution over its input channels, so that no part's sum
leaves 24 bits. Each list of a kernel belongs to one input channel, so each list, each input
axon and each entry of an axon map belongs to one of the parts. Together they take what the
whole convolution takes, and no more with more parts.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ..network import Network, Projection


def with_parts_as_one(network: Network) -> Network:
    """Join parallel convolutions that read different input channels of one population.

    Joined are convolutions of one kind and geometry between the same two populations, as long
    as no input channel has weights in two of them. The network itself is returned where there
    are none.
    """
    whole: list[Projection] = []
    alike: dict[tuple[Any, ...], list[int]] = {}
    for projection in network.projections:
        reads = projection.synapse.channels_read()
        places = [] if reads is None else alike.setdefault(_geometry(projection), [])
        for place in places:
            others = whole[place].synapse.channels_read()
            if reads is not None and others is not None and not (others & reads).any():
                whole[place] = _sum_of(whole[place], projection)
                break
        else:
            places.append(len(whole))
            whole.append(projection)
    if len(whole) == len(network.projections):
        return network
    return replace(network, projections=tuple(whole))


def _sum_of(first: Projection, second: Projection) -> Projection:
    weight = first.synapse.only_array + second.synapse.only_array
    return replace(first, synapse=first.synapse.with_arrays(lambda _: weight))


def _geometry(projection: Projection) -> tuple[Any, ...]:
    synapse = projection.synapse
    rest = ((f.name, getattr(synapse, f.name)) for f in fields(synapse) if f.name != "weight")
    # What is no plain value, such as an array of a subclass, is compared as the object it is.
    alike = tuple((name, v if isinstance(v, (int, str, tuple)) else id(v)) for name, v in rest)
    return projection.source, projection.target, type(synapse), *alike
