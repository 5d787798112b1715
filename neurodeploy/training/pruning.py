"""Limits of fan-in and of synaptic memory, kept by pruning the smallest weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import Synapse
from ..network.synapses.kernel import kernels_of
from .operators import is_trained

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """What the synapses of a network must fit into.

    Attributes
    ----------
    fan_in : int, optional
        Most synapses of a neuron, all projections into its population together. A kernel's
        weights count as those of a neuron away from the borders.
    memory_bits : int, optional
        Most bits of all weights together, counted as by `mixed.weight_memory`.

    Raises
    ------
    NetworkError
        If a limit is below 1.
    """

    fan_in: int | None = None
    memory_bits: int | None = None

    def __post_init__(self) -> None:
        for name in ("fan_in", "memory_bits"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise NetworkError(f"{name}: {value}; give at least 1, or none for no limit")


@dataclass(frozen=True)
class Pruned:
    """What pruning took from a population.

    Attributes
    ----------
    population : str
    removed, synapses : int
        Weights that are 0 from then on, and how many there were (a kernel's once).
    largest : float
        Largest absolute weight removed, in root mean squares of the population's weights.
    """

    population: str
    removed: int
    synapses: int
    largest: float


def largest_of_each(rows: NDArray[np.int64], size: NDArray[np.float64], most: int) -> Mask:
    """Which weights are among the `most` largest of their row; of equal ones the first.

    Parameters
    ----------
    rows : int64 [weights]
    size : float64 [weights]
        Absolute weights; those of 0 are kept by none.
    most : int

    Returns
    -------
    bool [weights]
    """
    order = np.lexsort((-size, rows))
    sorted_rows = rows[order]
    firsts = np.searchsorted(sorted_rows, sorted_rows)
    keep = np.zeros(len(rows), bool)
    keep[order] = np.arange(len(rows)) - firsts < most
    kept: Mask = keep & (size > 0)
    return kept


def mask_of_largest(weight: NDArray[Any], most: int) -> Mask:
    """`largest_of_each` for weights [targets, ...]."""
    rows = np.repeat(np.arange(len(weight)), weight[0].size)
    kept: Mask = largest_of_each(rows, np.abs(weight).ravel(), most).reshape(weight.shape)
    return kept


def prune(layer: Any, fan_in: int | None, weights: int | None) -> Pruned | None:
    """Prune a layer's smallest trained weights, for good.

    Parameters
    ----------
    layer : model.Layer
        Its `keep` is set.
    fan_in : int, optional
    weights : int, optional
        How many of its trained weights may stay.

    Returns
    -------
    Pruned or None
        None where nothing had to go.

    Raises
    ------
    NetworkError
        If pools and synapses one to one, which are not pruned, alone exceed the fan-in.
    """
    trained = [i for i in range(len(layer.weights)) if is_trained(layer.site.feeds[i][1])]
    room = None if fan_in is None else fan_in - _fixed(layer, fan_in, trained)
    if not trained:
        return None
    values = [(layer.weights[i].detach() * layer.keep[i]).numpy() for i in trained]
    size = np.abs(np.concatenate([v.ravel() for v in values]))
    keep = size > 0
    if room is not None:
        rows = np.concatenate([_rows(layer.site.feeds[i][1]) for i in trained])
        keep &= largest_of_each(rows, size, room)
    if weights is not None:
        keep &= largest_of_each(np.zeros(size.size, np.int64), size * keep, weights)
    gone = (size > 0) & ~keep
    if not gone.any():
        return None
    start = 0
    for index, value in zip(trained, values, strict=True):
        part = keep[start : start + value.size].reshape(value.shape)
        layer.keep[index] = torch.from_numpy(part)
        start += value.size
    unit = float(np.sqrt((size[size > 0] ** 2).mean()))
    return Pruned(
        layer.name, int(gone.sum()), int((size > 0).sum()), float(size[gone].max()) / unit
    )


def shares(layers: list[Any], widths: list[int], memory_bits: int) -> list[int]:
    """How many trained weights each layer keeps so that all weights fit into a memory.

    The largest stay, in root mean squares of their population's.

    Raises
    ------
    NetworkError
        If weights that are not pruned exceed it.
    """
    sizes, owners = [], []
    for number, (layer, width) in enumerate(zip(layers, widths, strict=True)):
        for index, weight in enumerate(layer.weights):
            size = np.abs((weight.detach() * layer.keep[index]).numpy()).ravel()
            size = size[size > 0]
            if not is_trained(layer.site.feeds[index][1]):
                memory_bits -= size.size * width
                continue
            sizes.append(size / max(float(np.sqrt((size**2).mean())) if size.size else 1, 1e-300))
            owners.append(np.full(size.size, number))
    if memory_bits < 0:
        raise NetworkError(
            f"memory_bits: pools and synapses one to one, which are not pruned, need "
            f"{-memory_bits} more; raise it"
        )
    size, owner = np.concatenate(sizes), np.concatenate(owners)
    order = np.argsort(-size, kind="stable")
    total = np.cumsum(np.asarray(widths)[owner[order]])
    kept = owner[order][total <= memory_bits]
    return [int((kept == number).sum()) for number in range(len(layers))]


def stored_bits(bits: int | str) -> int:
    """Width of a weight in memory: ternary and binary ones take 2 bits."""
    return max(2, bits) if isinstance(bits, int) else 2


def _rows(synapse: Synapse) -> NDArray[np.int64]:
    """Target neuron, or channel of a kernel, of each weight."""
    weight = synapse.only_array
    return np.broadcast_to(synapse.weight_rows(len(weight)), weight.shape).ravel()


def _fixed(layer: Any, fan_in: int, trained: list[int]) -> int:
    """Synapses of a neuron that are not pruned."""
    name, weights = layer.name, layer.site.weights
    synapses = [synapse for _, synapse in layer.site.feeds]
    heights = {
        layer.site.population.size if synapses[i].is_listed else len(weights[i]) for i in trained
    }
    if len(heights) > 1:
        raise NetworkError(
            f"population {name!r}: takes kernels and matrices, whose weights cannot be counted for "
            f"a channel alike; set no fan_in, or make it two populations"
        )
    fixed = sum(
        int(np.count_nonzero(weights[i])) if kernels_of(synapse) else 1
        for i, synapse in enumerate(synapses)
        if i not in trained
    )
    if fixed > fan_in:
        raise NetworkError(
            f"population {name!r}: {fixed} synapses of pools or one to one, which are not pruned; "
            f"fan_in is {fan_in}: raise it"
        )
    return fixed
