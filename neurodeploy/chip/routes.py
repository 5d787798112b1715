"""Where messages go on a placement: copies to cores, hops between tiles, load of the mesh's links.

A message goes once to every core that holds a target of it. Tiles of `cores_per_tile`
cores form a mesh with rows of `tiles_per_row`; a message travels along x, then along y
(Davies et al. 2018). Between chips it is counted as if the next chip's mesh were the same.

Which cores an image position reaches is a product of its row's and its column's reach, so
everything here is made of small products of matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..network import Projection
from ..network.synapses.kernel import kernels_of
from .partition import Partition, Piece
from .placement import Placement

FloatArray = NDArray[np.float64]
EAST, WEST, SOUTH, NORTH = range(4)
"""Directions in which a tile's links lead."""


@dataclass(frozen=True, eq=False)
class Routes:
    """Of one projection, what each message of each source neuron takes.

    Attributes
    ----------
    projection : Projection
    copies, east_west, north_south : float64 [source neurons]
        Cores that get it, and tile hops along x and along y.
    links : float64 [source cores, tiles, 4]
        Messages over each link, by the tile that it leaves and its direction, for one
        message of a core, all neurons of the core alike. No cores: what enters from outside.
    off_chip : float64 [source cores]
        Copies of a message that end on another chip, of a mean neuron of each core.
    """

    projection: Projection
    copies: FloatArray
    east_west: FloatArray
    north_south: FloatArray
    links: FloatArray
    off_chip: FloatArray

    @cached_property
    def mean_copies(self) -> float:
        """Cores that get a message of a mean neuron."""
        return float(self.copies.mean())


_KNOWN: WeakKeyDictionary[Placement, tuple[Routes, ...]] = WeakKeyDictionary()


def all_routes(placement: Placement) -> tuple[Routes, ...]:
    """Routes of every projection that ends on the chip's cores; kept with the placement."""
    if placement not in _KNOWN:
        on_cores = {partition.population.name for partition in placement.partitions}
        _KNOWN[placement] = tuple(
            routes(placement, p) for p in placement.laid_out.projections if p.target in on_cores
        )
    return _KNOWN[placement]


