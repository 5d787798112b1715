"""Taps in time as parallel synapses with delays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...network import DelayedDense, Dense, Network, Projection, TemporalFIR


def taps_as_delays(network: Network) -> Network:
    """Make a matrix for each tap of a `TemporalFIR`, tap k with delays of k steps.

    The same sum: each message counts again k steps later through the synapse
    of tap k. Taps of weight 0 alone are left out. Where a tap leads from each
    neuron to its counterpart, the matrix is diagonal.
    """
    projections: list[Projection] = []
    for projection in network.projections:
        synapse = projection.synapse
        # The rewrite is of this operator alone.
        if type(synapse) is not TemporalFIR:
            projections.append(projection)
            continue
        projections += [replace(projection, synapse=tap) for tap in _taps(synapse)]
    return replace(network, projections=tuple(projections))


def _taps(synapse: TemporalFIR) -> list[Dense | DelayedDense]:
    made: list[Dense | DelayedDense] = []
    for k, tap in enumerate(synapse.weight):
        weight: NDArray[np.int32] = np.diag(tap) if tap.ndim == 1 else tap
        if k == 0:
            made.append(Dense(weight))
        elif tap.any():
            made.append(DelayedDense(weight, np.full(weight.shape, k, np.int32)))
    return made
