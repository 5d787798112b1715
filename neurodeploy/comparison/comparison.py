"""What a comparison of two recordings found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .outputs import OutputComparison
from .statistics import PopulationStatistics
from .tolerances import EQUALITY, Tolerances

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from .diagnosis import Diagnosis
    from .local import LocalDifference
    from .sensitivity import Floor

SCHEMA, SCHEMA_VERSION = "neurodeploy.comparison", 1
"""Of `Comparison.as_dict`; ``docs/compare.md`` describes it."""


@dataclass(frozen=True)
class Divergence:
    """The first place where two recordings differ.

    Attributes
    ----------
    sample : int
    step : int
        On A's chip clock, counted from 0.
    population : str
    neuron : int
        Flat index in (C, H, W) order.
    position : tuple of int
        The same neuron in the population's shape.
    variable : str
        ``u``, ``v`` or ``spikes``: within a step, the first of them to differ.
    value_a, value_b : int, or float where a side recorded floats
    """

    sample: int
    step: int
    population: str
    neuron: int
    position: tuple[int, ...]
    variable: str
    value_a: int | float
    value_b: int | float

    def __str__(self) -> str:
        where = f"neuron {self.neuron}"
        if len(self.position) > 1:
            where += f" at {self.position}"
        return (
            f"sample {self.sample}, step {self.step}, population {self.population!r}, {where}: "
            f"{self.variable} {self.value_a:.7g} against {self.value_b:.7g}"
        )


@dataclass(frozen=True)
class PopulationDifference:
    """How two recordings of one population differ.

    Attributes
    ----------
    population : str
    shift : int
        Steps by which B lags A here; the comparison is made after taking it away.
    spikes_a, spikes_b : int
        Messages in the steps compared.
    differing : int or None
        Entries of the spike arrays that differ; None where only counts could be compared.
    u_differing, v_differing : int or None
        Entries that differ; None where not recorded on both sides.
    masked : int
        Entries of v left out because the neuron had just spiked.
    compared : tuple of str
        What was compared: counts, spikes, u, v.
    exact : bool or None
        Whether nothing that was compared differs; None where nothing could be.
    statistics : PopulationStatistics
    within : bool or None
        Whether what differs stays within the tolerances; as `exact` where there are none.
    """

    population: str
    shift: int
    spikes_a: int
    spikes_b: int
    differing: int | None
    u_differing: int | None
    v_differing: int | None
    masked: int
    compared: tuple[str, ...]
    exact: bool | None
    statistics: PopulationStatistics
    within: bool | None


@dataclass(frozen=True)
class Comparison:
    """The outcome of `compare`.

    Attributes
    ----------
    equal : bool
        Whether nothing that was compared differs.
    labels : (str, str)
        Names of the two sides.
    samples, steps : int
        Samples compared, and A's steps.
    rows : tuple of PopulationDifference
        In the order of A's populations.
    first_divergence : Divergence or None
        The earliest in (sample, step), the earliest population among those.
        None where all is equal, or where only counts differ.
    notes : tuple of str
        What could not be compared, and why.
    output : OutputComparison or None
        None where the output populations cannot be compared.
    tolerances : Tolerances
    diagnosis : Diagnosis or None
        Where the network was given and a first divergence was found.
    local : tuple of LocalDifference
        Where asked for.
    floor : Floor or None
        Where asked for.
    """

    equal: bool
    labels: tuple[str, str]
    samples: int
    steps: int
    rows: tuple[PopulationDifference, ...]
    first_divergence: Divergence | None
    notes: tuple[str, ...] = ()
    output: OutputComparison | None = None
    tolerances: Tolerances = EQUALITY
    diagnosis: Diagnosis | None = None
    local: tuple[LocalDifference, ...] = ()
    floor: Floor | None = None

    @property
    def within_tolerance(self) -> bool:
        """Whether the two are equal, or differ by no more than the tolerances allow."""
        allowed = self.tolerances.decision_difference
        agreement = self.output.agreement if self.output else None
        if allowed is not None and agreement is not None and 1 - agreement > allowed:
            return False
        return all(row.within is not False for row in self.rows)

    def summary(self) -> str:
        """One line: equal, or where the two first differ."""
        a, b = self.labels
        if self.equal:
            what = sorted({name for row in self.rows for name in row.compared})
            return (
                f"{a} and {b} are equal: {', '.join(what)} of {len(self.rows)} populations, "
                f"{self.samples} {'sample' if self.samples == 1 else 'samples'}, {self.steps} steps"
            )
        within = ", within tolerance" if self.within_tolerance else ""
        if self.first_divergence is None:
            return f"{a} and {b} differ in their counts{within}"
        return f"{a} and {b} first differ at {self.first_divergence}{within}"

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain numbers and strings, for JSON; see ``docs/compare.md``."""
        items = asdict(self)
        items["populations"] = items.pop("rows")
        if self.output is not None:
            items["output"]["agreement"] = self.output.agreement
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "summary": self.summary(),
            "within_tolerance": self.within_tolerance,
            **items,
        }

    def table(self) -> Table:
        """A rich table, one row per population."""
        from .tables import exactness_table

        return exactness_table(self)

    def tables(self) -> list[RenderableType]:
        """All that was found as rich tables and texts, each at most 100 columns wide."""
        from .tables import all_tables

        return all_tables(self)


def position_of(neuron: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A flat index as a position in a shape."""
    return tuple(int(i) for i in np.unravel_index(neuron, shape))
