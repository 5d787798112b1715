"""Linear nodes between two neurons composed into one synapse, exactly.

All are linear, so their composition is: a matrix takes in what stands before and after it, a
scale goes into the weights beside it, a pool under a convolution gives a convolution, and what has
no closed form becomes a list of synapses. Weights are rounded once, to float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...network import Conv, Dense, OneToOne, Pool, Sparse, Synapse
from .operators import Operator, image_shape

MAX_PAIRS = 1 << 31
"""Most pairs of source and target that a composition without a closed form may have."""

CHUNK = 1 << 24
"""Numbers that a composition has in hand at a time."""

Doubles = NDArray[np.float64]


def compose(operators: Sequence[Operator], sources: int) -> Synapse:
    """Compose operators, first to last, delays left out.

    Parameters
    ----------
    operators : sequence of Operator
    sources : int
        Neurons of the source.

    Returns
    -------
    Dense, Conv, Pool, OneToOne or Sparse
        With float32 weights.

    Raises
    ------
    NetworkError
        If the composition has no closed form and is too large to be listed.
    """
    live = [o for o in operators if o.kind not in ("reshape", "delay")]
    if all(o.kind == "scale" for o in live):
        factor = np.ones(sources)
        for o in live:
            factor = factor * np.asarray(o.weight, np.float64)
        return OneToOne(float(factor[0]) if (factor == factor[0]).all() else _single(factor))
    if len(live) == 1 and live[0].weight is not None:
        return Dense(live[0].weight)
    if all(o.kind != "matrix" for o in live):
        window = _one_window(live)
        if window is not None:
            return window
    targets = math.prod(live[-1].output)
    if sources * targets > MAX_PAIRS:
        names = " -> ".join(o.name for o in live)
        raise NetworkError(
            f"nodes {names}: have no common convolution, and as a list {sources} x {targets} pairs "
            f"exceed {MAX_PAIRS:,}; put a neuron between them or merge them before"
        )
    if any(o.kind == "matrix" for o in live):
        columns = [block for _, block in _columns(live, sources)]
        return Dense(_single(np.concatenate(columns).T))
    return _listed(live, sources)


def apply(operators: Sequence[Operator], signal: NDArray[Any]) -> Doubles:
    """Send signals [number, neurons] through operators, biases and delays left out."""
    x = np.asarray(signal, np.float64)
    for operator in operators:
        if operator.kind == "scale":
            x = x * np.asarray(operator.weight, np.float64)
        elif operator.kind == "matrix":
            assert operator.weight is not None
            x = x @ operator.weight.T.astype(np.float64)
        elif operator.window is not None:
            x = _windowed(operator, x)
    return x


def _single(x: Doubles) -> NDArray[np.float32]:
    return np.ascontiguousarray(x, np.float32)


def _windowed(operator: Operator, x: Doubles) -> Doubles:
    """Convolve or pool, tap by tap."""
    window = operator.window
    assert window is not None
    channels, height, width = image_shape(operator.input)
    target = image_shape(operator.output)
    (py, px), (sy, sx), (dy, dx) = window.padding, window.stride, window.dilation
    image = np.pad(x.reshape(len(x), channels, height, width), ((0, 0), (0, 0), (py, py), (px, px)))
    groups = window.groups if isinstance(window, Conv) else channels
    shape = (len(x), groups, target[0] // groups, target[1], target[2])
    result = np.zeros(shape)
    kernel = window.weight.astype(np.float64)
    rows, columns = kernel.shape[-2:]
    for k in range(rows):
        for m in range(columns):
            y, z = k * dy, m * dx
            part = image[:, :, y : y + sy * target[1] : sy, z : z + sx * target[2] : sx]
            part = part[:, :, : target[1], : target[2]]
            part = part.reshape(len(x), groups, channels // groups, *target[1:])
            if isinstance(window, Pool):
                result += kernel[k, m] * part
            else:
                tap = kernel[:, :, k, m].reshape(groups, -1, channels // groups)
                result += np.einsum("goc,ngcyx->ngoyx", tap, part)
    return result.reshape(len(x), -1)


def _columns(operators: list[Operator], sources: int) -> Iterator[tuple[int, Doubles]]:
    """What each source gives alone: pieces [some sources, targets]."""
    widest = max(math.prod(o.output) for o in operators)
    piece = max(1, CHUNK // max(widest, sources))
    for first in range(0, sources, piece):
        basis = np.zeros((min(piece, sources - first), sources))
        basis[np.arange(len(basis)), first + np.arange(len(basis))] = 1
        yield first, apply(operators, basis)


def _listed(operators: list[Operator], sources: int) -> Sparse:
    target, source, weight = [], [], []
    for first, block in _columns(operators, sources):
        rows, columns = np.nonzero(block)
        source.append(rows + first)
        target.append(columns)
        weight.append(block[rows, columns])
    targets = math.prod(operators[-1].output)
    at, whence = np.concatenate(target), np.concatenate(source)
    order = np.lexsort((whence, at))
    counts = np.bincount(at, minlength=targets)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = _single(np.concatenate(weight)[order])
    return Sparse(indptr, whence[order].astype(np.int32), values, sources)


def _one_window(operators: list[Operator]) -> Conv | Pool | None:
    """One convolution or pool that does the same, or None where there is none."""
    window: Conv | Pool | None = None
    pending: Doubles | None = None
    source: tuple[int, int, int] = (0, 0, 0)
    for operator in operators:
        if operator.kind == "scale":
            factor = _by_channel(operator)
            if factor is None:
                return None
            if window is None:
                pending = factor if pending is None else pending * factor
            else:
                window = _scaled(window, factor, before=False)
            continue
        assert operator.window is not None
        if window is None:
            window, source = operator.window, image_shape(operator.input)
            if pending is not None:
                window = _scaled(window, pending, before=True)
        else:
            merged = _pool_then_conv(window, operator.window, source)
            if merged is None:
                return None
            window = merged
    assert window is not None
    return replace(window, weight=_single(window.weight))


def _by_channel(operator: Operator) -> Doubles | None:
    """A scale's factor for each channel, or None where it differs within one."""
    assert operator.weight is not None
    factor = operator.weight.astype(np.float64).reshape(image_shape(operator.output)[0], -1)
    return factor[:, 0] if (factor == factor[:, :1]).all() else None


