"""The synapses that lead into one neuron, whatever operator holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import (
    Conv,
    ConvTranspose,
    DelayedDense,
    Dense,
    Network,
    OneToOne,
    Pool,
    Projection,
    Sparse,
    Synapse,
    TemporalFIR,
    Unpool,
)

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Afferents:
    """Synapses of one projection into one neuron, an entry for each.

    Attributes
    ----------
    projection : Projection
    source : int64 [synapses]
        Source neuron, flat in (C, H, W) order.
    weight : int64 [synapses]
    lag : int64 [synapses]
        Steps from the source's message to the neuron's input.
    index : int64 [synapses]
        Place in the operator's flattened weight; of a convolution several
        neurons share one.
    """

    projection: Projection
    source: Index
    weight: Index
    lag: Index
    index: Index


def afferents_of(network: Network, population: str, neuron: int) -> list[Afferents]:
    """Synapses into one neuron, for each projection whose operator is real-valued and listed here.

    Parameters
    ----------
    network : Network
    population : str
    neuron : int
        Flat in (C, H, W) order.
    """
    found = []
    target = network[population].shape
    for projection in network.into(population):
        shape = network[projection.source].shape
        parts = _synapses(projection.synapse, shape, target, neuron)
        if parts is not None:
            source, index, lag = (np.asarray(part, np.int64).ravel() for part in parts)
            weight = np.asarray(projection.synapse.weight, np.int64).ravel()  # type: ignore[attr-defined]
            found.append(Afferents(projection, source, weight[index], lag, index))
    return found


def with_weight(synapse: Synapse, index: int, value: int) -> Synapse:
    """Give the same operator with one entry of its flattened weight changed."""
    weight = np.array(synapse.weight)  # type: ignore[attr-defined]
    weight.reshape(-1)[index] = value
    changed: Any = weight if weight.ndim else int(weight)
    return replace(synapse, weight=changed)  # type: ignore[call-arg]


def _synapses(
    synapse: Synapse, source: tuple[int, ...], target: tuple[int, ...], neuron: int
) -> tuple[Any, Any, Any] | None:
    """Give source, place in the weight and lag of each synapse into a neuron."""
    if isinstance(synapse, (Dense, DelayedDense)):
        sources = np.arange(synapse.weight.shape[1])
        lag = np.ones(len(sources), np.int64)
        if isinstance(synapse, DelayedDense):
            lag = 1 + synapse.delay[neuron].astype(np.int64)
        return sources, neuron * len(sources) + sources, lag
    if isinstance(synapse, Sparse):
        listed = np.arange(synapse.indptr[neuron], synapse.indptr[neuron + 1])
        return synapse.index[listed], listed, np.ones(len(listed))
    if isinstance(synapse, OneToOne):
        return [neuron], [neuron if np.ndim(synapse.weight) else 0], [1]
    if isinstance(synapse, TemporalFIR):
        return _taps_in_time(synapse, neuron)
    if isinstance(synapse, (Conv, ConvTranspose, Pool, Unpool)):
        return _window(synapse, source, target, neuron)
    return None


def _taps_in_time(synapse: TemporalFIR, neuron: int) -> tuple[Any, Any, Any]:
    shape = synapse.weight.shape
    taps = np.arange(shape[0])
    if synapse.weight.ndim == 2:
        return np.full(len(taps), neuron), taps * shape[1] + neuron, 1 + taps
    tap, source = np.meshgrid(taps, np.arange(shape[2]), indexing="ij")
    return source, (tap * shape[1] + neuron) * shape[2] + source, 1 + tap


def _window(
    synapse: Conv | ConvTranspose | Pool | Unpool,
    source: tuple[int, ...],
    target: tuple[int, ...],
    neuron: int,
) -> tuple[Any, Any, Any]:
    """Find the taps of a kernel that land on one target neuron."""
    out, y, x = np.unravel_index(neuron, target)
    height, width = source[1:]
    kernel = synapse.weight.shape[-2:]
    if isinstance(synapse, (Pool, Unpool)):
        channel, row, k = np.nonzero(synapse.rows(source) == out * target[1] + y)
        column, m = np.nonzero(synapse.columns(source) == x)
        place = np.zeros(len(channel), np.int64)
    else:
        row, k = np.nonzero(synapse.reach(0, height) == y)
        column, m = np.nonzero(synapse.reach(1, width) == x)
        channels, places = _channels(synapse, int(out))
        channel, row, k = (
            np.repeat(channels, len(row)),
            np.tile(row, len(channels)),
            np.tile(k, len(channels)),
        )
        place = np.repeat(places, len(k) // max(1, len(channels)))
    sources = (channel * height + row)[:, None] * width + column[None]
    index = ((place * kernel[0] + k)[:, None]) * kernel[1] + m[None]
    return sources, index, np.ones(sources.shape)


def _channels(synapse: Conv | ConvTranspose, out: int) -> tuple[Index, Index]:
    """Source channels of a target channel, and where their kernels lie in the weight."""
    if isinstance(synapse, Conv):
        outs, each = synapse.weight.shape[:2]
        group = out // (outs // synapse.groups)
        return group * each + np.arange(each), out * each + np.arange(each)
    each = synapse.weight.shape[0] // synapse.groups
    outs = synapse.weight.shape[1]
    channels = (out // outs) * each + np.arange(each)
    return channels, channels * outs + out % outs
