"""Delays of synapses moved to the axons before them, and relays dissolved into their sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...network import DelayedDense, Dense, Network, Population, Projection
from .relays import hands_on


def delays_on_axons(network: Network) -> Network:
    """Put delays on axons wherever nobody else hears that axon.

    Two forms. A dense projection whose synapses share one delay for each source
    becomes a plain one, if it is all that leaves its source; the source's axons
    are late instead. A relay (`Average` of 1 with delays, which stands for
    delayed axons) that hears a population alone hands its delays on to it.
    """
    for projection in network.projections:
        network = _from_synapses(network, projection)
    for relay in network.populations:
        network = _from_relay(network, relay)
    return network


def _from_synapses(network: Network, projection: Projection) -> Network:
    synapse = projection.synapse
    source = network[projection.source]
    alone = len(network.out_of(source.name)) == 1 and source is not network.output
    # The rewrite is of this operator alone.
    if type(synapse) is not DelayedDense or not alone or projection.target == source.name:
        return network
    delay = synapse.delay.max(axis=0)
    if (synapse.delay != delay).any():
        return network
    late = delay if source.axon_delay is None else delay + source.axon_delay
    made = replace(source, axon_delay=late.astype(np.int32))
    plain = replace(projection, synapse=Dense(synapse.weight))
    return replace(
        network,
        populations=tuple(made if p is source else p for p in network.populations),
        projections=tuple(plain if p is projection else p for p in network.projections),
    )


def _from_relay(network: Network, relay: Population) -> Network:
    into = network.into(relay.name)
    if not hands_on(relay) or len(into) != 1:
        return network
    (only,) = into
    source = network[only.source]
    heard = network.out_of(source.name)
    if only.synapse.steps or len(heard) != 1 or source.shape != relay.shape:
        return network
    delays = [p.axon_delay for p in (source, relay) if p.axon_delay is not None]
    delay = np.sum(delays, axis=0).astype(np.int32) if delays else None
    made = replace(source, axon_delay=delay)
    populations = [made if p is source else p for p in network.populations if p is not relay]
    if relay is network.output:
        populations.append(populations.pop(populations.index(made)))
    return replace(
        network,
        populations=tuple(populations),
        projections=tuple(
            replace(p, source=source.name) if p.source == relay.name else p
            for p in network.projections
            if p is not only
        ),
    )
