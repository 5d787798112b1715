"""What synapse operators of float32 weights deliver.

A target's sum runs over its sources in (C, H, W) order, of sparse synapses in the list's order;
each product is rounded and added to what is there. The sum of one projection (of one delay,
where synapses have delays) is then added to the target's current.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TooLargeError, UnsupportedError
from ..network import (
    Conv,
    DelayedDense,
    Dense,
    OneToOne,
    Pool,
    Population,
    Projection,
    Sparse,
)
from . import library as c

Floats = NDArray[np.float32]
Deliver = Callable[[Floats, Floats], None]
"""From messages [samples, steps, sources] to currents [samples, steps, targets], added in place.

Of both, samples may lie apart; steps and neurons lie side by side.
"""

PANEL = 16
"""Targets that stand side by side in the core's packed weights, see ``floating.hpp``."""


def deliveries(
    projection: Projection, source: Population, target: Population
) -> list[tuple[int, Deliver]]:
    """What a projection delivers, by its delay in steps.

    Raises
    ------
    UnsupportedError
        If the float mode has no such operator.
    """
    synapse: Any = projection.synapse
    kind = type(synapse)
    if kind is DelayedDense:
        by_delay = (
            (int(d), Sparse.from_dense(np.where(synapse.delay == d, synapse.weight, 0)))
            for d in np.unique(synapse.delay)
        )
        return [(steps, _sparse(part)) for steps, part in by_delay if part.weight.size]
    if kind is Dense:
        return [(0, _dense(synapse.weight))]
    if kind is Conv:
        return [(0, _windows(synapse, synapse.weight, synapse.groups, source, target))]
    if kind is Pool and not synapse.across_channels:
        # The same kernel for every channel: a convolution with a group for each.
        groups = source.shape[0]
        weight = np.broadcast_to(synapse.weight, (groups, 1, *synapse.weight.shape))
        return [(0, _windows(synapse, weight, groups, source, target, synapse.end_padding))]
    if kind is OneToOne:
        factor = np.float32(1) * np.asarray(synapse.weight, np.float32)
        return [(0, lambda messages, current: np.add(current, messages * factor, out=current))]
    if kind is Sparse:
        return [(0, _sparse(synapse))]
    raise UnsupportedError(
        f"projection {projection.name}: the float backend has no {synapse.kind} synapse; it has "
        f"conv, delayed-dense, dense, one-to-one, pool and sparse"
    )


def call(name: str, *arguments: Any) -> None:
    """Call a kernel of float networks.

    Raises
    ------
    TooLargeError
        If memory does not suffice.
    """
    function = getattr(c.library(), f"nd_float_{name}")
    if function(c.unit_in_use().encode(), *arguments):
        raise TooLargeError("float backend: not enough memory; run fewer samples or steps at once")


def _delivery(name: str, *arrays: Any) -> Deliver:
    """Call a kernel with these arrays, which stay as long as what is returned."""

    def deliver(messages: Floats, current: Floats) -> None:
        rows = c.Rows(
            *messages.shape[:2], messages.ctypes.data, current.ctypes.data,
            messages.strides[0] // 4, current.strides[0] // 4,
            messages.shape[2], current.shape[2],
        )  # fmt: skip
        given = (a.ctypes.data if isinstance(a, np.ndarray) else ctypes.byref(a) for a in arrays)
        call(name, ctypes.byref(rows), *given)

    return deliver


def _dense(weight: NDArray[Any]) -> Deliver:
    targets, sources = weight.shape
    panels = np.zeros((-(-targets // PANEL), PANEL, sources), np.float32)
    panels.reshape(-1, sources)[:targets] = weight
    return _delivery("dense", np.ascontiguousarray(panels.swapaxes(1, 2)))


def _sparse(synapse: Sparse) -> Deliver:
    weight = np.ascontiguousarray(synapse.weight, np.float32)
    return _delivery("listed", synapse.indptr, synapse.index, weight)


def _windows(
    synapse: Conv | Pool,
    weight: NDArray[Any],
    groups: int,
    source: Population,
    target: Population,
    end_padding: tuple[int, int] = (0, 0),
) -> Deliver:
    """Sums over windows of the image with a border of zeros; cells are numbered in that image."""
    (top, left), (bottom, right) = synapse.padding, end_padding
    _, height, width = source.shape
    inputs, rows, columns = weight.shape[1:]
    image = (inputs, height + 2 * top + bottom, width + 2 * left + right)
    cells = np.arange(np.prod(image), dtype=np.int32).reshape(image)
    place = np.ascontiguousarray(cells[:, top : top + height, left : left + width])
    (dy, dx), (sy, sx) = synapse.dilation, synapse.stride
    tap = np.ascontiguousarray(cells[:, : dy * rows : dy, : dx * columns : dx])
    first = cells[0, ::sy, ::sx][: target.shape[1], : target.shape[2]]
    arrays = place, tap, np.ascontiguousarray(first), np.ascontiguousarray(weight, np.float32)
    how = c.Windows(
        groups, len(weight) // groups, cells.size, tap.size, first.size,
        *(a.ctypes.data for a in arrays),
    )  # fmt: skip
    how.arrays = arrays
    return _delivery("windows", how)
