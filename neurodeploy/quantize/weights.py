"""Weights of a projection: their range on the chip, and rounding to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Conv, Dense, OneToOne, Pool, Population, Projection, Sparse, Synapse
from ..network.fixed_point import WEIGHT_BITS, WEIGHT_MIN

Doubles = NDArray[np.float64]


def scaled(projection: Projection, target: Population, gain: Doubles) -> Synapse:
    """Fold the gain of each target neuron into a projection's weights.

    Parameters
    ----------
    projection : Projection
    target : Population
    gain : float64 [targets]

    Returns
    -------
    Synapse
        The same operator, weights in float64.

    Raises
    ------
    UnsupportedError
        If the operator has no weight for each target neuron or channel to fold a gain into.
    """
    synapse = projection.synapse
    if isinstance(synapse, Dense):  # a DelayedDense is no Dense
        return replace(synapse, weight=synapse.weight * gain[:, None])
    if synapse.kind == "delayed-dense":
        return replace(synapse, weight=weight_of(synapse) * gain[:, None])  # type: ignore[call-arg]
    if isinstance(synapse, Sparse):
        return replace(synapse, weight=synapse.weight * gain[synapse.targets])
    if isinstance(synapse, OneToOne):
        weight = np.broadcast_to(weight_of(synapse), gain.shape) * gain
        return replace(synapse, weight=weight)
    if isinstance(synapse, (Conv, Pool)):
        channels = gain.reshape(target.shape[0], -1)
        same = (channels == channels[:, :1]).all()
        if same and isinstance(synapse, Conv):
            return replace(synapse, weight=synapse.weight * channels[:, 0, None, None, None])
        if same and (channels[:, 0] == channels[0, 0]).all():
            return replace(synapse, weight=synapse.weight * channels[0, 0])
    raise UnsupportedError(
        f"projection {projection.name}: {synapse.kind} synapses share weights between neurons of "
        f"{target.name!r} whose input factors differ; make time constants equal in a channel"
    )


def weight_of(synapse: Synapse) -> Doubles:
    """Give a synapse operator's weights as an array, float64."""
    return np.asarray(getattr(synapse, "weight", 0.0), np.float64)


def room(weight: Doubles, bits: int) -> float:
    """Largest factor by which weights still fit their range; infinite where all are zero."""
    low, high, _ = _range(weight, bits)
    factors = [np.inf]
    if weight.size and weight.min() < 0:
        factors.append(low / float(weight.min()))
    if weight.size and weight.max() > 0:
        factors.append(high / float(weight.max()))
    return min(factors)


def rounded(weight: Doubles, factor: float, bits: int) -> NDArray[np.int32]:
    """Multiply and round to the multiples that the range has, half to even, and clip."""
    low, high, step = _range(weight, bits)
    steps = np.rint(weight * factor / step)
    whole: NDArray[np.int32] = np.clip(steps * step, low, high).astype(np.int32)
    return whole


def with_weight(synapse: Synapse, weight: NDArray[np.int32]) -> Synapse:
    """Give an operator integer weights."""
    value: Any = weight
    if isinstance(synapse, OneToOne) and (weight == weight.flat[0]).all():
        value = int(weight.flat[0])
    return replace(synapse, weight=value)  # type: ignore[call-arg]


def _range(weight: Doubles, bits: int) -> tuple[int, int, int]:
    """Smallest, largest and step; see `fixed_point.weight_limits`."""
    mixed = bool(weight.size) and weight.min() < 0 < weight.max()
    step = 1 << (WEIGHT_BITS - bits)
    if not mixed:
        return step + WEIGHT_MIN, -WEIGHT_MIN - step, step
    return WEIGHT_MIN, -WEIGHT_MIN - 2 * step, 2 * step
