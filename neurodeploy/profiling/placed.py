r"""What a placement adds to an estimate: work of every core, copies, hops and links of messages.

Work of a step, with :math:`n_c` neurons, :math:`m_c` messages, :math:`k_c` copies of messages
that leave and :math:`s_c` stored synapses read (`chip.synops_per_core`) of core c, :math:`l_i`
messages over link i of the mesh, and :math:`x_j` messages that leave chip j:

.. math::
    t_{work} = \max\left( \max_c \left( n_c t_{inactive} + m_c (t_{active} - t_{inactive})
        + s_c t_{synop} \right),\; \max_c k_c t_{message},\; \max_i l_i t_{hop},\;
        \max_j x_j t_{chip link} \right)

`barrier.Barrier` makes a step of it. It is the max-affine bound of arXiv:2601.10035 with the
phases of one core summed, because they do not overlap. A hop is taken to keep its link busy
for its whole latency. Where every population's spikes were recorded, each step is bounded by
itself and the mean is taken; from counts alone it is the bound of a mean step, which is at most
as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip, Placement
from ..chip.balance import checked_counts, neuron_events
from ..chip.energy import update_times
from ..chip.routes import Routes
from ..chip.tally import WAY, Tally, reads_of_way, tallies
from ..errors import RecordingError
from .activity import Activity

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]
_AT_ONCE = 1_000_000
"""Samples x steps x cores."""

Ways: TypeAlias = "Sequence[Routes]"


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


@dataclass(frozen=True, eq=False)
class Work:
    """What every core did, over all steps of a sample.

    Attributes
    ----------
    messages : dict of str to float64 [samples, cores]
        Sent, by population.
    operations : tuple of float64 [samples, cores]
        Stored synapses read, for each of `ways`.
    rates : dict of str to float64 [samples, steps or 1]
        Part of a sample's messages that fell in each step; in a mean step, where the steps
        of any population are not known.
    """

    messages: dict[str, FloatArray]
    operations: tuple[FloatArray, ...]
    rates: dict[str, FloatArray]


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


@dataclass(frozen=True, eq=False)
class Counted:
    """What the messages of a run come to on a placement, by population that sends.

    Attributes
    ----------
    counts : dict of str to int64 [samples, *shape]
    tallies : dict of str to Tally
    found : dict of str to float64 [samples, columns]
        See `Tally.count`.
    """

    counts: dict[str, NDArray[np.int64]]
    tallies: dict[str, Tally]
    found: dict[str, FloatArray]

    def each_way(self, ways: Ways) -> Iterator[tuple[Routes, Tally, int, FloatArray]]:
        """Each way, the tally that it is in, its number there, and what was counted."""
        for way in ways:
            source = way.projection.source
            tally = self.tallies[source]
            yield way, tally, tally.ways.index(way), self.found[source]


def count_messages(recording: Recording, placement: Placement) -> Counted:
    """Count what messages come to, of everything that has cores or sends to some."""
    known = tallies(placement)
    counts = {name: checked_counts(recording, name) for name in known}
    return Counted(counts, known, {name: known[name].count(c) for name, c in counts.items()})


def traffic(counted: Counted, chip: Chip, ways: Ways) -> Traffic:
    """Copies and hops of all messages that reach the chip's cores, mean over samples."""
    totals = np.zeros(WAY)
    joules: dict[str, float] = {}
    prices = _each(chip)
    for way, tally, number, counts in counted.each_way(ways):
        source, found = way.projection.source, tally.of_way(number, counts).mean(axis=0)
        totals += found
        joules[source] = joules.get(source, 0.0) + float(found @ prices)
    return Traffic(float(totals[0]), float(totals[1]), float(totals[2]), joules)


def _each(chip: Chip) -> FloatArray:
    names = ("message_energy", "hop_east_west_energy", "hop_north_south_energy")
    return np.array([optional(chip, name) for name in names])


def optional(chip: Chip, name: str) -> float:
    """A constant that not every chip has, or 0."""
    return chip[name] if name in chip.constants else 0.0


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
        messages, synops = neuron_events(placement.laid_out, recording, name)
        driven = -np.expm1(-synops / steps) * steps
        found[name] = float(np.maximum(driven - messages, 0).sum()) / recording.samples
    return found


