"""What a conversion did to each element: faithful, approximate, unsupported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..display import Shown, listed
from .fields import Declared, text

Numbers: TypeAlias = NDArray[Any]


class Rating(str, Enum):
    """How well an element's meaning survived."""

    FAITHFUL = "faithful"
    APPROXIMATE = "approximate"
    UNSUPPORTED = "unsupported"


def relative_error(before: Numbers, after: Numbers) -> float:
    """Sum of differences over the sum of magnitudes before; over 1 where that is 0."""
    difference = np.abs(np.asarray(after, np.float64) - before).sum()
    return float(difference / (np.abs(before).sum() or 1))


@dataclass(frozen=True)
class Effect(Declared):
    """What a change made of given inputs, in one population, measured.

    What is upstream counts, too: a population that is fed other messages sends others.

    Attributes
    ----------
    inputs : str
        What was run, e.g. ``a random example of 24 steps, seed 0``.
    population : str
        Where the numbers were compared: the element's own.
    compared, differing : int
        Messages (or, of a population that sends none, voltages) of all steps, clocks lined up,
        and how many of them are other ones.
    sent_before, sent : int
        Those that are not 0, before the change and after it.
    relative_error : float
        Sum of differences over the sum of magnitudes before; over 1 where that is 0.
    output_relative_error : float
        The same of the network's output.
    """

    inputs: str
    population: str
    compared: int
    differing: int
    sent_before: int
    sent: int
    relative_error: float
    output_relative_error: float

    @classmethod
    def measured(
        cls, inputs: str, population: str, before: Numbers, after: Numbers, of_output: float
    ) -> Effect:
        """Hold what a population sent before a change, and after it, against each other."""
        differing, old, new = (int(np.count_nonzero(x)) for x in (after != before, before, after))
        error = relative_error(before, after)
        return cls(inputs, population, before.size, differing, old, new, error, of_output)

    def __str__(self) -> str:
        """One sentence."""
        if not self.differing:
            return (
                f"measured on {self.inputs}: none of {self.compared:,} numbers of "
                f"{self.population!r} differs"
            )
        return (
            f"measured on {self.inputs}: {self.differing:,} of {self.compared:,} numbers of "
            f"{self.population!r} differ ({self.sent:,} messages for {self.sent_before:,}), "
            f"relative error {self.relative_error:.2g}, of the output "
            f"{self.output_relative_error:.2g}"
        )


@dataclass(frozen=True)
class AuditEntry(Declared):
    """One element's rating.

    Attributes
    ----------
    element : str
        Where, e.g. ``layer/3/neuron/refDelay`` or a population's name.
    rating : Rating
    reason : str
        What was done; for `approximate` also by how much it changes the element.
    effect : Effect or None
        By how much that matters on given inputs, where somebody has run them.
    """

    element: str = field(metadata=text())
    rating: Rating
    reason: str = field(metadata=text())
    effect: Effect | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rating", Rating(self.rating))  # a file holds the word
        super().__post_init__()

    @property
    def text(self) -> str:
        """The reason, and the effect where it was measured."""
        return self.reason if self.effect is None else f"{self.reason}; {self.effect}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        effect = None if self.effect is None else dict(vars(self.effect))
        return {**vars(self), "rating": self.rating.value, "effect": effect}


@dataclass(frozen=True)
class Audit(Declared, Shown):
    """All entries of one conversion, in the order of the file.

    Attributes
    ----------
    entries : tuple of AuditEntry

    Examples
    --------
    >>> len(net.audit), net.audit.counts
    (2, '2 faithful')
    >>> [entry.element for entry in net.audit]
    ['layer/0', 'layer/1']
    """

    entries: tuple[AuditEntry, ...] = ()

    def __iter__(self) -> Iterator[AuditEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def rated(self, rating: Rating) -> tuple[AuditEntry, ...]:
        """The entries with this rating.

        Parameters
        ----------
        rating : Rating

        Returns
        -------
        tuple of AuditEntry

        Examples
        --------
        >>> from neurodeploy.network import Rating
        >>> net.audit.rated(Rating.UNSUPPORTED)
        ()
        """
        return tuple(entry for entry in self.entries if entry.rating is rating)

    @property
    def worst(self) -> Rating:
        """`UNSUPPORTED` if any element is, else `APPROXIMATE`, else `FAITHFUL`."""
        for rating in (Rating.UNSUPPORTED, Rating.APPROXIMATE):
            if self.rated(rating):
                return rating
        return Rating.FAITHFUL

    @property
    def counts(self) -> str:
        """How many elements have each rating, in words: ``12 faithful, 1 approximate``."""
        found = ((len(self.rated(rating)), rating.value) for rating in Rating)
        return ", ".join(f"{n:,} {word}" for n, word in found if n) or "no elements"

    def __add__(self, other: Audit) -> Audit:
        return Audit(self.entries + other.entries)

    def __repr__(self) -> str:
        changed = self.rated(Rating.UNSUPPORTED) + self.rated(Rating.APPROXIMATE)
        lines = [f"{e.element}: {e.rating.value}: {_shortened(e.text)}" for e in changed]
        return listed(f"Audit of {len(self):,} elements: {self.counts}", lines)


def _shortened(sentence: str, most: int = 100) -> str:
    return sentence if len(sentence) <= most else f"{sentence[: most - 4]} ..."
