"""A placement whose busiest core and busiest link have less to do.

The slowest core sets the time of a step (arXiv:2511.21549: per-core maxima predict run
time, totals do not). So further cores, as far as the chips that are taken anyway have
them, go to the population whose core is the busiest, until that no longer helps. Then the
cores of images are laid out by their place in the image, in stripes, so that messages to
the same place of the next layer stay near; kept where the busiest link gets less to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..network import Network
from .energy import update_times
from .partition import Partition
from .placement import Placement
from .routes import all_routes

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]


def balance_cores(
    plain: Placement,
    recording: Recording,
    place: Callable[[dict[str, int]], Placement],
) -> Placement:
    """Give cores to the busiest population while the busiest core gets less to do.

    Parameters
    ----------
    plain : Placement
        Where to start.
    recording : Recording
        With counts of every population.
    place : callable
        Places the network with a bound on the neurons of a core, by population.
    """
    loads = _loads(plain, recording)
    best, most = plain, {p.population.name: p.population.size for p in plain.partitions}
    cores = plain.chips_used * plain.chip.limit("cores_per_chip")
    while True:
        name, now = busiest(best, loads)
        smaller = {**most, name: max(p.neurons for p in best[name].pieces) * 3 // 4}
        if smaller[name] < 1:
            break
        after = place(smaller)
        if after.cores_used > cores or max(core_seconds(after, loads, name)) >= now:
            break
        best, most = after, smaller
    return min(
        (replace(best, strategy="balanced", places=places) for places in ({}, in_stripes(best))),
        key=lambda placement: busiest_link(placement, recording),
    )


def busiest_seconds(placement: Placement, recording: Recording) -> float:
    """Seconds of a mean step that the busiest core of a placement is at work."""
    return busiest(placement, _loads(placement, recording))[1]


def _loads(placement: Placement, recording: Recording) -> dict[str, FloatArray]:
    names = [partition.population.name for partition in placement.partitions]
    return {name: neuron_seconds(recording, placement, name) for name in names}


def in_stripes(placement: Placement) -> dict[str, NDArray[np.int64]]:
    """Places of every core, blocks ordered by where along x their image has them."""
    entries = [
        (_middle(partition, core), population, core)
        for population, partition in enumerate(placement.partitions)
        for core in range(partition.cores)
    ]
    places = {p.population.name: np.zeros(p.cores, np.int64) for p in placement.partitions}
    for place, (_, population, core) in enumerate(sorted(entries)):
        places[placement.partitions[population].population.name][core] = place
    return places


def _middle(partition: Partition, core: int) -> float:
    """Middle of a block along x, as part of the width; lists have no place and come last."""
    piece, shape = partition.pieces[core], partition.population.shape
    if piece.corner is None or piece.block is None:
        return 2.0
    return (piece.corner[0] + piece.block[0] / 2) / shape[2]


def busiest_link(placement: Placement, recording: Recording) -> float:
    """Seconds of a mean step that the busiest link of the mesh is taken."""
    return float(np.max(link_seconds(placement, recording)))


def link_seconds(placement: Placement, recording: Recording) -> FloatArray:
    """Seconds of a mean step that each link is taken, float64 [tiles, 4]; see `Routes.links`."""
    chip, loads = placement.chip, [np.zeros((1, 4))]
    for way in all_routes(placement):
        if len(way.links):
            source = placement[way.projection.source]
            counts = message_counts(recording, source.population.name)
            sent = np.bincount(source.core_of, counts, minlength=source.cores)
            loads.append(np.tensordot(sent, way.links, 1))
    hops = [
        chip[name] if name in chip.constants else 0.0
        for name in ("hop_east_west_time", "hop_north_south_time")
    ]
    taken = sum(loads) * np.repeat(hops, 2)  # east, west, south, north
    return np.asarray(taken / (recording.samples * recording.steps), np.float64)


def neuron_seconds(recording: Recording, placement: Placement, name: str) -> FloatArray:
    """Time that a core spends on each neuron of a population per step, float64 [neurons].

    An idle update, what a sent message adds to it, and every synapse that is read for it,
    stored zeros too; means over samples and steps.
    """
    chip = placement.chip
    messages, synops = neuron_events(placement.laid_out, recording, name, stored=True)
    update = update_times(chip, placement[name].population.neuron.kind)
    steps = recording.samples * recording.steps
    active = messages * (update.active - update.inactive)
    busy = (active + synops * chip["synop_time"]) / steps
    return np.asarray(update.inactive + busy, dtype=np.float64)


def neuron_events(
    network: Network, recording: Recording, name: str, stored: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Messages sent and synaptic operations received by each neuron, over all samples.

    `stored`: see `Synapse.synops_per_target`.

    Returns
    -------
    float64 [neurons], float64 [neurons]
    """
    synops = np.zeros(network[name].size)
    for projection in network.into(name):
        counts, source = message_counts(recording, projection.source), network[projection.source]
        synops += projection.synapse.synops_per_target(counts, source.shape, len(synops), stored)
    return message_counts(recording, name), synops


def busiest(placement: Placement, loads: dict[str, FloatArray]) -> tuple[str, float]:
    """Population of the busiest core, and its seconds per step."""
    found = {name: max(core_seconds(placement, loads, name)) for name in loads}
    name = max(found, key=lambda n: found[n])
    return name, found[name]


def core_seconds(placement: Placement, loads: dict[str, FloatArray], name: str) -> FloatArray:
    """Seconds per step of each core of a population, float64 [cores]."""
    partition = placement[name]
    seconds = np.bincount(partition.core_of, loads[name], minlength=partition.cores)
    return seconds.astype(np.float64)


def message_counts(recording: Recording, name: str) -> FloatArray:
    """Messages of each neuron over all samples, float64 [neurons]."""
    counts = checked_counts(recording, name)
    return np.asarray(counts.reshape(len(counts), -1).sum(axis=0), dtype=np.float64)


def checked_counts(recording: Recording, name: str) -> NDArray[np.int64]:
    """Counts of a population, int64 [samples, *shape].

    Raises
    ------
    RecordingError
        If they were not recorded.
    """
    record = recording[name]
    if not record.has("counts") and not record.has("spikes"):
        raise RecordingError(
            f"population {name!r}: the recording has no counts; record them with --record counts"
        )
    return record.counts
