"""What is counted of samples while they are evaluated; tallies of shards add up.

Shards are added in their order, so that sums of floats do not depend on who ran which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..comparison.outputs import si_snr_db
from ..errors import InputError
from ..profiling import Profile
from ..profiling.activity import count_activity
from ..recording import Recording
from ..recording.decisions import (
    Readout,
    check_classes,
    check_decides,
    check_labels,
    decide,
    readouts,
    settled,
)
from ..recording.population import PopulationRecord

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How whole numbers, one for each sample, are spread. Sums are exact.

    Attributes
    ----------
    number : int
        Samples.
    total, squares : int
        Sum, and sum of squares.
    least, most : int
    """

    number: int
    total: int
    squares: int
    least: int
    most: int

    @classmethod
    def of(cls, values: IntArray) -> Spread:
        """Of an array [samples], at least one."""
        whole = [int(v) for v in values]
        return cls(len(whole), sum(whole), sum(v * v for v in whole), min(whole), max(whole))

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            self.number + other.number,
            self.total + other.total,
            self.squares + other.squares,
            min(self.least, other.least),
            max(self.most, other.most),
        )

    @property
    def mean(self) -> float:
        """Of a sample."""
        return self.total / self.number

    @property
    def deviation(self) -> float:
        """Standard deviation over the samples."""
        return math.sqrt(max(0, self.number * self.squares - self.total**2)) / self.number

    def as_dict(self) -> dict[str, float]:
        """Mean, deviation, least and most."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "least": self.least,
            "most": self.most,
        }


@dataclass(frozen=True)
class Fit:
    r"""How values lie to the values wanted, for each output.

    Means and central moments are kept, not sums of squares, and merged as Chan, Golub and
    LeVeque 1979 ("Updating formulae and a pairwise algorithm for computing sample variances")
    do, so that nothing cancels where the values lie far from 0.

    Attributes
    ----------
    number : int
        Values of each output.
    means : float64 [2, outputs]
        Of what was wanted, and of what came.
    moments : float64 [3, outputs]
        Central: wanted x wanted, came x came, wanted x came; sums, not means.
    squares : float64 [outputs]
        Sum of squared differences.
    ratios : tuple of (int, float)
        SI-SNR: samples that have one, and its sum in dB.
    """

    number: int
    means: FloatArray
    moments: FloatArray
    squares: FloatArray
    ratios: tuple[int, float]

    @classmethod
    def of(cls, wanted: FloatArray, came: FloatArray) -> Fit:
        """Of values [samples, steps, outputs]."""
        ratios = [r for w, c in zip(wanted, came, strict=True) for r in _si_snr(w, c)]
        w, c = (values.reshape(-1, values.shape[-1]) for values in (wanted, came))
        means = np.stack([w.mean(axis=0), c.mean(axis=0)])
        dw, dc = w - means[0], c - means[1]
        moments = np.stack([(dw * dw).sum(0), (dc * dc).sum(0), (dw * dc).sum(0)])
        return cls(len(w), means, moments, np.square(w - c).sum(axis=0), (len(ratios), sum(ratios)))

    def __add__(self, other: Fit) -> Fit:
        number = self.number + other.number
        apart = other.means - self.means
        between = np.stack([apart[0] ** 2, apart[1] ** 2, apart[0] * apart[1]])
        return Fit(
            number,
            self.means + apart * (other.number / number),
            self.moments + other.moments + between * (self.number * other.number / number),
            self.squares + other.squares,
            (self.ratios[0] + other.ratios[0], self.ratios[1] + other.ratios[1]),
        )

    @property
    def rmse(self) -> float:
        """Root of the mean squared difference, over all outputs."""
        return math.sqrt(float(self.squares.sum()) / (self.number * len(self.squares)))

    @property
    def r2(self) -> float:
        r"""Coefficient of determination, mean over the outputs, NaN where one never changes.

        :math:`R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2` for each output, as NeuroBench
        has it (its metric ``r2``).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.mean(1 - self.squares / self.moments[0]))

    @property
    def correlation(self) -> float:
        """Pearson's, mean over the outputs, NaN where one never changes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            each = self.moments[2] / np.sqrt(self.moments[0] * self.moments[1])
        return float(np.mean(each))

    @property
    def si_snr_db(self) -> float:
        """Mean over the samples that have a finite one; NaN where none has."""
        return self.ratios[1] / self.ratios[0] if self.ratios[0] else math.nan

    def as_dict(self) -> dict[str, float]:
        """The four figures."""
        return {name: getattr(self, name) for name in ("rmse", "r2", "correlation", "si_snr_db")}


def _si_snr(wanted: FloatArray, came: FloatArray) -> list[float]:
    ratio = si_snr_db(wanted.ravel(), came.ravel()) if wanted.size > 1 else None
    return [] if ratio is None else [ratio]


@dataclass(frozen=True)
class Votes:
    """Decisions among classes, counted.

    Attributes
    ----------
    decided : int64 [classes]
        How often each was decided for.
    tied : int
        Samples in which another neuron had as much.
    settled : int64 [steps]
        Samples whose decision stays from each step on.
    confusion : int64 [classes, classes] or None
        Samples by what is right (row) and what was decided; None without labels.
    ranks : int64 [classes] or None
        Samples by how many outputs stood before the right one.
    """

    decided: IntArray
    tied: int
    settled: IntArray
    confusion: IntArray | None = None
    ranks: IntArray | None = None

    def __add__(self, other: Votes) -> Votes:
        mine, its = (
            {item.name: getattr(votes, item.name) for item in fields(votes)}
            for votes in (self, other)
        )
        added: dict[str, Any] = {n: None if v is None else v + its[n] for n, v in mine.items()}
        return Votes(**added)


@dataclass(frozen=True)
class Tally:
    """All that is counted of some samples.

    Attributes
    ----------
    samples, steps : int
    seconds : float
        Of the runs, added up; what runs side by side counts twice.
    votes : Votes or None
    fit : Fit or None
    messages, synops : Spread
        Per sample, of the populations and projections on the chip.
    profile : Profile or None
    warnings : tuple of str
    """

    samples: int
    steps: int
    seconds: float
    votes: Votes | None
    fit: Fit | None
    messages: Spread
    synops: Spread
    profile: Profile | None
    warnings: tuple[str, ...] = field(default=())

    def __add__(self, other: Tally) -> Tally:
        profile = self.profile
        if profile is not None and other.profile is not None:
            profile = Profile.join([profile, other.profile])
        return replace(
            self,
            samples=self.samples + other.samples,
            seconds=self.seconds + other.seconds,
            votes=None if self.votes is None or other.votes is None else self.votes + other.votes,
            fit=None if self.fit is None or other.fit is None else self.fit + other.fit,
            messages=self.messages + other.messages,
            synops=self.synops + other.synops,
            profile=profile,
            warnings=tuple(dict.fromkeys(self.warnings + other.warnings)),
        )


def count_votes(
    record: PopulationRecord, readout: Readout, samples: int, labels: NDArray[Any] | None
) -> Votes:
    """Count the decisions of an output population.

    Raises
    ------
    InputError
        If labels are no classes of this population.
    """
    check_decides(record)
    by, size = readout.rule(record), record.header.size
    window = None if readout.window is None else readout.steps(record.steps)
    scores = readouts(record, by, 0, samples, window)
    decided, tied = decide(scores)
    stays = settled(record, by, 0, samples, window)
    votes = Votes(
        np.bincount(decided, minlength=size),
        int(tied.sum()),
        np.bincount(stays, minlength=record.steps),
    )
    if labels is None:
        return votes
    truth = check_labels(labels, samples)
    check_classes(truth, record)
    pairs = np.bincount(truth * size + decided, minlength=size * size)
    right = np.take_along_axis(scores, truth[:, None], axis=1)
    before = (scores > right).sum(axis=1)
    # Of equals the lowest index stands first, as it decides.
    before += ((scores == right) & (np.arange(size) < truth[:, None])).sum(axis=1)
    ranks = np.bincount(before, minlength=size)
    return replace(votes, confusion=pairs.reshape(size, size), ranks=ranks)


def fit_values(recording: Recording, readout: Readout, wanted: NDArray[Any], unit: float) -> Fit:
    """Hold what the output population gave against the values wanted.

    Parameters
    ----------
    recording : Recording
    readout : Readout
    wanted : array [samples, outputs] or [samples, steps, outputs]
        One for each sample: against the score of the readout. One for each step of the input:
        against the output `hops` steps later, as far as the run goes.
    unit : float
        What one unit of the output is worth in units of `wanted`.

    Raises
    ------
    InputError
        If the shape fits neither.
    """
    output = recording[recording.names[-1]]
    size, samples = output.header.size, recording.samples
    by = readout.rule(output)
    window = None if readout.window is None else readout.steps(recording.steps)
    flat = np.asarray(wanted, np.float64).reshape(samples, -1)
    if flat.shape[1] == size:
        came = readouts(output, by, 0, samples, window)[:, None]
        return Fit.of(flat.reshape(samples, 1, size), came * unit)
    steps = flat.shape[1] // size
    lag = output.header.hops
    if flat.shape[1] != steps * size or steps + lag < recording.steps or by == "first-spike":
        raise InputError(
            f"labels: shape {np.shape(wanted)} for an output of {size} neurons and "
            f"{recording.steps} steps; give [samples, outputs] or [samples, steps, outputs]"
        )
    whole = output.spikes if by == "messages" else output.v
    first, last = window or (0, recording.steps)
    first = max(first, lag)
    if last <= first:
        raise InputError(
            f"labels: the output lags {lag} steps, of {recording.steps} that run none is left; "
            f"run longer (drain)"
        )
    came = whole.reshape(samples, -1, size)[:, first:last]
    return Fit.of(
        flat.reshape(samples, steps, size)[:, first - lag : last - lag],
        came.astype(np.float64) * unit,
    )


def count_events(recording: Recording) -> tuple[Spread, Spread]:
    """Count messages and synaptic operations of each sample, as its profile counts them."""
    activities = count_activity(recording)
    each = (sum(getattr(a, what) for a in activities) for what in ("messages", "synops"))
    messages, synops = (Spread.of(np.asarray(values).astype(np.int64)) for values in each)
    return messages, synops
