"""Kernels over images whose pixels come from several blocks or were moved about.

A crop, a flip, a reshape, or a pool over channels of several blocks is no kernel over
the population that sent the pixels. It is a list of single synapses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import Conv, ConvTranspose, Pool, Sparse, Unpool
from .origins import Group

MOST = 1 << 24
"""Synapses that are listed at most: a few hundred MiB of them while they are sorted."""

Shape = tuple[int, ...]


def list_synapses(
    operator: Conv | ConvTranspose | Pool | Unpool,
    taken: Shape,
    group: Group,
    sources: int,
    where: str,
) -> Sparse:
    """Give the synapses of one population into a kernel over a tensor that it is part of.

    Parameters
    ----------
    operator : Conv, ConvTranspose, Pool or Unpool
        Over the whole tensor.
    taken : tuple of int
        Shape (C, H, W) of the tensor.
    group : Group
        Which of its pixels are which neurons of the population.
    sources : int
        Neurons of the population.
    where : str

    Raises
    ------
    UnsupportedError
        If there are more of them than `MOST`.
    """
    channel, row, column = np.unravel_index(group.positions, taken)
    if isinstance(operator, (Pool, Unpool)):
        rows = operator.rows(taken)[channel, row]
        columns = operator.columns(taken)[column]
        outs = np.zeros((len(channel), 1), np.int64)
        weight = operator.weight[None, None]
    else:
        rows = operator.reach(0, taken[1])[row]
        columns = operator.reach(1, taken[2])[column]
        outs, weight = _kernels(operator, taken[0], channel)
    _, height, width = operator.output_shape(taken)
    count = rows.size * columns.shape[1] * outs.shape[1]
    if count > MOST:
        raise UnsupportedError(
            f"{where}: a kernel over an image whose pixels were moved about (cropped, flipped, or "
            f"put together) takes {count:,} single synapses, limit {MOST:,}; move them before the "
            f"first block, or after a smaller layer"
        )
    place = rows[:, :, None] * width + columns[:, None, :]
    target = outs[:, :, None, None] * (height * width) + place[:, None]
    inside = ((rows >= 0)[:, :, None] & (columns >= 0)[:, None, :])[:, None]
    weight = np.broadcast_to(weight, target.shape)
    chosen = np.broadcast_to(inside, target.shape) & (weight != 0)
    source = np.broadcast_to(group.neurons[:, None, None, None], target.shape)[chosen]
    target, weight = target[chosen], weight[chosen]
    order = np.argsort(target, kind="stable")
    counts = np.bincount(target, minlength=int(np.prod(operator.output_shape(taken))))
    return Sparse(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        source[order].astype(np.int32),
        weight[order].astype(np.int32),
        sources,
    )


def _kernels(
    operator: Conv | ConvTranspose, channels: int, channel: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Output channels that each pixel reaches [pixels, outs], and the kernels to them."""
    own = channels // operator.groups
    if isinstance(operator, Conv):
        per = operator.weight.shape[0] // operator.groups
        outs = (channel // own * per)[:, None] + np.arange(per)
        return outs, operator.weight[outs, (channel % own)[:, None]]
    per = operator.weight.shape[1]
    return (channel // own * per)[:, None] + np.arange(per), operator.weight[channel]
