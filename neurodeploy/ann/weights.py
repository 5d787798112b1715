"""Float weights to mantissas and exponents that a projection of the chip holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Synapse
from .units import Feed

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
        mantissa = np.clip(np.rint(real / (1 << exponent)), -top, top)
        whole: NDArray[np.int32] = (mantissa * (1 << exponent)).astype(np.int32)
        return whole

    return feed.synapse.with_arrays(integers)
