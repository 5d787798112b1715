"""How many synaptic operations each core does: all that it stores, zeros too.

A list or kernel is read whole when a message arrives. Dense lists and kernels store their
zeros (docs/chip.md: 73 % of PilotNet LIF's 2560-100 are zero, and the printed memory counts
them), so a core works on them as on any other weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..network import Conv, Dense, Projection, Sparse
from ..network.synapses import ConvTranspose, OneToOne, Pool, Synapse
from .memory import IMAGES, parts_of
from .partition import Partition
from .placement import Placement
from .routes import block_taps

FloatArray = NDArray[np.float64]


def operations(placement: Placement, projection: Projection, counts: FloatArray) -> FloatArray:
    """Synaptic operations of each core of a projection's target.

    Exact for dense, sparse and one-to-one synapses, convolutions and pools; others are
    spread over the cores by their neurons.

    Parameters
    ----------
    placement : Placement
    projection : Projection
    counts : float64 [samples, source neurons]
        Messages.

    Returns
    -------
    float64 [samples, cores]
    """
    target, synapse = placement[projection.target], projection.synapse
    neurons = np.bincount(target.core_of, minlength=target.cores).astype(np.float64)
    if isinstance(synapse, Dense):
        return np.outer(counts.sum(axis=1), neurons)
    if isinstance(synapse, (Sparse, OneToOne)):
        sources = synapse.index if isinstance(synapse, Sparse) else np.arange(len(target.core_of))
        targets = synapse.targets if isinstance(synapse, Sparse) else sources
        core = target.core_of[targets]
        return np.array([np.bincount(core, c[sources], minlength=target.cores) for c in counts])
    part = parts_of(synapse)[0]
    across = isinstance(part, Pool) and part.across_channels
    if isinstance(part, IMAGES) and target.block is not None and not across:
        shape = placement.laid_out[projection.source].shape
        return _of_image(target, synapse, counts.reshape(len(counts), *shape))
    total = counts @ placement.laid_out.fan_out(projection, dense=True)
    return np.outer(total, neurons / neurons.sum())


def _of_image(target: Partition, synapse: Synapse, counts: FloatArray) -> FloatArray:
    """Taps in a block's rows, times those in its columns, times the channels reached."""
    parts = parts_of(synapse)
    part = parts[0]
    assert isinstance(part, IMAGES)
    _, channels, height, width = counts.shape
    rows, columns = block_taps(target, part.reach(0, height), part.reach(1, width))
    starts = {(p.corner[2], p.block[2]) for p in target.pieces if p.corner and p.block}
    found = np.zeros((len(counts), target.cores))
    for z, depth in sorted(starts):
        here = [i for i, p in enumerate(target.pieces) if p.corner and p.corner[2] == z]
        reached = _channels_reached(part, channels, target.population.shape[0], z, depth)
        alike = len(np.unique(reached)) == 1  # all but grouped kernels: spares a product
        image = counts.sum(axis=1) * reached[0] if alike else np.tensordot(counts, reached, (1, 0))
        landed = rows.landed @ image @ columns.landed.T
        found[:, here] = landed[:, rows.extent_of[here], columns.extent_of[here]]
    return found * len(parts)


def _channels_reached(part: Synapse, channels: int, out: int, first: int, depth: int) -> FloatArray:
    """Of output channels first..first + depth, how many each source channel reaches."""
    groups = part.groups if isinstance(part, (Conv, ConvTranspose)) else channels
    group = np.arange(channels) // (channels // groups)
    low = group * (out // groups)
    high = low + out // groups
    reached = np.minimum(high, first + depth) - np.maximum(low, first)
    return np.asarray(np.maximum(reached, 0), np.float64)
