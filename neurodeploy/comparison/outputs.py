"""What two runs decide: answers, accuracy, and how alike their readouts are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..network.neurons import model_of
from ..recording import PopulationRecord
from ..recording.decisions import check_classes, decide, read_by, readouts
from .alignment import AlignedBlock, Array


@dataclass(frozen=True)
class OutputComparison:
    """How the outputs of two runs compare.

    Decisions are those of `Recording.decisions`. There are none where the output is one
    neuron, where its messages are values of a signal and no labels say that they stand for
    classes, or where a side recorded nothing that decides.

    Attributes
    ----------
    population : str
    decided_by, decided_by_b : str or None
        What the decisions of A and of B are the largest sum of over time: ``messages``, or
        ``v`` where nothing is sent; None where there are none.
    samples : int
    agreeing : int or None
        Samples with the same decision; None where there are none.
    tied_a, tied_b : int or None
        Samples in which several outputs have the most: the first of them was taken.
    labelled : int
        Samples with a label.
    correct_a, correct_b : int or None
        Decisions that equal the label; None without labels or decisions.
    correlation : float or None
        Pearson's, of the sums over time of all samples and neurons; None where one
        side does not vary or recorded none.
    si_snr_db : float or None
        For graded outputs, mean over samples of the scale-invariant
        signal-to-noise ratio of B with A as the target; None where nothing
        differs or nothing was sent.
    """

    population: str
    decided_by: str | None
    samples: int
    agreeing: int | None
    labelled: int = 0
    correct_a: int | None = None
    correct_b: int | None = None
    correlation: float | None = None
    si_snr_db: float | None = None
    decided_by_b: str | None = None
    tied_a: int | None = None
    tied_b: int | None = None

    @property
    def agreement(self) -> float | None:
        """Share of samples with the same decision; None where there are no decisions."""
        if self.agreeing is None:
            return None
        return self.agreeing / self.samples if self.samples else 1.0

    @property
    def accuracies(self) -> tuple[float, float] | None:
        """Share of correct decisions of A and B; None without labels or decisions."""
        if self.correct_a is None or self.correct_b is None or not self.labelled:
            return None
        return self.correct_a / self.labelled, self.correct_b / self.labelled


class OutputTally:
    """Sums up the output population of both sides.

    Parameters
    ----------
    a, b : PopulationRecord
    truth : int64 [samples] or None
    decides : bool
        Whether the outputs stand for classes though their messages are values.
    notes : list of str
        Gets why there are no decisions, where somebody may miss them.

    Raises
    ------
    InputError
        If a label stands for no output.
    """

    def __init__(
        self,
        a: PopulationRecord,
        b: PopulationRecord,
        truth: NDArray[np.int64] | None,
        decides: bool,
        notes: list[str],
    ) -> None:
        self.sides = a, b
        self.truth = truth
        self.samples = self.agreeing = 0
        self.tied, self.correct = [0, 0], [0, 0]
        self.moments = np.zeros(6)  # n, x, y, xx, yy, xy
        self.ratios: list[float] = []
        self.read: tuple[str, str] | None = None
        signal = any(model_of(side.header.neuron).sends_values for side in self.sides)
        wanted = truth is not None or decides
        try:
            self.read = read_by(a), read_by(b)
        except RecordingError as error:
            notes.append(f"no decisions: {error}")
        self.by = self.read if a.header.size > 1 and (wanted or not signal) else None
        if a.header.size == 1 and wanted:
            notes.append(f"no decisions: population {a.header.name!r} has one output")
        if truth is not None and self.by is not None:
            check_classes(truth, a)

    def add(self, block: AlignedBlock) -> None:
        """Add a block of samples."""
        start, samples = block.start, len(block.spikes[0])
        if self.read is not None:
            sums = [
                readouts(side, by, start, start + samples)
                for side, by in zip(self.sides, self.read, strict=True)
            ]
            for x, y in zip(*sums, strict=True):
                self.moments += (x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y)
            if self.by is not None:
                self._decide(sums)
        self.samples += samples
        if block.graded:
            for a, b in zip(*block.spikes, strict=True):
                ratio = si_snr_db(a.ravel(), b.ravel())
                if ratio is not None:
                    self.ratios.append(ratio)

    def _decide(self, sums: list[NDArray[np.float64]]) -> None:
        decisions = []
        for i in (0, 1):
            decided, tied = decide(sums[i])
            decisions.append(decided)
            self.tied[i] += int(tied.sum())
            if self.truth is not None:
                truth = self.truth[self.samples : self.samples + len(decided)]
                self.correct[i] += int((decided == truth).sum())
        self.agreeing += int((decisions[0] == decisions[1]).sum())

    def result(self) -> OutputComparison:
        """Give the figures."""
        by_a, by_b = self.by or (None, None)
        known = self.truth is not None and self.by is not None
        return OutputComparison(
            population=self.sides[0].header.name,
            decided_by=by_a,
            decided_by_b=by_b,
            samples=self.samples,
            agreeing=self.agreeing if self.by else None,
            tied_a=self.tied[0] if self.by else None,
            tied_b=self.tied[1] if self.by else None,
            labelled=self.samples if known else 0,
            correct_a=self.correct[0] if known else None,
            correct_b=self.correct[1] if known else None,
            correlation=self._correlation(),
            si_snr_db=sum(self.ratios) / len(self.ratios) if self.ratios else None,
        )

    def _correlation(self) -> float | None:
        n, x, y, xx, yy, xy = (float(m) for m in self.moments)
        spread = (n * xx - x * x) * (n * yy - y * y)
        return (n * xy - x * y) / math.sqrt(spread) if spread > 0 else None


def si_snr_db(target: Array, estimate: Array) -> float | None:
    r"""Scale-invariant signal-to-noise ratio in dB, or None where it has no finite value.

    .. math::
        10 \log_{10} \frac{\|s\|^2}{\|e - s\|^2}, \qquad s = \frac{\langle e, t\rangle}{\|t\|^2} t

    of target t and estimate e, both with their mean taken off. Le Roux et al.
    2019, "SDR - half-baked or well done?", ICASSP.
    """
    t = target.astype(np.float64) - target.mean()
    e = estimate.astype(np.float64) - estimate.mean()
    power = float(t @ t)
    if not power:
        return None
    part = (float(e @ t) / power) * t
    signal, noise = float(part @ part), float(np.square(e - part).sum())
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
