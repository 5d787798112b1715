"""How many synaptic operations each core does: all that it stores, zeros too.

A list or kernel is read whole when a message arrives. Dense lists and kernels store their
zeros (docs/chip.md: 73 % of PilotNet LIF's 2560-100 are zero, and the printed memory counts
them), so a core works on them as on any other weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..network import Projection
from ..network.synapses.kernel import Kernel, kernels_of
from .partition import Partition
from .placement import Placement
from .routes import block_taps

FloatArray = NDArray[np.float64]


def operations(placement: Placement, projection: Projection, counts: FloatArray) -> FloatArray:
    """Synaptic operations of each core of a projection's target.

    Exact for dense, delayed, sparse and one-to-one synapses, convolutions and pools; others are
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
    source, kernels = placement.laid_out[projection.source], kernels_of(synapse)
    apart = all(kernel.keeps_channels_apart for kernel in kernels)
    if kernels and apart and target.block is not None:
        image = counts.reshape(len(counts), *source.shape)
        return sum((_of_image(target, kernel, image) for kernel in kernels), start=np.zeros(1))
    size = len(target.core_of)
    each = (synapse.synops_per_target(c, source.shape, size, stored=True) for c in counts)
    return np.array([np.bincount(target.core_of, e, minlength=target.cores) for e in each])


def _of_image(target: Partition, kernel: Kernel, counts: FloatArray) -> FloatArray:
    """Taps in a block's rows, times those in its columns, times the channels reached."""
    _, channels, height, width = counts.shape
    rows, columns = block_taps(target, kernel.reach(0, height), kernel.reach(1, width))
    starts = {(p.corner[2], p.block[2]) for p in target.pieces if p.corner and p.block}
    found = np.zeros((len(counts), target.cores))
    for z, depth in sorted(starts):
        here = [i for i, p in enumerate(target.pieces) if p.corner and p.corner[2] == z]
        reached = _channels_reached(kernel, channels, z, depth)
        alike = len(np.unique(reached)) == 1  # all but grouped kernels: spares a product
        image = counts.sum(axis=1) * reached[0] if alike else np.tensordot(counts, reached, (1, 0))
        landed = rows.landed @ image @ columns.landed.T
        found[:, here] = landed[:, rows.extent_of[here], columns.extent_of[here]]
    return found


def _channels_reached(kernel: Kernel, channels: int, first: int, depth: int) -> FloatArray:
    """Of output channels first..first + depth, how many each source channel reaches."""
    groups, outputs = kernel.groups_from(channels)
    low = np.arange(channels) // (channels // groups) * outputs
    reached = np.minimum(low + outputs, first + depth) - np.maximum(low, first)
    return np.asarray(np.maximum(reached, 0), np.float64)
