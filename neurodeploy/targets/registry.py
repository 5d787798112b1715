"""Targets by name: what a network is made for.

A target of another package is a class that `Target` describes, named by an entry point of the
group ``neurodeploy.targets``; nothing of ours is touched::

    [project.entry-points."neurodeploy.targets"]
    toy = "toy_package:Toy"

    class Toy(Target):
        name = "toy"
        rewrites = (Rewrite(pool_as_conv, "sum pools as depthwise convolutions"),)

        def of_population(self, network, population):
            if population.size > 64:
                yield Rating.UNSUPPORTED, f"{population.size} neurons, limit 64; split it"

        def of_projection(self, network, projection):
            if projection.synapse.kind != "dense":
                yield Rating.UNSUPPORTED, "dense synapses only"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from ..errors import InputError
from ..network import Network, Population, Projection, Rating
from ..plugins import Registry

Finding: TypeAlias = "tuple[Rating, str]"
"""How a target treats an element, and why."""


class Rewrite(NamedTuple):
    """A change of a network that a target needs, exact wherever no sum overflows.

    Attributes
    ----------
    apply : callable
        From a network to a new one; what it cannot rewrite it leaves.
    says : str
        What it does, for the audit.
    """

    apply: Callable[[Network], Network]
    says: str


class Target(Protocol):
    """What a network is made for: its rules for each element, and the rewrites that help.

    Attributes
    ----------
    name : str
    rewrites : tuple of Rewrite
        In the order in which they are applied.
    """

    name: str
    rewrites: tuple[Rewrite, ...] = ()

    def of_network(self, network: Network) -> Iterator[Finding]:
        """Say what concerns the network as a whole; elements are not asked where it says any."""
        return iter(())

    def of_population(self, network: Network, population: Population) -> Iterator[Finding]:
        """Say what becomes of a population; nothing where it runs as the network says."""
        ...

    def of_projection(self, network: Network, projection: Projection) -> Iterator[Finding]:
        """Say what becomes of a projection; nothing where it runs as the network says."""
        ...


TARGETS: Registry[Target] = Registry("target", ("of_population", "of_projection"), InputError)
