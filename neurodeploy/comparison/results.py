"""What is found of each population, around the first divergence and of the whole: data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .statistics import PopulationStatistics


@dataclass(frozen=True)
class PopulationDifference:
    """How two recordings of one population differ.

    Attributes
    ----------
    population : str
    shift : int
        Steps by which B lags A here; the comparison is made after taking it away.
    spikes_a, spikes_b : int
        Messages in the steps compared.
    differing : int or None
        Entries of the spike arrays that differ; None where only counts could be compared.
    states_differing : mapping of str to int
        Entries that differ of each state recorded on both sides.
    masked : int
        Entries of v left out because the neuron had just spiked.
    compared : tuple of str
        What was compared: counts, spikes, states.
    exact : bool or None
        Whether nothing that was compared differs; None where nothing could be.
    statistics : PopulationStatistics
    within : bool or None
        Whether what differs stays within the tolerances; as `exact` where there are none.
    """

    population: str
    shift: int
    spikes_a: int
    spikes_b: int
    differing: int | None
    states_differing: Mapping[str, int]
    masked: int
    compared: tuple[str, ...]
    exact: bool | None
    statistics: PopulationStatistics
    within: bool | None

    @property
    def u_differing(self) -> int | None:
        """Entries of u that differ; None where not recorded on both sides."""
        return self.states_differing.get("u")

    @property
    def v_differing(self) -> int | None:
        """Entries of v that differ; None where not recorded on both sides."""
        return self.states_differing.get("v")


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


@dataclass(frozen=True)
class FloorRow:
    """One metric beside its floor.

    Attributes
    ----------
    population, metric : str
    value : float
        In the comparison.
    low, high : float
        Of the perturbed runs.
    verdict : {"below", "at", "above"}
        Above: the two recordings differ by more than the network's own sensitivity explains.
    """

    population: str
    metric: str
    value: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Floor:
    """The sensitivity floor of a comparison.

    Attributes
    ----------
    noise : float or None
        As in `FloorOptions`.
    repeats, seed : int
    changed : float
        Share of the nonzero weights that a perturbed run changed, mean.
    rows : tuple of FloorRow
    """

    noise: float | None
    repeats: int
    seed: int
    changed: float
    rows: tuple[FloorRow, ...]


@dataclass(frozen=True)
class Arrival:
    """A message that reached the neuron in the step of the divergence.

    Attributes
    ----------
    source : str
    neuron : int
        Of the source, flat in (C, H, W) order.
    position : tuple of int
    weight : int
        As the network has it.
    delay : int
        Steps beyond the one that every synapse takes.
    payload : int
    """

    source: str
    neuron: int
    position: tuple[int, ...]
    weight: int
    delay: int
    payload: int


_USUAL = ("current", "u", "bias", "v_before_reset", "v", "spikes")


@dataclass(frozen=True)
class Trace:
    """One side's neuron around the divergence, a value for each of `Evidence.steps`.

    Attributes
    ----------
    values : mapping of str to tuple of int, float or None
        Of ``current`` (sum of weights that arrived), ``u``, ``bias`` (in the unit of v),
        ``v_before_reset`` (what the threshold was held against), ``v``, ``spikes``, and further
        states of the model.
    known : mapping of str to str
        Where each is from: ``recorded``, ``engine`` (run again), ``network`` (the bias),
        ``implied`` (the current, from two u; v before the reset, from u and the last v).
    """

    values: Mapping[str, tuple[float | int | None, ...]]
    known: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """The neuron that diverged first, on both sides.

    Attributes
    ----------
    steps : tuple of int
        On A's chip clock.
    at : int
        Place in `steps` of the divergence.
    threshold : int or None
        In the unit of v, as the network has it.
    a, b : Trace
    arrivals : tuple of Arrival
        On side B, in the step of the divergence.
    arrived : int
        How many there were.
    """

    steps: tuple[int, ...]
    at: int
    threshold: int | None
    a: Trace
    b: Trace
    arrivals: tuple[Arrival, ...]
    arrived: int

    @property
    def further_states(self) -> tuple[str, ...]:
        """States beside u and v that are known of either side."""
        found = dict.fromkeys((*self.a.values, *self.b.values))
        return tuple(name for name in found if name not in _USUAL)


@dataclass(frozen=True)
class Finding:
    """A supposition that reproduces what was recorded, wholly or for some steps.

    Attributes
    ----------
    pattern : str
        Short name, see ``docs/compare.md``.
    words : str
        The supposition as a sentence.
    reproduces : bool
        Whether it gives all that was recorded, in all samples tried.
    steps_explained, steps : int
        Of the steps from the divergence to the end of its sample.
    samples : int
        Samples in which it was tried.
    """

    pattern: str
    words: str
    reproduces: bool
    steps_explained: int
    steps: int
    samples: int


@dataclass(frozen=True)
class Diagnosis:
    """What made two runs part, as far as trying could tell.

    Attributes
    ----------
    deviating : str
        The side that does not do what its own network says, as the engine runs it; empty
        where both do. Where neither does, the one that leaves it first.
    words : str
        The outcome in one or two sentences.
    findings : tuple of Finding
        The likeliest first.
    differences : tuple of str
        How the networks of the two sides differ in this population, if two were given.
    evidence : Evidence or None
    tried : int
        Suppositions tried on the whole population.
    """

    deviating: str
    words: str
    findings: tuple[Finding, ...] = ()
    differences: tuple[str, ...] = ()
    evidence: Evidence | None = None
    tried: int = 0

    @property
    def pattern(self) -> str:
        """Short name of what reproduces the deviation; empty if nothing does."""
        return self.findings[0].pattern if self.findings and self.findings[0].reproduces else ""
