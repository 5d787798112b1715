"""Whether two sides draw from the same distribution: neurons with noise, many runs of each.

Runs of neurons that draw at random are never equal. What can be compared is how often they do
what. A run is a draw, whatever happens within it, so a neuron is tested on runs: in how many does
it send more messages than in the median of all runs of both sides? If the sides draw from one
distribution, these runs are spread over the sides by chance alone, and Fisher's exact test holds
(Mood's median test, exact: the two binomials conditional on their sum).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RecordingError
from ..numbers import count
from ..recording import Recording
from .tables import Listing, Tagged, plain

CORRECTIONS = ("holm", "bonferroni")


@dataclass(frozen=True)
class PopulationDistribution:
    """How the counts of one population are distributed on both sides.

    Attributes
    ----------
    population : str
    mean_a, mean_b : float
        Messages of the population in a run.
    corrected : float64 [neurons]
        Probability, corrected for the number of neurons compared, that chance alone spreads a
        neuron's runs so unevenly.
    differing : tuple of int
        Neurons whose probability is below the level.
    """

    population: str
    mean_a: float
    mean_b: float
    corrected: NDArray[np.float64]
    differing: tuple[int, ...]


@dataclass(frozen=True)
class DistributionComparison:
    """What `compare_distributions` finds.

    Attributes
    ----------
    runs : (int, int)
        Of both sides.
    level : float
    correction : str
    rows : tuple of PopulationDistribution

    Examples
    --------
    >>> found = compare_distributions(runs_a, runs_b)  # doctest: +SKIP
    >>> found.same, found.summary()  # doctest: +SKIP
    """

    runs: tuple[int, int]
    level: float
    correction: str
    rows: tuple[PopulationDistribution, ...]

    @property
    def same(self) -> bool:
        """Whether no neuron differs by more than chance."""
        return not any(row.differing for row in self.rows)

    @property
    def neurons(self) -> int:
        """Neurons compared."""
        return sum(len(row.corrected) for row in self.rows)

    def summary(self) -> str:
        """Say in a sentence what was found."""
        differing = sum(len(row.differing) for row in self.rows)
        a, b = self.runs
        where = f"{a} and {b} runs, {self.neurons} neurons, level {self.level:g}, {self.correction}"
        if not differing:
            return f"no neuron sends differently by more than chance ({where})"
        return f"{differing} of {self.neurons} neurons send differently ({where})"

    def table(self) -> Listing:
        """Give a row for each population."""
        head = (
            "population", "#messages a run, A", "#messages a run, B", "#neurons",
            "#neurons differing", "#least p, corrected", "verdict",
        )  # fmt: skip
        rows = tuple(
            (
                row.population, plain(row.mean_a), plain(row.mean_b), count(len(row.corrected)),
                count(len(row.differing)), f"{row.corrected.min():.2g}",
                Tagged("", "differs" if row.differing else "by chance"),
            )
            for row in self.rows
        )  # fmt: skip
        foot = (
            "A neuron is tested on the runs in which it sends more than in the median of all runs; "
            "p is corrected for the number of neurons."
        )
        return Listing("Distribution of messages", head, rows, foot)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain numbers and text."""
        return {
            "runs": list(self.runs),
            "level": self.level,
            "correction": self.correction,
            "same": self.same,
            "populations": [
                {
                    "population": row.population,
                    "mean_a": row.mean_a,
                    "mean_b": row.mean_b,
                    "neurons": len(row.corrected),
                    "differing": list(row.differing),
                    "p_corrected": [float(p) for p in row.corrected],
                }
                for row in self.rows
            ],
        }


