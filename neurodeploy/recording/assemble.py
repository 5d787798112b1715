"""Turns what a backend saw into a recording; the same for every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .events import Events as Events
from .events import header_of as header_of
from .events import projection_header as projection_header
from .learning import LearnedArrays, as_arrays, network_arrays
from .population import OVERFLOWS
from .recording import RecordingWriter
from .run_options import RunOptions


def with_host_part(
    network: Network, spikes: Mapping[str, NDArray[np.int32]]
) -> dict[str, NDArray[np.int32]]:
    """Add to what neurons sent what the host makes of it: averages, and delays of axons.

    Parameters
    ----------
    network : Network
    spikes : mapping of name to int32 [samples, steps, neurons]
        Of every population but the averages, in the step in which its neurons sent.

    Returns
    -------
    dict of name to int32 [samples, steps, neurons]
        Of every population, in the step in which messages leave its axons.
    """
    left: dict[str, NDArray[np.int32]] = {}
    for population in network.populations:
        name = population.name
        if population.neuron.sums_on_host:
            sources = [left[p.source] for p in network.into(name)]
            parts = [s.reshape(*s.shape[:2], population.size, -1) for s in sources]
            sent = np.sum([part.sum(axis=3) for part in parts], axis=0, dtype=np.int32)
        else:
            sent = spikes[name]
        delay = population.axon_delay
        left[name] = sent if delay is None else _delayed(sent, delay)
    return left


def _delayed(spikes: NDArray[np.int32], delay: NDArray[np.int32]) -> NDArray[np.int32]:
    """Messages as they leave the axon; those that would leave after the last step are dropped."""
    left = np.zeros_like(spikes)
    for steps in np.unique(delay):
        late = delay == steps
        left[:, steps:, late] = spikes[:, : max(0, spikes.shape[1] - steps), late]
    return left


Entries: TypeAlias = "dict[str, tuple[str, Callable[[Events], NDArray[Any] | None]]]"
"""Key of an array in a recording: the population that it is made of, and how, or None."""


def _entries(network: Network, record: tuple[str, ...]) -> tuple[Entries, Entries]:
    """What a recording of a network holds, in its first block and in the others; kept with it.

    Nothing here may hold on to the network, which a recording outlives.
    """
    if ("entries", record) in network.kept:
        known: tuple[Entries, Entries] = network.kept["entries", record]
        return known
    once: Entries = {}
    each: Entries = {}
    for p in network.populations:
        name, key = p.name, f"populations/{p.name}"
        if p.axon_delay is not None:
            once[f"{key}/axon_delay"] = name, partial(_always, p.axon_delay.astype(np.int32))
        each[f"{key}/counts"] = name, partial(_counts, p.shape)
        if "spikes" in record or p is network.output:
            each[f"{key}/event_counts"] = name, attrgetter("step_counts")
            each[f"{key}/neuron"] = name, attrgetter("neuron")
            each[f"{key}/payload"] = name, attrgetter("payload")
        for state in (s for s in p.neuron.states if s in record):
            each[f"{key}/{state}"] = name, partial(_state, state, p.shape)
        for what in OVERFLOWS:
            each[f"{key}/{what}"] = name, partial(_overflows, what)
    for q in network.projections:
        name, key = q.source, f"projections/{q.name}"
        clipped = np.array([network.weights_clipped(q)], np.int64)
        once[f"{key}/weights_clipped"] = name, partial(_always, clipped)
        for what in ("synops", "dense_synops") if q.synapse.steps else ():
            fan_out = network.fan_out(q, dense=what == "dense_synops")
            each[f"{key}/{what}"] = name, partial(_reached, fan_out)
    network.kept["entries", record] = {**once, **each}, each
    return {**once, **each}, each


def _always(array: NDArray[Any], events: Events) -> NDArray[Any]:
    return array


def _counts(shape: tuple[int, ...], events: Events) -> NDArray[Any]:
    return events.counts.reshape(-1, *shape)


def _reached(fan_out: NDArray[np.int64], events: Events) -> NDArray[Any]:
    synops: NDArray[Any] = events.counts @ fan_out
    return synops


def _state(name: str, shape: tuple[int, ...], events: Events) -> NDArray[Any] | None:
    state = events.states.get(name)
    return None if state is None else state.reshape(len(state), -1, *shape)


def _overflows(name: str, events: Events) -> NDArray[Any] | None:
    return events.overflows.get(name)


class RecordedBlock(Mapping[str, NDArray[Any]]):
    """Arrays of a block of samples by their names in a recording, each made when it is asked for.

    Parameters
    ----------
    entries : dict
    events : mapping of population name to Events
    learned : mapping of str to array
        Further arrays, which are there.
    """

    def __init__(
        self,
        entries: Entries,
        events: Mapping[str, Events],
        learned: Mapping[str, NDArray[Any]],
    ) -> None:
        self._entries = entries
        self._events = events
        self._learned = learned
        self._made: dict[str, NDArray[Any] | None] = dict(learned)

    def _get(self, key: str) -> NDArray[Any] | None:
        if key not in self._made and key in self._entries:
            name, make = self._entries[key]
            self._made[key] = make(self._events[name])
        return self._made.get(key)

    def __getitem__(self, key: str) -> NDArray[Any]:
        if (array := self._get(key)) is None:
            raise KeyError(key)
        return array

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._get(key) is not None

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._entries if key in self)
        yield from self._learned

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class BlockAssembler:
    """Writes blocks of samples into a recording, with the counts they imply.

    Parameters
    ----------
    network : Network
    options : RunOptions
    writer : RecordingWriter
    """

    def __init__(self, network: Network, options: RunOptions, writer: RecordingWriter) -> None:
        self.network = network
        self.writer = writer
        self.samples = 0
        self._first, self._others = _entries(network, options.record)

    def add(
        self,
        spikes: Mapping[str, NDArray[Any]],
        states: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
    ) -> None:
        """Append a block of samples given as dense arrays; float32 of a float network.

        Parameters
        ----------
        spikes : mapping of name to int32 [samples, steps, neurons]
            Messages as they leave each population, 0 for none.
        states : mapping of name to mapping of state to int32 [samples, steps, neurons]
        """
        events = {
            name: Events.from_dense(dense, self.network[name].neuron.graded)
            for name, dense in spikes.items()
        }
        self.add_events(events, states)

    def add_events(
        self,
        events: Mapping[str, Events],
        states: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        learned: LearnedArrays | None = None,
    ) -> None:
        """Append a block of samples given as events; see `add`."""
        if states is not None:
            events = {n: replace(e, states=states.get(n, {})) for n, e in events.items()}
        self.add_block(len(events[self.network.output.name].counts), events, learned)

    def add_block(
        self,
        samples: int,
        events: Mapping[str, Events],
        learned: LearnedArrays | None = None,
    ) -> None:
        """Append a block of so many samples, whose events are looked at only when asked for."""
        extra = as_arrays(learned) if learned else {}
        if self.network.learning and not self.samples:
            extra |= network_arrays(self.network)
        entries = self._others if self.samples else self._first
        self.writer.put_block(RecordedBlock(entries, events, extra))
        self.samples += samples
