"""Figures beside exactness, summed up block by block in memory that does not grow.

Sums go sample by sample, so that the size of a block changes no digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..recording import PopulationRecord
from .alignment import MASKED, AlignedBlock, Array
from .spike_trains import TAU_STEPS, coincidences, intervals, van_rossum

SATURATED_RATE = 0.95
"""Messages per step from which on a neuron counts as saturated: it carries no information."""


@dataclass(frozen=True)
class ValueDifference:
    """How far values of one variable lie apart.

    Attributes
    ----------
    entries : int
        Values compared.
    largest : float
        Largest absolute difference.
    rms : float
        Root of the mean squared difference.
    sqnr_db : float or None
        ``10 log10(sum A^2 / sum (A - B)^2)``, signal to quantization noise in
        dB; None where nothing differs or A is all zero.
    """

    entries: int
    largest: float
    rms: float
    sqnr_db: float | None


@dataclass(frozen=True)
class SideStatistics:
    """What one side's population did over all samples compared.

    Attributes
    ----------
    rate : float
        Messages per neuron and time step.
    interval_mean, interval_cv : float or None
        Mean of the steps between successive messages of a neuron, and their
        standard deviation over the mean; None where there are fewer than two.
    silent : int
        Neurons that never sent.
    saturated : int
        Neurons that sent in at least `SATURATED_RATE` of all steps.
    overflows : mapping of str to int, or None
        How often a number left its bits; None where the backend counts none.
    """

    rate: float
    interval_mean: float | None = None
    interval_cv: float | None = None
    silent: int = 0
    saturated: int = 0
    overflows: Mapping[str, int] | None = None

    @property
    def overflowing(self) -> int | None:
        """How often any number left its bits; None where not counted."""
        return None if self.overflows is None else sum(self.overflows.values())


@dataclass(frozen=True)
class PopulationStatistics:
    """Figures of one population beside exactness.

    Attributes
    ----------
    a, b : SideStatistics
    coincidence_rate : float or None
        ``2 coincidences / (spikes A + spikes B)``, see `trains.coincidences`;
        1 where both are silent, None where spikes were not recorded.
    tolerance_steps : int
    van_rossum : float or None
        Mean over samples, see `trains.van_rossum`.
    tau_steps : float
    errors : mapping of str to ValueDifference
        Of ``payload`` and the states, where both sides have them. Payloads
        are compared wherever one side sent, if any is more than 1; v not
        where a neuron just spiked.
    """

    a: SideStatistics
    b: SideStatistics
    coincidence_rate: float | None = None
    tolerance_steps: int = 0
    van_rossum: float | None = None
    tau_steps: float = TAU_STEPS
    errors: Mapping[str, ValueDifference] = field(default_factory=dict)


class ValueTally:
    """Sums up differences of one variable."""

    def __init__(self) -> None:
        self.entries = 0
        self.largest = 0.0
        self.signal = 0.0
        self.noise = 0.0

    def add(self, a: Array, b: Array, where: NDArray[np.bool_] | None = None) -> None:
        """Add a block [samples, ...], at `where` only."""
        for i in range(len(a)):
            x, y = a[i].astype(np.float64), b[i].astype(np.float64)
            if where is not None:
                x, y = x[where[i]], y[where[i]]
            error = x - y
            self.entries += error.size
            self.largest = max(self.largest, float(np.abs(error).max(initial=0.0)))
            self.signal += float(np.square(x).sum())
            self.noise += float(np.square(error).sum())

    def result(self) -> ValueDifference:
        """Give the figures."""
        rms = math.sqrt(self.noise / self.entries) if self.entries else 0.0
        known = self.noise > 0 and self.signal > 0
        sqnr = 10 * math.log10(self.signal / self.noise) if known else None
        return ValueDifference(self.entries, self.largest, rms, sqnr)


class SideTally:
    """Sums up one side's trains."""

    def __init__(self, neurons: int) -> None:
        self.counts = np.zeros(neurons, np.int64)
        self.slots = 0
        self.intervals = np.zeros(3, np.int64)  # how many, their sum, the sum of their squares

    def add(self, spikes: NDArray[np.bool_]) -> None:
        """Add a block, bool [samples, steps, neurons]."""
        self.counts += spikes.sum(axis=(0, 1), dtype=np.int64)
        self.slots += spikes.shape[0] * spikes.shape[1]
        between = intervals(spikes)
        self.intervals += (len(between), between.sum(), np.square(between).sum())

    def result(self, overflows: Mapping[str, int] | None) -> SideStatistics:
        """Give the figures."""
        number, total, squares = (int(x) for x in self.intervals)
        mean = total / number if number else None
        cv = None
        if mean is not None and number > 1:
            cv = math.sqrt(max(0.0, squares / number - mean * mean)) / mean
        slots = max(1, self.slots)
        return SideStatistics(
            rate=float(self.counts.sum()) / (slots * max(1, self.counts.size)),
            interval_mean=mean,
            interval_cv=cv,
            silent=int((self.counts == 0).sum()),
            saturated=int((self.counts >= SATURATED_RATE * slots).sum()),
            overflows=overflows,
        )


