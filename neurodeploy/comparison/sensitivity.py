"""How much a network deviates from itself, so that a deviation from another means something.

Recurrent spiking networks can be chaotic: a difference in the last bit of one
weight then grows until spikes have nothing to do with each other. The
reference runs again with its weights perturbed by a stated noise; what that
does to each metric is the floor, and a comparison lies below, at or above it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Synapse
from ..recording import Header, Recording
from .comparison import Comparison
from .results import Floor, FloorRow, PopulationDifference


@dataclass(frozen=True)
class FloorOptions:
    """How the floor is found.

    Attributes
    ----------
    noise : float or None
        Largest change of a weight, relative to the largest weight of its
        projection; None for half a quantization step of each projection.
    repeats : int
        Perturbed runs.
    seed : int
        The first of their seeds.

    Raises
    ------
    InputError
        If noise or repeats are out of range.
    """

    noise: float | None = None
    repeats: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.noise is not None and not 0 < self.noise <= 1:
            raise InputError(f"noise: {self.noise}; give a share of the largest weight, 0 to 1")
        if self.repeats < 1:
            raise InputError(f"repeats: {self.repeats}; give at least 1")


_METRICS: dict[str, Callable[[PopulationDifference], float | None]] = {
    "spikes without partner": lambda row: _spikes_without_partner(row),
    "van Rossum distance": lambda row: row.statistics.van_rossum,
    "difference in rate": lambda row: abs(row.statistics.a.rate - row.statistics.b.rate),
    "v rms error": lambda row: (
        row.statistics.errors["v"].rms if "v" in row.statistics.errors else None
    ),
}


def _spikes_without_partner(row: PopulationDifference) -> float | None:
    rate = row.statistics.coincidence_rate
    return None if rate is None else 1.0 - rate


def sensitivity_floor(
    comparison: Comparison,
    network: Network,
    inputs: NDArray[Any],
    options: FloorOptions,
    header: Header,
    comparer: Callable[..., Comparison],
) -> Floor:
    """Run the reference with perturbed weights and put each metric beside what that does.

    Parameters
    ----------
    comparison : Comparison
    network : Network
        The reference: what side A ran.
    inputs : array
        As for `nd.run`.
    options : FloorOptions
    header : Header
        Of side A: how its states were reset.
    comparer : callable
        As `recordings.compare_recordings`: compares two runs as `comparison` was made.
    """
    from ..backends import run

    measured: dict[tuple[str, str], list[float]] = {}
    changes = []
    recorded = {name for row in comparison.rows for name in row.compared}
    record = ("spikes", "v") if "v" in recorded else ("spikes",)
    given = np.asanyarray(inputs)
    if given.ndim > len([n for n in network.input.shape if n != 1]) + 1:
        given = given[: comparison.samples]
    with tempfile.TemporaryDirectory(prefix="neurodeploy-floor-") as folder:

        def run_to_file(ran: Network, name: str) -> Recording:
            return run(
                ran,
                given,
                record=record,
                steps=comparison.steps,
                out=Path(folder) / f"{name}.h5",
                reset_interval=header.reset_interval,
                reset_offset=header.reset_offset,
            )

        reference = run_to_file(network, "reference")
        for k in range(options.repeats):
            rng = np.random.default_rng(options.seed + k)
            perturbed, changed = perturb(network, options.noise, rng)
            changes.append(changed)
            perturbed_run = run_to_file(perturbed, f"run{k}")
            again = comparer(reference, perturbed_run, tolerances=comparison.tolerances)
            for key, value in _metrics_of(again).items():
                measured.setdefault(key, []).append(value)
    rows = tuple(
        FloorRow(*key, value, min(there), max(there), _verdict(value, min(there), max(there)))
        for key, value in _metrics_of(comparison).items()
        if (there := measured.get(key))
    )
    return Floor(options.noise, options.repeats, options.seed, float(np.mean(changes)), rows)


def perturb(
    network: Network, noise: float | None, rng: np.random.Generator
) -> tuple[Network, float]:
    """Add uniform noise to every weight that is not zero, rounded at random to whole weights.

    A step of 2 and half of it as noise give -1, 0 and 1: integers that the engine
    runs, be they on the chip's grid or not. Rounding at random keeps the mean.

    Parameters
    ----------
    network : Network
    noise : float or None
        See `FloorOptions`.
    rng : Generator

    Returns
    -------
    network : Network
    changed : float
        Share of the weights that are not zero that changed.
    """
    projections, changed, total = [], 0, 0
    for projection in network.projections:
        synapse, number, of = _perturb_synapse(projection.synapse, noise, rng)
        projections.append(replace(projection, synapse=synapse))
        changed, total = changed + number, total + of
    return replace(network, projections=tuple(projections)), changed / max(1, total)


def _perturb_synapse(
    synapse: Synapse, noise: float | None, rng: np.random.Generator
) -> tuple[Synapse, int, int]:
    """Perturb every weight array of an operator, those of its parts too."""
    changes: dict[str, Any] = {}
    changed = total = 0
    for name in ("weight", "real", "imag"):
        weight = getattr(synapse, name, None)
        if isinstance(weight, Synapse):  # a part of a complex operator
            changes[name], number, of = _perturb_synapse(weight, noise, rng)
            changed, total = changed + number, total + of
        if not isinstance(weight, np.ndarray) or not weight.any():
            continue
        size = np.abs(weight)
        # By default half a quantization step: what all weights are multiples of.
        reach = 0.5 * np.gcd.reduce(size.ravel()) if noise is None else noise * float(size.max())
        wanted = weight + rng.uniform(-reach, reach, weight.shape)
        whole = np.floor(wanted + rng.random(weight.shape)).astype(np.int32)
        whole[weight == 0] = 0
        changes[name] = whole
        changed += int((whole != weight).sum())
        total += int(np.count_nonzero(weight))
    return replace(synapse, **changes), changed, total


def _metrics_of(comparison: Comparison) -> dict[tuple[str, str], float]:
    found = {}
    for row in comparison.rows:
        for metric, take in _METRICS.items():
            value = take(row)
            if value is not None:
                found[row.population, metric] = value
    if comparison.output is not None and comparison.output.agreement is not None:
        key = (comparison.output.population, "decisions that differ")
        found[key] = 1.0 - comparison.output.agreement
    return found


def _verdict(value: float, low: float, high: float) -> str:
    if value < low:
        return "below"
    return "above" if value > high else "at"
