"""A hypothesis of what a side did: one population run again under it, and held against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed, replay
from ...network import LeakyIntegrator, Network, Population, Synapse
from ...network.fixed_point import DECAY_UNITY
from ..alignment import differs
from ..recorded_side import Observed, Side
from .cuba_rules import CubaRules, step_cuba

MessageChange = Callable[[dict[str, Messages], int], dict[str, Messages]]
"""Changes what reaches a population in a sample."""

OutputChange = Callable[[Replayed, int], Replayed]
"""Changes what a population is seen to do in a sample."""


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis and how to try it.

    Attributes
    ----------
    key : str
        The pattern's short name, as in ``docs/compare.md``.
    words : str
        What it supposes, as a sentence without its subject.
    network : Network
        The network with the population changed as supposed.
    rules : CubaRules or None
        Other rules of a CUBA neuron.
    messages, output : callable or None
    """

    key: str
    words: str
    network: Network
    rules: CubaRules | None = None
    messages: MessageChange | None = None
    output: OutputChange | None = None

    def predict_one(self, side: Side, population: str, sample: int, neuron: int) -> Replayed | None:
        """As `predict`, of one neuron alone; None where that takes as long as all of them."""
        if self.rules is None or self.messages is not None or self.output is not None:
            return None
        current = currents_of(self.network, side, population, sample)
        whole = self.network[population]
        delay = None if whole.axon_delay is None else whole.axon_delay[[neuron]]
        alone = replace(
            whole, name="alone", shape=(1,), neuron=whole.neuron.of_one(neuron), axon_delay=delay,
            transform=None,
        )  # fmt: skip
        return _under_rules(alone, self.rules, current[:, [neuron]], side.resets(population))

    def predict(self, side: Side, population: str, sample: int) -> Replayed:
        """What the population would have done in a sample, [1, steps, neurons]."""
        messages = side.messages(population, sample)
        if self.messages is not None:
            messages = self.messages(messages, sample)
        values, resets = side.values(population, sample), side.resets(population)
        if self.rules is None:
            found = replay(
                self.network, population, messages, values=values, resets=resets,
                states=self.network[population].neuron.states,
            )  # fmt: skip
        else:
            current = currents_of(self.network, side, population, sample)
            found = _under_rules(self.network[population], self.rules, current, resets)
        return found if self.output is None else self.output(found, sample)


def currents_of(network: Network, side: Side, population: str, sample: int) -> NDArray[np.int64]:
    """What the synapses deliver to each neuron, int64 [steps, neurons], up to 24 bits."""

    def probe() -> Any:
        neuron = LeakyIntegrator(DECAY_UNITY, DECAY_UNITY, input_exponent=0)
        bare = with_population(network, population, neuron=neuron, axon_delay=None)
        messages, values = side.messages(population, sample), side.values(population, sample)
        found = replay(bare, population, messages, values=values, states=neuron.states)
        return found.states["u"][0].astype(np.int64)

    current: NDArray[np.int64] = side.once(("current", id(network), population, sample), probe)
    return current


def with_population(network: Network, name: str, **changes: object) -> Network:
    """Give the network with one population changed."""
    populations: list[Population] = [
        replace(p, **changes) if p.name == name else p  # type: ignore[arg-type]
        for p in network.populations
    ]
    return replace(network, populations=tuple(populations))


def with_synapse(network: Network, place: int, synapse: Synapse | None) -> Network:
    """Give the network with another operator in one projection, or without the projection."""
    kept = list(network.projections)
    if synapse is None:
        del kept[place]
    else:
        kept[place] = replace(kept[place], synapse=synapse)
    return replace(network, projections=tuple(kept))


def _under_rules(
    population: Population,
    rules: CubaRules,
    current: NDArray[np.int64],
    resets: NDArray[np.bool_] | None,
) -> Replayed:
    neuron: Any = population.neuron  # `CubaLIF`, the only one that rules are tried for
    fired, u, v = step_cuba(
        neuron, rules, current, resets, population.starts, population.initial_voltage
    )
    spikes = fired.astype(np.int32)
    if population.axon_delay is not None:
        spikes = delay_messages(spikes, population.axon_delay)
    states = {"u": u[None].astype(np.int32), "v": v[None].astype(np.int32)}
    return Replayed(spikes[None], fired[None], states)


def delay_messages(spikes: NDArray[np.int32], delay: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move each neuron's messages [steps, neurons] on by its delay."""
    moved = np.zeros_like(spikes)
    step, neuron = np.nonzero(spikes)
    late = step + delay[neuron]
    kept = late < len(spikes)
    moved[late[kept], neuron[kept]] = spikes[step[kept], neuron[kept]]
    return moved


@dataclass(frozen=True)
class Match:
    """How far a prediction and what was observed agree.

    Attributes
    ----------
    until : int
        The first step in which they differ, or the end.
    steps : slice
        Steps that could be held against each other.
    """

    until: int
    steps: slice

    @property
    def whole(self) -> bool:
        """Whether they agree everywhere."""
        return bool(self.until >= self.steps.stop)


def mismatches(predicted: Replayed, observed: Observed, masks_v: bool) -> NDArray[np.int64]:
    """Count the variables in which a prediction and what was observed differ.

    Parameters
    ----------
    predicted : Replayed
        Of one sample; where one neuron was observed, of as many as were tried in its place.
    observed : Observed
    masks_v : bool
        Leave v out where either fired, as `alignment.aligned_blocks` does.

    Returns
    -------
    int64 [steps recorded, neurons]
    """
    span = observed.steps
    masked = (predicted.fired[0][span] | observed.fired[span]) & masks_v
    made = {"spikes": predicted.spikes, **predicted.states}
    found = np.zeros(masked.shape, np.int64)
    for name, values in observed.values.items():
        if name in made:
            found += differs(made[name][0][span], values[span], name, masked)
    return found


def match(predicted: Replayed, observed: Observed, masks_v: bool) -> Match:
    """Hold a prediction against what was observed, over all neurons, as `mismatches`."""
    steps = np.flatnonzero(mismatches(predicted, observed, masks_v).any(axis=1))
    span = observed.steps
    return Match(span.start + int(steps[0]) if len(steps) else span.stop, span)
