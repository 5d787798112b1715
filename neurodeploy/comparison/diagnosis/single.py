"""Trials that suppose one thing hit: a weight, a message, a pair of channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed
from ...network import Conv, DelayedDense, Dense, Network, Population, Synapse
from ..comparison import Divergence, position_of
from ..messages import Observed, Side
from .afferents import with_weight
from .screen import Currents, Heard, arrived, dense_of, heard_by, survivors
from .trial import Trial, with_synapse

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
        self.heard = heard_by(side, self.name, self.neuron, where.sample)
        steps = side.recording.steps
        self.base: Currents = np.zeros(steps, np.int64)
        for heard in self.heard:
            self.base += heard.arrived @ heard.afferents.weight

    def trials(self) -> Iterator[Trial]:
        """Suppose a lost message of the neuron, then swaps, weights, messages to it."""
        yield from self._own_message()
        if self.network[self.name].neuron.ports == 1:
            yield from self._target_channels()
            for heard in self.heard:
                yield from self._source_channels(heard)
            for heard in self.heard:
                yield from self._weights(heard)
            for heard in self.heard:
                yield from self._messages(heard)

    def _alive(self, currents: Currents) -> list[int]:
        if not currents.size:
            return []
        found = survivors(self.side, self.name, self.neuron, currents, self.observed, self.masks_v)
        return [int(k) for k in found[:MOST_CONFIRMED]]

    def _own_message(self) -> Iterator[Trial]:
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
        yield Trial(key, words, self.network, output=change)

    def _weights(self, heard: Heard) -> Iterator[Trial]:
        afferents = heard.afferents
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
        for k in self._alive_among(heard, synapse, delta):
            at = synapse[k]
            old, new = int(afferents.weight[at]), int(afferents.weight[at] + delta[k])
            source = self._named(afferents.projection.source, int(afferents.source[at]))
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
            yield Trial(kind, words, with_synapse(self.network, place, changed))

    def _alive_among(
        self, heard: Heard, synapse: NDArray[np.int64], delta: NDArray[np.int64]
    ) -> list[int]:
        """Screen changes of weights, a part at a time."""
        alive: list[int] = []
        for first in range(0, len(synapse), 4096):
            part = slice(first, first + 4096)
            currents = self.base[:, None] + heard.arrived[:, synapse[part]] * delta[part]
            alive += [first + k for k in self._alive(currents)]
        # Of a weight that is shared or heard alike by others, all that fit are tried.
        return alive[: 4 * MOST_CONFIRMED]

    def _messages(self, heard: Heard) -> Iterator[Trial]:
        afferents, last = heard.afferents, self.where.step
        first = max(0, last - LOOK_BACK)
        step, synapse = np.nonzero(heard.arrived[first : last + 1] * afferents.weight[None])
        step, synapse = step[::-1] + first, synapse[::-1]  # the latest first
        brought = heard.arrived[step, synapse] * afferents.weight[synapse]
        currents = np.repeat(self.base[:, None], 2 * len(step), axis=1)
        each = np.arange(len(step))
        currents[step, each] -= brought
        currents[step, len(step) + each] += brought
        for k in self._alive(currents):
            at, twice = k % len(step), k >= len(step)
            source = int(afferents.source[synapse[at]])
            sent = int(step[at] - afferents.lag[synapse[at]])
            where = afferents.projection.source
            said = "got twice" if twice else "did not get"
            words = f"{said} the message that {self._named(where, source)} sent at step {sent}"
            key = "duplicated-spike" if twice else "dropped-spike"
            change = _MessageChange(self.where.sample, where, sent, source, twice)
            yield Trial(key, words, self.network, messages=change)

    def _source_channels(self, heard: Heard) -> Iterator[Trial]:
        """Two channels (or, of a flat population, neurons) of a source swapped."""
        source = self.network[heard.afferents.projection.source]
        channels = source.shape[0]
        if not 1 < channels <= MOST_CHANNELS:
            return
        size = source.size // channels
        (whole,) = [
            a
            for a in heard_afferents(self, source.name)
            if a.projection is heard.afferents.projection
        ]
        messages = self.side.messages(self.name, self.where.sample)[source.name]
        sent = dense_of(messages, self.side, source.name)
        channel, position = np.divmod(whole.source, size)
        crossed = np.zeros((channels, channels, len(sent)), np.int64)
        for other in range(channels):
            there = arrived(sent, other * size + position, whole.lag) * whole.weight
            np.add.at(crossed[:, other], channel, there.T)
        pairs = np.array(list(combinations(range(channels), 2)))
        i, j = pairs.T
        change = crossed[i, j] + crossed[j, i] - crossed[i, i] - crossed[j, j]
        acts = np.flatnonzero(change.any(axis=1))
        for k in self._alive(self.base[:, None] + change[acts].T):
            one, two = (int(c) for c in pairs[acts[k]])
            what = "channels" if len(source.shape) == 3 else "neurons"
            words = f"takes {what} {one} and {two} of {source.name!r} for each other"
            swap = _Swap(source, one, two)
            yield Trial("swapped-channels", words, self.network, messages=swap)

    def _target_channels(self) -> Iterator[Trial]:
        """Weights of two of its own channels (or neurons) swapped."""
        population = self.network[self.name]
        channels = population.shape[0]
        if not 1 < channels <= 8 * MOST_CHANNELS:
            return
        size = population.size // channels
        own = self.neuron // size
        others = np.array([c for c in range(channels) if c != own])
        groups = [self.heard]
        if len(self.heard) > 1:  # in one projection alone
            groups += [[heard] for heard in self.heard]
        for group in groups:
            currents = np.repeat(self.base[:, None], len(others), axis=1)
            for heard in group:
                synapse: Any = heard.afferents.projection.synapse
                if isinstance(synapse, (Dense, DelayedDense, Conv)):
                    row = synapse.weight[0].size * (1 if isinstance(synapse, Conv) else size)
                    index = heard.afferents.index + (others - own)[:, None] * row
                    change = synapse.weight.ravel()[index] - heard.afferents.weight
                    currents += heard.arrived @ change.T
            for k in self._alive(currents):
                yield self._swap_of(group, own, int(others[k]), size)

    def _swap_of(self, group: list[Heard], own: int, other: int, size: int) -> Trial:
        network = self.network
        for heard in group:
            place = self.network.projections.index(heard.afferents.projection)
            swapped = _rows_swapped(heard.afferents.projection.synapse, own, other, size)
            if swapped is not None:
                network = with_synapse(network, place, swapped)
        what = "channels" if len(network[self.name].shape) == 3 else "neurons"
        through = "" if group is self.heard else f" in {group[0].afferents.projection.name}"
        words = f"has the weights of its {what} {own} and {other} swapped{through}"
        return Trial("swapped-channels", words, network)

    def _named(self, population: str, neuron: int) -> str:
        return named(self.network[population], neuron)

    def _index_of(self, place: int, index: int) -> str:
        weight: Any = self.network.projections[place].synapse
        return str(
            list(position_of(index, np.shape(weight.weight)) if np.ndim(weight.weight) else [])
        )


def heard_afferents(faults: SingleFaults, source: str) -> list[Any]:
    """All synapses from a source to the neuron, those that heard nothing too."""
    from .afferents import afferents_of

    found = afferents_of(faults.network, faults.name, faults.neuron)
    return [a for a in found if a.projection.source == source]


def named(population: Population, neuron: int) -> str:
    """A neuron in words: ``'conv1' neuron 17 at (0, 1, 2)``."""
    at = f" at {position_of(neuron, population.shape)}" if len(population.shape) > 1 else ""
    return f"{population.name!r} neuron {neuron}{at}"


def _rows_swapped(synapse: Synapse, one: int, two: int, size: int) -> Synapse | None:
    if not isinstance(synapse, (Dense, DelayedDense, Conv)):
        return None
    order = np.arange(synapse.weight.shape[0])
    each = 1 if isinstance(synapse, Conv) else size
    first, second = (np.arange(c * each, (c + 1) * each) for c in (one, two))
    order[first], order[second] = second, first
    return replace(synapse, weight=np.ascontiguousarray(synapse.weight[order]))


class _MessageChange:
    """Loses or doubles one message of one sample."""

    def __init__(self, when: int, source: str, step: int, neuron: int, twice: bool) -> None:
        self.when, self.source, self.step = when, source, step
        self.neuron, self.twice = neuron, twice

    def __call__(self, given: dict[str, Messages], sample: int) -> dict[str, Messages]:
        if sample != self.when:
            return given
        messages = given[self.source]
        before = int(messages.step_counts[0, : self.step].sum())
        here = messages.neuron[before : before + int(messages.step_counts[0, self.step])]
        at = before + int(np.flatnonzero(here == self.neuron)[0])
        payload = messages.payload
        if self.twice:
            payload = np.ones(len(messages.neuron), np.int32) if payload is None else payload.copy()
            payload[at] *= 2
            changed = Messages(messages.step_counts, messages.neuron, payload)
        else:
            counts = messages.step_counts.copy()
            counts[0, self.step] -= 1
            left = None if payload is None else np.delete(payload, at)
            changed = Messages(counts, np.delete(messages.neuron, at), left)
        return {**given, self.source: changed}


class _Swap:
    """Swaps two channels of a source."""

    def __init__(self, source: Population, one: int, two: int) -> None:
        self.source = source.name
        size = source.size // source.shape[0]
        self.order = np.arange(source.size, dtype=np.int32)
        first, second = (np.arange(c * size, (c + 1) * size) for c in (one, two))
        self.order[first], self.order[second] = second, first

    def __call__(self, given: dict[str, Messages], sample: int) -> dict[str, Messages]:
        messages = given[self.source]
        swapped = Messages(messages.step_counts, self.order[messages.neuron], messages.payload)
        return {**given, self.source: swapped}
