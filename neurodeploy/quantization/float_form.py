"""An integer network as a float one, to be rounded again to fewer bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..network import Network, Population
from .scale_choice import INTEGERS


def why_not_float(network: Network) -> str:
    """Name the first population that keeps a network in integers from a float form; else empty."""
    for population in network.populations:
        neuron, first = population.neuron, population is network.input
        has_form = neuron.is_port or (neuron.float_form() is not None and not first)
        synapses = [projection.synapse for projection in network.into(population.name)]
        late = population.starts or np.any(population.initial_voltage)
        if not has_form or late or not all(s.has_float_form for s in synapses):
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
    populations = tuple(_population(p) for p in network.populations)
    projections = tuple(
        replace(p, synapse=p.synapse.with_arrays(lambda weight: weight.astype(np.float32)))
        for p in network.projections
    )
    return Network(populations, projections, network.audit, {**network.metadata, INTEGERS: 1})


def _population(population: Population) -> Population:
    return replace(population, neuron=population.neuron.float_form() or population.neuron)
