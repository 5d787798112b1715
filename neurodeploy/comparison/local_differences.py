"""Each population by itself, fed what A recorded: one bad layer does not hide the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NeurodeployError
from ..network import Network
from ..recording import Recording
from .alignment import (
    BLOCK_BYTES,
    MASKED,
    AlignedBlock,
    Array,
    overlap_of,
    shift_steps,
    where_fired,
)
from .comparison import Comparison
from .recorded_side import presented_to, recorded_messages
from .results import LocalDifference, LocalFigures
from .statistics import PopulationStatistics, PopulationTally


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
        if population.neuron.is_port or row.differing is None:
            continue
        try:
            tally, differing = _run_on_messages(
                a, network, row.population, comparison.samples, inputs
            )
        except NeurodeployError as error:
            notes.append(f"population {row.population!r}: no local difference: {error}")
            continue
        record = a[row.population]
        local = _figures(differing, tally.result(record, record))
        cumulative = _figures(row.differing, row.statistics)
        found.append(LocalDifference(row.population, local, cumulative))
    return tuple(found), tuple(notes)


def _run_on_messages(
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
    resets = a.header.resets(network.hops(name))
    shift = network.hops(name) - record.header.hops
    spans = overlap_of(shift, a.steps, a.steps)
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
        made = replay(network, name, messages, values=values, states=record.states, resets=resets)
        masked = np.zeros((stop - start, a.steps, *population.shape), np.bool_)
        if MASKED in record.states:
            fired = made.fired.reshape(masked.shape) & population.neuron.masks_v
            masked = shift_steps(fired, -shift, axis=1) | where_fired(record, start, stop)

        block = AlignedBlock(
            start=start,
            first_step=spans[0].start,
            spikes=_line_up(record.spikes_of(start, stop), made.spikes, spans),
            states={
                state: _line_up(record.state_of(state, start, stop), values, spans)
                for state, values in made.states.items()
            },
            masked=masked[:, spans[0]],
            graded=record.header.graded or population.neuron.graded,
        )
        tally.add(block)
        differing += int(np.count_nonzero(block.differs("spikes")))
    return tally, differing


def _line_up(recorded: Array, replayed: Array, spans: tuple[slice, slice]) -> tuple[Array, Array]:
    """Cut both to the steps that they share, [samples, steps, *shape]."""
    return recorded[:, spans[0]], replayed.reshape(recorded.shape)[:, spans[1]]


def _figures(differing: int, statistics: PopulationStatistics) -> LocalFigures:
    v, rate = statistics.errors.get("v"), statistics.coincidence_rate
    sqnr = None if v is None else v.sqnr_db
    return LocalFigures(
        differing, 1.0 if rate is None else rate, sqnr, statistics.van_rossum or 0.0
    )
