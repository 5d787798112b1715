"""Parts of a recording, priced one by one: stretches of time, samples, other activities.

Each part becomes a recording of its own events and goes through `estimate`: power against
time, cost against sparsity and the busiest cores rest on the model that gives the totals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip, Placement, load_chip
from ..chip.balance import core_seconds, neuron_seconds
from ..errors import RecordingError
from ..recording import Recording
from .estimate import estimate
from .result import Profile

if TYPE_CHECKING:
    from ..network import Network

MOST_STRETCHES, MOST_SAMPLES = 24, 32

SCALES = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
"""Of the activity that was recorded."""


@dataclass(frozen=True)
class Stretch:
    """Steps `first` to before `stop` of the run, priced by themselves: a mean sample."""

    first: int
    stop: int
    profile: Profile


@dataclass(frozen=True)
class Point:
    """A profile at an activation sparsity (share of neuron steps without a message)."""

    sparsity: float
    profile: Profile


@dataclass(frozen=True)
class Core:
    """How long a core is busy in a mean step.

    Attributes
    ----------
    number : int
        Among the cores of its population, from 0.
    population : str
    seconds : float
        Its neuron updates and synaptic operations, by the chip's times.
    """

    number: int
    population: str
    seconds: float


def over_time(
    recording: Recording,
    chip: str | Chip,
    placement: Placement | None = None,
    network: Network | None = None,
    most: int = MOST_STRETCHES,
) -> tuple[Stretch, ...]:
    """Price a recording stretch by stretch, mean over samples.

    Synaptic operations count in the step in which their message was sent.

    Parameters
    ----------
    recording : Recording
        With spikes of every population.
    chip, placement
        As for `estimate`.
    network : Network, optional
        Tells how many synapses each message met; without it (or a placement's) every
        message of a projection is taken for its mean.
    most : int
        Stretches; they are of equal length but for the last.

    Raises
    ------
    RecordingError
        If the spikes of a population were not recorded.
    """
    chip = load_chip(chip)
    if placement is not None:
        network = placement.network
    length = -(-recording.steps // most)
    found = []
    for first in range(0, recording.steps, length):
        stop = min(first + length, recording.steps)
        part = _stretch(recording, network, first, stop)
        found.append(Stretch(first, stop, estimate(part, chip, placement)))
    return tuple(found)


def over_sparsity(
    recording: Recording,
    chip: str | Chip,
    placement: Placement | None = None,
    scales: tuple[float, ...] = SCALES,
) -> tuple[Point, ...]:
    """Price the same run as if every neuron had sent more or less.

    Every population's messages, those of the inputs too, and their synaptic operations are
    multiplied by each of `scales`; no neuron sends more than once a step. Means over samples.
    """
    chip = load_chip(chip)
    counts, synops = _means(recording)
    found = []
    for scale in scales:
        sent = {name: np.minimum(scale * c, recording.steps) for name, c in counts.items()}
        made = {
            projection: operations * _ratio(sent[source], counts[source])
            for (projection, source), operations in synops.items()
        }
        part = _recording(recording, recording.steps, sent, made)
        found.append(Point(_sparsity(part), estimate(part, chip, placement)))
    return tuple(found)


def by_sample(
    recording: Recording,
    chip: str | Chip,
    placement: Placement | None = None,
    most: int = MOST_SAMPLES,
) -> tuple[Point, ...]:
    """Price each of the first samples by itself."""
    chip = load_chip(chip)
    shown = range(min(recording.samples, most))
    counts = {name: _counts(recording, name) for name in recording.names}
    synops = recording.synops()
    found = []
    for sample in shown:
        part = _recording(
            recording,
            recording.steps,
            {name: counts[name][sample] for name in recording.names},
            {name: float(operations[sample]) for name, operations in synops.items()},
        )
        found.append(Point(_sparsity(part), estimate(part, chip, placement)))
    return tuple(found)


def busy_cores(recording: Recording, placement: Placement) -> tuple[Core, ...]:
    """All cores of a placement, the busiest first, by the times of its chip."""
    cores = []
    for partition in placement.partitions:
        name = partition.population.name
        loads = {name: neuron_seconds(recording, placement, name)}
        seconds = core_seconds(placement, loads, name)
        cores += [Core(number, name, float(s)) for number, s in enumerate(seconds)]
    return tuple(sorted(cores, key=lambda core: -core.seconds))


def _stretch(recording: Recording, network: Network | None, first: int, stop: int) -> Recording:
    sent = {}
    for name in recording.names:
        record = recording[name]
        if not record.has("spikes"):
            raise RecordingError(
                f"population {name!r}: spikes were not recorded, cost over time needs them; "
                f"run again with --record counts,spikes"
            )
        where, neuron, _ = record.events_of(0, recording.samples)
        step = where % recording.steps
        here = neuron[(step >= first) & (step < stop)]
        sent[name] = np.bincount(here, minlength=record.header.size) / recording.samples
    whole, synops = _means(recording)
    made = {}
    for (projection, source), operations in synops.items():
        if network is None:
            made[projection] = operations * _ratio(sent[source], whole[source])
        else:
            each = next(p for p in network.projections if p.name == projection)
            made[projection] = float(network.fan_out(each) @ sent[source])
    return _recording(recording, stop - first, sent, made)


def _means(
    recording: Recording,
) -> tuple[dict[str, NDArray[np.float64]], dict[tuple[str, str], float]]:
    """Counts of each neuron, and synops by projection and source, means over samples."""
    counts = {name: _counts(recording, name).mean(axis=0) for name in recording.names}
    recorded = recording.synops()
    synops = {
        (p.name, p.source): float(recorded[p.name].mean())
        for p in recording.header.projections
        if p.name in recorded
    }
    return counts, synops


def _counts(recording: Recording, name: str) -> NDArray[Any]:
    return recording[name].counts.reshape(recording.samples, -1)


def _recording(
    whole: Recording, steps: int, counts: dict[str, NDArray[Any]], synops: dict[str, float]
) -> Recording:
    """A recording of one sample with these events; means may be fractions."""
    header = replace(whole.header, steps=steps, samples=1, record=("counts",), measured={})
    if whole.header.reset_interval is not None and steps < whole.header.reset_interval:
        header = replace(header, reset_interval=None)
    arrays: dict[str, Any] = {
        f"populations/{name}/counts": values.reshape(1, *whole[name].header.shape)
        for name, values in counts.items()
    }
    arrays |= {f"projections/{name}/synops": np.array([n]) for name, n in synops.items()}
    return Recording(header, arrays)


def _sparsity(part: Recording) -> float:
    """Activation sparsity as NeuroBench counts it, of the populations on the chip."""
    on_chip = [p for p in part.header.populations if p.on_chip]
    slots = sum(p.size for p in on_chip) * part.steps
    sent = sum(float(np.minimum(part[p.name].counts, part.steps).sum()) for p in on_chip)
    return 1 - sent / slots if slots else 1.0


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total else 0.0
