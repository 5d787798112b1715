"""How wide the numbers of Loihi's learning engine are, as Lava has them.

Source: ``lava/magma/core/learning/constants.py``, lava-nc 0.10.0.
"""

from __future__ import annotations

TRACE_BITS = 7
"""Of x1, x2, y1, y2, y3, which are 0..127."""

IMPULSE_FRACTION_BITS = 8
"""Behind the point of an impulse."""

WEIGHT_BITS = 8
"""Of w, d and t, without their sign."""

CONSTANT_BITS = 8
"""Of a constant that is added to a factor, without its sign."""

MANTISSA_BITS = 4
"""Of the number that scales a product, with its sign: -8..7."""

EXPONENTS = (-7, 8)
"""Of two, in the number that scales a product."""

ACCUMULATOR_BITS = 15
"""Of the sum that becomes a synaptic variable, without its sign."""

PRODUCT_BITS = 32
"""Of a product before it is shifted into the accumulator; beyond it Lava's int32 wraps."""

LONGEST_EPOCH = 63
"""Steps; spike times within an epoch have 6 bits."""

FACTOR_BITS = {
    **dict.fromkeys(("x1", "x2", "y1", "y2", "y3"), TRACE_BITS),
    **dict.fromkeys(("w", "d", "t"), WEIGHT_BITS + 1),
    **dict.fromkeys(("x0", "y0"), 1),
}
"""Of each variable of a rule; a factor is clipped to -2^bits..2^bits - 1 (``FACTOR_TO_WIDTH``)."""
