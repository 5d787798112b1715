"""What happens a step late: the bias of loops in nirtorch, and what Spyx sends.

Spyx sends a spike one step after the voltage crossed the threshold.

Recurrence within a population does not see it: what a step sends feeds the same step's current,
so a spike returns one step after its crossing, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import DelayedDense, Dense, FloatLIF, Network, Population, Projection, Synapse
from .graph import Graph
from .neuron_writer import resets_at_spikes


def delay_spikes(network: Network) -> Network:
    """Delay what spiking neurons send on by a step; a relay does it for an output that loops."""
    last = network.output
    if _spiking(last) and any(p.source == last.name and network.closes(p)
                              for p in network.projections):  # fmt: skip
        relay = Population(f"{last.name}.late", last.shape, FloatLIF.relay())
        same = Projection(last.name, relay.name, Dense(np.eye(last.size, dtype=np.float32)))
        network = replace(
            network,
            populations=(*network.populations, relay),
            projections=(*network.projections, same),
        )
    return _shifted(network, 1)


def undelay_spikes(network: Network) -> Network:
    """Take that step away again, before it is written."""
    return _shifted(network, -1)


def input_beside_loops(graph: Graph) -> list[str]:
    """Lead the input of Spyx's recurrent layers to their neurons, where Spyx adds it.

    Its export leads it through the recurrent weights instead (1.0.0), which its import ignores.

    Returns
    -------
    list of str
        The recurrent weights.
    """
    found = []
    for name in graph.nodes:
        targets = graph.after(name)
        sources = graph.before(name)
        if graph.kind(name) not in ("Linear", "Affine") or len(targets) != 1 or len(sources) != 2:
            continue
        outer = [source for source in sources if source != targets[0]]
        if len(outer) == 1 and graph.kind(outer[0]) == "Identity":
            graph.move_edge((outer[0], name), (outer[0], targets[0]))
            found.append(name)
    return found


def with_loop_biases(network: Network, biases: Mapping[str, NDArray[np.float64]]) -> Network:
    """Add constant currents that count from the second step on.

    Neurons that spike at every step bring them, through synapses of one step's delay.

    Parameters
    ----------
    network : Network
    biases : mapping of population to float64 [neurons]
    """
    populations, projections = list(network.populations), list(network.projections)
    for name, bias in biases.items():
        if not bias.any():
            continue
        always = FloatLIF(threshold=0.5, current_bias=1.0, reset="none")
        driver = Population(f"{name}.loop_bias", (1,), always)
        populations.insert(populations.index(network[name]), driver)
        weight = bias.astype(np.float32)[:, None]
        synapse = DelayedDense(weight, np.ones(weight.shape, np.int32))
        projections.append(Projection(driver.name, name, synapse))
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _shifted(network: Network, by: int) -> Network:
    looping = {p.source for p in network.projections if network.closes(p)}
    projections = []
    for projection in network.projections:
        forward = not network.closes(projection) and projection.source in looping
        if forward and _spiking(network[projection.source]):
            projection = replace(projection, synapse=_synapse(projection, by))
        projections.append(projection)
    populations = []
    for population in network.populations:
        if _spiking(population) and population.name not in looping:
            delay = _delay(population.name, population.axon_delay, (population.size,), by)
            population = replace(population, axon_delay=delay)
        populations.append(population)
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _synapse(projection: Projection, by: int) -> Synapse:
    synapse = projection.synapse
    if not isinstance(synapse, (Dense, DelayedDense)):
        raise UnsupportedError(
            f"projection {projection.name}: preset spyx delays what recurrent neurons send on, "
            f"which {synapse.kind} synapses cannot; use another preset"
        )
    before = synapse.delay if isinstance(synapse, DelayedDense) else None
    delay = _delay(projection.name, before, synapse.weight.shape, by)
    return Dense(synapse.weight) if delay is None else DelayedDense(synapse.weight, delay)


def _delay(
    name: str, before: NDArray[np.int32] | None, shape: tuple[int, ...], by: int
) -> NDArray[np.int32] | None:
    delay = np.full(shape, by, np.int32) + (0 if before is None else before)
    if delay.min() < 0:
        raise UnsupportedError(
            f"{name!r}: sends its spikes in the step of their crossing, which preset spyx cannot; "
            f"choose another preset"
        )
    return delay.astype(np.int32) if delay.any() else None


def _spiking(population: Population) -> bool:
    """Whether it has states that spike; a threshold alone passes on what it gets at once."""
    neuron = population.neuron
    return isinstance(neuron, FloatLIF) and resets_at_spikes(neuron)
