"""Hypotheses of one thing hit: a weight, a message, a pair of channels.

Which weight, message or channel was hit is a question with thousands of
answers. Each is a current of its own into the neuron that diverged first, so
all of them run at once as one population of such neurons; what survives is
tried on the whole population.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed, replay
from ...network import (
    Network,
    OneToOne,
    Population,
    Projection,
    Source,
    Synapse,
)
from ..divergence import Divergence, position_of
from ..recorded_side import Observed, Side
from .afferents import (
    Currents,
    Delivery,
    afferents_of,
    deliveries_to,
    dense_of,
    payloads_at_synapses,
    with_weight,
)
from .hypothesis import Hypothesis, MessageChange, mismatches, with_synapse

AT_ONCE = 4096
"""Hypotheses in one run."""

WEIGHT_BITS = 9
"""Bits that a flip may hit: eight and the sign, of even or of odd weights."""

MOST_CHANNELS = 128
"""Pairs of channels are looked for among so many."""

MOST_CONFIRMED = 12
"""Survivors of one kind that are tried on the whole population."""

LOOK_BACK = 16
"""Steps before the divergence in which a message may have been lost."""


class SingleFaults:
    """Looks for one thing that was hit, on the neuron that diverged first.

    Parameters
    ----------
    side : Side
        The side that deviates, with the network it should have run.
    where : Divergence
        Its step counted on the network's clock.
    observed : Observed
    masks_v : bool
    """

    def __init__(self, side: Side, where: Divergence, observed: Observed, masks_v: bool) -> None:
        self.side, self.where, self.observed, self.masks_v = side, where, observed, masks_v
        self.network: Network = side.network
        self.name, self.neuron = where.population, where.neuron
        self.deliveries = deliveries_to(side, self.name, self.neuron, where.sample)
        steps = side.recording.steps
        self.base: Currents = np.zeros(steps, np.int64)
        for delivery in self.deliveries:
            self.base += delivery.arrived @ delivery.afferents.weight

    def hypotheses(self) -> Iterator[Hypothesis]:
        """Suppose a lost message of the neuron, then swaps, weights, messages to it."""
        yield from self._own_message()
        if self.network[self.name].neuron.ports == 1:
            yield from self._target_channels()
            for delivery in self.deliveries:
                yield from self._source_channels(delivery)
            for delivery in self.deliveries:
                yield from self._weights(delivery)
            for delivery in self.deliveries:
                yield from self._messages(delivery)

    def _screen_currents(self, currents: Currents) -> list[int]:
        """Which currents [steps, hypotheses] make the neuron do all that was observed."""
        alive: list[int] = []
        resets, own = self.side.resets(self.name), self.observed.of_neuron(self.neuron)
        for first in range(0, currents.shape[1], AT_ONCE):
            part = currents[:, first : first + AT_ONCE]
            found = run_alone(self.network, self.name, self.neuron, part, resets)
            wrong = mismatches(found, own, self.masks_v).any(axis=0)
            alive += (first + np.flatnonzero(~wrong)).tolist()
        return alive[:MOST_CONFIRMED]

    def _own_message(self) -> Iterator[Hypothesis]:
        """The neuron did what it should, but its message was lost, or came from nowhere."""
        step, neuron, when = self.where.step, self.neuron, self.where.sample
        value = self.observed.values["spikes"][step, neuron]

        def change(found: Replayed, sample: int) -> Replayed:
            if sample != when:
                return found
            spikes = found.spikes.copy()
            spikes[0, step, neuron] = value
            return replace(found, spikes=spikes)

        lost = not value
        words = f"{'lost' if lost else 'made up'} the message of neuron {neuron} at step {step}"
        key = "dropped-spike" if lost else "spurious-spike"
        yield Hypothesis(key, words, self.network, output=change)

    def _weights(self, delivery: Delivery) -> Iterator[Hypothesis]:
        afferents = delivery.afferents
        flips = [sign << bit for bit in range(WEIGHT_BITS) for sign in (1, -1)]
        changes = np.concatenate(
            [
                np.repeat(np.array(flips)[:, None], len(afferents.weight), axis=1),
                -afferents.weight[None],
                -2 * afferents.weight[None],
            ]
        )
        which, synapse = np.nonzero(changes)
        delta = changes[which, synapse]
        place = self.network.projections.index(afferents.projection)
        for k in self._screen_changes(delivery, synapse, delta):
            at = synapse[k]
            old, new = int(afferents.weight[at]), int(afferents.weight[at] + delta[k])
            source = self._name_neuron(afferents.projection.source, int(afferents.source[at]))
            index = int(afferents.index[at])
            kind, said = "flipped-weight-bit", f"bit {abs(int(delta[k])).bit_length() - 1} flipped"
            if new == 0 and abs(old).bit_count() != 1:
                kind, said = "lost-weight", "lost"
            elif new == -old:
                kind, said = "flipped-weight-bit", "its sign flipped"
            words = (
                f"has weight {new} where {old} belongs ({said}) at {self._index_of(place, index)} "
                f"of {afferents.projection.name}, from {source}"
            )
            changed = with_weight(afferents.projection.synapse, index, new)
            yield Hypothesis(kind, words, with_synapse(self.network, place, changed))

    def _screen_changes(
        self, delivery: Delivery, synapse: NDArray[np.int64], delta: NDArray[np.int64]
    ) -> list[int]:
        """Screen changes of weights, a part at a time."""
        alive: list[int] = []
        for first in range(0, len(synapse), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            currents = self.base[:, None] + delivery.arrived[:, synapse[part]] * delta[part]
            alive += [first + k for k in self._screen_currents(currents)]
        # Of a weight that is shared, or heard alike by others, all that fit are tried.
        return alive[: 4 * MOST_CONFIRMED]

    def _messages(self, delivery: Delivery) -> Iterator[Hypothesis]:
        afferents, last = delivery.afferents, self.where.step
        first = max(0, last - LOOK_BACK)
        step, synapse = np.nonzero(delivery.arrived[first : last + 1] * afferents.weight[None])
        step, synapse = step[::-1] + first, synapse[::-1]  # the latest first
        brought = delivery.arrived[step, synapse] * afferents.weight[synapse]
        currents = np.repeat(self.base[:, None], 2 * len(step), axis=1)
        each = np.arange(len(step))
        currents[step, each] -= brought
        currents[step, len(step) + each] += brought
        for k in self._screen_currents(currents):
            at, twice = k % len(step), k >= len(step)
            source = int(afferents.source[synapse[at]])
            sent = int(step[at] - afferents.lag[synapse[at]])
            where = afferents.projection.source
            said = "got twice" if twice else "did not get"
            words = (
                f"{said} the message that {self._name_neuron(where, source)} sent at step {sent}"
            )
            key = "duplicated-spike" if twice else "dropped-spike"
            change = _change_message(self.where.sample, where, sent, source, twice)
            yield Hypothesis(key, words, self.network, messages=change)

    def _source_channels(self, delivery: Delivery) -> Iterator[Hypothesis]:
        """Two channels (or, of a flat population, neurons) of a source swapped."""
        source = self.network[delivery.afferents.projection.source]
        channels = source.shape[0]
        if not 1 < channels <= MOST_CHANNELS:
            return
        size = source.size // channels
        # All of its synapses, those that heard nothing too.
        known = afferents_of(self.network, self.name, self.neuron)
        (whole,) = (a for a in known if a.projection is delivery.afferents.projection)
        messages = self.side.messages(self.name, self.where.sample)[source.name]
        sent = dense_of(messages, self.side, source.name)
        channel, position = np.divmod(whole.source, size)
        crossed = np.zeros((channels, channels, len(sent)), np.int64)
        for other in range(channels):
            there = payloads_at_synapses(sent, other * size + position, whole.lag) * whole.weight
            np.add.at(crossed[:, other], channel, there.T)
        pairs = np.array(list(combinations(range(channels), 2)))
        i, j = pairs.T
        change = crossed[i, j] + crossed[j, i] - crossed[i, i] - crossed[j, j]
        acts = np.flatnonzero(change.any(axis=1))
        for k in self._screen_currents(self.base[:, None] + change[acts].T):
            one, two = (int(c) for c in pairs[acts[k]])
            what = "channels" if len(source.shape) == 3 else "neurons"
            words = f"takes {what} {one} and {two} of {source.name!r} for each other"
            swap = _swap_channels(source, one, two)
            yield Hypothesis("swapped-channels", words, self.network, messages=swap)

    def _target_channels(self) -> Iterator[Hypothesis]:
        """Weights of two of its own channels (or neurons) swapped."""
        population = self.network[self.name]
        channels = population.shape[0]
        if not 1 < channels <= 8 * MOST_CHANNELS:
            return
        size = population.size // channels
        own = self.neuron // size
        others = np.array([c for c in range(channels) if c != own])
        groups = [self.deliveries]
        if len(self.deliveries) > 1:  # in one projection alone
            groups += [[delivery] for delivery in self.deliveries]
        for group in groups:
            currents = np.repeat(self.base[:, None], len(others), axis=1)
            for delivery in group:
                synapse: Any = delivery.afferents.projection.synapse
                if synapse.rows_are:
                    row = synapse.weight[0].size * _rows_of_channel(synapse, size)
                    index = delivery.afferents.index + (others - own)[:, None] * row
                    change = synapse.weight.ravel()[index] - delivery.afferents.weight
                    currents += delivery.arrived @ change.T
            for k in self._screen_currents(currents):
                yield self._swap_hypothesis(group, own, int(others[k]), size)

    def _swap_hypothesis(
        self, group: list[Delivery], own: int, other: int, size: int
    ) -> Hypothesis:
        network = self.network
        for delivery in group:
            place = self.network.projections.index(delivery.afferents.projection)
            swapped = _swap_rows(delivery.afferents.projection.synapse, own, other, size)
            if swapped is not None:
                network = with_synapse(network, place, swapped)
        what = "channels" if len(network[self.name].shape) == 3 else "neurons"
        through = "" if group is self.deliveries else f" in {group[0].afferents.projection.name}"
        words = f"has the weights of its {what} {own} and {other} swapped{through}"
        return Hypothesis("swapped-channels", words, network)

    def _name_neuron(self, population: str, neuron: int) -> str:
        """A neuron in words: ``'conv1' neuron 17 at (0, 1, 2)``."""
        shape = self.network[population].shape
        at = f" at {position_of(neuron, shape)}" if len(shape) > 1 else ""
        return f"{population!r} neuron {neuron}{at}"

    def _index_of(self, place: int, index: int) -> str:
        weight: Any = self.network.projections[place].synapse
        return str(
            list(position_of(index, np.shape(weight.weight)) if np.ndim(weight.weight) else [])
        )


def _swap_rows(synapse: Synapse, one: int, two: int, size: int) -> Synapse | None:
    if not synapse.rows_are:
        return None
    weight: NDArray[Any] = synapse.weight  # type: ignore[attr-defined]
    order, each = np.arange(len(weight)), _rows_of_channel(synapse, size)
    first, second = (np.arange(c * each, (c + 1) * each) for c in (one, two))
    order[first], order[second] = second, first
    return replace(synapse, weight=np.ascontiguousarray(weight[order]))  # type: ignore[call-arg]


def _rows_of_channel(synapse: Synapse, size: int) -> int:
    """Rows of the weight that one target channel of `size` neurons has."""
    return 1 if synapse.rows_are == "channels" else size


def _change_message(when: int, source: str, step: int, neuron: int, twice: bool) -> MessageChange:
    """Lose or double one message of one sample."""

    def change(given: dict[str, Messages], sample: int) -> dict[str, Messages]:
        if sample != when:
            return given
        messages = given[source]
        before = int(messages.step_counts[0, :step].sum())
        here = messages.neuron[before : before + int(messages.step_counts[0, step])]
        at = before + int(np.flatnonzero(here == neuron)[0])
        senders, counts = messages.neuron, messages.step_counts.copy()
        payload = np.ones(len(senders), np.int32) if messages.payload is None else messages.payload
        if twice:
            payload = payload.copy()
            payload[at] *= 2
        else:
            counts[0, step] -= 1
            senders, payload = np.delete(senders, at), np.delete(payload, at)
        return {**given, source: Messages(counts, senders, payload)}

    return change


def _swap_channels(source: Population, one: int, two: int) -> MessageChange:
    """Swap two channels of a source."""
    order = np.arange(source.size, dtype=np.int32).reshape(source.shape[0], -1)
    order[[one, two]] = order[[two, one]]

    def change(given: dict[str, Messages], sample: int) -> dict[str, Messages]:
        messages = given[source.name]
        swapped = Messages(messages.step_counts, order.ravel()[messages.neuron], messages.payload)
        return {**given, source.name: swapped}

    return change


def run_alone(
    network: Network,
    population: str,
    neuron: int,
    currents: Currents,
    resets: NDArray[np.bool_] | None = None,
) -> Replayed:
    """Run one neuron under many currents, int64 [steps, hypotheses], each from zero state.

    A current of the first step is not delivered: no synapse can.
    """
    steps, number = currents.shape
    whole = network[population]
    model, delay = whole.neuron.of_one(neuron), whole.axon_delay
    late = None if delay is None else np.full(number, delay[neuron], np.int32)
    source = Population("source", (number,), Source(signed=True))
    target = Population("alone", (number,), model, late, starts=whole.starts)
    alone = Network((source, target), (Projection("source", "alone", OneToOne(1)),))
    early = np.zeros((1, steps, number), np.int64)
    early[0, :-1] = currents[1:]
    return replay(
        alone, "alone", {"source": Messages.of(early)}, resets=resets, states=model.states
    )
