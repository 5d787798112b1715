r"""What a placement adds to an estimate: work of every core, copies and hops of messages.

Time of a step, per sample, with :math:`n_c` neurons, :math:`m_c` messages and
:math:`s_c` synaptic operations of core c in a mean step:

.. math::
    t_{step} = \max_c \max\left( n_c t_{inactive} + m_c (t_{active} - t_{inactive})
        + s_c t_{synop},\; k_c t_{message} \right) + t_{barrier}

:math:`k_c` copies of messages that leave core c: its link. It is the max-affine bound of
arXiv:2601.10035 with the phases of one core summed, because they do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip, Placement
from ..chip.balance import message_counts, neuron_events
from ..chip.routes import Routes, routes
from ..errors import RecordingError
from ..network import Projection
from .activity import Activity

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]
Ways: TypeAlias = "list[tuple[Projection, Routes]]"


@dataclass(frozen=True, eq=False)
class Traffic:
    """Messages on the chip, per sample.

    Attributes
    ----------
    copies, east_west, north_south : float
        Copies of messages to cores, and tile hops, mean over samples.
    per_population : dict of str to float
        Joules per inference that messages of each population cost, mean over samples.
    """

    copies: float
    east_west: float
    north_south: float
    per_population: dict[str, float]


def check_same_network(recording: Recording, placement: Placement) -> None:
    """Refuse a placement of another network than the recorded one."""
    if recording.header.network != placement.network.fingerprint:
        raise RecordingError(
            "recording: made by another network than the placement; place the network that ran"
        )


def on_cores(activities: Sequence[Activity], placement: Placement) -> tuple[Activity, ...]:
    """Activities with the updates of those populations alone that have cores."""
    names = {partition.population.name for partition in placement.partitions}
    return tuple(a if a.name in names else replace(a, size=0, updates=0) for a in activities)


def ways_of(placement: Placement) -> Ways:
    """The routes of every projection that ends on the chip's cores."""
    names = {partition.population.name for partition in placement.partitions}
    return [(p, routes(placement, p)) for p in placement.network.projections if p.target in names]


def traffic(recording: Recording, chip: Chip, ways: Ways) -> Traffic:
    """Count copies and hops of all messages that reach the chip's cores."""
    totals = np.zeros(3)
    joules: dict[str, float] = {}
    for projection, way in ways:
        counts = message_counts(recording, projection.source) / recording.samples
        found = np.array([counts @ each for each in (way.copies, way.east_west, way.north_south)])
        totals += found
        before = joules.get(projection.source, 0.0)
        joules[projection.source] = before + float(found @ _each(chip))
    return Traffic(float(totals[0]), float(totals[1]), float(totals[2]), joules)


def _each(chip: Chip) -> FloatArray:
    names = ("message_energy", "hop_east_west_energy", "hop_north_south_energy")
    return np.array([chip.constants[n].si if n in chip.constants else 0.0 for n in names])


def driven_updates(recording: Recording, placement: Placement) -> dict[str, float]:
    """Updates of a sample in which a neuron got input but sent nothing, by population.

    Counts do not say in which steps the synaptic operations of a neuron fell: with a per
    step they are taken as independent, so that a step has one with probability
    ``1 - exp(-a)``. Mean over samples.
    """
    steps = recording.samples * recording.steps
    found = {}
    for partition in placement.partitions:
        name = partition.population.name
        messages, synops = neuron_events(placement.network, recording, name)
        driven = -np.expm1(-synops / steps) * steps
        found[name] = float(np.maximum(driven - messages, 0).sum()) / recording.samples
    return found


def core_seconds(
    recording: Recording, placement: Placement, activities: Sequence[Activity], ways: Ways
) -> dict[str, FloatArray]:
    """Seconds of a step that each core is busy, by population, float64 [samples, cores].

    How the work of a population is spread over its cores is that of all samples together;
    how much of it there is, is each sample's own.
    """
    chip, steps = placement.chip, recording.steps
    active = chip["neuron_update_active_time"] - chip["neuron_update_inactive_time"]
    by_name = {activity.name: activity for activity in activities}
    found: dict[str, FloatArray] = {}
    for partition in placement.partitions:
        name = partition.population.name
        own = by_name[name]
        messages, synops = neuron_events(placement.network, recording, name)
        idle = np.bincount(partition.core_of) * chip["neuron_update_inactive_time"]
        spread_messages = _share(partition.core_of, messages, partition.cores)
        spread_synops = _share(partition.core_of, synops, partition.cores)
        work = (
            idle
            + np.outer(own.messages / steps, spread_messages) * active
            + np.outer(own.synops / steps, spread_synops) * chip["synop_time"]
        )
        link = np.outer(own.messages / steps, spread_messages) * _copies(ways, name)
        found[name] = np.maximum(work, link * _message_time(chip))
    return found


def _message_time(chip: Chip) -> float:
    return chip["message_time"] if "message_time" in chip.constants else 0.0


def _copies(ways: Ways, name: str) -> float:
    """Copies of one message of a population, mean over its neurons."""
    return sum(float(way.copies.mean()) for p, way in ways if p.source == name)


def _share(core_of: NDArray[np.int64], events: FloatArray, cores: int) -> FloatArray:
    """Part of the events on each core; even where there were none."""
    total = float(events.sum())
    if not total:
        return np.full(cores, 1 / cores)
    return np.bincount(core_of, events, minlength=cores).astype(np.float64) / total
