"""What a conversion did to each element: faithful, approximate, unsupported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Rating(str, Enum):
    """How well an element's meaning survived."""

    FAITHFUL = "faithful"
    APPROXIMATE = "approximate"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class AuditEntry:
    """One element's rating.

    Attributes
    ----------
    element : str
        Where, e.g. ``layer/3/neuron/refDelay`` or a population's name.
    rating : Rating
    reason : str
        What was done; for `approximate` also by how much it matters.
    """

    element: str
    rating: Rating
    reason: str


@dataclass(frozen=True)
class Audit:
    """All entries of one conversion, in the order of the file."""

    entries: tuple[AuditEntry, ...] = ()

    def __iter__(self) -> Iterator[AuditEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def rated(self, rating: Rating) -> tuple[AuditEntry, ...]:
        """The entries with this rating."""
        return tuple(entry for entry in self.entries if entry.rating is rating)

    @property
    def worst(self) -> Rating:
        """`UNSUPPORTED` if any element is, else `APPROXIMATE`, else `FAITHFUL`."""
        for rating in (Rating.UNSUPPORTED, Rating.APPROXIMATE):
            if self.rated(rating):
                return rating
        return Rating.FAITHFUL

    def __add__(self, other: Audit) -> Audit:
        return Audit(self.entries + other.entries)
