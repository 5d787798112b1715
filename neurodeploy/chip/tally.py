"""What messages come to on a placement, counted in the core.

Everything that a placement asks of messages is a sum of counts times a number for each neuron:
copies and hops, messages of each core, synapses that each core reads (`synops_per_core`). These
numbers are one matrix for each population that sends, which `nd_tally` multiplies counts with.
Neurons that are alike in all of them, as the channels of an image's position mostly are, share a
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..core.library import library
from ..network import Population
from .placement import Placement
from .routes import Routes, all_routes
from .synops_per_core import operations, taps_of_cores

FloatArray = NDArray[np.float64]
Entries: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]"
"""Cell, column and number of each entry."""

WAY = 3
"""Columns of each way: copies, and hops along x and y."""


@dataclass(frozen=True, eq=False)
class Tally:
    """What one population's messages come to.

    Attributes
    ----------
    ways : tuple of Routes
        From this population.
    cell_of : int32 [neurons]
        Row of each neuron.
    starts : int64 [cells + 1]
        Where the entries of each row begin.
    column : int32 [entries]
    weight : float64 [entries]
    columns : int
        All messages, `WAY` for each way, the population's own cores, then what `reads` names.
    cores : int
        Of the population's own.
    reads : tuple of slice or None
        Columns of the cores of each way's target, where they are counted here.
    """

    ways: tuple[Routes, ...]
    cell_of: NDArray[np.int32]
    starts: NDArray[np.int64]
    column: NDArray[np.int32]
    weight: FloatArray
    columns: int
    cores: int
    reads: tuple[slice | None, ...]

    def count(self, counts: NDArray[np.int64] | FloatArray) -> FloatArray:
        """Float64 [samples, columns] of counts [samples, *shape]."""
        whole = counts.dtype.kind in "iu"
        given: NDArray[Any] = np.ascontiguousarray(counts, np.int64 if whole else np.float64)
        found = np.zeros((len(given), self.columns))
        library().nd_tally(
            given.ctypes.data, not whole, len(given), *self._matrix, found.ctypes.data
        )
        return found

    @cached_property
    def _matrix(self) -> tuple[int, ...]:
        """What the core is told of it, in `nd_tally`'s order."""
        at = (a.ctypes.data for a in (self.starts, self.column, self.weight))
        cells = len(self.starts) - 1
        return len(self.cell_of), self.cell_of.ctypes.data, cells, *at, self.columns

    def of_way(self, number: int, found: FloatArray) -> FloatArray:
        """Copies and hops that messages of a way take, float64 [samples, 3]."""
        return found[:, 1 + WAY * number : 1 + WAY * (number + 1)]

    def of_cores(self, found: FloatArray) -> FloatArray:
        """Messages of the population's own cores, float64 [samples, cores]."""
        first = 1 + WAY * len(self.ways)
        return found[:, first : first + self.cores]


_KNOWN: WeakKeyDictionary[Placement, dict[str, Tally]] = WeakKeyDictionary()


def tallies(placement: Placement) -> dict[str, Tally]:
    """Of everything that has cores or sends to some; kept with the placement."""
    if placement not in _KNOWN:
        ways = all_routes(placement)
        names = {p.population.name for p in placement.partitions}
        names |= {way.projection.source for way in ways}
        _KNOWN[placement] = {name: _tally(placement, name, ways) for name in sorted(names)}
    return _KNOWN[placement]


def reads_of_way(
    placement: Placement, tally: Tally, number: int, found: FloatArray, counts: NDArray[np.int64]
) -> FloatArray:
    """Stored synapses that each core of a way's target reads, float64 [samples, cores]."""
    projection, columns = tally.ways[number].projection, tally.reads[number]
    if columns is not None:
        return found[:, columns]
    if projection.synapse.reads_all:
        return found[:, :1] * placement[projection.target].held
    return operations(placement, projection, counts.reshape(len(counts), -1).astype(np.float64))


def _tally(placement: Placement, name: str, all_ways: tuple[Routes, ...]) -> Tally:
    source = placement.laid_out[name]
    parts = [p for p in placement.partitions if p.population.name == name]
    ways = tuple(way for way in all_ways if way.projection.source == name)
    core_of = parts[0].core_of if parts else None
    taps = [taps_of_cores(placement, way.projection) for way in ways]
    alike = [np.repeat(t.reached, source.size // t.reached.shape[1], 1) for t in taps if t]
    vectors = [v for way in ways for v in (way.copies, way.east_west, way.north_south)]
    rows = [*vectors, *(row for block in alike for row in block)]
    rows += [] if core_of is None else [core_of]
    cell_of, first = _cells(source, rows, core_of)
    cells = np.arange(len(first))
    entries: list[Entries] = [(cells, np.zeros_like(cells), np.ones(len(cells)))]
    for column, vector in enumerate(vectors, 1):
        here = np.flatnonzero(vector[first])
        entries.append((here, np.full_like(here, column), vector[first][here]))
    columns, cores = 1 + WAY * len(ways), parts[0].cores if parts else 0
    if core_of is not None:
        entries.append((cells, columns + core_of[first], np.ones(len(cells))))
    columns += cores
    reads: list[slice | None] = []
    for way, found in zip(ways, taps, strict=True):
        reads.append(None)
        if found is not None:
            end = columns + placement[way.projection.target].cores
            reads[-1] = slice(columns, end)
            channels = first[:: source.shape[1] * source.shape[2]] // found.positions
            for cell, core, weight in found.entries(channels):
                entries.append((cell, np.full_like(cell, columns + core), weight))
            columns = end
    cell, column_of, weight = (np.concatenate(part) for part in zip(*entries, strict=True))
    order = np.argsort(cell, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(cells)))])
    return Tally(
        ways,
        cell_of.astype(np.int32),
        starts.astype(np.int64),
        column_of[order].astype(np.int32),
        weight[order].astype(np.float64),
        columns,
        cores,
        tuple(reads),
    )


def _cells(
    source: Population, rows: list[NDArray[np.generic]], core_of: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell of each neuron and first neuron of each cell, all neurons of a cell alike in `rows`."""
    for cell_of in _candidates(source, core_of):
        _, first = np.unique(cell_of, return_index=True)
        if all(np.array_equal(row, row[first][cell_of]) for row in rows):
            return cell_of, first
    each = np.arange(source.size)
    return each, each


def _candidates(
    source: Population, core_of: NDArray[np.int64] | None
) -> Iterator[NDArray[np.int64]]:
    if len(source.shape) != 3:
        yield np.zeros(source.size, np.int64) if core_of is None else core_of
        return
    positions = source.shape[1] * source.shape[2]
    channels, slab = np.arange(source.shape[0]), np.zeros(source.shape[0], np.int64)
    if core_of is not None:  # channels that share their cores at the first position
        slab = np.unique(core_of[channels * positions], return_inverse=True)[1]
    yield (slab[:, None] * positions + np.arange(positions)).ravel()
