"""What a comparison of two recordings found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..display import Shown, as_frame, columns, listed
from ..numbers import percent
from .divergence import Divergence
from .learned import LearningDifference, LearningDivergence
from .outputs import OutputComparison
from .results import Diagnosis, Floor, LocalDifference, PopulationDifference
from .tolerances import EQUALITY, Tolerances

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from .tables import Listing

SCHEMA, SCHEMA_VERSION = "neurodeploy.comparison", 1
"""Of `Comparison.as_dict`; ``docs/compare.md`` describes it."""


@dataclass(frozen=True)
class Comparison(Shown):
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
    learning : tuple of LearningDifference
        Of the projections that learned.

    Examples
    --------
    >>> diff = nd.compare(rec, nd.run(net, inputs))
    >>> diff.equal, len(diff), diff.samples
    (True, 3, 20)
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
    learning: tuple[LearningDifference, ...] = ()

    @property
    def first_learned(self) -> LearningDivergence | None:
        """The earliest synapse that the two learned otherwise; None where there is none."""
        found = [one.first for one in self.learning if one.first is not None]
        return min(found, key=lambda one: one.when, default=None)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[PopulationDifference]:
        return iter(self.rows)

    def __repr__(self) -> str:
        words = {True: "equal", False: "differs", None: "not compared"}
        found = columns(
            [
                (row.population, words[row.exact], _differences(row), ", ".join(row.compared))
                for row in self
            ]
        )
        last = [self.diagnosis.words] if self.diagnosis else []
        if self.output is not None and self.output.agreement is not None:
            last.insert(0, f"{percent(self.output.agreement)} of the decisions agree")
        title = f"Comparison: {self.summary()}"
        return listed(title, found, *last, what="more populations")

    @property
    def within_tolerance(self) -> bool:
        """Whether the two are equal, or differ by no more than the tolerances allow."""
        allowed = self.tolerances.decision_difference
        agreement = self.output.agreement if self.output else None
        if allowed is not None and agreement is not None and 1 - agreement > allowed:
            return False
        if any(one.differing for one in self.learning):
            return False
        return all(row.within is not False for row in self.rows)

    def summary(self) -> str:
        """One line: equal, or where the two first differ.

        Returns
        -------
        str

        Examples
        --------
        >>> nd.compare(rec, rec).summary()
        'A (engine) and B (engine) are equal: spikes, v of 3 populations, 20 samples, 16 steps'
        """
        a, b = self.labels
        if self.equal:
            what = sorted({name for row in self.rows for name in row.compared})
            what += ["weights"] if self.learning else []
            return (
                f"{a} and {b} are equal: {', '.join(what)} of {len(self.rows)} populations, "
                f"{self.samples} {'sample' if self.samples == 1 else 'samples'}, {self.steps} steps"
            )
        within = ", within tolerance" if self.within_tolerance else ""
        learned = self.first_learned
        # Within a step neurons send before synapses learn.
        if learned and (self.first_divergence is None or learned.when < self.first_divergence.when):
            return f"{a} and {b} first differ at {learned}"
        if self.first_divergence is None:
            return f"{a} and {b} differ in their counts{within}"
        return f"{a} and {b} first differ at {self.first_divergence}{within}"

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain numbers and strings, for JSON; see ``docs/compare.md``.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> nd.compare(rec, rec).as_dict()["equal"]
        True
        """
        items = asdict(self)
        items["populations"] = items.pop("rows")
        for item, row in zip(items["populations"], self.rows, strict=True):
            item |= {"u_differing": row.u_differing, "v_differing": row.v_differing}
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
        """A rich table, one row per population.

        Returns
        -------
        rich.table.Table

        Examples
        --------
        >>> nd.compare(rec, rec).table().row_count
        3
        """
        return self.listings()[0].__rich__()

    def to_pandas(self) -> Any:
        """Give what differs as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each population: ``population``, ``exact``, ``within``, ``spikes_a``,
            ``spikes_b`` and ``differing`` entries of the spikes and of each state.

        Raises
        ------
        InputError
            If pandas is not installed (extra ``tables``).

        Examples
        --------
        >>> nd.compare(rec, rec).to_pandas()  # doctest: +SKIP
        """
        return as_frame(
            [
                {
                    "population": row.population,
                    "exact": row.exact,
                    "within": row.within,
                    "spikes_a": row.spikes_a,
                    "spikes_b": row.spikes_b,
                    "differing": row.differing,
                    **{f"{name}_differing": n for name, n in row.states_differing.items()},
                }
                for row in self
            ]
        )

    def listings(self) -> list[Listing]:
        """All that was found as tables; the first says what differs.

        Returns
        -------
        list of Listing
            Each has a title, a head and rows, and draws itself with rich.

        Examples
        --------
        >>> len(nd.compare(rec, rec).listings()) >= 3
        True
        """
        from . import tables

        labels = self.labels
        found = [tables.exactness_table(labels, self.rows), tables.figures_table(self.rows)]
        found.append(tables.sides_table(labels, self.rows))
        if self.learning:
            found.append(tables.learning_table(self.learning))
        if self.output is not None:
            found.append(tables.output_table(labels, self.output))
        if self.local:
            found.append(tables.local_table(labels, self.local))
        if self.floor is not None:
            found.append(tables.floor_table(self.floor))
        return found

    def tables(self) -> list[Listing | Text]:
        """All that was found and its diagnosis, as rich prints them.

        Returns
        -------
        list of Listing or rich.text.Text

        Examples
        --------
        >>> from rich.console import Console
        >>> Console().print(*nd.compare(rec, rec).tables())  # doctest: +SKIP
        """
        from .tables import diagnosis_lines

        diagnosis = self.diagnosis
        return [*self.listings(), *(diagnosis_lines(diagnosis, self.labels) if diagnosis else ())]


def _differences(row: PopulationDifference) -> str:
    """How many entries of its arrays differ, in words; empty where none is known to."""
    found = {"spikes": row.differing, **row.states_differing}
    return ", ".join(f"{number:,} of {name}" for name, number in found.items() if number)
