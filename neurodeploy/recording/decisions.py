"""What a run decides: for each sample, the output neuron that has the most.

The one rule for decisions, in recordings, comparisons and evaluations. What
counts is the sum over all steps of what each neuron of the last population sent
(1 for a plain spike, else its payload). Where the population sent nothing in the
whole run, as a readout does whose host reads its voltage, what counts is the sum
of v over all steps. `Readout` asks for another rule. Of equal scores the neuron
with the lowest index decides; `decide` says where that happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RecordingError
from .population import PopulationRecord

READ_BYTES = 1 << 22
"""Voltages in memory at once."""

FloatArray = NDArray[np.float64]

RULES = ("messages", "v", "v-max", "v-last", "first-spike")
"""What a decision may hang on, see `Readout`."""


@dataclass(frozen=True)
class Readout:
    """By what an output population is read.

    Attributes
    ----------
    by : str or None
        ``messages``: the sum of what each neuron sent; ``v``: the sum of its v; ``v-max``: its
        largest v; ``v-last``: its v in the last step; ``first-spike``: who sends first. None
        takes messages, or v where the population sent none at all (see `read_by`).
    window : (int, int) or None
        The chip steps that count, from the first to before the second; None for all.

    Raises
    ------
    InputError
        If there is no such rule, or the window is none.

    Examples
    --------
    >>> Readout("v-max", (10, 50)).steps(100)
    (10, 50)
    """

    by: str | None = None
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.by is not None and self.by not in RULES:
            raise InputError(f"by: {self.by!r}; give one of {', '.join(RULES)}")
        if self.window is not None and not 0 <= self.window[0] < self.window[1]:
            raise InputError(
                f"window: {self.window[0]}:{self.window[1]}; give FIRST:STOP with 0 <= FIRST < STOP"
            )

    def steps(self, steps: int) -> tuple[int, int]:
        """Give the steps that count, of a run of so many.

        Raises
        ------
        InputError
            If the window ends after the run.
        """
        first, stop = self.window or (0, steps)
        if stop > steps:
            raise InputError(f"window: {first}:{stop}, but the run has {steps} steps")
        return first, stop

    def rule(self, record: PopulationRecord) -> str:
        """Give one of `RULES` for this population.

        Raises
        ------
        RecordingError
            If nothing was sent and v was not recorded, or v is asked for and was not.
        """
        if self.by is None:
            return read_by(record)
        if self.by.startswith("v"):
            _check_v(record, f": decisions by {self.by} need v, which was not recorded")
        return self.by


def read_by(record: PopulationRecord) -> str:
    """Say what a population is read out by: ``messages``, or ``v`` where it sent none at all.

    Raises
    ------
    RecordingError
        If nothing was sent and v was not recorded.
    """
    if record.step_counts.any():
        return "messages"
    _check_v(record, " sent no messages and v was not recorded, so nothing decides")
    return "v"


def _check_v(record: PopulationRecord, why: str) -> None:
    if not record.has("v"):
        raise RecordingError(
            f"population {record.header.name!r}{why}; "
            f'run again with record=(..., "v") or --record ...,v'
        )


def check_decides(record: PopulationRecord) -> None:
    """Refuse a population of one neuron, which decides between nothing.

    Raises
    ------
    RecordingError
    """
    if record.header.size < 2:
        raise RecordingError(
            f"population {record.header.name!r} has one neuron, which decides between nothing; "
            f"read its values instead"
        )


def readouts(
    record: PopulationRecord,
    by: str,
    start: int,
    stop: int,
    window: tuple[int, int] | None = None,
) -> FloatArray:
    """Give what decides in samples start..stop, float64 [samples, neurons]; the most decides.

    Parameters
    ----------
    record : PopulationRecord
    by : str
        One of `RULES`. ``first-spike`` gives minus the step of the first message, minus the
        number of steps where there was none.
    start, stop : int
    window : (int, int), optional
        The steps that count.

    Raises
    ------
    RecordingError
        If a sum is not finite.
    """
    size = record.header.size
    first, last = window or (0, record.steps)
    if by == "messages":
        where, neuron, payload = record.events_of(start, stop)
        if window is not None:
            step = where % record.steps
            here = (step >= first) & (step < last)
            where, neuron, payload = where[here], neuron[here], payload[here]
        place = (where // record.steps) * size + neuron
        sums = np.zeros((stop - start) * size)
        np.add.at(sums, place, payload.astype(np.float64))
        sums = sums.reshape(stop - start, size)
    else:
        parts = [scores[:, -1] for scores in _course(record, by, start, stop, (first, last))]
        sums = np.concatenate([*parts, np.zeros((0, size))])
    if not np.isfinite(sums).all():
        sample = start + int(np.argwhere(~np.isfinite(sums))[0, 0])
        raise RecordingError(
            f"population {record.header.name!r}: {by} of sample {sample} do not add up to a finite "
            f"number, so nothing decides; record it again"
        )
    return sums


def settled(
    record: PopulationRecord,
    by: str,
    start: int,
    stop: int,
    window: tuple[int, int] | None = None,
) -> NDArray[np.int64]:
    """Give the chip step from which on each sample's decision stays, int64 [samples].

    The decision after a step is the one that `readouts` would give if the run ended there.
    It is the latency to decision: the first step after which it no longer changes.
    """
    first, last = window or (0, record.steps)
    found = [np.zeros(0, np.int64)]
    for scores in _course(record, by, start, stop, (first, last)):
        decisions = scores.argmax(axis=2)
        changes = decisions != decisions[:, -1:]
        # The step behind the last one in which another neuron led.
        after = changes.shape[1] - changes[:, ::-1].argmax(axis=1)
        found.append(first + np.where(changes.any(axis=1), after, 0))
    return np.concatenate(found)


def _course(
    record: PopulationRecord, by: str, start: int, stop: int, window: tuple[int, int]
) -> Iterator[FloatArray]:
    """Yield `readouts` as they stood after each step, float64 [samples, steps, neurons]."""
    size, (first, last) = record.header.size, window
    each = max(1, READ_BYTES // (8 * size * max(1, record.steps)))
    for begin in range(start, stop, each):
        end = min(begin + each, stop)
        whole = record.state_of("v", begin, end) if by[0] == "v" else record.spikes_of(begin, end)
        values = whole.reshape(end - begin, record.steps, size)[:, first:last].astype(np.float64)
        if by in ("messages", "v"):
            yield values.cumsum(axis=1)
        elif by == "v-max":
            yield np.maximum.accumulate(values, axis=1)
        elif by == "v-last":
            yield values
        else:
            step = np.arange(first, last, dtype=np.float64)[:, None]
            yield np.maximum.accumulate(np.where(values != 0, -step, -record.steps), axis=1)


def decide(sums: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the neuron with the most of each row, and where another has as much.

    Parameters
    ----------
    sums : array [samples, neurons]

    Returns
    -------
    decisions : int64 [samples]
        The lowest index of those that have the most.
    tied : bool [samples]
    """
    decisions: NDArray[np.int64] = sums.argmax(axis=1).astype(np.int64)
    tied: NDArray[np.bool_] = (sums == sums.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return decisions, tied


def check_labels(labels: object, samples: int) -> NDArray[np.int64]:
    """Bring labels to int64 [samples]; there may be more of them.

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
            f"the {samples} samples"
        )
    return array[:samples].astype(np.int64)


def check_classes(labels: NDArray[np.int64], record: PopulationRecord) -> None:
    """Refuse labels that no output neuron stands for.

    Raises
    ------
    InputError
    """
    outside = labels[(labels < 0) | (labels >= record.header.size)]
    if outside.size:
        raise InputError(
            f"labels: class {outside[0]}, but population {record.header.name!r} has "
            f"{record.header.size} outputs; give 0..{record.header.size - 1}"
        )
