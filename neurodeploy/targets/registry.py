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
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Population, Projection, Rating
from ..plugins import Registry

Finding: TypeAlias = "tuple[Rating, str]"
"""How a target treats an element, and why."""


Refused: TypeAlias = "frozenset[str]"
"""Names of populations and projections that a target does not run as the network says."""


@dataclass(frozen=True)
class Rewrite:
    """A change of a network that a target needs.

    Attributes
    ----------
    apply : callable
        From a network to a new one; what it cannot rewrite it leaves. With `refused_only` it is
        given the names of the refused elements, too, and touches nothing else. It may give
        several forms instead of one, each with what it does, in an iterator: whoever measures
        takes the one that changes least, others the first.
    says : str
        What it does, for the audit.
    exact : bool
        Whether all populations that were there send the same messages at the same steps
        wherever no sum overflows.
    refused_only : bool
        Whether it is for elements alone that the target does not run as they are.
    only_if_exact : bool
        Whether it is dropped where a number differs on the inputs that it is measured on.
    where_sums_wrap : bool
        Whether it is for populations alone into which sums have wrapped on those inputs; it is
        given their names.
    fits_thresholds : bool
        Whether forms that differ in a population's threshold alone may be mixed: each neuron, of
        an image each channel, then gets the one that fits it best.
    """

    apply: Callable[..., Network | Iterator[tuple[str, Network]]]
    says: str
    exact: bool = True
    refused_only: bool = False
    only_if_exact: bool = False
    where_sums_wrap: bool = False
    fits_thresholds: bool = False

    @property
    def name(self) -> str:
        """What an option calls it: the function's name in a shell's words."""
        return self.apply.__name__.replace("_", "-")

    def forms(
        self, network: Network, refused: Refused, wrapped: Refused = frozenset()
    ) -> Iterator[tuple[str, Network]]:
        """Give the networks that it can make of one, with what each does; maybe the same one."""
        chosen = wrapped if self.where_sums_wrap else refused
        only = self.where_sums_wrap or self.refused_only
        if only and not chosen:
            return
        made = self.apply(network, chosen) if only else self.apply(network)
        if isinstance(made, Network):
            yield self.says, made
        else:
            yield from made


class Target(Protocol):
    """What a network is made for: its rules for each element, and the rewrites that help.

    Attributes
    ----------
    name : str
    rewrites : tuple of Rewrite
        In the order in which they are applied.
    is_chip : bool
        Whether it has cores that a network must fit on; `chip.fit` then knows it by its name.
    has_exponents : bool
        Whether each projection may have a weight exponent of its own.
    mended : tuple of Rating
        What rewrites for refused elements are used on.
    verified_on : tuple of str
        Backends that run what it runs, the first that can be reached is taken.
    """

    name: str
    rewrites: tuple[Rewrite, ...] = ()
    is_chip: bool = False
    has_exponents: bool = True
    mended: tuple[Rating, ...] = (Rating.UNSUPPORTED,)
    verified_on: tuple[str, ...] = ()

    def of_network(self, network: Network) -> Iterator[Finding]:
        """Say what concerns the network as a whole; elements are not asked where it says any."""
        return iter(())

    def needs(self, network: Network, inputs: NDArray[np.int32]) -> list[str]:
        """Say what whoever runs it there must give or do, for these inputs; nothing to most."""
        return []

    def of_population(self, network: Network, population: Population) -> Iterator[Finding]:
        """Say what becomes of a population; nothing where it runs as the network says."""
        ...

    def of_projection(self, network: Network, projection: Projection) -> Iterator[Finding]:
        """Say what becomes of a projection; nothing where it runs as the network says."""
        ...


TARGETS: Registry[Target] = Registry("target", ("of_population", "of_projection"), InputError)
