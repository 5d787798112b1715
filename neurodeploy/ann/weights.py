"""Float weights to mantissas and exponents that a projection of the chip holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Synapse
from .units import Feed

FLOAT_NOISE = 2.0**-21
"""By which float32 weights may miss multiples of a step, as a share of them."""

LARGEST_EXPONENT = 7
"""Of a projection's weights on Loihi 2."""


def scale_for(feeds: Sequence[Feed], units: Sequence[float], bits: int) -> float:
    """Integers that a sum of 1.0 is, so that the finest of some projections uses all bits.

    Parameters
    ----------
    feeds : sequence of Feed
        Into one population.
    units : sequence of float
        Of each, how many integers a message of 1.0 is.
    bits : int
        Of a weight, its sign included.
    """
    kept = _kept_scale(feeds, units, bits)
    if kept:
        return kept
    top = (1 << (bits - 1)) - 1
    largest = [
        max((float(np.abs(a).max(initial=0)) for a in f.synapse.arrays()), default=0) / unit
        for f, unit in zip(feeds, units, strict=True)
    ]
    scales = [top / most for most in largest if most > 0]
    if not scales:
        return 1.0
    # A projection whose weights are far larger holds them with an exponent, of 7 at most.
    return min(max(scales), min(scales) * (1 << LARGEST_EXPONENT))


def step_of(weight: NDArray[Any], bits: int) -> tuple[float, int]:
    """Give the step of which all weights are whole multiples, and by how much that may grow.

    Parameters
    ----------
    weight : float array
    bits : int
        Of an integer, its sign included.

    Returns
    -------
    float, int
        The largest such step; 0 where they are no multiples within the bits, or are all of one
        magnitude. How many times finer it may be made within the bits.

    Examples
    --------
    >>> step_of(np.array([0.5, -0.25, 0.75]), 8)
    (0.25, 42)
    """
    top = (1 << (bits - 1)) - 1
    real = np.unique(weight.astype(np.float64))
    most = float(np.abs(real).max(initial=0))
    for count in range(1, top + 2) if most > 0 else ():
        whole = real * (count / most)
        near = np.rint(whole)
        if np.abs(whole - near).max() <= count * FLOAT_NOISE:
            if count == 1 or near.max() > top:  # exact anyway; -128 is there, 128 is not
                break
            return most / count, max(1, top // count)
    return 0.0, 1


def _kept_scale(feeds: Sequence[Feed], units: Sequence[float], bits: int) -> float:
    """Give the scale with which weights that are multiples of a step stay so; 0 where none does.

    Several projections keep theirs if their sums' integers differ by powers of two.
    """
    needed, finer = [], []
    for feed, unit in zip(feeds, units, strict=True):
        arrays = list(feed.synapse.arrays())
        step, times = step_of(arrays[0], bits) if len(arrays) == 1 else (0.0, 1)
        if not step:
            return 0.0
        needed.append(unit / step)
        finer.append(times)
    if not needed:
        return 0.0
    exponents = np.log2(max(needed) / np.array(needed))
    if np.any(np.abs(exponents - np.rint(exponents)) > 1e-6) or exponents.max() > LARGEST_EXPONENT:
        return 0.0
    return max(needed) * min(finer)


def rounded(feed: Feed, unit: float, scale: float, bits: int) -> Synapse:
    """Give a projection in integers: mantissas of `bits`, times the power of two that they need.

    Parameters
    ----------
    feed : Feed
    unit : float
        Integers that a message of 1.0 is.
    scale : float
        Integers that a sum of 1.0 is.
    bits : int
    """
    top = (1 << (bits - 1)) - 1

    def integers(weight: NDArray[Any]) -> NDArray[np.int32]:
        real = weight.astype(np.float64) * (scale / unit)
        most = float(np.abs(real).max(initial=0))
        exponent = max(0, int(np.ceil(np.log2(most / (top + 0.5))))) if most > top + 0.5 else 0
        lowest = -top
        if real.max(initial=0) <= top + 0.5 and abs(real.min(initial=0) + top + 1) < 1e-3:
            exponent, lowest = 0, -top - 1  # the lowest integer, which quantized weights use
        mantissa = np.clip(np.rint(real / (1 << exponent)), lowest, top)
        whole: NDArray[np.int32] = (mantissa * (1 << exponent)).astype(np.int32)
        return whole

    return feed.synapse.with_arrays(integers)
