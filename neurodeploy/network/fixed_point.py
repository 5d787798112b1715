"""The one place that knows bit widths and integer rules.

Sources: ``lava/proc/lif/models.py``, ``lava/proc/dense/models.py``,
``lava/proc/conv/models.py``, ``lava/proc/sdn/models.py`` and
``lava/utils/weightutils.py`` of lava-nc 0.10.0;
``lava/lib/dl/netx/hdf5.py`` and ``netx/utils.py`` of lava-dl 0.6.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STATE_BITS = 24
"""Width of the state variables u, v and sigma (signed)."""

STATE_LIMIT = 1 << (STATE_BITS - 1)
"""2^23: v is clipped to +-(STATE_LIMIT - 1); u wraps around it."""

DECAY_BITS = 12
"""A decay d keeps the fraction (2^12 - d) / 2^12 of a state each step."""

DECAY_UNITY = 1 << DECAY_BITS

ACTIVATION_SHIFT = 6
"""Synaptic input, bias and threshold stand 6 bits below the state's unit."""

SCALE = "quantize/scale/"
"""Starts the name of a fact in `Network.metadata`: what a population's weights and states were
multiplied by when floats became integers; the states also by 2^ACTIVATION_SHIFT."""

THRESHOLD_BITS = 17
"""Width of the threshold mantissa (unsigned)."""

THRESHOLD_LIMIT = (1 << 25) - 1
"""Largest threshold mantissa: 64 times it is within int32, in which the engine and Lava compute."""

BIAS_LIMIT = (1 << 24) - 1
"""Largest bias mantissa: 64 times it and two 24-bit states are within int32 together."""

RISE_LIMIT = (1 << 23) - 1
"""Largest threshold mantissa that adapts, and largest rise: their sums are within int32."""

BIAS_BITS = 16
"""Lava keeps a bias mantissa in int16; the chip has 13 bits."""

WEIGHT_BITS = 8
"""Of a weight mantissa."""

WEIGHT_MIN, WEIGHT_MAX = -256, 254
"""Range of a mixed-sign weight in a NetX file: 8 bits, even steps."""

WEIGHT_MAX_UNSIGNED = 255
"""Range of a weight matrix whose weights all have one sign: 8 bits."""

MAX_DELAY = 62
"""Longest axonal delay, in time steps."""

PAYLOAD_BITS = 24
"""Width of a graded spike's payload (signed in sigma-delta networks)."""

SPIKE_EXPONENT = 6
"""``spike_exp``: a sigma-delta payload p stands for the value p / 2^(6+6)."""

STATE_EXPONENT = 6
"""``state_exp``: a sigma-delta state has 6 more bits than its payload."""

SIGMA_DELTA_SHIFT = SPIKE_EXPONENT + STATE_EXPONENT

IntArray = NDArray[np.integer[Any]]


def round_to_zero(x: IntArray, bits: int = DECAY_BITS) -> IntArray:
    """Shift right by `bits`, rounding towards zero: ``sign(x) * (|x| >> bits)``.

    Parameters
    ----------
    x : integer array, any shape
    bits : int

    Returns
    -------
    integer array of x's shape
    """
    rounded: IntArray = np.sign(x) * (np.abs(x) >> bits)
    return rounded


def wrap_signed(x: IntArray, bits: int = STATE_BITS) -> IntArray:
    """Wrap `x` into ``[-2^(bits-1), 2^(bits-1))``, as Lava's Conv does.

    Source: ``lava.proc.conv.utils.signed_clamp``, which wraps, its name
    notwithstanding.
    """
    half = 1 << (bits - 1)
    wrapped: IntArray = (x + half) % (2 * half) - half
    return wrapped


def wrap_current(u: IntArray) -> IntArray:
    """Bring a current back into 24 bits the way Lava's LIF does.

    ``u > 2^23`` loses 2^24, ``u <= -2^23`` gains 2^24, once. So +2^23 itself
    is kept although 24 signed bits cannot hold it, and -2^23 becomes +2^23.
    Source: ``AbstractPyLifModelFixed.subthr_dynamics``.
    """
    lowered = np.where(u > STATE_LIMIT, u - 2 * STATE_LIMIT, u)
    return np.where(lowered <= -STATE_LIMIT, u + 2 * STATE_LIMIT, lowered)


def saturate_voltage(v: IntArray) -> IntArray:
    """Clip to ``+-(2^23 - 1)``. Source: as `wrap_current`."""
    return np.clip(v, -STATE_LIMIT + 1, STATE_LIMIT - 1)


def weight_limits(weight: IntArray) -> tuple[int, int]:
    """Smallest and largest weight that the chip holds beside these.

    Mixed signs: [-256, 254]. One sign: magnitudes to 255 (an unsigned 8-bit
    mantissa with a sign for the whole matrix).

    Notes
    -----
    netx scales an all-inhibitory matrix until its minimum reaches -256, which
    Lava then clips to -255 and truncates: -64 becomes -62. That is a fault of
    the scaling, not of the chip, and is not reproduced here.
    """
    if weight.size and weight.min() < 0 <= weight.max():
        return WEIGHT_MIN, WEIGHT_MAX
    return -WEIGHT_MAX_UNSIGNED, WEIGHT_MAX_UNSIGNED
