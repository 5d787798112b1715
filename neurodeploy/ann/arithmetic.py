"""What float synapses deliver to a batch of messages, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network import Conv, ConvTranspose, Dense, OneToOne, Sparse, Synapse

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]


def deliver(synapse: Synapse, messages: Array, target: Shape) -> Array:
    """Give what arrives at the target.

    Parameters
    ----------
    synapse : Synapse
    messages : float64 [samples, *source shape]
    target : tuple of int

    Returns
    -------
    float64 [samples, *target]
    """
    return _OF_KIND[type(synapse)](synapse, messages, target)


def _dense(synapse: Dense, messages: Array, target: Shape) -> Array:
    flat = messages.reshape(len(messages), -1)
    return (flat @ synapse.weight.astype(np.float64).T).reshape(-1, *target)


def _sparse(synapse: Sparse, messages: Array, target: Shape) -> Array:
    flat = messages.reshape(len(messages), -1)
    sums = np.zeros((len(flat), len(synapse.indptr) - 1))
    weight = synapse.weight.astype(np.float64)
    for row, (first, stop) in enumerate(zip(synapse.indptr, synapse.indptr[1:], strict=False)):
        sums[:, row] = flat[:, synapse.index[first:stop]] @ weight[first:stop]
    return sums.reshape(-1, *target)


def _straight(synapse: OneToOne, messages: Array, target: Shape) -> Array:
    flat = messages.reshape(len(messages), -1)
    return (flat * np.asarray(synapse.weight, np.float64)).reshape(-1, *target)


def _conv(synapse: Conv, messages: Array, target: Shape) -> Array:
    """Add up the taps of the kernel, each of which is a matrix from channels to channels."""
    (top, left), groups = synapse.padding, synapse.groups
    padded = np.pad(messages, ((0, 0), (0, 0), (top, top), (left, left)))
    weight = synapse.weight.astype(np.float64)
    sums = np.zeros((len(messages), *target))
    ins, outs = messages.shape[1] // groups, target[0] // groups
    for k, m in np.ndindex(*weight.shape[2:]):
        seen = padded[:, :, _places(synapse, 0, k, target), _places(synapse, 1, m, target)]
        if outs == ins == 1:  # depthwise
            sums += seen * weight[:, 0, k, m][:, None, None]
            continue
        for g in range(groups):
            tap = weight[g * outs : (g + 1) * outs, :, k, m]
            part = np.tensordot(seen[:, g * ins : (g + 1) * ins], tap, (1, 1))
            sums[:, g * outs : (g + 1) * outs] += part.transpose(0, 3, 1, 2)
    return sums


def _places(synapse: Any, axis: int, tap: int, target: Shape) -> slice:
    """Where along an axis a tap of each window lies."""
    first, step = tap * synapse.dilation[axis], synapse.stride[axis]
    return slice(first, first + step * (target[1 + axis] - 1) + 1, step)


def _transposed(synapse: ConvTranspose, messages: Array, target: Shape) -> Array:
    (top, left), groups = synapse.padding, synapse.groups
    weight = synapse.weight.astype(np.float64)
    sums = np.zeros((len(messages), target[0], target[1] + 2 * top, target[2] + 2 * left))
    ins, outs, image = messages.shape[1] // groups, target[0] // groups, messages.shape[1:]
    for k, m in np.ndindex(*weight.shape[2:]):
        rows, columns = _places(synapse, 0, k, image), _places(synapse, 1, m, image)
        for g in range(groups):
            tap = weight[g * ins : (g + 1) * ins, :, k, m]
            part = np.tensordot(messages[:, g * ins : (g + 1) * ins], tap, (1, 0))
            sums[:, g * outs : (g + 1) * outs, rows, columns] += part.transpose(0, 3, 1, 2)
    return sums[:, :, top : top + target[1], left : left + target[2]]


_OF_KIND: dict[type[Synapse], Callable[[Any, Array, Shape], Array]] = {
    Dense: _dense,
    Sparse: _sparse,
    OneToOne: _straight,
    Conv: _conv,
    ConvTranspose: _transposed,
}
