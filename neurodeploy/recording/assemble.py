"""Turns what a backend saw into a recording; the same for every backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from . import Header, PopulationHeader, ProjectionHeader, RecordingWriter
from .run_options import RunOptions


@dataclass(frozen=True)
class Events:
    """Messages of one population over a block of samples.

    Attributes
    ----------
    step_counts : int32 [samples, steps]
    counts : int64 [samples, neurons]
        Neurons flat in (C, H, W) order.
    neuron : int32 [events] or None
        Sorted by sample and step; None where only counts are recorded.
    payload : int32 or float32 [events], or None
        None where every payload is 1.
    """

    step_counts: NDArray[np.int32]
    counts: NDArray[np.int64]
    neuron: NDArray[np.int32] | None
    payload: NDArray[Any] | None

    @classmethod
    def from_dense(cls, spikes: NDArray[Any], graded: bool) -> Events:
        """Collect the non-zero entries of [samples, steps, neurons]."""
        sample, step, neuron = np.nonzero(spikes)
        kind = np.float32 if spikes.dtype.kind == "f" else np.int32
        payload = spikes[sample, step, neuron].astype(kind) if graded else None
        step_counts = np.count_nonzero(spikes, axis=2).astype(np.int32)
        counts = np.count_nonzero(spikes, axis=1).astype(np.int64)
        return cls(step_counts, counts, neuron.astype(np.int32), payload)


def header_of(network: Network, backend: str, version: str, options: RunOptions) -> Header:
    """Build the header of a recording that `backend` is about to make."""
    return Header(
        backend=backend,
        backend_version=version,
        network=network.fingerprint,
        inputs=options.inputs_fingerprint,
        steps=options.steps,
        record=options.record,
        reset_interval=options.reset_interval,
        reset_offset=options.reset_offset if options.reset_interval is not None else 0,
        warnings=network.beyond_chip,
        populations=tuple(
            PopulationHeader(
                name=p.name,
                shape=p.shape,
                hops=network.hops(p.name),
                neuron=p.neuron.kind,
                graded=p.neuron.graded,
                on_chip=network.on_chip(p),
            )
            for p in network.populations
        ),
        projections=tuple(
            ProjectionHeader(p.source, p.target, p.synapse.kind, p.number)
            for p in network.projections
        ),
    )


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
        self.options = options
        self.writer = writer
        self.samples = 0
        for population in network.populations:
            if population.axon_delay is not None:
                key = f"populations/{population.name}/axon_delay"
                writer.put(key, population.axon_delay.astype(np.int32))
        for projection in {p.name: p for p in network.projections}.values():
            clipped = np.array([network.weights_clipped(projection)], np.int64)
            writer.put(f"projections/{projection.name}/weights_clipped", clipped)

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
        overflows: Mapping[str, Mapping[str, NDArray[np.int64]]] | None = None,
    ) -> None:
        """Append a block of samples given as events; see `add`."""
        for population in self.network.populations:
            name = population.name
            block = events[name]
            samples = len(block.counts)
            self._put(name, "counts", block.counts.reshape(samples, *population.shape))
            self._put_synops(name, block.counts)
            self._put_events(name, block)
            for state, values in (states or {}).get(name, {}).items():
                if state in self.options.record and state in population.neuron.states:
                    self._put(name, state, values.reshape(samples, -1, *population.shape))
            for what, number in (overflows or {}).get(name, {}).items():
                self._put(name, what, number)
        self.samples += samples

    def _put(self, population: str, what: str, array: NDArray[np.generic]) -> None:
        self.writer.put(f"populations/{population}/{what}", array)

    def _put_synops(self, name: str, counts: NDArray[np.int64]) -> None:
        for projection in self.network.out_of(name):
            if projection.synapse.steps:
                for what in ("synops", "dense_synops"):
                    key = f"projections/{projection.name}/{what}"
                    fan_out = self.network.fan_out(projection, dense=what == "dense_synops")
                    self.writer.put(key, counts @ fan_out)

    def _put_events(self, name: str, events: Events) -> None:
        if "spikes" not in self.options.record and name != self.network.output.name:
            return
        assert events.neuron is not None
        self._put(name, "event_counts", events.step_counts)
        self._put(name, "neuron", events.neuron)
        if events.payload is not None:
            self._put(name, "payload", events.payload)
