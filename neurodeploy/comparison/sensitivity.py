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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Projection
from ..recording import Header, Recording

if TYPE_CHECKING:
    from .comparison import Comparison, PopulationDifference


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


@dataclass(frozen=True)
class FloorRow:
    """One metric beside its floor.

    Attributes
    ----------
    population, metric : str
    value : float
        In the comparison.
    low, high : float
        Of the perturbed runs.
    verdict : {"below", "at", "above"}
        Above: the two recordings differ by more than the network's own sensitivity explains.
    """

    population: str
    metric: str
    value: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Floor:
    """The sensitivity floor of a comparison.

    Attributes
    ----------
    noise : float or None
        As in `FloorOptions`.
    repeats, seed : int
    changed : float
        Share of the nonzero weights that a perturbed run changed, mean.
    rows : tuple of FloorRow
    """

    noise: float | None
    repeats: int
    seed: int
    changed: float
    rows: tuple[FloorRow, ...]


_METRICS: dict[str, Callable[[PopulationDifference], float | None]] = {
    "spikes without partner": lambda row: _missed(row),
    "van Rossum distance": lambda row: row.statistics.van_rossum,
    "difference in rate": lambda row: abs(row.statistics.a.rate - row.statistics.b.rate),
    "v rms error": lambda row: (
        row.statistics.errors["v"].rms if "v" in row.statistics.errors else None
    ),
}


def _missed(row: PopulationDifference) -> float | None:
    rate = row.statistics.coincidence_rate
    return None if rate is None else 1.0 - rate


def sensitivity_floor(
    comparison: Comparison,
    network: Network,
    inputs: NDArray[Any],
    options: FloorOptions,
    header: Header,
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
    """
    measured: dict[tuple[str, str], list[float]] = {}
    changes = []
    record = ["spikes"]
    if any("v" in row.compared for row in comparison.rows):
        record.append("v")
    with tempfile.TemporaryDirectory(prefix="neurodeploy-floor-") as folder:
        run = _Runs(Path(folder), inputs, comparison, tuple(record), header)
        reference = run(network, "reference")
        for k in range(options.repeats):
            rng = np.random.default_rng(options.seed + k)
            perturbed, changed = perturb(network, options.noise, rng)
            changes.append(changed)
            again = _compared(reference, run(perturbed, f"run{k}"), comparison)
            for key, value in _values(again).items():
                measured.setdefault(key, []).append(value)
    rows = tuple(
        FloorRow(*key, value, min(there), max(there), _verdict(value, min(there), max(there)))
        for key, value in _values(comparison).items()
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
        perturbed, number, of = _perturbed(projection, noise, rng)
        projections.append(perturbed)
        changed, total = changed + number, total + of
    return replace(network, projections=tuple(projections)), changed / max(1, total)


def _perturbed(
    projection: Projection, noise: float | None, rng: np.random.Generator
) -> tuple[Projection, int, int]:
    synapse: Any = projection.synapse
    changes: dict[str, NDArray[np.int32]] = {}
    changed = total = 0
    for name in ("weight", "real", "imag"):
        weight = getattr(synapse, name, None)
        if not isinstance(weight, np.ndarray) or not weight.any():
            continue
        reach = noise * float(np.abs(weight).max()) if noise is not None else 0.5 * _step(weight)
        wanted = weight + rng.uniform(-reach, reach, weight.shape)
        whole = np.floor(wanted + rng.random(weight.shape)).astype(np.int32)
        whole[weight == 0] = 0
        changes[name] = whole
        changed += int((whole != weight).sum())
        total += int(np.count_nonzero(weight))
    if not changes:
        return projection, 0, 0
    return replace(projection, synapse=replace(synapse, **changes)), changed, total


def _step(weight: NDArray[np.int32]) -> int:
    """Quantization step of a weight array: what all of them are multiples of."""
    return int(np.gcd.reduce(np.abs(weight).ravel()))


class _Runs:
    """Runs networks on the inputs of the comparison, to files that do not last."""

    def __init__(
        self,
        folder: Path,
        inputs: NDArray[Any],
        comparison: Comparison,
        record: tuple[str, ...],
        header: Header,
    ) -> None:
        self.folder, self.record, self.header = folder, record, header
        self.inputs, self.comparison = inputs, comparison

    def __call__(self, network: Network, name: str) -> Recording:
        from ..backends import run

        given = np.asanyarray(self.inputs)
        if given.ndim > len([n for n in network.input.shape if n != 1]) + 1:
            given = given[: self.comparison.samples]
        out = self.folder / f"{name}.h5"
        return run(
            network,
            given,
            record=self.record,
            steps=self.comparison.steps,
            out=out,
            reset_interval=self.header.reset_interval,
            reset_offset=self.header.reset_offset,
        )


def _compared(reference: Recording, other: Recording, comparison: Comparison) -> Comparison:
    from .align import compare

    return compare(reference, other, check=False, tolerances=comparison.tolerances)


def _values(comparison: Comparison) -> dict[tuple[str, str], float]:
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
