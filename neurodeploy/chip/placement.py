"""Placement: which core holds what, how full it is, and what does not fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Shown, as_frame, columns, listed
from ..errors import NetworkError
from ..network import Network
from .partition import Partition
from .specification import Chip

CORES, CHIPS = "cores", "chips"
"""What a population, or the network, takes as a whole; other resources are those of one core."""


NO_END = "no cut helps: 'Partitioning could not converge'"
"""What is said of a `Misfit` that does not converge, in the words of Intel's compiler
(sgluege/sdnn_loihi2_compiler_test)."""


@dataclass(frozen=True)
class Misfit:
    """One thing that does not fit.

    Attributes
    ----------
    population : str
        Empty for the network as a whole.
    resource : str
    value, limit : int
    remedy : str
    converges : bool
        Whether cores with fewer neurons need less of it. Where they do not, the compiler's
        partitioning cannot end.
    """

    population: str
    resource: str
    value: int
    limit: int
    remedy: str
    converges: bool = True

    def __str__(self) -> str:
        who = f"population {self.population!r}" if self.population else "network"
        where = "" if self.resource in (CORES, CHIPS) else " on one core"
        return (
            f"{who} needs {self.value:,} {self.resource}{where}, limit {self.limit:,}: "
            f"{self.remedy}" + ("" if self.converges else f" ({NO_END})")
        )


@dataclass(frozen=True)
class Utilisation:
    """How full the cores of one population are.

    Attributes
    ----------
    population : str
    cores : int
    block : (int, int, int) or None
        (x, y, z) of a whole block of an image.
    used : mapping of str to float
        Mean over its cores, per resource.
    percent : mapping of str to float
        Of the fullest core, in percent of each limit.
    binds : str
        The resource with the highest percentage (neuron groups only from two on).
    """

    population: str
    cores: int
    block: tuple[int, int, int] | None
    used: Mapping[str, float]
    percent: Mapping[str, float]
    binds: str


@dataclass(frozen=True, eq=False)
class Placement(Shown):
    """A network laid onto the cores of a chip or a board.

    Attributes
    ----------
    network : Network
    chip : Chip
    board : str
        Empty where none was asked for.
    partitions : tuple of Partition
        In the order in which they take cores, one after another.
    limits : mapping of str to mapping of str to int
        Limit of each resource per core, by population.
    misfits : tuple of Misfit
    strategy : str
        ``compiler`` or ``balanced``.
    places : mapping of str to int64 [cores]
        Where on the chips the cores of each population lie; empty: one population after
        another, as the compiler has them.

    Examples
    --------
    >>> place = nd.fit(net)
    >>> place.fits, place.cores_used
    (True, 2)
    >>> len(place["1_dense"].pieces)
    1
    """

    network: Network
    chip: Chip
    board: str
    partitions: tuple[Partition, ...]
    limits: Mapping[str, Mapping[str, int]]
    misfits: tuple[Misfit, ...] = ()
    strategy: str = "compiler"
    places: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    laid_out: Network = field(kw_only=True)

    @property
    def fits(self) -> bool:
        """Whether everything fits."""
        return not self.misfits

    @property
    def cores_used(self) -> int:
        """Cores that hold something of the network."""
        return sum(partition.cores for partition in self.partitions)

    @property
    def chips_used(self) -> int:
        """Chips that these cores are on, filled one after another."""
        return max(1, math.ceil(self.cores_used / self.chip.limit("cores_per_chip")))

    def __getitem__(self, population: str) -> Partition:
        for partition in self.partitions:
            if partition.population.name == population:
                return partition
        raise NetworkError(
            f"no population {population!r} on the chip; there are "
            f"{', '.join(p.population.name for p in self.partitions)}"
        )

    def __len__(self) -> int:
        return len(self.partitions)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Partition]:
        return iter(self.partitions)

    def __contains__(self, population: object) -> bool:
        return any(partition.population.name == population for partition in self)

    def __repr__(self) -> str:
        rows = [
            (
                u.population,
                f"{u.cores:,} core{'s' * (u.cores != 1)}",
                f"{u.percent[u.binds]:.1f} % of {u.binds}",
            )
            for u in self.per_population
        ]
        chips = f"{self.chips_used} chip{'s' * (self.chips_used != 1)}"
        by = f", compiler {self.chip.compiler}" if self.chip.compiler else ""
        misfits = f"does not fit: {self.misfits[0]}" if self.misfits else "everything fits"
        more = f" (and {len(self.misfits) - 1} more)" if len(self.misfits) > 1 else ""
        return listed(
            f"Placement on {_cores(self.cores_used)} of {chips} "
            f"{self.chip.name}{by}, strategy {self.strategy}",
            columns(rows),
            misfits + more,
            what="more populations",
        )

    def places_of(self, population: str) -> NDArray[np.int64]:
        """Number of each core that a population is on, int64 [cores].

        Parameters
        ----------
        population : str
            A name.

        Returns
        -------
        int64 [cores]
            Counted from 0, over all chips.

        Raises
        ------
        NetworkError
            If there is no such population on the chip.

        Examples
        --------
        >>> nd.fit(net).places_of("1_dense").tolist()
        [1]
        """
        if self.places:
            return self.places[population]
        before = 0
        for partition in self.partitions:
            if partition.population.name == population:
                break
            before += partition.cores
        return before + np.arange(len(self[population].pieces))

    def check(self) -> None:
        """Raise a `NetworkError` with the first thing that does not fit.

        Raises
        ------
        NetworkError
            Names the population, the value, the limit and a remedy.

        Examples
        --------
        >>> nd.fit(net).check()
        """
        if self.misfits:
            raise NetworkError(str(self.misfits[0]))

    @property
    def per_population(self) -> tuple[Utilisation, ...]:
        """How full the cores are, population by population."""
        return tuple(self._utilisation(partition) for partition in self.partitions)

    @property
    def per_core(self) -> tuple[tuple[str, Mapping[str, float]], ...]:
        """Population and percent of each limit, for every core in use."""
        return tuple(
            (partition.population.name, self._percent(partition.population.name, used))
            for partition in self.partitions
            for used in partition.used
        )

    def table(self) -> str:
        """The utilisation as text: one line per population, then what does not fit.

        Returns
        -------
        str
            Lines.

        Examples
        --------
        >>> print(nd.fit(net).table())  # doctest: +SKIP
        """
        resources = list(next(iter(self.limits.values()), {}))
        head = ["population", "cores", *resources, "binds", "block (x, y, z)"]
        rows = [
            [
                u.population,
                str(u.cores),
                *(f"{u.percent[name]:.1f} %" for name in resources),
                u.binds,
                "" if u.block is None else str(u.block),
            ]
            for u in self.per_population
        ]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in [head, *rows]
        ]
        return "\n".join([*lines, *self.lines()])

    def lines(self) -> list[str]:
        """How many cores and chips are used, then what does not fit.

        Returns
        -------
        list of str
            Sentences, without line ends.

        Examples
        --------
        >>> nd.fit(net).lines()
        ['2 cores on 1 chip loihi2, compiler 2024']
        """
        chips = f"{self.chips_used} chip{'s' * (self.chips_used != 1)}"
        by = f", compiler {self.chip.compiler}" if self.chip.compiler else ""
        used = f"{self.cores_used} cores on {chips} {self.chip.name}{by}"
        return [used, *(f"does not fit: {misfit}" for misfit in self.misfits)]

    def to_pandas(self) -> Any:
        """Give how full each core is as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each core in use: ``place``, ``population``, and percent of each limit.

        Raises
        ------
        InputError
            If pandas is not installed (extra ``tables``).

        Examples
        --------
        >>> nd.fit(net).to_pandas()  # doctest: +SKIP
        """
        return as_frame(
            [
                {"place": place, "population": name, **percent}
                for (name, percent), place in zip(self.per_core, self._places(), strict=True)
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The placement as plain types for JSON.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> nd.fit(net).as_dict()["fits"]
        True
        """
        return {
            "chip": self.chip.name,
            "compiler": self.chip.compiler,
            "board": self.board,
            "strategy": self.strategy,
            "fits": self.fits,
            "cores_used": self.cores_used,
            "chips_used": self.chips_used,
            "populations": [
                {
                    "population": u.population,
                    "cores": u.cores,
                    "block": u.block,
                    "used": dict(u.used),
                    "percent": dict(u.percent),
                    "binds": u.binds,
                }
                for u in self.per_population
            ],
            "cores": [
                {"population": name, "place": place, "percent": dict(percent)}
                for (name, percent), place in zip(self.per_core, self._places(), strict=True)
            ],
            "misfits": [str(misfit) for misfit in self.misfits],
        }

    def _places(self) -> list[int]:
        return [int(p) for part in self.partitions for p in self.places_of(part.population.name)]

    def _utilisation(self, partition: Partition) -> Utilisation:
        name = partition.population.name
        resources = self.limits[name]
        used = {r: sum(u[r] for u in partition.used) / len(partition.used) for r in resources}
        alike = {id(u): u for u in partition.used}.values()
        percents = [self._percent(name, u) for u in alike]
        percent = {r: max(p[r] for p in percents) for r in resources}
        # One group a core is what every population has: it binds nothing.
        binds = max(percent, key=lambda r: (r != "neuron groups" or used[r] > 1, percent[r]))
        return Utilisation(name, partition.cores, partition.block, used, percent, binds)

    def _percent(self, population: str, used: Mapping[str, int]) -> dict[str, float]:
        limits = self.limits[population]
        return {r: 100 * used[r] / limit for r, limit in limits.items()}


def _cores(number: int) -> str:
    return f"{number:,} core{'s' * (number != 1)}"