def routes(placement: Placement, projection: Projection) -> Routes:
    """Copies and hops of a projection's messages; hops are 0 for what enters from outside."""
    source = placement.laid_out[projection.source]
    reach = _reach(placement, projection)
    copies = reach.copies(source.shape)
    tiles = _tiles(placement)
    names = [p.population.name for p in placement.partitions]
    if projection.source not in names:
        nowhere = np.zeros(source.size)
        nothing = np.zeros((0, tiles, 4))
        return Routes(projection, copies, nowhere, nowhere, nothing, np.zeros(0))
    width = placement.chip.limit("tiles_per_row")
    here, there = (_homes(placement, name) for name in (projection.source, projection.target))
    east_west, north_south = np.zeros(source.size), np.zeros(source.size)
    links, off_chip = np.zeros((len(here), tiles, 4)), np.zeros(len(here))
    per_chip = placement.chip.limit("cores_per_chip")
    home_chip, target_chip = (
        placement.places_of(name) // per_chip for name in (projection.source, projection.target)
    )
    for core, piece in enumerate(placement[projection.source].pieces):
        part, indices = reach.of(piece, source.shape), piece.indices(source.shape)
        x = np.abs(there % width - here[core] % width).astype(np.float64)
        y = np.abs(there // width - here[core] // width).astype(np.float64)
        east_west[indices] = part.weighted(x, len(indices))
        north_south[indices] = part.weighted(y, len(indices))
        mean = part.mean()
        _load(links[core], here[core], there, mean, width)
        off_chip[core] = mean[target_chip != home_chip[core]].sum()
    return Routes(projection, copies, east_west, north_south, links, off_chip)


@dataclass(frozen=True, eq=False)
class _Reach:
    """Which cores a source neuron reaches.

    Attributes
    ----------
    rows : float64 [rows, cores]
        Of image rows; else of single neurons, or one row for all of them.
    columns : float64 [cores, columns]
        Of image columns; else one column of ones.
    image : bool
    """

    rows: FloatArray
    columns: FloatArray
    image: bool

    def of(self, piece: Piece, shape: tuple[int, ...]) -> _Reach:
        """Of the neurons of one core."""
        if not self.image and len(self.rows) == 1:
            return self
        if self.image and piece.corner is not None and piece.block is not None:
            (x, y, _), (wide, high, _) = piece.corner, piece.block
            return _Reach(self.rows[y : y + high], self.columns[:, x : x + wide], True)
        indices = piece.indices(shape)
        if not self.image:
            return _Reach(self.rows[indices], self.columns, False)
        row, column = np.divmod(indices % (shape[1] * shape[2]), shape[2])
        return _Reach(
            self.rows[row] * self.columns.T[column], np.ones((len(self.columns), 1)), False
        )

    def weighted(self, weight: FloatArray, neurons: int) -> FloatArray:
        """Sum over the cores reached of a weight, float64 [neurons]."""
        each = ((self.rows * weight) @ self.columns).ravel()
        return np.tile(each, neurons // len(each))

    def copies(self, shape: tuple[int, ...]) -> FloatArray:
        """Cores that a message of each neuron gets to, float64 [neurons]."""
        return self.weighted(np.ones(len(self.columns)), math.prod(shape))

    def mean(self) -> FloatArray:
        """Copies to each core of a message of a mean neuron, float64 [cores]."""
        return np.asarray(self.rows.mean(axis=0) * self.columns.mean(axis=1), np.float64)


def _tiles(placement: Placement) -> int:
    return -(-placement.cores_used // placement.chip.limit("cores_per_tile"))


def _homes(placement: Placement, name: str) -> NDArray[np.int64]:
    """Tile of each core of a population."""
    return (placement.places_of(name) // placement.chip.limit("cores_per_tile")).astype(np.int64)


def _load(
    links: FloatArray, home: int, there: NDArray[np.int64], copies: FloatArray, width: int
) -> None:
    """Add one message's copies to the links on their ways, along x and then along y."""
    for tile, weight in enumerate(np.bincount(there, copies)):
        at = home
        while weight and at % width != tile % width:
            east = tile % width > at % width
            # A last row that is not full still has its links.
            links[min(at, len(links) - 1), EAST if east else WEST] += weight
            at += 1 if east else -1
        while weight and at // width != tile // width:
            south = tile // width > at // width
            links[min(at, len(links) - 1), SOUTH if south else NORTH] += weight
            at += width if south else -width


def _reach(placement: Placement, projection: Projection) -> _Reach:
    source, target = placement.laid_out[projection.source], placement[projection.target]
    kernels = kernels_of(projection.synapse)
    if not kernels or target.block is None:
        reaches = placement.laid_out.fan_out(projection, dense=True) > 0
        rows = np.ones((1, 1)) if reaches.all() else reaches.astype(np.float64)[:, None]
        return _Reach(
            np.repeat(rows, target.cores, axis=1), np.ones((target.cores, 1)), image=False
        )
    _, height, width = source.shape
    both = block_taps(target, kernels[0].reach(0, height), kernels[0].reach(1, width))
    down, across = (taps.per_core > 0 for taps in both)
    return _Reach(down.T.astype(np.float64), across.astype(np.float64), image=True)


def block_taps(
    target: Partition, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[Taps, Taps]:
    """Kernel taps by which each source row and column lands in each block.

    Parameters
    ----------
    target : Partition
        Of an image.
    rows, columns : int64 [source positions, taps]
        As `Kernel.reach` gives them.
    """
    y = [
        (piece.corner[1], piece.block[1]) for piece in target.pieces if piece.corner and piece.block
    ]
    x = [
        (piece.corner[0], piece.block[0]) for piece in target.pieces if piece.corner and piece.block
    ]
    return _taps(rows, y), _taps(columns, x)


@dataclass(frozen=True, eq=False)
class Taps:
    """Kernel taps by which source positions land in the blocks' extents along one axis.

    Attributes
    ----------
    landed : float64 [extents, source positions]
        Blocks that share an extent share a row.
    extent_of : int64 [cores]
    """

    landed: FloatArray
    extent_of: NDArray[np.int64]

    @property
    def per_core(self) -> FloatArray:
        """float64 [cores, source positions]."""
        return self.landed[self.extent_of]


def _taps(reach: NDArray[np.int64], blocks: list[tuple[int, int]]) -> Taps:
    extents = {extent: number for number, extent in enumerate(dict.fromkeys(blocks))}
    landed = [((reach >= start) & (reach < start + size)).sum(axis=1) for start, size in extents]
    return Taps(np.array(landed, np.float64), np.array([extents[block] for block in blocks]))
