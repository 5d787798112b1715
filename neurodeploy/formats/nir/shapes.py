"""Shapes of all nodes, from the input on; the file says little of them.

A neuron's parameters may be scalars, a convolution's input shape may be missing: what flows in
decides then.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import NetworkError
from .graph import NEURONS, Graph
from .operators import operator_of

Shape = tuple[int, ...]

MAX_NEURONS = 1 << 28

_PARAMETERS = ("v_threshold", "threshold", "r", "tau", "tau_mem", "v_leak")


def shapes_of(graph: Graph) -> tuple[dict[str, Shape], int | None]:
    """Shape of what each node sends, in (C, H, W) order.

    Returns
    -------
    dict of str to tuple of int, int or None
        The shapes, and how many samples the graph was exported with, where its input has a batch
        in front, which NIR's shapes do not have: without it all nodes fit.

    Raises
    ------
    NetworkError
        If shapes contradict each other or cannot be told.
    """
    start = graph.only("Input")
    shape = _input_shape(graph, start)
    follow = {graph.kind(name) for name in graph.after(start)}
    if len(shape) == 2 and shape[0] == 1 and follow <= {"Affine", "Linear"}:
        return _shapes_from(graph, start, shape[1:], 1), 1
    try:
        return _shapes_from(graph, start, shape, None), None
    except NetworkError:
        if len(shape) < 2:
            raise
        try:
            return _shapes_from(graph, start, shape[1:], shape[0]), shape[0]
        except NetworkError:
            pass
        raise


def _shapes_from(graph: Graph, start: str, shape: Shape, batch: int | None) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {start: shape}
    for name, node in graph.nodes.items():
        if graph.kind(name) in NEURONS and (own := _own_shape(node)) is not None:
            shapes[name] = own[1:] if batch == 1 == own[0] and len(own) > 1 else own
    waiting = list(shapes)
    for name in waiting:  # which grows by those whose shape is found
        for other in graph.after(name):
            if other not in shapes:
                shapes[other] = _after(graph, other, shapes[name])
                waiting.append(other)
    unknown = [name for name in graph.nodes if name not in shapes]
    if unknown:
        raise graph.fail(unknown[0], "the input does not reach it; connect or remove it")
    for a, b in graph.edges:
        _check(graph, b, shapes[a], shapes[b], batch)
    return shapes


def _input_shape(graph: Graph, name: str) -> Shape:
    shape = graph.nodes[name].input_type.get("input")
    numbers = np.ravel(np.asarray(shape if shape is not None else []))
    if not numbers.size or (numbers != np.rint(numbers)).any() or numbers.min() < 1:
        raise graph.fail(
            name, f"shape {tuple(numbers.tolist())}; needs whole numbers of at least 1"
        )
    dims = tuple(int(n) for n in numbers)
    if math.prod(dims) > MAX_NEURONS:
        raise graph.fail(name, f"{math.prod(dims):,} neurons, limit {MAX_NEURONS:,}")
    return dims


def _own_shape(node: Any) -> Shape | None:
    """The shape of a neuron's parameters, unless one number stands for all."""
    for key in _PARAMETERS:
        value = getattr(node, key, None)
        if value is not None and np.size(value) > 1:
            return tuple(np.shape(value))
    return None


def _after(graph: Graph, name: str, shape: Shape) -> Shape:
    kind = graph.kind(name)
    if kind in NEURONS or kind == "Output":
        return shape
    return operator_of(graph, name, shape).output


def _check(graph: Graph, name: str, given: Shape, shape: Shape, batch: int | None) -> None:
    kind = graph.kind(name)
    if kind in NEURONS:
        if math.prod(given) != math.prod(shape):
            raise graph.fail(
                name, f"has {math.prod(shape)} neurons, gets a signal of shape {given}; they must "
                f"be as many"
            )  # fmt: skip
    elif kind == "Output":
        claimed = graph.nodes[name].output_type.get("output")
        sizes = {math.prod(given), (batch or 1) * math.prod(given)}
        if claimed is not None and math.prod(np.ravel(claimed).tolist()) not in sizes:
            raise graph.fail(
                name, f"claims shape {tuple(np.ravel(claimed).tolist())}, gets {given}; correct it"
            )
    elif operator_of(graph, name, given).output != shape:
        raise graph.fail(
            name, f"gets signals of different shapes, one of them {given}; merge equals"
        )
