"""What a network's units send on calibration inputs, in floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .graph import Array
from .units import Unit

BATCH = 64
KEPT_VALUES = 1 << 20
"""Of each unit, from which a percentile is taken; all samples give as many."""


@dataclass(frozen=True)
class Range:
    """Of one unit.

    Attributes
    ----------
    typical : float
        The percentile of the magnitudes of what it sends; the largest where that is 0, and 1
        where it never sends.
    largest : float
        Magnitude of what it sends.
    largest_sum : float
        Magnitude of what it gets, its bias included.
    """

    typical: float
    largest: float
    largest_sum: float


def forward(units: Sequence[Unit], inputs: Array) -> Iterator[tuple[Unit, Array, Array]]:
    """Run a batch through; yields each unit with its sums and what it sends.

    Parameters
    ----------
    units : sequence of Unit
        As `units.units_of` gives them.
    inputs : float64 [samples, *input shape]
    """
    sent: dict[str, Array] = {}
    for unit in units:
        if unit.activation.endswith("input"):
            sums = inputs.reshape(-1, *unit.shape)
        else:
            sums = unit.sums(sent)
        sent[unit.name] = unit.values(sums)
        yield unit, sums, sent[unit.name]


def ranges(units: Sequence[Unit], inputs: Array, percentile: float) -> dict[str, Range]:
    """Measure each unit.

    Parameters
    ----------
    units : sequence of Unit
    inputs : float64 [samples, *input shape]
    percentile : float
        In 0..100, of all that a unit sends, zeros too.
    """
    seen: dict[str, list[Array]] = {unit.name: [] for unit in units}
    most = {unit.name: [0.0, 0.0] for unit in units}
    for first in range(0, len(inputs), BATCH):
        for unit, sums, values in forward(units, inputs[first : first + BATCH]):
            every = max(1, unit.size * len(inputs) // KEPT_VALUES)
            seen[unit.name].append(np.abs(values).ravel()[::every])
            found = most[unit.name]
            found[0] = max(found[0], float(np.abs(values).max(initial=0)))
            found[1] = max(found[1], float(np.abs(sums).max(initial=0)))
    measured = {}
    for name, parts in seen.items():
        largest, largest_sum = most[name]
        typical = float(np.percentile(np.concatenate(parts), percentile)) or largest or 1.0
        measured[name] = Range(typical, largest, largest_sum)
    return measured
