"""Hypotheses of other synapses: kernels turned, weights clipped, delays lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...network import DelayedDense, Dense, Network, Projection, Synapse
from ...network.fixed_point import MAX_DELAY
from .hypothesis import Hypothesis, with_synapse

Weights = NDArray[np.int32]

CLIPS = tuple((-(1 << bits), (1 << bits) - 1) for bits in range(8, 1, -1))
"""Two's complement ranges of 9 to 3 bits, the widest first."""


def synapse_hypotheses(network: Network, name: str) -> Iterator[Hypothesis]:
    """Suppose other synapses into one population."""
    for place, projection in enumerate(network.projections):
        if projection.target != name:
            continue
        for key, words, synapse in _vary_synapse(network, projection):
            try:
                yield Hypothesis(key, words, with_synapse(network, place, synapse))
            except NetworkError:  # a variant that the shapes do not allow
                continue
        lost = f"gets nothing through {projection.name}"
        yield Hypothesis("lost-projection", lost, with_synapse(network, place, None))


def _vary_synapse(
    network: Network, projection: Projection
) -> Iterator[tuple[str, str, Synapse | None]]:
    synapse = projection.synapse
    weight = getattr(synapse, "weight", None)
    if not isinstance(weight, np.ndarray) or not weight.size:
        return
    where = f"in {projection.name}"
    if isinstance(synapse, DelayedDense):  # what else has delays can lack them otherwise
        yield from _change_delays(synapse, where)
    for key, words, changed in (
        *_turn_weights(network, projection, weight),
        *_change_values(weight),
    ):
        if changed.shape == weight.shape and not np.array_equal(changed, weight):
            contiguous = np.ascontiguousarray(changed, np.int32)
            yield key, f"{words} {where}", replace(synapse, weight=contiguous)  # type: ignore[call-arg]


def _change_delays(synapse: DelayedDense, where: str) -> Iterator[tuple[str, str, Synapse]]:
    yield "missing-delay", f"lacks the delays {where}", Dense(synapse.weight)
    for change, said in ((-1, "short"), (1, "long")):
        moved = np.where(synapse.delay > 0, np.clip(synapse.delay + change, 0, MAX_DELAY), 0)
        changed = replace(synapse, delay=moved.astype(np.int32))
        yield "delay-off-by-one", f"has delays one step too {said} in the synapses {where}", changed


def _turn_weights(
    network: Network, projection: Projection, weight: Weights
) -> Iterator[tuple[str, str, Weights]]:
    synapse = projection.synapse
    is_matrix = synapse.rows_are == "targets"
    if weight.ndim == 4 or (weight.ndim == 2 and not is_matrix):
        yield (
            "transposed-kernel",
            "has the kernel transposed (rows for columns)",
            weight.swapaxes(-1, -2),
        )
        yield "flipped-kernel", "has the kernel flipped in both axes", weight[..., ::-1, ::-1]
        yield "flipped-kernel", "has the kernel flipped top to bottom", weight[..., ::-1, :]
        yield "flipped-kernel", "has the kernel flipped left to right", weight[..., ::-1]
        turned = weight.swapaxes(-1, -2)[..., ::-1, ::-1]
        yield "transposed-kernel", "has the kernel transposed and flipped", turned
    if weight.ndim == 4:
        if weight.shape[1] > 2:  # the reverse of two is a swap
            yield "channel-order", "takes its input channels in reverse order", weight[:, ::-1]
        if weight.shape[0] > 2:
            yield "channel-order", "has its output channels in reverse order", weight[::-1]
        yield "transposed-kernel", "has input and output channels swapped", weight.swapaxes(0, 1)
    if is_matrix:
        yield "transposed-weights", "has the weight matrix transposed", weight.T
        shape = network[projection.source].shape
        if len(shape) == 3:
            yield from _reorder_neurons(weight, shape, "inputs", lambda w: w)
        target = network[projection.target].shape
        if len(target) == 3:
            yield from _reorder_neurons(weight.T, target, "outputs", lambda w: w.T)


def _reorder_neurons(
    weight: Weights, shape: tuple[int, ...], what: str, back: Callable[[Weights], Weights]
) -> Iterator[tuple[str, str, Weights]]:
    """Lay the last axis, neurons in (C, H, W) order, out in other orders."""
    grid = weight.reshape(len(weight), *shape)
    axes = "CHW"
    for order in ((1, 2, 0), (2, 1, 0), (0, 2, 1), (2, 0, 1), (1, 0, 2)):
        named = ", ".join(axes[axis] for axis in order)
        # Weight k of the flat list belongs to neuron k as counted in the other order.
        flat = np.arange(grid[0].size).reshape(shape).transpose(order).ravel()
        changed = np.empty_like(weight)
        changed[:, flat] = weight
        yield "neuron-order", f"takes {what} in ({named}) order for the weights", back(changed)


def _change_values(weight: Weights) -> Iterator[tuple[str, str, Weights]]:
    for low, high in CLIPS:
        words = f"has the weights clipped to {low}..{high}"
        yield "clipped-weights", words, np.clip(weight, low, high)
        words = f"has the weights clipped to {-high}..{high}"
        yield "clipped-weights", words, np.clip(weight, -high, high)
    for bits in range(1, 5):
        words = f"has lost the lowest {bits} bits of the weights"
        yield "truncated-weights", words, (weight >> bits) << bits
        rounded = (np.sign(weight) * (np.abs(weight) >> bits)) << bits
        yield "truncated-weights", f"{words} (towards zero)", rounded
    yield "weight-sign", "has the weights with the wrong sign", -weight
    yield "weight-scale", "has the weights doubled", weight * 2
    yield "weight-scale", "has the weights halved", weight >> 1
