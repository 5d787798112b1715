"""Delays where a target has none, or none so long: on synapses, and through relays.

A relay is a population that sends on what it gets, a step later: leaky neurons without memory
behind plain spikes, `GradedThreshold` behind payloads. It costs its neurons, and a synapse each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import (
    Conv,
    CubaLIF,
    DelayedDense,
    DelayedSparse,
    Dense,
    GradedThreshold,
    Network,
    Population,
    Projection,
    Sparse,
    Synapse,
)
from ...network.fixed_point import DECAY_UNITY, MAX_DELAY
from ..registry import Refused

Ints = NDArray[np.integer[Any]]

MATRICES = (Dense, DelayedDense, Sparse, DelayedSparse)


def host_relays_as_delays(network: Network, refused: Refused | None = None) -> Network:
    """Give the delays of relays on the host to the synapses behind them.

    A relay of the host (`Average` of 1 with delays, as which SLAYER's recurrent blocks and
    branches of unequal length are read) sends in the same step what its source sends, each
    message late by its axon's delay. Behind it a matrix becomes one with delays, straight from
    the source; any other operator gets a relay of the chip. What is the network's output stays.
    """
    for relay in network.populations:
        if not hands_on(relay):
            continue
        heard = network.out_of(relay.name)
        (into,) = network.into(relay.name)
        asked = any(refused is None or p.name in refused for p in heard)
        if heard and asked and not into.synapse.steps:
            network = _delivered(network, relay, network[into.source], heard)
            if relay is not network.output:
                network = replace(
                    network,
                    populations=tuple(p for p in network.populations if p is not relay),
                    projections=tuple(p for p in network.projections if p.target != relay.name),
                )
    return network


def axon_delays_by_relays(network: Network, refused: Refused | None = None) -> Network:
    """Take delays off axons that a convolution hears, or too long ones, and deliver them otherwise.

    Matrices get them on their synapses. A convolution hears neurons without a delay as before,
    and the others through a relay, to which synapses lead with one step less of delay. Delays
    beyond the chip's longest go through as many relays as it takes. The population itself then
    sends at once; all behind it get the same at the same steps.
    """
    for source in network.populations:
        heard = network.out_of(source.name)
        asked = any(refused is None or p.name in refused for p in heard)
        if not asked or source is network.output or any(p.synapse.steps != 1 for p in heard):
            continue
        delay = _delays_of(source)
        by_conv = delay.any() and any(p.synapse.sums_wrap for p in heard)
        longest = max(p.synapse.longest_delay for p in heard) + delay.max(initial=0)
        if by_conv or longest > MAX_DELAY:
            bare = replace(source, axon_delay=None)
            made = tuple(bare if p is source else p for p in network.populations)
            network = _delivered(replace(network, populations=made), source, bare, heard)
    return network


def _delivered(
    network: Network, late: Population, source: Population, heard: tuple[Projection, ...]
) -> Network:
    """Let projections of a population with delays on its axons start from one without."""
    way = _Way(network, source, _delays_of(late))
    made = [way.late(projection) for projection in heard]
    kept = [p for p in network.projections if p.name not in {q.name for q in heard}]
    place = [p.name for p in network.populations].index(late.name) + 1
    populations = list(network.populations)
    populations[place:place] = way.relays
    projections = (*kept, *way.links, *(p for some in made for p in some))
    return replace(network, populations=tuple(populations), projections=projections)


@dataclass(frozen=True)
class _Lists:
    """Synapses one by one: source and target neuron, weight, delay."""

    source: Ints
    target: Ints
    weight: Ints
    delay: Ints

    def where(self, chosen: NDArray[np.bool_], less: int = 0) -> _Lists:
        """Those that are chosen, with less delay."""
        return _Lists(
            self.source[chosen], self.target[chosen], self.weight[chosen],
            self.delay[chosen] - less,
        )  # fmt: skip

    def synapse(self, sources: int, targets: int) -> Sparse | DelayedSparse:
        """As an operator."""
        order = np.lexsort((self.source, self.target))
        counts = np.bincount(self.target, minlength=targets)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        index, weight = (a[order].astype(np.int32) for a in (self.source, self.weight))
        if not self.delay.any():
            return Sparse(indptr, index, weight, sources)
        return DelayedSparse(indptr, index, weight, sources, self.delay[order].astype(np.int32))


class _Way:
    """From a population without delays to what should hear it late, with the relays it takes."""

    def __init__(self, network: Network, source: Population, delay: Ints) -> None:
        self.network, self.source, self.delay = network, source, delay
        self.relays: list[Population] = []
        self.links: list[Projection] = []
        self._waiting = [source]  # source, and relays that send 63, 126... steps later

    def late(self, projection: Projection) -> list[Projection]:
        """Projections that deliver the same, each message late by its axon's delay."""
        synapse, target = projection.synapse, self.network[projection.target]
        if type(synapse) in MATRICES:
            found = self._deliver(_listed(synapse, self.delay), target)
            # A matrix that was not listed stays one.
            return [
                p if synapse.is_listed else replace(p, synapse=_filled(p.synapse)) for p in found
            ]
        if not self.delay.any():
            return [Projection(self.source.name, target.name, synapse)]
        made = []
        at_once = self.delay == 0
        if at_once.any():
            shape = self.source.shape
            made.append(Projection(self.source.name, target.name, _part(synapse, shape, at_once)))
        relay = self._relay()
        weight = 1 if relay.neuron.graded else 2  # above the threshold of 1
        own = np.flatnonzero(~at_once)
        straight = _Lists(own, own, np.full(len(own), weight), self.delay[own] - 1)
        self.links += self._deliver(straight, relay)
        made.append(Projection(relay.name, target.name, synapse))
        return made

    def _deliver(self, lists: _Lists, target: Population) -> list[Projection]:
        """Projections for synapses of any delay, through relays where it is too long."""
        made = []
        levels = lists.delay // (MAX_DELAY + 1)
        for level in np.unique(levels).tolist():
            while len(self._waiting) <= level:
                self._wait_longer()
            sender = self._waiting[level]
            part = lists.where(levels == level, level * (MAX_DELAY + 1))
            synapse = part.synapse(self.source.size, target.size)
            made.append(Projection(sender.name, target.name, synapse))
        return made

    def _wait_longer(self) -> None:
        before, relay = self._waiting[-1], self._relay()
        weight = 1 if relay.neuron.graded else 2
        delay = np.full(self.source.size, MAX_DELAY)
        self.links.append(Projection(before.name, relay.name, DelayedSparse.relay(delay, weight)))
        self._waiting.append(relay)

    def _relay(self) -> Population:
        """A population that sends on what it gets, a step later."""
        taken = {p.name for p in (*self.network.populations, *self.relays)}
        names = (f"{self.source.name}_relay{n or ''}" for n in range(len(taken) + 1))
        name = next(name for name in names if name not in taken)
        neuron = (
            GradedThreshold(0)
            if self.source.neuron.graded
            else CubaLIF(DECAY_UNITY, DECAY_UNITY, 1)
        )
        self.relays.append(Population(name, self.source.shape, neuron))
        return self.relays[-1]


