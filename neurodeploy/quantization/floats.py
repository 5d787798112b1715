"""An integer network as a float one, to be rounded again to fewer bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    FloatLIF,
    LeakyIntegrator,
    Network,
    OneToOne,
    Pool,
    Population,
    Source,
    Sparse,
)
from ..network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from .choice import INTEGERS
from .weights import with_weight

FLOAT_SYNAPSES = (Dense, DelayedDense, Conv, Pool, OneToOne, Sparse)
"""Operators that the float mode runs; see `engine.floating`."""


def why_not_float(network: Network) -> str:
    """Name the first population that keeps a network in integers from a float form; else empty."""
    for population in network.populations:
        neuron = population.neuron
        port = isinstance(neuron, Source)
        plain = type(neuron) in (CubaLIF, LeakyIntegrator)  # not one derived from them
        shifted = getattr(neuron, "input_exponent", ACTIVATION_SHIFT) != ACTIVATION_SHIFT
        first = population is network.input
        fires_at_rest = plain and np.min(getattr(neuron, "threshold", 1)) < 1
        if (
            not (port or (plain and not first and not shifted))
            or population.starts
            or fires_at_rest
        ):
            return population.name
        for projection in network.into(population.name):
            synapse = projection.synapse
            if not isinstance(synapse, FLOAT_SYNAPSES) or getattr(
                synapse, "across_channels", False
            ):
                return population.name
    return ""


def is_rescalable(network: Network) -> bool:
    """Whether a network in integers has a float form, so that its scales can be chosen anew."""
    return not why_not_float(network)


def as_float(network: Network) -> Network:
    """Give an integer network's parameters as float32, with the chip's clock unrolled.

    Decays are d / 4096, weights, thresholds and biases as they are. The float network's clock has
    no hops: what differs in time is rated when it is rounded again.

    Raises
    ------
    UnsupportedError
        If a neuron or synapse has no float form; see `why_not_float`.
    """
    odd = why_not_float(network)
    if odd:
        raise UnsupportedError(
            f"population {odd!r}: its neurons ({network[odd].neuron.kind}) or the synapses into it "
            f"have no float form; quantize it with nd.quantize, which rounds its weights alone"
        )
    populations = tuple(_population(network, p) for p in network.populations)
    projections = tuple(
        replace(p, synapse=with_weight(p.synapse, np.asarray(p.synapse.weight, np.float32)))  # type: ignore[attr-defined]
        for p in network.projections
    )
    return Network(populations, projections, network.audit, {**network.metadata, INTEGERS: 1})


def _population(network: Network, population: Population) -> Population:
    neuron = population.neuron
    if isinstance(neuron, Source):
        return population
    assert isinstance(neuron, (CubaLIF, LeakyIntegrator))
    keep_u, keep_v = (
        (1 - np.asarray(d, np.float64) / DECAY_UNITY).astype(np.float32)
        for d in (neuron.current_decay, neuron.voltage_decay)
    )
    bias = np.asarray(neuron.bias, np.float32)
    if isinstance(neuron, LeakyIntegrator):
        made = FloatLIF(
            current_keep=keep_u, voltage_keep=keep_v, voltage_bias=bias,
            sends="voltage", reset="none",
        )  # fmt: skip
    else:
        threshold = np.asarray(neuron.threshold, np.float32)
        made = FloatLIF(
            current_keep=keep_u, voltage_keep=keep_v, voltage_bias=bias, threshold=threshold
        )
    return replace(population, neuron=made)