def compare_distributions(
    a: Recording | Sequence[Recording],
    b: Recording | Sequence[Recording],
    *,
    level: float = 0.05,
    correction: str = "holm",
) -> DistributionComparison:
    """Compare how often neurons send, over many runs of the same inputs with other draws.

    Parameters
    ----------
    a, b : Recording or sequence of Recording
        Several recordings: each is a run, whose samples are added up. One recording: each of its
        samples is a run, so all must be of the same input.
    level : float
        Probability, 0..1, both excluded, that anything at all is called different where both sides
        draw from the same distribution.
    correction : {"holm", "bonferroni"}
        For the number of neurons. Holm's finds more at the same level.

    Returns
    -------
    DistributionComparison
        Of the populations that both sides recorded with as many neurons.

    Raises
    ------
    InputError
        If there are so few runs that not even the greatest difference would be below the level.
    RecordingError
        If the recordings share no population, differ in their inputs, or have no counts.

    Notes
    -----
    Counts are compared, not when a neuron sends. Sources: Mood 1950; Fisher 1935; Holm 1979,
    "A simple sequentially rejective multiple test procedure".

    Examples
    --------
    >>> from neurodeploy.comparison import compare_distributions
    >>> found = compare_distributions(runs_of_engine, runs_of_chip)  # doctest: +SKIP
    >>> found.summary()  # doctest: +SKIP
    'no neuron sends differently by more than chance (50 and 50 runs, 60 neurons, level 0.05, holm)'
    """
    if not 0 < level < 1 or correction not in CORRECTIONS:
        raise InputError(
            f"level {level:g}, correction {correction!r}; give a level within 0..1 and one of "
            f"{', '.join(CORRECTIONS)}"
        )
    counts_a, counts_b = _runs(a, "A"), _runs(b, "B")
    _check_inputs(a, b)
    names = [
        name
        for name, counts in counts_a.items()
        if name in counts_b and counts.shape[1] == counts_b[name].shape[1]
    ]
    if not names:
        raise RecordingError(
            "A and B: no population of the same name and size was recorded on both"
        )
    n, m = (len(next(iter(side.values()))) for side in (counts_a, counts_b))
    total = sum(counts_a[name].shape[1] for name in names)
    if _least(n, m) * total > level:
        raise InputError(
            f"A and B: {n} and {m} runs; for {total} neurons at a level of {level:g} not even the "
            f"greatest difference would show: give more runs"
        )
    found = np.concatenate([_probabilities(counts_a[name], counts_b[name]) for name in names])
    corrected, rows, start = _corrected(found, correction), [], 0
    for name in names:
        own = corrected[start : start + counts_a[name].shape[1]]
        start += len(own)
        mean_a, mean_b = (float(side[name].sum(axis=1).mean()) for side in (counts_a, counts_b))
        differing = tuple(int(i) for i in np.flatnonzero(own < level))
        rows.append(PopulationDistribution(name, mean_a, mean_b, own, differing))
    return DistributionComparison((n, m), level, correction, tuple(rows))


def _runs(side: Recording | Sequence[Recording], label: str) -> dict[str, NDArray[np.int64]]:
    """Counts [runs, neurons] of each population."""
    if isinstance(side, Recording):
        return {one.header.name: _counts(one) for one in side}
    if not side:
        raise RecordingError(f"{label}: no recordings; give at least one")
    first = list(side[0].names)
    for recording in side:
        if list(recording.names) != first or recording.samples != side[0].samples:
            raise RecordingError(
                f"{label}: recordings of {recording.samples} and {side[0].samples} samples, or of "
                f"other populations; give runs of one network on the same inputs"
            )
    return {
        name: np.stack([_counts(recording[name]).sum(axis=0) for recording in side])
        for name in first
    }


def _counts(population: Any) -> NDArray[np.int64]:
    if not population.has("counts"):
        raise RecordingError(
            f"population {population.header.name!r}: no counts were recorded; record them"
        )
    found: NDArray[np.int64] = population.counts
    return found.reshape(len(found), -1)


def _check_inputs(a: Recording | Sequence[Recording], b: Recording | Sequence[Recording]) -> None:
    """Hashes tell where each run is a recording, or the samples are as many."""
    if isinstance(a, Recording) and isinstance(b, Recording):
        known = [a, b] if a.samples == b.samples else []
    elif isinstance(a, Recording) or isinstance(b, Recording):
        known = []
    else:
        known = [*a, *b]
    if len({recording.header.inputs for recording in known}) > 1:
        raise RecordingError("A and B: runs of different inputs; present the same to all")


def _probabilities(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two-sided p of each neuron: runs above the median of all, Fisher's exact test."""
    median = np.median(np.concatenate([a, b]), axis=0)
    above = np.stack([(a > median).sum(axis=0), (b > median).sum(axis=0)], axis=1)
    pairs, which = np.unique(above, axis=0, return_inverse=True)
    found = np.array([_fisher(int(x), len(a), int(y), len(b)) for x, y in pairs])
    each: NDArray[np.float64] = found[which.reshape(-1)]
    return each


def _fisher(x: int, n: int, y: int, m: int) -> float:
    """Probability of a split of x + y runs over n and m that is at most as likely as this one."""
    total = x + y
    lows = range(max(0, total - m), min(n, total) + 1)
    logs = [_log_choices(n, k) + _log_choices(m, total - k) for k in lows]
    whole = _log_choices(n + m, total)
    own = _log_choices(n, x) + _log_choices(m, y)
    # Equally likely splits count, whatever the last bit of their logarithms is.
    return min(1.0, math.fsum(math.exp(one - whole) for one in logs if one <= own + 1e-9))


def _least(n: int, m: int) -> float:
    """The smallest probability that any split can have."""
    return min(_fisher(n, n, 0, m), _fisher(0, n, m, m))


def _log_choices(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _corrected(p: NDArray[np.float64], correction: str) -> NDArray[np.float64]:
    if correction == "bonferroni":
        return np.minimum(p * len(p), 1.0)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(steps, 1.0)
    return found


__all__ = [
    "CORRECTIONS",
    "DistributionComparison",
    "PopulationDistribution",
    "compare_distributions",
]