def count_work(recording: Recording, counted: Counted, placement: Placement, ways: Ways) -> Work:
    """Count messages and stored synapses read, core by core and sample by sample."""
    stepwise = all(recording[name].has("spikes") for name in counted.found)
    mean = np.full((recording.samples, 1), 1 / recording.steps)
    rates = dict.fromkeys(counted.found, mean)
    for name, found in counted.found.items() if stepwise else ():
        rates[name] = recording[name].step_counts / np.maximum(found[:, :1], 1)
    messages = {
        name: counted.tallies[name].of_cores(counted.found[name])
        for part in placement.partitions
        if (name := part.population.name)
    }
    done = tuple(
        reads_of_way(placement, tally, number, found, counted.counts[way.projection.source])
        for way, tally, number, found in counted.each_way(ways)
    )
    return Work(messages, done, rates)


def work_seconds(
    work: Work,
    placement: Placement,
    chip: Chip,
    ways: Ways,
    updates_per_step: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, FloatArray]:
    """Time that each candidate for the longest is at work, float64 [samples, steps or 1].

    Their names are ``core of POPULATION``, ``messages leaving a core of POPULATION``, ``link of
    the mesh`` and ``link between chips``. `updates_per_step` are weights that learning updates in
    a step, by population.
    """
    found: dict[str, FloatArray] = {}
    for partition in placement.partitions:
        name = partition.population.name
        update = update_times(chip, partition.population.neuron.kind)
        inactive = update.inactive
        sent, rate = work.messages[name], work.rates[name]
        parts = [(rate, sent * (update.active - inactive))]
        parts += [
            (work.rates[way.projection.source], done * chip["synop_time"])
            for way, done in zip(ways, work.operations, strict=True)
            if way.projection.target == name
        ]
        # What is learned is spread over a population's cores as its neurons are.
        learned = updates_per_step.get(name, 0.0) * optional(chip, "weight_update_time")
        idle = partition.held * (inactive + learned / partition.held.sum())
        found[f"core of {name!r}"] = _busiest(parts, idle)
        if leaving := optional(chip, "message_time"):
            each = sum(w.mean_copies for w in ways if w.projection.source == name)
            found[f"messages leaving a core of {name!r}"] = _busiest(
                [(rate, sent * each * leaving)], np.zeros(len(idle))
            )
    on_links = [
        (work.rates[source], work.messages[source] @ way.links.reshape(len(way.links), -1))
        for way in ways
        if (source := way.projection.source) in work.messages and way.links.size
    ]
    if on_links:
        hops = [optional(chip, f"hop_{axis}_time") for axis in ("east_west", "north_south")]
        each_link = np.tile(np.repeat(hops, 2), on_links[0][1].shape[1] // 4)
        on_links = [(rate, load * each_link) for rate, load in on_links]
        found["link of the mesh"] = _busiest(on_links, np.zeros(len(each_link)))
    between = _between_chips(work, placement, chip, ways)
    if between:
        found["link between chips"] = _busiest(between, np.zeros(placement.chips_used))
    return found


def _between_chips(
    work: Work, placement: Placement, chip: Chip, ways: Ways
) -> list[tuple[FloatArray, FloatArray]]:
    """Rates, and seconds that messages of each chip take on its way out, for each way.

    All that leaves a chip is taken to leave by one link: how the chips of a board are linked is
    not public. A graded message is longer than a spike.
    """
    if placement.chips_used < 2 or "chip_link_graded_time" not in chip.constants:
        return []
    per_chip = placement.chip.limit("cores_per_chip")
    found = []
    for way in ways:
        source = way.projection.source
        if source not in work.messages or not way.off_chip.any():
            continue
        graded = placement.laid_out[source].neuron.graded
        each = chip["chip_link_graded_time" if graded else "chip_link_spike_time"]
        chip_of = (placement.places_of(source) // per_chip).astype(np.int64)
        leaves = np.zeros((len(chip_of), placement.chips_used))
        leaves[np.arange(len(chip_of)), chip_of] = way.off_chip * each
        found.append((work.rates[source], work.messages[source] @ leaves))
    return found


def _busiest(parts: Sequence[tuple[FloatArray, FloatArray]], idle: FloatArray) -> FloatArray:
    """Greatest over cores of the sum of rates times loads, float64 [samples, steps]."""
    samples, steps = parts[0][0].shape
    busiest = np.empty((samples, steps))
    at_once = max(1, _AT_ONCE // (steps * len(idle)))
    for first in range(0, samples, at_once):
        some = slice(first, first + at_once)
        total = idle + sum(rate[some, :, None] * load[some, None] for rate, load in parts)
        busiest[some] = total.max(axis=2)
    return busiest
