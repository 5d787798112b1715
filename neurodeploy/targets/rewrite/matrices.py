"""Operators in other forms: pruned and unknown ones listed, wide weights in two parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chip import fit
from ...network import (
    Conv,
    ConvTranspose,
    DelayedDense,
    DelayedSparse,
    Dense,
    Network,
    OneToOne,
    Pool,
    Projection,
    Sparse,
    Unpool,
)
from ..registry import Refused

PRUNED = 0.25
"""Share of zeros from which on a list may take less room than a matrix."""

WIDEST = 7
"""Bits by which the coarse part of a weight is shifted at most: the fine part has 8 bits, too."""


def pruned_as_sparse(network: Network) -> Network:
    """List the synapses of pruned matrices, where the network then takes fewer of Loihi 2's cores.

    A core stores the zeros of a matrix and not those of a list. The same sums.
    """
    made = tuple(_listed(p) for p in network.projections)
    if all(new is old for new, old in zip(made, network.projections, strict=True)):
        return network
    thin = replace(network, projections=made)
    return thin if fit(thin, "loihi2").cores_used < fit(network, "loihi2").cores_used else network


def _listed(projection: Projection) -> Projection:
    synapse = projection.synapse
    # The rewrite is of these operators alone.
    if type(synapse) not in (Dense, DelayedDense) or getattr(synapse, "beyond_chip", False):
        return projection
    weight = synapse.arrays()[0]
    if np.mean(weight == 0) < PRUNED:
        return projection
    delay = getattr(synapse, "delay", None)
    thin = Sparse.from_dense(weight) if delay is None else DelayedSparse.of(weight, delay)
    return replace(projection, synapse=thin)


def wide_weights_in_parts(network: Network, refused: Refused | None = None) -> Network:
    """Make of weights beyond 8 bits a coarse and a fine synapse side by side.

    The coarse one is the weight to the nearest multiple of 2^j, the fine one what is left, both
    within 8 bits: the same sum, as currents of parallel projections add up. A convolution's sum
    wraps at 24 bits, so its two parts are the same wherever no sum leaves them.
    """
    projections: list[Projection] = []
    for projection in network.projections:
        asked = refused is None or projection.name in refused
        projections += _parts(projection) if asked else [projection]
    return replace(network, projections=tuple(projections))


def _parts(projection: Projection) -> list[Projection]:
    synapse: Any = projection.synapse
    # The rewrite is of these operators alone.
    if type(synapse) not in (Dense, DelayedDense, Sparse, DelayedSparse, Conv):
        return [projection]
    weight: NDArray[np.int64] = synapse.weight.astype(np.int64)
    largest = int(np.abs(weight).max(initial=0))
    shift = next((j for j in range(1, WIDEST + 1) if largest <= 127 << j), None)
    if largest <= 127 or shift is None:
        return [projection]
    coarse = np.rint(weight / (1 << shift)).astype(np.int64) << shift
    fine = weight - coarse
    if not fine.any():
        return [projection]  # one exponent holds it: something else is refused
    return [
        replace(projection, synapse=replace(synapse, weight=part.astype(np.int32)))
        for part in (coarse, fine)
    ]


def operators_as_lists(network: Network, refused: Refused | None = None) -> Network:
    """List the synapses of operators that a target has no word for, one by one.

    Transposed convolutions, unpools, pools that reach into the next channel, one-to-one synapses:
    each target neuron hears the same sources with the same weights. None of them wraps its sums.
    """
    made = tuple(
        _one_by_one(network, p) if refused is None or p.name in refused else p
        for p in network.projections
    )
    return replace(network, projections=made)


def _one_by_one(network: Network, projection: Projection) -> Projection:
    synapse = projection.synapse
    # The rewrite is of these operators alone.
    if type(synapse) not in (ConvTranspose, OneToOne, Pool, Unpool):
        return projection
    source, target = network[projection.source], network[projection.target]
    flat = np.ravel(synapse.only_array)
    index, weight, counts = [], [], [0]
    for neuron in range(target.size):
        heard = synapse.incoming(neuron, source.shape, target.shape)
        if heard is None:
            return projection
        kept = flat[heard.index] != 0
        index.append(heard.source[kept])
        weight.append(flat[heard.index][kept])
        counts.append(len(index[-1]))
    listed = Sparse(
        np.cumsum(counts).astype(np.int64), np.concatenate(index).astype(np.int32),
        np.concatenate(weight).astype(np.int32), source.size,
    )  # fmt: skip
    return replace(projection, synapse=listed)
