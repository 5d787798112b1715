"""How many synaptic operations each core does: all that it stores, zeros too.

A list or kernel is read whole when a message arrives. Dense lists and kernels store their
zeros (docs/chip.md: 73 % of PilotNet LIF's 2560-100 are zero, and the printed memory counts
them), so a core works on them as on any other weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..network import Projection
from ..network.synapses.kernel import Kernel, kernels_of
from .placement import Placement
from .routes import Taps, block_taps

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
    target, source = placement[projection.target], placement.laid_out[projection.source]
    if (taps := taps_of_cores(placement, projection)) is not None:
        found = np.zeros((len(counts), target.cores))
        for cell, core, weight in taps.entries(np.arange(source.shape[0])):
            found[:, core] += counts[:, cell] @ weight
        return found
    size, synapse = len(target.core_of), projection.synapse
    each = (synapse.synops_per_target(c, source.shape, size, stored=True) for c in counts)
    return np.array([np.bincount(target.core_of, e, minlength=target.cores) for e in each])


@dataclass(frozen=True, eq=False)
class CoreTaps:
    """By which taps of a kernel each source neuron of an image lands on each core.

    Attributes
    ----------
    parts : tuple of (Taps, Taps)
        Of each kernel: by rows and by columns.
    reached : float64 [kernels x extents in z, source channels]
        Output channels that each source channel reaches there, of one kernel after another.
    extent_of : int64 [cores]
        Of each core in z.
    positions : int
        Of a source channel.
    """

    parts: tuple[tuple[Taps, Taps], ...]
    reached: FloatArray
    extent_of: NDArray[np.int64]
    positions: int

    def entries(
        self, channels: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], int, FloatArray]]:
        """Cells, core and weights, where a cell is a position of one of these channels."""
        extents = len(self.reached) // len(self.parts)
        for number, (rows, columns) in enumerate(self.parts):
            width = columns.landed.shape[1]
            for core, z in enumerate(self.extent_of):
                down, across = rows.per_core[core], columns.per_core[core]
                y, x = np.flatnonzero(down), np.flatnonzero(across)
                reached = self.reached[number * extents + z, channels]
                c = np.flatnonzero(reached)
                cell = c[:, None, None] * self.positions + y[:, None] * width + x
                weight = reached[c][:, None, None] * down[y][:, None] * across[x]
                yield cell.ravel(), core, weight.ravel()


def taps_of_cores(placement: Placement, projection: Projection) -> CoreTaps | None:
    """Taps of a projection between images whose kernels keep channels apart; else None."""
    target, source = placement[projection.target], placement.laid_out[projection.source]
    kernels = kernels_of(projection.synapse)
    apart = all(kernel.keeps_channels_apart for kernel in kernels)
    if not kernels or not apart or target.block is None:
        return None
    channels, height, width = source.shape
    extents = [(p.corner[2], p.block[2]) for p in target.pieces if p.corner and p.block]
    number = {extent: k for k, extent in enumerate(dict.fromkeys(extents))}
    reached = [_channels_reached(k, channels, z, depth) for k in kernels for z, depth in number]
    parts = tuple(block_taps(target, k.reach(0, height), k.reach(1, width)) for k in kernels)
    where = np.array([number[extent] for extent in extents])
    return CoreTaps(parts, np.array(reached), where, height * width)


def _channels_reached(kernel: Kernel, channels: int, first: int, depth: int) -> FloatArray:
    """Of output channels first..first + depth, how many each source channel reaches."""
    groups, outputs = kernel.groups_from(channels)
    low = np.arange(channels) // (channels // groups) * outputs
    reached = np.minimum(low + outputs, first + depth) - np.maximum(low, first)
    return np.asarray(np.maximum(reached, 0), np.float64)
