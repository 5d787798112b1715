"""An integer network as a float one, to be rounded again to fewer bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..network import CubaLIF, FloatLIF, LeakyIntegrator, Network, Population, Source
from ..network.fixed_point import DECAY_UNITY
from .weights import with_weight


def as_float(network: Network) -> Network:
    """Give an integer network's parameters as float32, with the chip's clock unrolled.

    Decays are d / 4096, weights, thresholds and biases as they are. The float network's clock has
    no hops: what differs in time is rated when it is rounded again.

    Raises
    ------
    UnsupportedError
        If a neuron is none of CUBA's, or the input population has neurons of its own.
    """
    populations = tuple(_population(network, p) for p in network.populations)
    projections = tuple(
        replace(p, synapse=with_weight(p.synapse, np.asarray(p.synapse.weight, np.float32)))  # type: ignore[attr-defined]
        for p in network.projections
    )
    return Network(populations, projections, network.audit, network.metadata)


def _population(network: Network, population: Population) -> Population:
    neuron, name = population.neuron, population.name
    if isinstance(neuron, Source):
        return population
    if not isinstance(neuron, (CubaLIF, LeakyIntegrator)) or population is network.input:
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons"
            f"{' that take the inputs' if population is network.input else ''} cannot be rounded "
            f"again; quantize takes CUBA neurons behind an input port"
        )
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
