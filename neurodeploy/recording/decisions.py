"""What a run decides: for each sample, the output neuron that has the most.

The one rule for decisions. What counts is the sum over all steps of what each
neuron of the last population sent (1 for a plain spike, else its payload).
Where the population sent nothing in the whole run, as a readout does whose host
reads its voltage, what counts is the sum of v over all steps. Of equal sums the
neuron with the lowest index decides; `decide` says where that happened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RecordingError
from .population import PopulationRecord

READ_BYTES = 1 << 22
"""Voltages in memory at once."""


def read_by(record: PopulationRecord) -> str:
    """Say what a population is read out by: ``messages``, or ``v`` where it sent none at all.

    Raises
    ------
    RecordingError
        If nothing was sent and v was not recorded.
    """
    if record.step_counts.any():
        return "messages"
    if not record.has("v"):
        raise RecordingError(
            f"population {record.header.name!r} sent no messages and v was not recorded, so "
            f'nothing decides; run again with record=(..., "v") or --record ...,v'
        )
    return "v"


def decided_by(record: PopulationRecord) -> str:
    """Say what a population's decisions hang on, as `read_by`.

    Raises
    ------
    RecordingError
        If there is one neuron, or nothing to read.
    """
    if record.header.size < 2:
        raise RecordingError(
            f"population {record.header.name!r} has one neuron, which decides between nothing; "
            f"read its values instead"
        )
    return read_by(record)


def readouts(record: PopulationRecord, by: str, start: int, stop: int) -> NDArray[np.float64]:
    """Sum up what decides in samples start..stop, float64 [samples, neurons].

    Parameters
    ----------
    record : PopulationRecord
    by : {"messages", "v"}
        See `read_by`.
    start, stop : int

    Raises
    ------
    RecordingError
        If a sum is not finite.
    """
    size = record.header.size
    if by == "messages":
        where, neuron, payload = record.events_of(start, stop)
        place = (where // record.steps) * size + neuron
        sums = np.zeros((stop - start) * size)
        np.add.at(sums, place, payload.astype(np.float64))
        sums = sums.reshape(stop - start, size)
    else:
        each = max(1, READ_BYTES // (4 * size * max(1, record.steps)))
        parts = [
            record.state_of("v", first, min(first + each, stop)).sum(axis=1, dtype=np.float64)
            for first in range(start, stop, each)
        ]
        sums = np.concatenate([*parts, np.zeros((0, *record.header.shape))]).reshape(-1, size)
    if not np.isfinite(sums).all():
        sample = start + int(np.argwhere(~np.isfinite(sums))[0, 0])
        raise RecordingError(
            f"population {record.header.name!r}: {by} of sample {sample} do not add up to a finite "
            f"number, so nothing decides; record it again"
        )
    return sums


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
