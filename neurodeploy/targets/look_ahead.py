"""What a target would do to a network, element by element, before any run; see `registry`."""

from __future__ import annotations

from ..network import Audit, AuditEntry, Network, Population, Rating
from .registry import TARGETS


def look_ahead(network: Network, target: str) -> Audit:
    """Say of each population and projection what a target would do to it.

    Parameters
    ----------
    network : Network
    target : str
        The name of one in `TARGETS`: ``lava``, ``loihi2``, ``netx``, or what another package
        brings, see `registry`.

    Returns
    -------
    Audit
        One entry for each, or several where several things are to be said.

    Raises
    ------
    InputError
        If there is no such target.
    """
    rules = TARGETS[target]
    if found := list(rules.of_network(network)):
        return Audit(tuple(AuditEntry("network", *finding) for finding in found))
    entries = []
    for population in network.populations:
        found = list(rules.of_population(network, population)) or [
            (Rating.FAITHFUL, _runs(population))
        ]
        entries += [AuditEntry(population.name, *finding) for finding in found]
    for projection in network.projections:
        kind = projection.synapse.kind
        found = list(rules.of_projection(network, projection)) or [
            (Rating.FAITHFUL, f"{kind} synapses")
        ]
        entries += [AuditEntry(projection.name, *finding) for finding in found]
    return Audit(tuple(entries))


def _runs(population: Population) -> str:
    if population.neuron.runs_on_host == "always":
        return f"{population.neuron.kind}: on the host"
    return f"{population.neuron.kind} neurons"
