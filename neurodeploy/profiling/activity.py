"""What happened on the chip, counted from a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..network.neurons import model_of

if TYPE_CHECKING:
    from ..recording import PopulationRecord, Recording


@dataclass(frozen=True, eq=False)
class Activity:
    """Events of one population, per sample.

    Attributes
    ----------
    name : str
    neuron : str
        Kind of its model.
    size : int
        Neurons that the chip updates at every step; 0 for inputs sent in from outside.
    updates : int
        Neuron updates of one sample: size x steps.
    messages : float64 [samples]
        Sent by this population.
    synops : float64 [samples]
        Of the projections that end here, zero weights not counted.
    weight_updates : float64 [samples]
        Of the projections that end here and learn: synapses for which a product of the rule
        counted at the end of an epoch.
    trace_updates : float64 [samples]
        Of the traces that these read, one for each neuron and epoch.
    """

    name: str
    neuron: str
    size: int
    updates: int
    messages: NDArray[np.float64]
    synops: NDArray[np.float64]
    weight_updates: NDArray[np.float64]
    trace_updates: NDArray[np.float64]

    @property
    def spiking_updates(self) -> NDArray[np.float64]:
        """float64 [samples]: updates in which the neuron sent a message."""
        return np.minimum(self.messages, self.updates)


def mean_of(values: NDArray[np.float64]) -> float:
    """Mean over samples; of a single one, itself, which takes a twentieth of the time."""
    return float(values[0]) if len(values) == 1 else float(values.mean())


def count_activity(recording: Recording) -> tuple[Activity, ...]:
    """Count each population's events on the chip, input first.

    Readouts of the host are left out; inputs that are sent in from outside
    cost messages and the synaptic operations they cause, but no updates.

    Raises
    ------
    RecordingError
        If the recording has no samples, or lacks counts or synops.
    """
    if recording.samples < 1:
        raise RecordingError("recording: 0 samples, a profile needs 1 or more; run with inputs")
    if recording.steps < 1:
        raise RecordingError("recording: 0 time steps, a profile needs 1 or more; run for longer")
    on_chip = {p.name for p in recording.header.populations if p.on_chip}
    if not on_chip:
        raise RecordingError(
            "recording: 0 of its populations are on the chip, a profile needs 1 or more; "
            "run a network with neurons of its own"
        )
    feeding = {p.source for p in recording.header.projections if p.target in on_chip}
    synops = _synops_into(recording, on_chip)
    weights = _learned_into(recording, "weight_updates")
    traces = _learned_into(recording, "trace_updates")
    nothing = np.zeros(recording.samples)
    activities = []
    for population in recording.header.populations:
        if population.name not in on_chip | feeding:
            continue
        size = population.size if population.name in on_chip else 0
        activities.append(
            Activity(
                name=population.name,
                neuron=population.neuron,
                size=size,
                updates=size * recording.steps,
                messages=_messages(recording[population.name]),
                synops=synops.get(population.name, nothing),
                weight_updates=weights.get(population.name, nothing),
                trace_updates=traces.get(population.name, nothing),
            )
        )
    return tuple(activities)


def host_updates(recording: Recording, activities: Sequence[Activity]) -> float:
    """Neuron updates of a sample by encoders that run on the host, by what the chip counted."""
    counted = {activity.name for activity in activities if activity.size}
    encoders = [
        p for p in recording.header.populations if model_of(p.neuron).runs_on_host == "first"
    ]
    return float(recording.steps * sum(p.size for p in encoders if p.name not in counted))


def _messages(population: PopulationRecord) -> NDArray[np.float64]:
    if not population.has("counts") and population.has("spikes"):
        return np.asarray(population.step_counts.sum(axis=1), dtype=np.float64)
    counts = population.counts
    return np.asarray(counts.reshape(len(counts), -1).sum(axis=1), dtype=np.float64)


def _learned_into(recording: Recording, what: str) -> dict[str, NDArray[np.float64]]:
    """Events of learning by the population that its synapses end in, where they were counted."""
    into: dict[str, NDArray[np.float64]] = {}
    for projection in (p for p in recording.header.projections if p.epoch):
        if (key := f"projections/{projection.name}/{what}") in recording.arrays:
            counted = np.asarray(recording.arrays[key][:], np.float64)
            into[projection.target] = into.get(projection.target, 0.0) + counted
    return into


def _synops_into(recording: Recording, on_chip: set[str]) -> dict[str, NDArray[np.float64]]:
    recorded = recording.synops()
    into: dict[str, NDArray[np.float64]] = {}
    # In files of 0.1 parallel projections share a name, and what is under it is their sum.
    for projection in {p.name: p for p in recording.header.projections}.values():
        if projection.target not in on_chip:
            continue
        if projection.name not in recorded:
            raise RecordingError(
                f"projection {projection.name}: synops were not recorded by backend "
                f"{recording.header.backend!r}; run the network on backend 'engine'"
            )
        before = into.get(projection.target, 0.0)
        into[projection.target] = recorded[projection.name].astype(np.float64) + before
    return into
