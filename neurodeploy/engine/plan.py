"""A network made ready to run: weights packed, populations put in order.

Populations that feed each other in a cycle form a stretch of their own and run
step by step; all others run a window of steps at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..core.order import cycles
from ..errors import UnsupportedError
from ..network import Network, Population, Source
from .layout import order_of
from .neurons import STEPPERS, Stepper
from .synapses import DELIVERIES, Delivery


@dataclass(frozen=True, eq=False)
class PopulationPlan:
    """A population and what feeds it.

    Attributes
    ----------
    population : Population
    hops : int
    feeds : tuple of (str, Delivery)
        Name of the source and its packed synapses.
    stepper : Stepper
        Not begun.
    order : int32 [neurons], or empty
        See `layout.order_of`.
    is_input : bool
    """

    population: Population
    hops: int
    feeds: tuple[tuple[str, Delivery], ...]
    stepper: Stepper
    order: NDArray[np.int32]
    is_input: bool

    @property
    def width(self) -> int:
        """Currents per sample and step: neurons, times the ports of each."""
        return self.population.size * self.population.neuron.ports

    @property
    def sends_inputs(self) -> bool:
        """Whether it only sends what it is given, and so has no currents."""
        return self.is_input and isinstance(self.population.neuron, Source)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Populations that run together: one alone, or all those of a cycle."""

    populations: tuple[PopulationPlan, ...]
    cyclic: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """All stretches in the order in which they run, and the network's names in its own.

    It does not hold the network, so that a plan lives no longer than its network.
    """

    names: tuple[str, ...]
    stretches: tuple[Stretch, ...]

    @property
    def widest(self) -> int:
        """Most currents per sample and step of any population."""
        plans = (p for stretch in self.stretches for p in stretch.populations)
        return max((p.width for p in plans if not p.sends_inputs), default=1)

    @property
    def neurons(self) -> int:
        """Neurons of all populations."""
        return sum(p.population.size for stretch in self.stretches for p in stretch.populations)


_PLANS: WeakKeyDictionary[Network, dict[str, Plan]] = WeakKeyDictionary()


def make_plan(network: Network, kernels: str = "auto") -> Plan:
    """Pack a network for the engine; done once for each network while it is in use.

    Parameters
    ----------
    network : Network
    kernels : str
        One of `synapses.KERNELS`.

    Raises
    ------
    UnsupportedError
        If the engine cannot run an element; it names it.
    """
    plans = _PLANS.setdefault(network, {})
    if kernels not in plans:
        plans[kernels] = _make_plan(network, kernels)
    return plans[kernels]


def _make_plan(network: Network, kernels: str) -> Plan:
    stretches = []
    for names in cycles(network):
        plans = tuple(plan_population(network, name, kernels) for name in names)
        cyclic = any(p.source in names for name in names for p in network.into(name))
        stretches.append(Stretch(plans, cyclic))
    return Plan(tuple(p.name for p in network.populations), tuple(stretches))


def plan_population(network: Network, name: str, kernels: str) -> PopulationPlan:
    """Pack one population and what feeds it; see `make_plan`."""
    population = network[name]
    stepper = STEPPERS.get(population.neuron.kind)
    if stepper is None:
        hint = "; quantize the network first (nd.quantize)" if population.neuron.is_float else ""
        raise UnsupportedError(
            f"population {name!r}: the engine has no {population.neuron.kind} neuron; "
            f"it has {', '.join(STEPPERS)}{hint}"
        )
    feeds = []
    for projection in network.into(name):
        delivery = DELIVERIES.get(projection.synapse.kind)
        if delivery is None:
            raise UnsupportedError(
                f"projection {projection.name}: the engine has no {projection.synapse.kind} "
                f"synapse; it has {', '.join(DELIVERIES)}"
            )
        source = network[projection.source]
        packed = delivery(projection.synapse, source, population)
        packed.choose(kernels)
        feeds.append((source.name, packed))
    return PopulationPlan(
        population=population,
        hops=network.hops(name),
        feeds=tuple(feeds),
        stepper=stepper(population),
        order=order_of(population),
        is_input=population is network.input,
    )
