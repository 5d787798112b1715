"""What the counted events of a run cost, on cores evenly filled or on a placement's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip, Placement
from ..chip.energy import LEARNING, event_joules, joined_compartments, update_times
from ..chip.routes import all_routes
from .activity import Activity, mean_of
from .barrier import Barrier, barrier_of
from .placed import (
    count_messages,
    count_work,
    driven_updates,
    on_cores,
    optional,
    traffic,
    work_seconds,
)

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]
Number: TypeAlias = "tuple[str, str, float]"
"""Kind of event, its constant, and how many of them per inference (mean over samples)."""

ALWAYS = (
    "synaptic operation",
    "neuron update, active",
    "neuron update, inactive",
    "message",
    "hop, east-west",
    "hop, north-south",
)
"""Kinds of events that are listed even where there were none."""


@dataclass(frozen=True, eq=False)
class Run:
    """Events of a run, priced.

    Attributes
    ----------
    activities : tuple of Activity
    busiest, step : float64 [samples]
        Seconds of the longest work in a step, and of the step.
    bound : str
        What sets it, see `Barrier.step`.
    own : float
        Seconds of updates of own microcode, on the core that has most of them.
    barrier : Barrier
    cores : int
    dynamic : float64 [samples]
        Joules.
    shares : tuple of float
        Dynamic joules of each activity, mean over samples.
    numbers : tuple of Number
    """

    activities: tuple[Activity, ...]
    busiest: FloatArray
    step: FloatArray
    bound: str
    own: float
    barrier: Barrier
    cores: int
    dynamic: FloatArray
    shares: tuple[float, ...]
    numbers: tuple[Number, ...]


def spread_evenly(activities: tuple[Activity, ...], recording: Recording, chip: Chip) -> Run:
    """Every population fills cores of its own evenly; a message costs one copy."""
    cores = [cores_of(activity, chip) for activity in activities]
    filled = [(a, k) for a, k in zip(activities, cores, strict=True) if k]
    taken = [k for _, k in filled]
    neurons = [math.ceil(a.size / k) for a, k in filled]
    work = core_work(
        [a for a, _ in filled], cores=taken, neurons=neurons, steps=recording.steps, chip=chip
    )
    alone = [
        n * update_times(chip, a.neuron).own for (a, _), n in zip(filled, neurons, strict=True)
    ]
    own, barrier = max(alone), barrier_of(sum(cores), chip)
    names = [f"core of {activity.name!r}" for activity, _ in filled]
    named = dict(zip(names, work[:, :, None], strict=True))
    busiest, step, bound = barrier.step(named, own)
    each = _dynamic(activities, chip, stacked(activities, "messages"), cores, recording.steps)
    return Run(
        activities,
        busiest,
        step,
        bound,
        own,
        barrier,
        sum(cores),
        each.sum(axis=0),
        tuple(map(mean_of, each)),
        (
            *_of_neurons(activities, chip),
            ("message", "message_energy", _mean(a.messages for a in activities)),
            ("step of a core", "core_step_energy", float(sum(cores) * recording.steps)),
        ),
    )


def on_placement(
    activities: tuple[Activity, ...], recording: Recording, chip: Chip, placement: Placement
) -> Run:
    """Every population on its own cores; messages as copies with hops, zeros read as stored."""
    activities = on_cores(activities, placement)
    ways = all_routes(placement)
    counted = count_messages(recording, placement)
    way = traffic(counted, chip, ways)
    work = count_work(recording, counted, placement, ways)
    learned = {a.name: mean_of(a.weight_updates) / recording.steps for a in activities}
    own = max(
        max(part.held) * update_times(chip, part.population.neuron.kind).own
        for part in placement.partitions
    )
    barrier = barrier_of(placement.cores_used, chip)
    busiest, step, bound = barrier.step(work_seconds(work, placement, chip, ways, learned), own)
    of_zero = "stored_zero_energy" if "stored_zero_energy" in chip.constants else "synop_energy"
    by_input = optional(chip, "neuron_update_by_input_energy")
    driven = driven_updates(recording, placement) if by_input else {}
    nothing = np.zeros(recording.samples)
    dynamic, shares, zeros = nothing, [], nothing
    of = {part.population.name: part.cores for part in placement.partitions}
    taken = [of.get(a.name, 0) for a in activities]
    priced = _dynamic(activities, chip, 0.0, taken, recording.steps)
    for a, alone in zip(activities, priced, strict=True):
        read = sum(
            (
                done.sum(axis=1)
                for w, done in zip(ways, work.operations, strict=True)
                if w.projection.target == a.name
            ),
            start=nothing,
        )
        of_zeros = np.maximum(read - a.synops, 0)
        # Copies and hops per message are means, so messages of a sample set its share.
        sent = _per_sample(way.per_population.get(a.name, 0.0), a)
        joules = alone + sent + of_zeros * chip[of_zero]
        joules = joules + by_input * driven.get(a.name, 0.0)
        dynamic, zeros = dynamic + joules, zeros + of_zeros
        shares.append(mean_of(joules))
    numbers = (
        *_of_neurons(activities, chip),
        ("stored zero read", of_zero, mean_of(zeros)),
        ("message", "message_energy", way.copies),
        ("hop, east-west", "hop_east_west_energy", way.east_west),
        ("hop, north-south", "hop_north_south_energy", way.north_south),
        ("neuron update, by input", "neuron_update_by_input_energy", sum(driven.values())),
        ("step of a core", "core_step_energy", float(placement.cores_used * recording.steps)),
    )
    return Run(
        activities,
        busiest,
        step,
        bound,
        own,
        barrier,
        placement.cores_used,
        dynamic,
        tuple(shares),
        numbers,
    )


def cores_of(activity: Activity, chip: Chip) -> int:
    """Fewest cores that hold a population's neurons."""
    places = activity.size * joined_compartments(chip, activity.neuron)
    return math.ceil(places / chip["neurons_per_core"])