def hands_on(relay: Population) -> bool:
    """Whether the host sums up one message each, which hands it on as it is."""
    return relay.neuron.sums_on_host and getattr(relay.neuron, "group_size", 0) == 1


def _part(synapse: Synapse, shape: tuple[int, ...], heard: NDArray[np.bool_]) -> Synapse:
    """An operator that hears some neurons alone: itself where those are whole channels."""
    channels = heard.reshape(shape[0], -1)
    # Of other operators no channel can be left out.
    if type(synapse) is Conv and (channels.all(axis=1) == channels.any(axis=1)).all():
        groups = synapse.groups
        kept = channels[:, 0].reshape(groups, -1)
        of_each = np.repeat(kept, len(synapse.weight) // groups, axis=0)[:, :, None, None]
        return replace(synapse, weight=(synapse.weight * of_each).astype(np.int32))
    lists = _listed_of_kernel(synapse, shape)
    targets = int(lists.target.max(initial=-1)) + 1
    size = int(np.prod(synapse.output_shape(shape)))  # type: ignore[attr-defined]
    return lists.where(heard[lists.source]).synapse(len(heard), max(size, targets))


def _listed(synapse: Any, delay: Ints) -> _Lists:
    """A matrix synapse by synapse; the axons' delays are added to its own."""
    if synapse.is_listed:
        target, source, weight = synapse.targets, synapse.index, synapse.weight
        own = synapse.delay if synapse.has_delays else 0
    else:
        target, source = np.nonzero(synapse.weight)
        weight = synapse.weight[target, source]
        own = synapse.delay[target, source] if synapse.has_delays else 0
    return _Lists(source, target, weight, own + delay[source])


def _filled(synapse: Any) -> Synapse:
    """A list as a matrix."""
    weight = synapse.to_dense()
    return DelayedDense(weight, synapse.delays_to_dense()) if synapse.has_delays else Dense(weight)


def _listed_of_kernel(synapse: Synapse, shape: tuple[int, ...]) -> _Lists:
    """A convolution or pool synapse by synapse, from what each target neuron hears."""
    out = synapse.output_shape(shape)  # type: ignore[attr-defined]
    flat = synapse.only_array.ravel()
    parts = []
    for neuron in range(int(np.prod(out))):
        heard = synapse.incoming(neuron, shape, out)
        assert heard is not None
        weight = flat[heard.index]
        kept = weight != 0
        parts.append((heard.source[kept], np.full(kept.sum(), neuron), weight[kept]))
    source, target, weight = (np.concatenate(some) for some in zip(*parts, strict=True))
    return _Lists(source, target, weight, np.zeros(len(source), np.int32))


def _delays_of(population: Population) -> Ints:
    if population.axon_delay is None:
        return np.zeros(population.size, np.int32)
    return population.axon_delay
