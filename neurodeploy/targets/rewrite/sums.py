"""Sums of convolutions in parts, each of which fits the chip's 24 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...network import Conv, Network, Projection
from ..registry import Refused


def sums_in_parts(network: Network, parts: int | Mapping[str, int]) -> Network:
    """Split convolutions over input channels into parallel ones into the same population.

    A convolution's sum wraps to 24 bits, the current that several projections
    add up to does not. So the parts are the same as the whole wherever no sum
    of the whole wraps, and the true sum wherever no part wraps. Each part has the
    kernels of every n-th input channel, and zeros for the others.

    Parameters
    ----------
    network : Network
    parts : int, or mapping of str to int
        Into how many: of all convolutions, or by target population. No more
        than a kernel has channels.
    """
    made: list[Projection] = []
    for projection in network.projections:
        wanted = parts if isinstance(parts, int) else parts.get(projection.target, 1)
        made += _split(projection, wanted)
    return replace(network, projections=tuple(made))


def wrapped_sums_in_parts(network: Network, wrapped: Refused) -> Network:
    """Split convolutions whose sums have wrapped into four parts, see `sums_in_parts`.

    Used again, until none wraps or each part has one channel.
    """
    made: list[Projection] = []
    for projection in network.projections:
        made += _split(projection, 4 if projection.target in wrapped else 1)
    return replace(network, projections=tuple(made))


def _split(projection: Projection, wanted: int) -> list[Projection]:
    synapse = projection.synapse
    # The rewrite is of this operator alone.
    if type(synapse) is not Conv:
        return [projection]
    used = np.flatnonzero(synapse.weight.any(axis=(0, 2, 3)))  # a part has zeros for the others
    count = min(wanted, len(used))
    if count < 2:
        return [projection]
    made = []
    for part in range(count):
        weight = np.zeros_like(synapse.weight)
        weight[:, used[part::count]] = synapse.weight[:, used[part::count]]
        made.append(replace(projection, synapse=replace(synapse, weight=weight)))
    return made
