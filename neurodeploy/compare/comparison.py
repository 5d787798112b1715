"""What a comparison of two recordings found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table


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
    value_a, value_b : int, or float on the side of a float network
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
            f"{self.variable} {self.value_a} against {self.value_b}"
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
    """

    equal: bool
    labels: tuple[str, str]
    samples: int
    steps: int
    rows: tuple[PopulationDifference, ...]
    first_divergence: Divergence | None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line: equal, or where the two first differ."""
        a, b = self.labels
        if self.equal:
            what = sorted({name for row in self.rows for name in row.compared})
            return (
                f"{a} and {b} are equal: {', '.join(what)} of {len(self.rows)} populations, "
                f"{self.samples} {'sample' if self.samples == 1 else 'samples'}, {self.steps} steps"
            )
        if self.first_divergence is None:
            return f"{a} and {b} differ in their counts"
        return f"{a} and {b} first differ at {self.first_divergence}"

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain numbers and strings, for JSON."""
        first = self.first_divergence
        return {
            "equal": self.equal,
            "labels": list(self.labels),
            "samples": self.samples,
            "steps": self.steps,
            "first_divergence": None if first is None else vars(first),
            "populations": [vars(row) for row in self.rows],
            "notes": list(self.notes),
        }

    def table(self) -> Table:
        """A rich table, one row per population."""
        from rich.table import Table
        from rich.text import Text

        a, b = self.labels
        table = Table(title=Text(f"{a} against {b}"), title_justify="left")
        table.add_column("population", overflow="fold", ratio=1)
        for heading in (f"spikes {a}", f"spikes {b}", "spikes differ", "u differ", "v differ"):
            table.add_column(Text(heading), justify="right", overflow="fold")
        table.add_column("exact")
        for row in self.rows:
            numbers = (row.differing, row.u_differing, row.v_differing)
            table.add_row(
                Text(row.population),
                f"{row.spikes_a:,}",
                f"{row.spikes_b:,}",
                *("-" if n is None else f"{n:,}" for n in numbers),
                {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}[row.exact],
            )
        return table


def position_of(neuron: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A flat index as a position in a shape."""
    return tuple(int(i) for i in np.unravel_index(neuron, shape))
