"""What two runs decide: answers, accuracy, and how alike their readouts are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .blocks import AlignedBlock, Array


@dataclass(frozen=True)
class OutputComparison:
    """How the outputs of two runs compare.

    Attributes
    ----------
    population : str
    decided_by : str
        What the decision is the largest of: ``messages`` (payloads added up
        over time) or ``v`` (added up over time, where nothing is sent).
    samples : int
    agreeing : int
        Samples with the same decision; of equals the first neuron is taken.
    labelled : int
        Samples with a label.
    correct_a, correct_b : int or None
        Decisions that equal the label; None without labels.
    correlation : float or None
        Pearson's, of the readouts of all samples and neurons; None where one
        side does not vary.
    si_snr_db : float or None
        For graded outputs, mean over samples of the scale-invariant
        signal-to-noise ratio of B with A as the target; None where nothing
        differs or nothing was sent.
    """

    population: str
    decided_by: str
    samples: int
    agreeing: int
    labelled: int = 0
    correct_a: int | None = None
    correct_b: int | None = None
    correlation: float | None = None
    si_snr_db: float | None = None

    @property
    def agreement(self) -> float:
        """Share of samples with the same decision."""
        return self.agreeing / self.samples if self.samples else 1.0

    @property
    def accuracies(self) -> tuple[float, float] | None:
        """Share of correct decisions of A and B; None without labels."""
        if self.correct_a is None or self.correct_b is None or not self.labelled:
            return None
        return self.correct_a / self.labelled, self.correct_b / self.labelled


class OutputTally:
    """Sums up the output population of both sides."""

    def __init__(
        self, population: str, truth: NDArray[np.int64] | None, reads_v: bool = False
    ) -> None:
        self.population = population
        self.truth = truth
        self.decided_by = "v" if reads_v else "messages"
        self.samples = self.agreeing = 0
        self.correct = [0, 0]
        self.moments = np.zeros(6)  # n, x, y, xx, yy, xy
        self.ratios: list[float] = []

    def add(self, block: AlignedBlock) -> None:
        """Add a block of samples."""
        sides: tuple[Array, Array] = block.spikes
        if self.decided_by == "v":
            sides = block.states["v"]
        readouts = [side.sum(axis=1, dtype=np.float64).reshape(len(side), -1) for side in sides]
        decisions = [readout.argmax(axis=1) for readout in readouts]
        self.agreeing += int((decisions[0] == decisions[1]).sum())
        if self.truth is not None:
            truth = self.truth[self.samples : self.samples + len(decisions[0])]
            for i in (0, 1):
                self.correct[i] += int((decisions[i] == truth).sum())
        self.samples += len(decisions[0])
        for x, y in zip(*readouts, strict=True):
            self.moments += (x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y)
        if block.graded:
            for a, b in zip(*block.spikes, strict=True):
                ratio = si_snr_db(a.ravel(), b.ravel())
                if ratio is not None:
                    self.ratios.append(ratio)

    def result(self) -> OutputComparison:
        """Give the figures."""
        known = self.truth is not None
        return OutputComparison(
            population=self.population,
            decided_by=self.decided_by,
            samples=self.samples,
            agreeing=self.agreeing,
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


def check_truth(labels: object, samples: int) -> NDArray[np.int64]:
    """Bring labels to int64 [samples].

    Raises
    ------
    InputError
    """
    array = np.asarray(labels)
    if array.dtype.kind in "US":
        raise InputError(
            "labels: text; give the right class of each sample (names= names the sides)"
        )
    if array.ndim != 1 or array.dtype.kind not in "biu" or len(array) < samples:
        raise InputError(
            f"labels: {array.dtype} of shape {array.shape}; give one whole number for each of "
            f"the {samples} samples compared"
        )
    return array[:samples].astype(np.int64)