class PopulationTally:
    """Sums up one population of both sides."""

    def __init__(self, neurons: int, tolerance_steps: int) -> None:
        self.tolerance_steps = tolerance_steps
        self.sides = SideTally(neurons), SideTally(neurons)
        self.spikes = [0, 0]
        self.coinciding = 0
        self.distance = 0.0
        self.samples = 0
        self.payloads = False
        self.values: dict[str, ValueTally] = {}

    def add(self, block: AlignedBlock) -> None:
        """Add a block of samples."""
        a, b = ((s != 0).reshape(*s.shape[:2], -1) for s in block.spikes)
        for i, train in enumerate((a, b)):
            self.sides[i].add(train)
            self.spikes[i] += int(np.count_nonzero(train))
        self.samples += len(a)
        self.coinciding += int(coincidences(a, b, self.tolerance_steps).sum())
        for distance in van_rossum(a, b):
            self.distance += float(distance)
        self.payloads |= any(bool((np.abs(s) > 1).any()) for s in block.spikes)
        if block.graded:
            sent = (block.spikes[0] != 0) | (block.spikes[1] != 0)
            self.values.setdefault("payload", ValueTally()).add(*block.spikes, sent)
        for name, pair in block.states.items():
            where = ~block.masked if name == MASKED else None
            self.values.setdefault(name, ValueTally()).add(*pair, where)

    def result(self, a: PopulationRecord, b: PopulationRecord) -> PopulationStatistics:
        """Give the figures."""
        total = sum(self.spikes)
        return PopulationStatistics(
            a=self.sides[0].result(a.overflows()),
            b=self.sides[1].result(b.overflows()),
            coincidence_rate=2 * self.coinciding / total if total else 1.0,
            tolerance_steps=self.tolerance_steps,
            van_rossum=self.distance / max(1, self.samples),
            errors={
                name: tally.result()
                for name, tally in self.values.items()
                if name != "payload" or self.payloads
            },
        )


def from_counts(
    a: PopulationRecord, b: PopulationRecord, samples: int, steps: tuple[int, int]
) -> PopulationStatistics:
    """Give what counts alone can tell."""
    sides = []
    for record, length in zip((a, b), steps, strict=True):
        counts = record.counts[:samples].sum(axis=0)
        slots = max(1, samples * length)
        rate = float(counts.sum()) / (slots * max(1, counts.size))
        silent, saturated = (counts == 0).sum(), (counts >= SATURATED_RATE * slots).sum()
        sides.append(
            SideStatistics(
                rate, silent=int(silent), saturated=int(saturated), overflows=record.overflows()
            )
        )
    return PopulationStatistics(sides[0], sides[1])