def updates_of(activities: Sequence[Activity], chip: Chip) -> FloatArray:
    """Updates of each activity, its further compartments' with them, float64 [activities, 1]."""
    return np.array(
        [[float(a.updates * joined_compartments(chip, a.neuron))] for a in activities], np.float64
    )


def stacked(activities: Sequence[Activity], what: str) -> FloatArray:
    """An attribute of each activity, float64 [activities, samples or 1]."""
    values = np.array([getattr(activity, what) for activity in activities], np.float64)
    return values.reshape(len(activities), -1)


def core_work(
    activities: Sequence[Activity],
    *,
    cores: Sequence[int],
    neurons: Sequence[float],
    steps: int,
    chip: Chip,
) -> FloatArray:
    """Seconds per step, float64 [activities, samples], that a core with so many neurons is busy."""
    times = [update_times(chip, activity.neuron) for activity in activities]
    inactive, active = np.array([(t.inactive, t.active) for t in times]).T[:, :, None]
    per_core_step = 1 / (np.array(cores)[:, None] * steps)
    spiking = stacked(activities, "spiking_updates")
    work: FloatArray = (
        np.array(neurons)[:, None] * inactive
        + spiking * per_core_step * (active - inactive)
        + stacked(activities, "synops") * per_core_step * chip["synop_time"]
        + stacked(activities, "weight_updates")
        * per_core_step
        * optional(chip, "weight_update_time")
    )
    return work


def _of_neurons(activities: Sequence[Activity], chip: Chip) -> tuple[Number, ...]:
    active = _mean(a.spiking_updates for a in activities if a.size)
    updates = float(updates_of(activities, chip).sum())
    return (
        ("synaptic operation", "synop_energy", _mean(a.synops for a in activities)),
        ("neuron update, active", "neuron_update_active_energy", active),
        ("neuron update, inactive", "neuron_update_inactive_energy", updates - active),
        ("weight update", LEARNING, _mean(a.weight_updates for a in activities)),
    )


def _mean(arrays: Iterable[FloatArray]) -> float:
    return float(sum(map(mean_of, arrays)))


def _dynamic(
    activities: Sequence[Activity],
    chip: Chip,
    messages: FloatArray | float,
    cores: Sequence[int],
    steps: int,
) -> FloatArray:
    """Joules, float64 [activities, samples], with so many copies of messages, on such cores."""
    joules: FloatArray = event_joules(
        chip,
        synops=stacked(activities, "synops"),
        updates=updates_of(activities, chip),
        active=stacked(activities, "spiking_updates"),
        messages=messages,
        core_steps=steps * np.array(cores, np.float64)[:, None],
        weight_updates=stacked(activities, "weight_updates"),
    )
    return joules


def _per_sample(joules: float, activity: Activity) -> FloatArray:
    """Spread a mean over samples by each sample's messages."""
    mean = mean_of(activity.messages)
    each: FloatArray = joules * activity.messages / mean if mean else 0.0 * activity.messages
    return each
