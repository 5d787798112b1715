"""Two records of one population, lined up and read a block of samples at a time.

A population's step t stands for input step t - hops, so B's step t + shift is
held against A's step t, shift = hops in B - hops in A. Where v is compared,
entries of neurons that have just spiked on either side are left out: the chip
keeps its refractory counter there (recorded truth reads 128 where Lava has 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..network.neurons import model_of
from ..recording import PopulationRecord

BLOCK_BYTES = 1 << 22
"""Dense arrays of one block, side and variable stay below this, unless one sample is larger."""

MASKED = "v"
"""The state in which the chip keeps its refractory counter."""

Array: TypeAlias = "NDArray[Any]"
"""int32, or float32 where a float simulator recorded."""


@dataclass(frozen=True)
class AlignedBlock:
    """Samples start..stop of both sides, cut to the steps that both have.

    Attributes
    ----------
    start : int
    first_step : int
        A's step at which the block begins.
    spikes : (array, array)
        [samples, steps, *shape] of A and B.
    states : dict of str to (array, array)
        Those that both sides recorded, in the order in which the neuron updates them.
    masked : bool [samples, steps, *shape]
        Where `MASKED` is not compared.
    graded : bool
    """

    start: int
    first_step: int
    spikes: tuple[Array, Array]
    states: dict[str, tuple[Array, Array]]
    masked: NDArray[np.bool_]
    graded: bool

    def pair(self, variable: str) -> tuple[Array, Array]:
        """Both sides' spikes, or a state."""
        return self.spikes if variable == "spikes" else self.states[variable]

    def differs(self, variable: str) -> NDArray[np.bool_]:
        """Where the two sides differ in what is compared."""
        return differs(*self.pair(variable), variable, self.masked)


def differs(a: Array, b: Array, variable: str, masked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where two arrays of a variable differ, those entries left out that `masked` says of it."""
    found: NDArray[np.bool_] = a != b
    return found & ~masked if variable == MASKED else found


def shift_steps(array: Array, steps: int, axis: int = 0) -> Array:
    """Move what lies along an axis of steps on by some steps, zeros entering."""
    moved = np.zeros_like(array)
    into, out_of = np.moveaxis(moved, axis, 0), np.moveaxis(array, axis, 0)
    if steps >= 0:
        into[steps:] = out_of[: max(0, len(out_of) - steps)]
    else:
        into[:steps] = out_of[-steps:]
    return moved


def overlap(a: PopulationRecord, b: PopulationRecord) -> tuple[slice, slice]:
    """Steps of each side that stand for the same input steps."""
    return overlap_of(b.header.hops - a.header.hops, a.steps, b.steps)


def overlap_of(shift: int, steps_a: int, steps_b: int) -> tuple[slice, slice]:
    """Steps of each side that stand for the same input steps, where B lags A by `shift`."""
    first_a, first_b = max(0, -shift), max(0, shift)
    length = max(0, min(steps_a - first_a, steps_b - first_b))
    return slice(first_a, first_a + length), slice(first_b, first_b + length)


def aligned_blocks(
    a: PopulationRecord, b: PopulationRecord, samples: int, labels: tuple[str, str]
) -> Iterator[AlignedBlock]:
    """Read both sides, lined up, block by block.

    Raises
    ------
    RecordingError
        If a state holds NaN.
    """
    size = max(1, BLOCK_BYTES // (4 * a.header.size * max(1, a.steps)))
    spans = overlap(a, b)
    sides = tuple(zip((a, b), spans, labels, strict=True))
    names = tuple(name for name in a.states if b.has(name))
    for start in range(0, samples, size):
        stop = min(start + size, samples)
        spikes = tuple(r.spikes_of(start, stop)[:, span] for r, span, _ in sides)
        states = {
            name: tuple(_state(r, name, start, stop, label)[:, span] for r, span, label in sides)
            for name in names
        }
        masked = np.zeros(spikes[0].shape, np.bool_)
        if MASKED in states:
            for record, span, _ in sides:
                masked |= where_fired(record, start, stop)[:, span]
        yield AlignedBlock(
            start=start,
            first_step=spans[0].start,
            spikes=(spikes[0], spikes[1]),
            states={name: (pair[0], pair[1]) for name, pair in states.items()},
            masked=masked,
            graded=a.header.graded or b.header.graded,
        )


def _state(record: PopulationRecord, name: str, start: int, stop: int, label: str) -> Array:
    values = record.state_of(name, start, stop)
    if values.dtype.kind == "f" and np.isnan(values).any():
        sample, step = (int(i) for i in np.argwhere(np.isnan(values))[0][:2])
        raise RecordingError(
            f"{label}, population {record.header.name!r}: {name} is NaN at sample "
            f"{start + sample}, step {step}; a run that blew up cannot be compared, record it again"
        )
    return values


def where_fired(record: PopulationRecord, start: int, stop: int) -> NDArray[np.bool_]:
    """Whether v may be a refractory counter: the neuron fired, whenever its message left the axon.

    Nowhere in neurons whose model does not mask v.
    """
    if not model_of(record.header.neuron).masks_v:
        return np.zeros((stop - start, record.steps, *record.header.shape), np.bool_)
    where, neuron, _ = record.events_of(start, stop)
    flags = np.zeros(((stop - start) * record.steps, record.header.size), np.bool_)
    if record.axon_delay is not None:
        delay = record.axon_delay[neuron]
        possible = where % record.steps >= delay  # what a faulty run sent too early has no origin
        where, neuron = (where - delay)[possible], neuron[possible]
    flags[where, neuron] = True
    flags = flags.reshape(stop - start, record.steps, -1)
    if record.axon_delay is not None:
        # What fired so late that its message left after the end is not on record.
        last = np.arange(record.steps)[:, None] >= record.steps - record.axon_delay[None]
        flags |= last
    return flags.reshape(stop - start, record.steps, *record.header.shape)