def _depthwise(pool: Pool, channels: int) -> Conv:
    weight = np.broadcast_to(pool.weight, (channels, 1, *pool.weight.shape)).astype(np.float64)
    return Conv(weight, pool.stride, pool.padding, pool.dilation, groups=channels)


def _scaled(window: Conv | Pool, factor: Doubles, before: bool) -> Conv | Pool:
    """Multiply the input channels (`before`), or the output channels, of a window."""
    if isinstance(window, Pool):
        if (factor == factor[0]).all():
            return replace(window, weight=window.weight * factor[0])
        window = _depthwise(window, len(factor))
    if not before:
        return replace(window, weight=window.weight * factor[:, None, None, None])
    outputs, inputs = window.weight.shape[:2]
    by_group = np.repeat(factor.reshape(window.groups, inputs), outputs // window.groups, axis=0)
    return replace(window, weight=window.weight * by_group[:, :, None, None])


def _pool_then_conv(
    pool: Conv | Pool, conv: Conv | Pool, source: tuple[int, int, int]
) -> Conv | None:
    """A convolution of pooled images as one of the images themselves.

    Only where the pool covers the image without rest or the convolution pads nothing: padding
    of zeros would else meet pixels which the pool leaves out.
    """
    if not isinstance(pool, Pool) or not isinstance(conv, Conv):
        return None
    if conv.dilation != (1, 1) or pool.dilation != (1, 1) or pool.padding != (0, 0):
        return None
    size, stride = pool.weight.shape, pool.stride
    for axis in (0, 1):
        rest = (source[1 + axis] - size[axis]) % stride[axis]
        overlap = size[axis] != stride[axis]
        if conv.padding[axis] and (rest or overlap):
            return None
    rows, columns = conv.weight.shape[-2:]
    extent = ((rows - 1) * stride[0] + size[0], (columns - 1) * stride[1] + size[1])
    weight = np.zeros((*conv.weight.shape[:2], *extent))
    taps = conv.weight.astype(np.float64)
    for k in range(rows):
        for m in range(columns):
            y, x = k * stride[0], m * stride[1]
            spread = taps[:, :, k, m, None, None] * pool.weight
            weight[:, :, y : y + size[0], x : x + size[1]] += spread
    return Conv(
        weight,
        (conv.stride[0] * stride[0], conv.stride[1] * stride[1]),
        (conv.padding[0] * stride[0], conv.padding[1] * stride[1]),
        groups=conv.groups,
    )
