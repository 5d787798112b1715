"""Weights of a projection: the mantissas the chip has for them, and rounding to these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Dense, Population, Projection, Sparse, Synapse
from ..network.fixed_point import WEIGHT_BITS
from ..network.synapses.kernel import kernels_of
from .config import TERNARY

Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]

LARGEST_EXPONENT = 7
"""Of a weight on the chip, which multiplies by 2^exponent; Lava's ``weight_exp``."""


@dataclass(frozen=True)
class Grid:
    """Mantissas that the weights of one projection may have.

    A weight is ``mantissa * 2^step``. At `base` the chip's weight exponent is 0 and weights
    fill -256..254 (mixed signs) or 0..255 (one sign); see `fixed_point.weight_limits`.

    Attributes
    ----------
    low, high : int
    base : int
    width : int
        Steps by which the coarser of two parallel synapses may be coarser at most, so that the
        finer one holds what is left; 0 where such weights cannot be split.
    binary : bool
        Whether 0 is not among the mantissas.
    """

    low: int
    high: int
    base: int
    width: int
    binary: bool = False

    @classmethod
    def of(cls, weight: Doubles, bits: int | str) -> Grid:
        """Grid for float weights: their signs decide on the chip's sign mode."""
        positive, negative = bool(np.any(weight > 0)), bool(np.any(weight < 0))
        if bits == TERNARY:
            return cls(-1, 1, 7, 1)
        assert isinstance(bits, int)
        if bits == 1:
            return cls(-1, 1, 7, 0, binary=True)
        if positive and negative:
            return cls(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, WEIGHT_BITS + 1 - bits, bits - 1)
        top = (1 << bits) - 1
        return cls(-top * negative, top * (positive or not negative), WEIGHT_BITS - bits, bits)

    @property
    def last_step(self) -> int:
        """Largest step that a weight exponent reaches."""
        return self.base + LARGEST_EXPONENT

    def mantissas(self, weight: Doubles, step: int, split: bool) -> NDArray[np.int64]:
        """Round `weight` / 2^step half to even, and clip to what one or two synapses hold."""
        scaled = weight / 2.0**step
        whole = np.sign(scaled) if self.binary else np.clip(np.rint(scaled), *self.limits(split))
        mantissa: NDArray[np.int64] = whole.astype(np.int64)
        return mantissa

    def limits(self, split: bool) -> tuple[int, int]:
        """Smallest and largest mantissa of one synapse, or of a coarse and a fine one."""
        if not (split and self.width):
            return self.low, self.high
        low, high = (end * (1 << self.width) for end in (self.low, self.high))
        fine = (1 << self.width) - 1
        return low - fine * (low < 0), high + fine * (high > 0)

    def beyond(self, mantissa: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which mantissas one synapse does not hold."""
        return (mantissa < self.low) | (mantissa > self.high)

    def shift(self, mantissa: NDArray[np.int64]) -> int:
        """By how many steps the coarse one of two synapses must be coarser; 0 where one will do."""
        for shift in range(self.width + 1):
            coarse = np.sign(mantissa) * (np.abs(mantissa) >> shift)
            if not self.beyond(coarse).any():
                return shift
        raise ValueError("mantissas beyond what two synapses hold")

    def parts(self, mantissa: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Split into a fine and a coarse part, ``fine + coarse * 2^shift``, where one will not do.

        Both have the sign of the sum, and so fit the grid of either sign mode.
        """
        shift = self.shift(mantissa)
        coarse = np.where(self.beyond(mantissa), np.sign(mantissa) * (np.abs(mantissa) >> shift), 0)
        return mantissa - (coarse << shift), coarse

    def fitting_step(self, weight: Doubles, largest: float | None = None) -> float:
        """Step, not yet rounded up to an integer, at which weights fit; -inf if all are zero."""
        ends = [(weight.max(initial=0), self.high), (weight.min(initial=0), self.low)]
        if largest is not None:
            ends = [(min(abs(end), largest), abs(limit)) for end, limit in ends]
        # A weight up to half a step beyond the last mantissa is rounded to it, but not further off
        # than rounding makes any other.
        ratios = [abs(end) / abs(limit) for end, limit in ends if end and limit]
        return float(np.log2(max(ratios))) if ratios else -np.inf


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
    synapse, factor = projection.synapse, gain
    shared = bool(kernels_of(synapse))
    if shared:  # by the neurons of a channel, and of all channels where its rows are none
        channels = gain.reshape(target.shape[0], -1)
        factor = channels[:, 0]
        alike = factor if synapse.rows_are else factor[:1]
        shared = not (channels == alike.reshape(-1, 1)).all()
    if synapse.has_float_form and not shared:
        each = factor[synapse.weight_rows(target.size)]
        return synapse.with_arrays(lambda weight: weight * each)
    raise UnsupportedError(
        f"projection {projection.name}: {synapse.kind} synapses share weights between neurons of "
        f"{target.name!r} whose input factors differ; make time constants equal in a channel"
    )


def with_weight(synapse: Synapse, weight: NDArray[Any]) -> Synapse:
    """Give an operator other weights, of the same shape."""
    return synapse.with_arrays(lambda _: weight)


def coarse_synapse(synapse: Synapse, weight: Integers) -> Synapse:
    """Give the second of two parallel synapses, without those of weight zero where it can be."""
    if synapse.kind == Dense.kind:
        return Sparse.from_dense(weight)
    return with_weight(synapse, weight)
