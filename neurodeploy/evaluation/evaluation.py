"""Evaluation: what came out of a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Shown
from ..numbers import count, percent, si, wilson_interval
from ..profiling import Profile
from .tallies import Fit, Spread, Tally


@dataclass(frozen=True, eq=False)
class Evaluation(Shown):
    """A data set run and scored.

    Attributes
    ----------
    network : str
        Fingerprint of the network.
    backend : str
    crew : str
        Who ran the shards.
    by : str
        What decisions hang on, see `Readout`.
    window : (int, int) or None
        The steps that count.
    shards : int
    seconds : float
        Wall-clock time of the whole.
    tally : Tally
        What was counted; everything below comes from it.

    Examples
    --------
    >>> score = nd.evaluate(net, inputs, labels)
    >>> score.samples, score.correct, score.confusion.shape
    (20, 20, (10, 10))
    """

    network: str
    backend: str
    crew: str
    by: str
    window: tuple[int, int] | None
    shards: int
    seconds: float
    tally: Tally

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.tally.samples

    @property
    def accuracy(self) -> float:
        """Share of samples whose decision is the label; NaN without classes."""
        return self.top(1)

    @property
    def correct(self) -> int:
        """Samples whose decision is the label."""
        return 0 if self._ranks is None else int(self._ranks[0])

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, see `numbers.wilson_interval`; NaN without classes."""
        return wilson_interval(self.correct, 0 if self._ranks is None else self.samples)

    def top(self, k: int) -> float:
        """Share of samples whose label is among the `k` outputs with the most, 0..1.

        Parameters
        ----------
        k : int
            From 1 on.

        Returns
        -------
        float
            NaN without classes.

        Examples
        --------
        >>> nd.evaluate(net, inputs, labels).top(3)
        1.0
        """
        if self._ranks is None:
            return math.nan
        return float(self._ranks[:k].sum()) / self.samples

    @property
    def confusion(self) -> NDArray[np.int64] | None:
        """int64 [classes, classes]: samples by label (row) and decision; None without classes."""
        return None if self.tally.votes is None else self.tally.votes.confusion

    @property
    def decided(self) -> NDArray[np.int64] | None:
        """int64 [classes]: how often each class was decided for."""
        return None if self.tally.votes is None else self.tally.votes.decided

    @property
    def tied(self) -> int:
        """Samples in which another output had as much as the one decided for."""
        return 0 if self.tally.votes is None else self.tally.votes.tied

    def latency(self, share: float = 0.5) -> float:
        """Steps after which the decision stays, in this share of the samples; NaN if none decide.

        Counted from the first presented step; 1 is that step itself.

        Parameters
        ----------
        share : float
            0..1.

        Returns
        -------
        float
            Steps.

        Examples
        --------
        >>> nd.evaluate(net, inputs, labels).latency(0.9) <= inputs.shape[1]
        True
        """
        if self.tally.votes is None:
            return math.nan
        reached = np.cumsum(self.tally.votes.settled)
        return float(np.searchsorted(reached, share * reached[-1]) + 1)

    @property
    def messages(self) -> Spread:
        """Messages of a sample on the chip, and those that enter it."""
        return self.tally.messages

    @property
    def synops(self) -> Spread:
        """Synaptic operations of a sample."""
        return self.tally.synops

    @property
    def fit(self) -> Fit | None:
        """How the outputs lie to the values wanted: rmse, r2, correlation, si_snr_db."""
        return self.tally.fit

    @property
    def profile(self) -> Profile | None:
        """Energy and time of a sample; `Profile.spread` is their deviation over the samples."""
        return self.tally.profile

    @property
    def _ranks(self) -> NDArray[np.int64] | None:
        return None if self.tally.votes is None else self.tally.votes.ranks

    @property
    def figures(self) -> dict[str, str]:
        """What was found, as people read it, by name."""
        found: dict[str, str] = {"samples": f"{count(self.samples)} x {self.tally.steps} steps"}
        if self._ranks is not None:
            low, high = self.interval
            found["accuracy"] = (
                f"{percent(self.accuracy)} ({count(self.correct)} right; 95 %: {percent(low)} to "
                f"{percent(high)})"
            )
            found |= {f"top {k}": percent(self.top(k)) for k in (3, 5) if k < len(self._ranks)}
        if self.tally.votes is not None:
            window = f", steps {self.window[0]} to {self.window[1] - 1}" if self.window else ""
            found["decided by"] = self.by + window
            found["latency to decision"] = (
                f"{self.latency():g} steps in half of the samples, {self.latency(0.9):g} in 90 %"
            )
            if self.tied:
                found["tied decisions"] = f"{count(self.tied)}, the lowest index taken"
        if self.fit is not None:
            found["RMSE"] = f"{self.fit.rmse:.4g}"
            found["R2"] = f"{self.fit.r2:.4f}"
            found["correlation"] = f"{self.fit.correlation:.4f}"
            found["SI-SNR"] = si(self.fit.si_snr_db, "dB")
        for name, spread in (("messages", self.messages), ("synops", self.synops)):
            found[f"{name} a sample"] = (
                f"{count(spread.mean)} +- {count(spread.deviation)}, {count(spread.least)} to "
                f"{count(spread.most)}"
            )
        if self.profile is not None:
            found["energy a sample"] = (
                f"{si(self.profile.energy_joules, 'J')} +- {si(self.profile.spread, 'J')} on "
                f"{self.profile.chip}, {self.profile.kind}"
            )
            found["time a sample"] = si(self.profile.seconds, "s")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON; what is not known is None.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> nd.evaluate(net, inputs, labels).as_dict()["samples"]
        20
        """
        votes, fit = self.tally.votes, self.fit
        known = self._ranks is not None
        return {
            "network": self.network,
            "backend": self.backend,
            "scheduler": self.crew,
            "by": self.by,
            "window": self.window,
            "samples": self.samples,
            "steps": self.tally.steps,
            "shards": self.shards,
            "seconds": self.seconds,
            "accuracy": self.accuracy if known else None,
            "correct": self.correct if known else None,
            "interval": list(self.interval) if known else None,
            "top": {str(k): self.top(k) for k in (1, 3, 5)} if known else None,
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "decided": None if votes is None else votes.decided.tolist(),
            "tied": None if votes is None else votes.tied,
            "latency_steps": None
            if votes is None
            else {"half": self.latency(), "90 %": self.latency(0.9)},
            "regression": None if fit is None else _without_nan(fit.as_dict()),
            "messages": self.messages.as_dict(),
            "synops": self.synops.as_dict(),
            "profile": None if self.profile is None else self.profile.as_dict(),
            "warnings": list(self.tally.warnings),
        }

    def __repr__(self) -> str:
        lines = [f"  {name}: {value}" for name, value in self.figures.items()]
        return "\n".join([f"Evaluation on {self.backend}, {self.crew}", *lines])


def _without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
