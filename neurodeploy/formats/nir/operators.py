"""NIR's linear nodes as operators that can be applied to signals and composed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...network import Conv, Pool
from .graph import Graph

Shape = tuple[int, ...]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Operator:
    """What one linear node does: reshape only, scale, multiply, convolve, pool or delay.

    Attributes
    ----------
    name : str
        The node.
    kind : {"reshape", "scale", "matrix", "conv", "pool", "delay"}
    input, output : tuple of int
        Shapes of the signal before and after.
    weight : float32 array or None
        Factors of a scale (of `output`'s shape), a matrix, seconds of a delay.
    window : Conv, Pool or None
        On images (C, H, W); one-dimensional signals are one row high.
    bias : float32 [outputs] or None
    """

    name: str
    kind: str
    input: Shape
    output: Shape
    weight: Floats | None = None
    window: Conv | Pool | None = None
    bias: Floats | None = None


def operator_of(graph: Graph, name: str, shape: Shape) -> Operator:
    """Make the operator of a linear node for signals of a shape.

    Raises
    ------
    NetworkError
        If the node does not take such signals.
    """
    node, kind = graph.nodes[name], graph.kind(name)
    size = math.prod(shape)
    if kind == "Identity":
        return Operator(name, "reshape", shape, shape)
    if kind == "Flatten":
        return Operator(name, "reshape", shape, _flattened(graph, name, shape))
    if kind in ("Affine", "Linear"):
        weight = np.asarray(node.weight, np.float32)
        if weight.ndim != 2 or weight.shape[1] != size:
            raise graph.fail(
                name, f"weight of shape {weight.shape} on a signal of shape {shape}; needs "
                f"(outputs, {size})"
            )  # fmt: skip
        bias = _bias(graph, name, (len(weight),))
        return Operator(name, "matrix", shape, (len(weight),), weight, bias=bias)
    if kind in ("Scale", "Delay"):
        value = np.asarray(node.scale if kind == "Scale" else node.delay, np.float32)
        if value.size not in (1, size):
            raise graph.fail(
                name, f"{value.size} numbers on a signal of shape {shape}; needs 1 or {size}"
            )
        if kind == "Delay" and value.min() < 0:
            raise graph.fail(name, f"a delay of {value.min():g} s; delays are 0 or more")
        spread = np.broadcast_to(value.reshape(-1), (size,)).astype(np.float32)
        return Operator(name, kind.lower(), shape, shape, spread)
    return _window(graph, name, shape)


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """(C, H, W) of a signal; one of (C, L) is one row high."""
    if len(shape) == 3:
        return shape
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (math.prod(shape), 1, 1)


def _flattened(graph: Graph, name: str, shape: Shape) -> Shape:
    node, rank = graph.nodes[name], len(shape)
    start, end = int(node.start_dim), int(node.end_dim)
    start, end = start + rank * (start < 0), end + rank * (end < 0)
    # Some exporters count the batch as dimension 0, which NIR's shapes do not have.
    if start >= rank or not 0 <= start <= end:
        start, end = 0, rank - 1
    end = min(end, rank - 1)
    return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


def _bias(graph: Graph, name: str, shape: Shape) -> Floats | None:
    value = getattr(graph.nodes[name], "bias", None)
    if value is None:
        return None
    bias = np.asarray(value, np.float32).reshape(-1)
    if bias.size != math.prod(shape):
        raise graph.fail(name, f"bias of {bias.size} numbers for {math.prod(shape)} outputs")
    return bias if bias.any() else None


def _window(graph: Graph, name: str, shape: Shape) -> Operator:
    """Convolutions and pools."""
    node, kind = graph.nodes[name], graph.kind(name)
    one = kind == "Conv1d"
    if len(shape) != (2 if one else 3):
        needed = "(channels, length)" if one else "(channels, height, width)"
        raise graph.fail(name, f"a signal of shape {shape}; needs {needed}")
    expected = getattr(node, "input_shape", None)
    if expected is not None and tuple(np.ravel(expected).tolist()) != shape[1:]:
        raise graph.fail(
            name, f"expects images of {tuple(np.ravel(expected).tolist())}, gets a signal of shape "
            f"{shape}; correct input_shape"
        )  # fmt: skip
    source = image_shape(shape)
    stride = _pair(graph, name, "stride", one, 1)
    if kind.endswith("Pool2d"):
        rows, columns = _pair(graph, name, "kernel_size", one, 1)
        _bound(graph, name, rows * columns)
        value = 1.0 if kind == "SumPool2d" else 1.0 / (rows * columns)
        padding = _pair(graph, name, "padding", one, 0)
        kernel = np.full((rows, columns), value, np.float32)
        window: Conv | Pool = Pool(kernel, stride, padding)
    else:
        weight = np.asarray(node.weight, np.float32)
        if weight.ndim != (3 if one else 4):
            raise graph.fail(name, f"weight of shape {weight.shape}; needs {3 if one else 4} axes")
        weight = weight[:, :, None, :] if one else weight
        dilation = _pair(graph, name, "dilation", one, 1)
        weight, padding = _padding(graph, name, weight, dilation, stride, one)
        groups = int(np.ravel(node.groups)[0])
        window = Conv(weight, stride, padding, dilation, groups=groups)
    target = _window_shape(graph, name, window, source)
    bias = None
    if kind.startswith("Conv") and (given := _bias(graph, name, (target[0],))) is not None:
        bias = np.repeat(given, target[1] * target[2])
    output = (target[0], target[2]) if one else target
    return Operator(name, "pool" if isinstance(window, Pool) else "conv", shape, output,
                    window=window, bias=bias)  # fmt: skip


def _window_shape(
    graph: Graph, name: str, window: Conv | Pool, source: tuple[int, int, int]
) -> tuple[int, int, int]:
    try:
        window.check_geometry("convolution" if isinstance(window, Conv) else "pool", source)
        target = window.output_shape(source)
        window.check(source, target)
    except NetworkError as error:
        raise graph.fail(name, str(error)) from None
    if min(target) < 1:
        raise graph.fail(name, f"kernel larger than the signal of shape {source}; check padding")
    _bound(graph, name, math.prod(target))
    return target


def _padding(
    graph: Graph,
    name: str,
    weight: Floats,
    dilation: tuple[int, int],
    stride: tuple[int, int],
    one: bool,
) -> tuple[Floats, tuple[int, int]]:
    """Padding in numbers; "same" of an even kernel gets a tap of zero in front."""
    given = graph.nodes[name].padding
    text = given if isinstance(given, str) else None
    if text == "valid":
        return weight, (0, 0)
    if text is None:
        return weight, _pair(graph, name, "padding", one, 0)
    if text != "same" or max(stride) > 1:
        raise graph.fail(name, f"padding {text!r} with stride {stride}; give numbers")
    pads = []
    for axis in (0, 1):
        total = dilation[axis] * (weight.shape[2 + axis] - 1)
        if total % 2:  # torch adds the odd one at the end
            front = [(0, 0)] * 4
            front[2 + axis] = (1, 0)
            if dilation[axis] > 1:
                raise graph.fail(name, "padding 'same' of an even dilated kernel; give numbers")
            weight, total = np.pad(weight, front), total + 1
        pads.append(total // 2)
    return weight, (pads[0], pads[1])


def _pair(graph: Graph, name: str, key: str, one: bool, least: int) -> tuple[int, int]:
    """(height, width) of a node's parameter; a row's height takes nothing."""
    values: NDArray[Any] = np.ravel(np.asarray(getattr(graph.nodes[name], key)))
    if values.dtype.kind not in "biuf" or values.size not in ((1,) if one else (1, 2)):
        raise graph.fail(
            name, f"{key} is {values.tolist()}; needs {'1' if one else '1 or 2'} numbers"
        )
    if (values != np.rint(values)).any() or values.min() < least or values.max() > 1 << 20:
        raise graph.fail(name, f"{key} is {values.tolist()}; needs whole numbers from {least} on")
    if one:
        return (least, int(values[0]))
    return int(values[0]), int(values[-1])


def _bound(graph: Graph, name: str, size: int) -> None:
    if size > 1 << 28:
        raise graph.fail(
            name, f"{size:,} values, limit {1 << 28:,}; no known network is that large"
        )
