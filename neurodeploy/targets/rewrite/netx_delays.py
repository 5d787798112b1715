"""Delays as lava-dl's importer gives them: before a dense layer, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...network import DelayedDense, Dense, Network, Population, Projection
from ...network.fixed_point import MAX_DELAY
from ..registry import Refused
from .late_bias import voltage_before


def delays_left_out(network: Network, refused: Refused) -> Network:
    """Send at once what axons delay, of layers that are no matrices: netx ignores it there."""
    made = {p.name: replace(p, axon_delay=None) for p, q in _delayed(network, refused) if not q}
    return replace(network, populations=tuple(made.get(p.name, p) for p in network.populations))


def delays_before_the_layer(network: Network, refused: Refused) -> Network:
    """Delay what reaches a dense layer in place of what leaves it, as netx does.

    Each neuron then does everything as many steps later, except that its bias acts from step 0
    on. Exact without one; with one where a neuron of v can begin so much lower that the bias
    brings it to where it was by then. Sigma-delta neurons send their bias earlier.
    """
    for population, into in _delayed(network, refused):
        delay = population.axon_delay
        if into is None or delay is None:
            continue
        synapse = into.synapse
        own = synapse.delay if synapse.has_delays else 0  # type: ignore[attr-defined]
        weight = synapse.only_array
        late = np.broadcast_to(delay[:, None] + own, weight.shape).astype(np.int32)
        if late.max() > MAX_DELAY:
            continue
        made = replace(population, axon_delay=None, initial_voltage=_begun(population, delay))
        before = replace(into, synapse=DelayedDense(weight, late))
        network = replace(
            network,
            populations=tuple(made if p is population else p for p in network.populations),
            projections=tuple(before if p is into else p for p in network.projections),
        )
    return network


def _delayed(network: Network, refused: Refused) -> Iterator[tuple[Population, Projection | None]]:
    """Populations with delays, each with its matrix; None where it is something else."""
    for population in network.populations:
        delay, into = population.axon_delay, network.into(population.name)
        relay = population.neuron.sums_on_host  # stands for a recurrent layer's axons
        if population.name not in refused or delay is None or not delay.any() or relay:
            continue
        # netx gives delays to these two operators.
        if not into or type(into[0].synapse) not in (Dense, DelayedDense):
            yield population, None
        elif len(into) == 1:
            yield population, into[0]


def _begun(population: Population, delay: NDArray[np.int32]) -> NDArray[np.int32] | int:
    """Voltage from which each neuron's bias leads to where it began, in as many steps."""
    first = np.broadcast_to(np.asarray(population.initial_voltage, np.int32), delay.shape).copy()
    if not population.neuron.has_initial_voltage or population.starts:
        return population.initial_voltage
    for steps in np.unique(delay[delay > 0]).tolist():
        then = population.initial_voltage
        found = voltage_before(population.neuron, population.size, steps, then)
        if found is not None:
            first[delay == steps] = found[delay == steps]
    return first if first.any() else 0
