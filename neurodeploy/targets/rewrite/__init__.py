"""Networks rewritten for places that lack an operator; each form exact, with its proof as a test.

Every function gives a new network whose populations send and hold the same
numbers, step by step, where nothing overflows; what it cannot rewrite it leaves.
"""

from .axons import delays_on_axons
from .flatten import columns_in_order
from .for_target import forms, noted, rewrites_of, rewritten_for
from .late_bias import bias_from_the_start, late_bias_as_initial_voltage, voltage_before
from .pools import pool_as_conv
from .readout import averages_on_host
from .sums import sums_in_parts
from .taps import taps_as_delays

__all__ = [
    "averages_on_host",
    "bias_from_the_start",
    "columns_in_order",
    "delays_on_axons",
    "forms",
    "late_bias_as_initial_voltage",
    "noted",
    "pool_as_conv",
    "rewrites_of",
    "rewritten_for",
    "sums_in_parts",
    "taps_as_delays",
    "voltage_before",
]
