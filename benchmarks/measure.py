"""Interleaved timing: both sides of a ratio in turn, medians over repeats."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

AT_LEAST_SECONDS = 0.1
"""A shorter call is repeated within one measurement until this much time has passed."""

Timed = Callable[[], float]
"""Does the work once or more often and returns seconds per time."""


@dataclass(frozen=True)
class Settings:
    """What the command line asks of every line."""

    repeats: int = 7
    quick: bool = False
    threads: int = 1
    old: Path | None = None

    @property
    def slow_repeats(self) -> int:
        """Repeats of what takes many seconds each time."""
        return min(self.repeats, 1 if self.quick else 3)


@dataclass(frozen=True)
class Ratio:
    """Median of a ratio with its smallest and largest value."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(values: list[float]) -> Ratio:
        """Summarize repeats."""
        return Ratio(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    line : str
        Name for ``--only``.
    work, against : str
    ours_run, ours_engine, theirs : float or None
        Median microseconds per sample-step: `nd.run`, the engine alone, the peer.
    run, engine : Ratio or None
        theirs / ours unless `unit` says otherwise.
    target : float or None
    at_most : bool
        Whether smaller is better (growth, bytes, seconds).
    unit : str
        Of `run` and `engine`; empty for a ratio.
    note : str
        Checks of equal work, variants chosen, or why there is no number.
    """

    line: str
    work: str
    against: str
    ours_run: float | None = None
    ours_engine: float | None = None
    theirs: float | None = None
    run: Ratio | None = None
    engine: Ratio | None = None
    target: float | None = None
    at_most: bool = False
    unit: str = ""
    note: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def meets(self, ratio: Ratio | None) -> bool:
        """Whether a ratio's median reaches the target."""
        if ratio is None or self.target is None:
            return False
        return ratio.median <= self.target if self.at_most else ratio.median >= self.target

    @property
    def reached(self) -> str:
        """Yes, no, or only with the engine alone; empty where nothing was measured.

        A question mark says that single repeats fell on both sides of the target.
        """
        if self.target is None or (self.run is None and self.engine is None):
            return ""
        deciding, verdict = self.run or self.engine, "yes"
        if not self.meets(deciding):
            only = self.run is not None and self.meets(self.engine)
            deciding, verdict = (self.engine, "engine only") if only else (deciding, "no")
        assert deciding is not None
        return verdict + ("?" if deciding.least < self.target < deciding.most else "")


def missing(
    line: str,
    work: str,
    against: str,
    reason: str,
    target: float | None = None,
    **more: Any,
) -> Row:
    """Make the row of something that could not be measured, with the reason."""
    return Row(line, work, against, target=target, note=f"not measured: {reason}", **more)


def timed(call: Callable[[], object], at_least: float = AT_LEAST_SECONDS) -> Timed:
    """Wrap a call so that one measurement lasts long enough to be one."""
    call()  # compiles, fills caches
    started = time.perf_counter()
    call()
    once = time.perf_counter() - started
    times = max(1, round(at_least / max(once, 1e-7)))

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - started) / times

    return measure


def interleaved(sides: Mapping[str, Timed], repeats: int) -> dict[str, list[float]]:
    """Measure every side once per repeat, in turn, after one round to warm up.

    Returns
    -------
    dict of side to seconds, one per repeat
    """
    for measure in sides.values():
        measure()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, measure in sides.items():
            seconds[name].append(measure())
            time.sleep(0.02)  # a pool of threads may spin for a moment before it sleeps
    return seconds


def ratio(above: list[float], below: list[float], scale: float = 1.0) -> Ratio:
    """Ratio of two sides, repeat by repeat."""
    return Ratio.of([scale * a / b for a, b in zip(above, below, strict=True)])


def microseconds(seconds: list[float], sample_steps: int) -> float:
    """Median microseconds per sample-step."""
    return statistics.median(seconds) / sample_steps * 1e6
