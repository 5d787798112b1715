"""Lines two recordings up and finds where they differ, a block of samples at a time.

A population's step t stands for input step t - hops, so B's step t + shift is
held against A's step t, shift = hops in B - hops in A. Where v is compared,
entries of neurons that have just spiked on either side are left out: the chip
keeps its refractory counter there (recorded truth reads 128 where Lava has 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..recording import PopulationRecord, Recording
from .comparison import Comparison, Divergence, PopulationDifference, position_of

BLOCK_BYTES = 1 << 26
"""Dense arrays of one block and variable stay below this."""


@dataclass
class _Tally:
    """Running sums for one population."""

    spikes_a: int = 0
    spikes_b: int = 0
    masked: int = 0

    def __post_init__(self) -> None:
        self.differing: dict[str, int] = {}


def compare(
    a: Recording,
    b: Recording,
    *,
    labels: tuple[str, str] | None = None,
    check: bool = True,
) -> Comparison:
    """Compare two recordings of the same network, made anywhere, any time.

    Parameters
    ----------
    a, b : Recording
    labels : (str, str), optional
        Names of the two sides; by default their backends.
    check : bool
        Refuse recordings of different networks or inputs. False compares the
        populations that have the same name and shape.

    Returns
    -------
    Comparison

    Raises
    ------
    RecordingError
        If they are not comparable.
    """
    if labels is None:
        labels = (a.header.backend, b.header.backend)
        if labels[0] == labels[1]:
            labels = (f"A ({labels[0]})", f"B ({labels[1]})")
    if check:
        _check_same(a, b)
    notes: list[str] = []
    if a.samples != b.samples:
        notes.append(
            f"{labels[0]} has {a.samples} samples, {labels[1]} {b.samples}; the first are compared"
        )
    names = []
    for name in a.names:
        if name in b.names and a[name].header.shape == b[name].header.shape:
            names.append(name)
        else:
            notes.append(f"population {name!r} has no counterpart of its shape in {labels[1]}")
    if not names:
        raise RecordingError("the recordings have no population in common; compare others")
    samples = min(a.samples, b.samples)
    rows, first = [], None
    for name in names:
        row, divergence = _compare_population(a[name], b[name], samples, labels, notes)
        rows.append(row)
        if divergence is not None and (first is None or _when(divergence) < _when(first)):
            first = divergence
    if all(row.exact is None for row in rows):
        raise RecordingError(
            "the recordings hold nothing to compare: their clocks differ and spikes were not "
            "recorded; run again with --record counts,spikes"
        )
    return Comparison(
        equal=all(row.exact is not False for row in rows),
        labels=labels,
        samples=samples,
        steps=a.steps,
        rows=tuple(rows),
        first_divergence=first,
        notes=tuple(notes),
    )


def _when(divergence: Divergence) -> tuple[int, int]:
    return divergence.sample, divergence.step


def _check_same(a: Recording, b: Recording) -> None:
    for what, x, y in (
        ("networks", a.header.network, b.header.network),
        ("inputs", a.header.inputs, b.header.inputs),
        ("reset intervals", a.header.reset_interval, b.header.reset_interval),
    ):
        if x != y:
            raise RecordingError(
                f"the recordings are of different {what} ({str(x)[:12]} and {str(y)[:12]}); "
                f"compare with check=False or --anyway to do it all the same"
            )


def _compare_population(
    a: PopulationRecord,
    b: PopulationRecord,
    samples: int,
    labels: tuple[str, str],
    notes: list[str],
) -> tuple[PopulationDifference, Divergence | None]:
    name, shift = a.header.name, b.header.hops - a.header.hops
    variables = tuple(v for v in ("u", "v", "spikes") if a.has(v) and b.has(v))
    for variable in ("u", "v", "spikes"):
        if a.has(variable) != b.has(variable):
            side = labels[0] if a.has(variable) else labels[1]
            notes.append(f"population {name!r}: {variable} only in {side}, not compared")
    if "spikes" not in variables:
        return _compare_counts(a, b, samples, shift), None
    tally = _Tally()
    first: Divergence | None = None
    for start, stop in _blocks(a, samples):
        found = _compare_block(a, b, start, stop, shift, variables, tally)
        first = first or found
    row = PopulationDifference(
        population=name,
        shift=shift,
        spikes_a=tally.spikes_a,
        spikes_b=tally.spikes_b,
        differing=tally.differing.get("spikes"),
        u_differing=tally.differing.get("u"),
        v_differing=tally.differing.get("v"),
        masked=tally.masked,
        compared=variables,
        exact=not any(tally.differing.values()),
    )
    return row, first


def _compare_counts(
    a: PopulationRecord, b: PopulationRecord, samples: int, shift: int
) -> PopulationDifference:
    """Compare spike counts, for want of spikes; they only line up without a shift."""
    counts_a, counts_b = a.counts[:samples], b.counts[:samples]
    comparable = shift == 0 and a.steps == b.steps
    return PopulationDifference(
        population=a.header.name,
        shift=shift,
        spikes_a=int(counts_a.sum()),
        spikes_b=int(counts_b.sum()),
        differing=None,
        u_differing=None,
        v_differing=None,
        masked=0,
        compared=("counts",) if comparable else (),
        exact=bool((counts_a == counts_b).all()) if comparable else None,
    )


def _blocks(a: PopulationRecord, samples: int) -> Iterator[tuple[int, int]]:
    size = max(1, BLOCK_BYTES // (4 * a.header.size * max(1, a.steps)))
    for start in range(0, samples, size):
        yield start, min(start + size, samples)


def _compare_block(
    a: PopulationRecord,
    b: PopulationRecord,
    start: int,
    stop: int,
    shift: int,
    variables: tuple[str, ...],
    tally: _Tally,
) -> Divergence | None:
    """Compare one block of samples; returns its first divergence."""
    first_a, first_b = max(0, -shift), max(0, shift)
    length = max(0, min(a.steps - first_a, b.steps - first_b))
    span_a, span_b = slice(first_a, first_a + length), slice(first_b, first_b + length)
    found: Divergence | None = None
    spikes_a = a.spikes_of(start, stop)[:, span_a]
    spikes_b = b.spikes_of(start, stop)[:, span_b]
    tally.spikes_a += int(np.count_nonzero(spikes_a))
    tally.spikes_b += int(np.count_nonzero(spikes_b))
    for variable in variables:
        if variable == "spikes":
            values_a, values_b = spikes_a, spikes_b
        else:
            values_a = a.state_of(variable, start, stop)[:, span_a]
            values_b = b.state_of(variable, start, stop)[:, span_b]
        differs = values_a != values_b
        if variable == "v":
            fired = _fired(a, start, stop)[:, span_a] | _fired(b, start, stop)[:, span_b]
            tally.masked += int(np.count_nonzero(fired))
            differs &= ~fired
        tally.differing[variable] = tally.differing.get(variable, 0) + int(differs.sum())
        if not differs.any():
            continue
        flat = differs.reshape(stop - start, length, -1)
        sample, step, neuron = (int(i) for i in np.argwhere(flat)[0])
        if found is None or (start + sample, step + first_a) < _when(found):
            at = (sample, step, neuron)
            found = Divergence(
                sample=start + sample,
                step=step + first_a,
                population=a.header.name,
                neuron=neuron,
                position=position_of(neuron, a.header.shape),
                variable=variable,
                value_a=values_a.reshape(flat.shape)[at].item(),
                value_b=values_b.reshape(flat.shape)[at].item(),
            )
    return found


def _fired(record: PopulationRecord, start: int, stop: int) -> NDArray[np.bool_]:
    """Whether a neuron fired in a step; messages delayed on the axon count when they were fired."""
    if record.header.neuron != "cuba-lif":
        # Only spiking neurons have a refractory counter in their voltage.
        return np.zeros((stop - start, record.steps, *record.header.shape), np.bool_)
    where, neuron, _ = record.events_of(start, stop)
    fired = np.zeros(((stop - start) * record.steps, record.header.size), np.bool_)
    if record.axon_delay is not None:
        where = where - record.axon_delay[neuron]
    fired[where, neuron] = True
    return fired.reshape(stop - start, record.steps, *record.header.shape)
