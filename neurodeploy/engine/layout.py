"""How the engine numbers neurons: channels last.

One message of a convolution then adds contiguous runs of channels. Everything
that enters or leaves the engine is in flat (C, H, W) order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Population


def order_of(population: Population) -> NDArray[np.int32]:
    """Flat (C, H, W) index of each neuron as the engine numbers them; empty if it is the same."""
    if len(population.shape) != 3:
        return np.empty(0, np.int32)
    flat = np.arange(population.size, dtype=np.int32).reshape(population.shape)
    return np.ascontiguousarray(flat.transpose(1, 2, 0)).ravel()


def to_engine(values: NDArray[Any], population: Population) -> NDArray[Any]:
    """Reorder the last axis, neurons in flat (C, H, W) order, into the engine's order."""
    order = order_of(population)
    return values[..., order] if order.size else values


def from_engine(values: NDArray[Any], population: Population) -> NDArray[Any]:
    """Reorder [..., neurons] from the engine's order into flat (C, H, W) order."""
    if len(population.shape) != 3:
        return values
    channels, height, width = population.shape
    grid = np.moveaxis(values.reshape(*values.shape[:-1], height, width, channels), -1, -3)
    return grid.reshape(values.shape)
