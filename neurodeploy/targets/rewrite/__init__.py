"""Networks rewritten for places that lack an operator; each form exact, with its proof as a test.

Every function gives a new network whose populations send and hold the same
numbers, step by step, where nothing overflows; what it cannot rewrite it leaves.
"""

from .axons import delays_on_axons
from .flatten import columns_in_order
from .for_target import forms, noted, rewrites_of, rewritten_for
from .fractions import thresholds_in_64ths
from .groups import neurons_alike_in_groups
from .late_bias import bias_from_the_start, late_bias_as_initial_voltage, voltage_before
from .matrices import operators_as_lists, pruned_as_sparse, wide_weights_in_parts
from .netx_delays import delays_before_the_layer, delays_left_out
from .plain_neurons import (
    current_bias_from_a_clock,
    input_exponents_in_weights,
    norms_in_thresholds,
    plain_form,
    refractory_steps_left_out,
    soft_reset_approximated,
    soft_reset_as_adaptation,
    soft_reset_as_hard,
)
from .pools import pool_as_conv
from .readout import averages_on_host
from .refractory import refractory_steps_forced
from .relays import axon_delays_by_relays, host_relays_as_delays
from .resonators import decays_through_floats
from .sums import sums_in_parts, wrapped_sums_in_parts
from .taps import taps_as_delays

__all__ = [
    "averages_on_host",
    "axon_delays_by_relays",
    "bias_from_the_start",
    "columns_in_order",
    "current_bias_from_a_clock",
    "decays_through_floats",
    "delays_before_the_layer",
    "delays_left_out",
    "delays_on_axons",
    "forms",
    "host_relays_as_delays",
    "input_exponents_in_weights",
    "late_bias_as_initial_voltage",
    "neurons_alike_in_groups",
    "norms_in_thresholds",
    "noted",
    "operators_as_lists",
    "plain_form",
    "pool_as_conv",
    "pruned_as_sparse",
    "refractory_steps_forced",
    "refractory_steps_left_out",
    "rewrites_of",
    "rewritten_for",
    "soft_reset_approximated",
    "soft_reset_as_adaptation",
    "soft_reset_as_hard",
    "sums_in_parts",
    "taps_as_delays",
    "thresholds_in_64ths",
    "voltage_before",
    "wide_weights_in_parts",
    "wrapped_sums_in_parts",
]
