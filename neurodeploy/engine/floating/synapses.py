"""What synapse operators of float32 weights deliver, as matrix products where they can be.

Everything is [samples x steps, neurons], neurons in flat (C, H, W) order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import (
    Conv,
    DelayedDense,
    Dense,
    OneToOne,
    Pool,
    Population,
    Projection,
    Sparse,
)

Floats = NDArray[np.float32]
Deliver = Callable[[Floats], Floats]
"""From messages [rows, sources] to currents [rows, targets]."""

PATCH_BYTES = 1 << 26
"""Patches of a convolution are unfolded in pieces of at most this."""


def deliveries(
    projection: Projection, source: Population, target: Population
) -> list[tuple[int, Deliver]]:
    """What a projection delivers, by its delay in steps.

    Raises
    ------
    UnsupportedError
        If the float mode has no such operator.
    """
    synapse = projection.synapse
    if isinstance(synapse, DelayedDense):
        # As many products as there are delays: few, where delays belong to axons.
        weight = synapse.weight
        parts = (
            (int(d), np.where(synapse.delay == d, weight, 0)) for d in np.unique(synapse.delay)
        )
        return [(steps, _dense(part)) for steps, part in parts if part.any()]
    if isinstance(synapse, Dense):
        return [(0, _dense(synapse.weight))]
    if isinstance(synapse, Conv):
        return [(0, _conv(synapse, source.shape))]
    if isinstance(synapse, Pool) and not synapse.across_channels:
        return [(0, _pool(synapse, source.shape))]
    if isinstance(synapse, OneToOne):
        factor = np.float32(1) * np.asarray(synapse.weight, np.float32)
        return [(0, lambda x: x * factor)]
    if isinstance(synapse, Sparse):
        return [(0, _sparse(synapse))]
    raise UnsupportedError(
        f"projection {projection.name}: the float backend has no {synapse.kind} synapse; it has "
        f"conv, delayed-dense, dense, one-to-one, pool and sparse"
    )


def _dense(weight: NDArray[Any]) -> Deliver:
    columns = np.ascontiguousarray(weight.T, np.float32)
    return lambda x: x @ columns


def _pool(synapse: Pool, shape: tuple[int, ...]) -> Deliver:
    # The same kernel for every channel: a convolution with a group for each.
    kernel = np.broadcast_to(synapse.weight, (shape[0], 1, *synapse.weight.shape))
    conv = Conv(kernel, synapse.stride, synapse.padding, synapse.dilation, groups=shape[0])
    return _conv(conv, shape, synapse.end_padding)


def _conv(synapse: Conv, shape: tuple[int, ...], more: tuple[int, int] = (0, 0)) -> Deliver:
    channels, height, width = shape
    groups, (dy, dx), (sy, sx) = synapse.groups, synapse.dilation, synapse.stride
    outputs, inputs, rows, columns = synapse.weight.shape
    kernel = np.asarray(synapse.weight, np.float32).reshape(groups, outputs // groups, -1)
    kernel = np.ascontiguousarray(kernel.transpose(0, 2, 1))
    pads = [(p, p + e) for p, e in zip(synapse.padding, more, strict=True)]
    padded = replace(synapse, padding=(0, 0))
    out = padded.output_shape((channels, height + sum(pads[0]), width + sum(pads[1])))
    patch = 4 * channels * rows * columns * out[1] * out[2]
    piece = max(1, PATCH_BYTES // max(1, patch))

    def deliver(x: Floats) -> Floats:
        result = np.empty((len(x), *out), np.float32)
        for first in range(0, len(x), piece):
            image = x[first : first + piece].reshape(-1, channels, height, width)
            image = np.pad(image, ((0, 0), (0, 0), *pads))
            span = (dy * (rows - 1) + 1, dx * (columns - 1) + 1)
            view = sliding_window_view(image, span, axis=(2, 3))  # type: ignore[call-overload]
            view = view[:, :, ::sy, ::sx, ::dy, ::dx]
            # [images, rows, columns, groups, patch] @ [groups, patch, outputs of a group]
            view = view.reshape(len(image), groups, inputs, *view.shape[2:])
            patches = view.transpose(1, 0, 3, 4, 2, 5, 6).reshape(groups, -1, kernel.shape[1])
            product = (patches @ kernel).reshape(groups, len(image), out[1], out[2], -1)
            product = product.transpose(1, 0, 4, 2, 3)
            result[first : first + piece] = product.reshape(len(image), *out)
        return result.reshape(len(x), -1)

    return deliver


def _sparse(synapse: Sparse) -> Deliver:
    weight = np.asarray(synapse.weight, np.float32)
    return lambda x: _sparse_product(synapse.indptr, synapse.index, weight, np.ascontiguousarray(x))


@njit(nogil=True, cache=True)
def _sparse_product(indptr, index, weight, x):  # type: ignore[no-untyped-def]
    result = np.zeros((x.shape[0], indptr.size - 1), np.float32)
    for n in range(x.shape[0]):
        for i in range(indptr.size - 1):
            total = np.float32(0)
            for k in range(indptr[i], indptr[i + 1]):
                total += weight[k] * x[n, index[k]]
            result[n, i] = total
    return result
