"""Rows that the terminal's tables and the page share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..network import Network, Population, Projection
from ..network.neurons import model_of
from ..numbers import NOTHING, count, shape
from ..recording import PopulationHeader, PopulationRecord, Recording

FIGURES = (
    ("energy", "energy_joules", "J"),
    ("dynamic", "dynamic_joules", "J"),
    ("static", "static_joules", "J"),
    ("power", "watts", "W"),
    ("time", "seconds", "s"),
    ("time per step", "seconds_per_step", "s"),
)
"""Figures of a profile: what they are called, the attribute, the unit."""


@dataclass(frozen=True)
class NetworkRow:
    """One population and one of the projections into it, as text.

    A population with several projections has a row for each; only the first
    has `leads` set.
    """

    leads: bool
    population: str
    neuron: str
    shape: str
    neurons: str
    source: str
    synapse: str
    synapses: str
    hops: str
    delay: str
    weights: str

    @property
    def own(self) -> tuple[str, str, str]:
        """Of its neurons: model, shape and number, in the row that leads."""
        return (self.neuron, self.shape, self.neurons) if self.leads else ("", "", "")

    @property
    def clock(self) -> tuple[str, str]:
        """Hops and delay, in the row that leads."""
        return (self.hops, self.delay) if self.leads else ("", "")


def network_rows(network: Network) -> tuple[NetworkRow, ...]:
    """Describe each population, and each projection into it."""
    rows = []
    for population in network.populations:
        projections: tuple[Projection | None, ...] = network.into(population.name) or (None,)
        for i, projection in enumerate(projections):
            source = synapse = synapses = weights = NOTHING
            if projection is not None:
                source, synapse = projection.source, projection.synapse.kind
                synapses, weights = _synapses(network, projection)
            rows.append(
                NetworkRow(
                    leads=i == 0,
                    population=population.name,
                    neuron=population.neuron.kind,
                    shape=shape(population.shape),
                    neurons=count(population.size),
                    source=source,
                    synapse=synapse,
                    synapses=synapses,
                    hops=str(network.hops(population.name)),
                    delay=_delay(population),
                    weights=weights,
                )
            )
    return tuple(rows)


def synapse_counts(network: Network, projection: Projection) -> tuple[int, int] | None:
    """Connections of a projection: (with a weight other than 0, all), or None.

    A convolution's weight counts once for every place of the kernel at which
    it meets a source neuron; what it meets in the padding is no synapse.
    """
    if not projection.synapse.steps:
        return None
    nonzero, total = (network.fan_out(projection, dense=dense).sum() for dense in (False, True))
    return int(nonzero), int(total)


def _synapses(network: Network, projection: Projection) -> tuple[str, str]:
    counts = synapse_counts(network, projection)
    weights = [w for w in projection.synapse.arrays() if w.ndim and w.size]
    if counts is None:
        return NOTHING, NOTHING
    span = NOTHING
    if weights:
        digits = ".3g" if projection.synapse.is_float else "d"
        low, high = min(w.min() for w in weights), max(w.max() for w in weights)
        span = f"{low:{digits}}..{high:{digits}}"
    return f"{count(counts[0])} / {count(counts[1])}", span


def _delay(population: Population) -> str:
    delay = population.axon_delay
    if delay is None or not delay.size:
        return NOTHING
    low, high = int(delay.min()), int(delay.max())
    return str(low) if low == high else f"{low}..{high}"


@dataclass(frozen=True)
class SpikeRow:
    """Messages of one population in each recording: mean per sample, None where unknown."""

    population: str
    neurons: int
    hops: int
    messages: tuple[float | None, ...]


def spike_rows(recordings: Sequence[Recording]) -> tuple[SpikeRow, ...]:
    """Mean messages per sample of every population, in the order of the recordings."""
    headers: dict[str, PopulationHeader] = {}
    for recording in recordings:
        for header in recording.header.populations:
            headers.setdefault(header.name, header)
    return tuple(
        SpikeRow(
            population=name,
            neurons=header.size,
            hops=header.hops,
            messages=tuple(_mean_messages(recording, name) for recording in recordings),
        )
        for name, header in headers.items()
    )


def limit_lines(recording: Recording) -> tuple[str, ...]:
    """One line for each state that met its limit and for each projection with clipped weights."""
    lines = [
        f"{header.name}: {model_of(header.neuron).beyond_limits[what]} {count(number)} times in "
        f"all samples; silicon may differ there"
        for header in recording.header.populations
        for what, number in (recording[header.name].overflows() or {}).items()
        if number
    ]
    lines += [
        f"{name}: {count(number)} weights were clipped to what the chip holds"
        for name, number in recording.weights_clipped().items()
        if number
    ]
    return tuple(lines)


def _mean_messages(recording: Recording, name: str) -> float | None:
    if name not in recording.names or not recording.samples:
        return None
    total = total_messages(recording[name])
    return None if total is None else total / recording.samples


def total_messages(population: PopulationRecord) -> int | None:
    """Messages of all samples, or None where neither counts nor spikes were recorded."""
    if population.has("counts"):
        return int(population.counts.sum())
    return int(population.step_counts.sum()) if population.has("spikes") else None
