"""A trial: one population run again under one supposition of what the other side did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed, replay
from ...network import CubaLIF, LeakyIntegrator, Network, Neuron, Population, Synapse
from ...network.fixed_point import DECAY_UNITY
from ..messages import Observed, Side
from .rules import Rules, step_cuba

MessageChange = Callable[[dict[str, Messages], int], dict[str, Messages]]
"""Changes what reaches a population in a sample."""

OutputChange = Callable[[Replayed, int], Replayed]
"""Changes what a population is seen to do in a sample."""


@dataclass(frozen=True)
class Trial:
    """One supposition and how to try it.

    Attributes
    ----------
    key : str
        The pattern's short name, as in ``docs/compare.md``.
    words : str
        What it supposes, as a sentence without its subject.
    network : Network
        The network with the population changed as supposed.
    rules : Rules or None
        Other rules of a CUBA neuron.
    messages, output : callable or None
    """

    key: str
    words: str
    network: Network
    rules: Rules | None = None
    messages: MessageChange | None = None
    output: OutputChange | None = None

    def predict_one(self, side: Side, population: str, sample: int, neuron: int) -> Replayed | None:
        """As `predict`, of one neuron alone; None where that takes as long as all of them."""
        if self.rules is None or self.messages is not None or self.output is not None:
            return None
        current = side.once(
            ("current", id(self.network), population, sample),
            lambda: currents_of(
                self.network,
                population,
                side.messages(population, sample),
                side.values(population, sample),
            ),
        )
        whole = self.network[population]
        delay = None if whole.axon_delay is None else whole.axon_delay[[neuron]]
        alone = replace(
            whole, name="alone", shape=(1,), neuron=one_of(whole.neuron, neuron), axon_delay=delay,
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
            found = replay(self.network, population, messages, values=values, resets=resets)
        else:
            current = side.once(
                ("current", id(self.network), population, sample),
                lambda: currents_of(self.network, population, messages, values),
            )
            found = _under_rules(self.network[population], self.rules, current, resets)
        return found if self.output is None else self.output(found, sample)


def currents_of(
    network: Network,
    population: str,
    messages: Mapping[str, Messages],
    values: NDArray[np.int32] | None = None,
) -> NDArray[np.int64]:
    """What the synapses deliver to each neuron, int64 [steps, neurons], up to 24 bits."""
    probe = LeakyIntegrator(DECAY_UNITY, DECAY_UNITY, input_exponent=0)
    bare = with_population(network, population, neuron=probe, axon_delay=None)
    found = replay(bare, population, messages, values=values, states=("u",))
    currents: NDArray[np.int64] = found.states["u"][0].astype(np.int64)
    return currents


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


def with_neuron(network: Network, name: str, neuron: Neuron) -> Network:
    """Give the network with another neuron model in one population."""
    return with_population(network, name, neuron=neuron)


def _under_rules(
    population: Population,
    rules: Rules,
    current: NDArray[np.int64],
    resets: NDArray[np.bool_] | None,
) -> Replayed:
    assert isinstance(population.neuron, CubaLIF)
    fired, u, v = step_cuba(population.neuron, rules, current, resets, population.starts)
    spikes = fired.astype(np.int32)
    if population.axon_delay is not None:
        spikes = delayed(spikes, population.axon_delay)
    states = {"u": u[None].astype(np.int32), "v": v[None].astype(np.int32)}
    return Replayed(spikes[None], fired[None], states)


def delayed(spikes: NDArray[np.int32], delay: NDArray[np.int32]) -> NDArray[np.int32]:
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
    differing: int = field(default=0)

    @property
    def whole(self) -> bool:
        """Whether they agree everywhere."""
        return bool(self.until >= self.steps.stop)


def one_of(model: Neuron, neuron: int) -> Neuron:
    """Give the model with the parameters of one neuron for all."""
    single = {
        name.name: value[neuron].item()
        for name in fields(model)
        if isinstance(value := getattr(model, name.name), np.ndarray)
    }
    return replace(model, **single)


def match(predicted: Replayed, observed: Observed, masks_v: bool) -> Match:
    """Hold a prediction against what was observed, over all neurons.

    `masks_v` leaves v out where either fired, as `blocks.aligned_blocks` does.
    """
    span = observed.steps
    differs = np.zeros(span.stop - span.start, np.int64)
    for name, values in observed.values.items():
        made = predicted.spikes[0] if name == "spikes" else predicted.states.get(name, [None])[0]
        if made is None:
            continue
        wrong = made[span] != values[span]
        if name == "v" and masks_v:
            wrong &= ~(predicted.fired[0][span] | observed.fired[span])
        differs += wrong.sum(axis=1)
    steps = np.flatnonzero(differs)
    until = span.start + int(steps[0]) if len(steps) else span.stop
    return Match(until, span, int(differs.sum()))
