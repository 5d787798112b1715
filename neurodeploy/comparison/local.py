"""Each population by itself, fed what A recorded: one bad layer does not hide the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NeurodeployError
from ..network import Network, Source
from ..recording import PopulationHeader, PopulationRecord, Recording
from .blocks import BLOCK_BYTES, aligned_blocks
from .messages import presented_to, recorded_messages
from .statistics import PopulationStatistics, PopulationTally

if TYPE_CHECKING:
    from .comparison import Comparison, PopulationDifference


@dataclass(frozen=True)
class LocalFigures:
    """How far one population lies from A.

    Attributes
    ----------
    differing : int
        Entries of the spike arrays that differ.
    coincidence_rate : float
    v_sqnr_db : float or None
        None where v was not recorded, or nothing differs.
    van_rossum : float
    """

    differing: int
    coincidence_rate: float
    v_sqnr_db: float | None
    van_rossum: float


@dataclass(frozen=True)
class LocalDifference:
    """One population's own difference from A, and what had piled up in B.

    Attributes
    ----------
    population : str
    local : LocalFigures
        B's network on the engine, this population fed with A's messages.
    cumulative : LocalFigures
        As recorded in B, with all that went before.
    """

    population: str
    local: LocalFigures
    cumulative: LocalFigures


def local_differences(
    a: Recording,
    b: Recording,
    network: Network,
    comparison: Comparison,
    inputs: NDArray[Any] | None = None,
) -> tuple[tuple[LocalDifference, ...], tuple[str, ...]]:
    """Feed each population of a network what A recorded of its sources.

    Parameters
    ----------
    a, b : Recording
    network : Network
        What B ran; its populations run on the engine.
    comparison : Comparison
        Of `a` and `b`.
    inputs : array, optional
        As for `nd.run`: for neurons of the input population.

    Returns
    -------
    differences : tuple of LocalDifference
    notes : tuple of str
        Populations left out, and why.
    """
    found, notes = [], []
    for row in comparison.rows:
        population = network[row.population]
        if isinstance(population.neuron, Source) or row.differing is None:
            continue
        try:
            tally, differing = _alone(a, network, row.population, comparison.samples, inputs)
        except NeurodeployError as error:
            notes.append(f"population {row.population!r}: no local difference: {error}")
            continue
        record = a[row.population]
        local = _figures(differing, tally.result(record, record))
        cumulative = _figures(_differing(row), row.statistics)
        found.append(LocalDifference(row.population, local, cumulative))
    return tuple(found), tuple(notes)


def _alone(
    a: Recording,
    network: Network,
    name: str,
    samples: int,
    inputs: NDArray[Any] | None,
) -> tuple[PopulationTally, int]:
    """Run one population on A's messages, block by block, and hold it against A."""
    from ..core.replay import replay

    population, record = network[name], a[name]
    tally, differing = PopulationTally(population.size, 0), 0
    sources = {p.source for p in network.into(name)}
    widest = max(network[s].size for s in (*sources, name))
    size = max(1, BLOCK_BYTES // (16 * widest * a.steps))
    states = tuple(s for s in ("u", "v") if record.has(s))
    resets = a.header.resets(network.hops(name))
    presented = None
    if name == network.input.name and inputs is not None:
        presented = presented_to(network, inputs, a)
    for start in range(0, samples, size):
        stop = min(start + size, samples)
        messages = {
            s: recorded_messages(a[s], network.hops(s), start, stop, a.steps) for s in sources
        }
        values = None
        if presented is not None:
            values = presented[start:stop].reshape(stop - start, a.steps, -1)
        made = replay(network, name, messages, values=values, states=states, resets=resets)
        played = _as_record(network, record, made.spikes, made.states)
        for block in aligned_blocks(_part(record, start, stop), played, stop - start, ("A", "B")):
            tally.add(block)
            differing += int(np.count_nonzero(block.spikes[0] != block.spikes[1]))
    return tally, differing


def _as_record(
    network: Network,
    like: PopulationRecord,
    spikes: NDArray[np.int32],
    states: dict[str, NDArray[np.int32]],
) -> PopulationRecord:
    """Give what was replayed the form of a record."""
    population = network[like.header.name]
    samples, steps = spikes.shape[:2]
    key = f"populations/{population.name}"
    sample, step, neuron = np.nonzero(spikes)
    arrays: dict[str, Any] = {
        f"{key}/event_counts": np.count_nonzero(spikes, axis=2).astype(np.int32),
        f"{key}/neuron": neuron.astype(np.int32),
        f"{key}/payload": spikes[sample, step, neuron],
    }
    if population.axon_delay is not None:
        arrays[f"{key}/axon_delay"] = population.axon_delay
    for name, values in states.items():
        arrays[f"{key}/{name}"] = values.reshape(samples, steps, *population.shape)
    header = PopulationHeader(
        name=population.name,
        shape=population.shape,
        hops=network.hops(population.name),
        neuron=population.neuron.kind,
        graded=population.neuron.graded,
        on_chip=True,
    )
    return PopulationRecord(header, steps, arrays)


def _part(record: PopulationRecord, start: int, stop: int) -> PopulationRecord:
    """Samples start..stop of a record, as a record of its own."""
    key = f"populations/{record.header.name}"
    where, neuron, payload = record.events_of(start, stop)
    counts = np.bincount(where, minlength=(stop - start) * record.steps)
    arrays: dict[str, Any] = {
        f"{key}/event_counts": counts.reshape(stop - start, record.steps),
        f"{key}/neuron": neuron,
        f"{key}/payload": payload,
    }
    if record.axon_delay is not None:
        arrays[f"{key}/axon_delay"] = record.axon_delay
    for name in ("u", "v"):
        if record.has(name):
            arrays[f"{key}/{name}"] = record.state_of(name, start, stop)
    return PopulationRecord(record.header, record.steps, arrays)


def _differing(row: PopulationDifference) -> int:
    return row.differing or 0


def _figures(differing: int, statistics: PopulationStatistics) -> LocalFigures:
    v = statistics.errors.get("v")
    return LocalFigures(
        differing=differing,
        coincidence_rate=1.0
        if statistics.coincidence_rate is None
        else statistics.coincidence_rate,
        v_sqnr_db=None if v is None else v.sqnr_db,
        van_rossum=statistics.van_rossum or 0.0,
    )
