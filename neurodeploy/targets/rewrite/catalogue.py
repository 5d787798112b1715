"""Our rewrites with what each says and when it is used; targets take them in an order of theirs."""

from __future__ import annotations

from dataclasses import replace

from ..registry import Rewrite
from .axons import delays_on_axons
from .fractions import thresholds_in_64ths
from .groups import neurons_alike_in_groups
from .late_bias import bias_from_the_start, late_bias_as_initial_voltage
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
from .refractory import refractory_steps_forced
from .relays import axon_delays_by_relays, host_relays_as_delays
from .resonators import decays_through_floats
from .sums import wrapped_sums_in_parts
from .taps import taps_as_delays

TAPS = Rewrite(taps_as_delays, "taps in time as parallel synapses with delays")
POOLS = Rewrite(pool_as_conv, "sum pools as depthwise convolutions of the same sums")
AXONS = Rewrite(delays_on_axons, "delays of synapses and relays moved to the axons before them")
HOST_RELAYS = Rewrite(
    host_relays_as_delays,
    "delays of relays on the host as delays of the synapses behind them",
    refused_only=True,
)
RELAYS = Rewrite(
    axon_delays_by_relays,
    "delays of axons on synapses, before convolutions and beyond the longest through relays",
    refused_only=True,
)
LATE_BIAS = Rewrite(
    late_bias_as_initial_voltage,
    "biases that begin late from step 0 on, at a voltage that they bring to 0 by then",
)
EARLY_BIAS = Rewrite(
    bias_from_the_start, "biases that begin late from step 0 on", exact=False, refused_only=True
)
WIDE = Rewrite(
    wide_weights_in_parts,
    "weights beyond 8 bits as a coarse and a fine synapse side by side",
    refused_only=True,
)
GROUPS = Rewrite(
    neurons_alike_in_groups,
    "neurons that differ in populations of those that are alike",
    refused_only=True,
)
CLOCK = Rewrite(
    current_bias_from_a_clock,
    "biases of currents as synapses from a neuron that fires at every step",
    refused_only=True,
)
SUMS = Rewrite(
    wrapped_sums_in_parts,
    "sums that wrap at 24 bits in parts that do not",
    exact=False,
    where_sums_wrap=True,
)
LISTS = Rewrite(
    operators_as_lists,
    "operators that the target has not as lists of synapses",
    refused_only=True,
)
SPARSE = Rewrite(pruned_as_sparse, "pruned matrices as lists of synapses, in fewer cores")
PLAIN = Rewrite(
    plain_form, "general leaky neurons that do the same by their plain name", refused_only=True
)
UNITS = Rewrite(
    input_exponents_in_weights,
    "another unit of the current in threshold and bias",
    refused_only=True,
)
NORMS = Rewrite(
    norms_in_thresholds, "norms that divide in thresholds", exact=False, refused_only=True
)
SOFT_EXACT = Rewrite(
    soft_reset_as_adaptation,
    "soft resets as ATRLIF's refractoriness",
    refused_only=True,
    only_if_exact=True,
)
SOFT = Rewrite(
    soft_reset_approximated,
    "soft resets nearly",
    exact=False,
    refused_only=True,
    fits_thresholds=True,
)
HARD = Rewrite(
    soft_reset_as_hard,
    "soft resets as hard ones",
    exact=False,
    refused_only=True,
    fits_thresholds=True,
)
FORCED = Rewrite(
    refractory_steps_forced,
    "refractory steps as spikes that are forced and not heard",
    refused_only=True,
)
WAITS = Rewrite(
    refractory_steps_left_out,
    "no refractory steps",
    exact=False,
    refused_only=True,
    fits_thresholds=True,
)
FRACTIONS = Rewrite(
    thresholds_in_64ths,
    "thresholds and biases of sigma-delta neurons rounded to 1/64",
    exact=False,
    refused_only=True,
)

DELAYS_OUT = Rewrite(
    delays_left_out, "delays before convolutions left out", exact=False, refused_only=True
)
DELAYS_BEFORE = Rewrite(
    delays_before_the_layer,
    "delays of dense layers' axons on the synapses before them",
    exact=False,
    refused_only=True,
)
FLOAT_DECAYS = Rewrite(
    decays_through_floats,
    "decays of resonators moved to the nearest that netx keeps",
    exact=False,
    refused_only=True,
)

FOR_LAVA = (
    TAPS, POOLS, LISTS, HOST_RELAYS, RELAYS, UNITS, PLAIN, NORMS, FORCED, WIDE, PLAIN, LATE_BIAS,
    SOFT_EXACT, SOFT, WAITS, PLAIN, EARLY_BIAS, SUMS,
)  # fmt: skip

FOR_LOIHI2 = (
    TAPS, AXONS, POOLS, LISTS, HOST_RELAYS, RELAYS, UNITS, PLAIN, NORMS, FORCED, WIDE,
    PLAIN, replace(LATE_BIAS, refused_only=True), CLOCK, SOFT_EXACT, SOFT,
    WAITS, PLAIN, EARLY_BIAS, GROUPS, SUMS, SPARSE,
)  # fmt: skip

FOR_NETX = (
    TAPS, POOLS, UNITS, PLAIN, NORMS, HARD, WAITS, PLAIN, replace(LATE_BIAS, refused_only=True),
    EARLY_BIAS, DELAYS_OUT, DELAYS_BEFORE, FRACTIONS, FLOAT_DECAYS,
)  # fmt: skip
