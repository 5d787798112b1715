"""Where messages go on a placement: copies to cores, and hops between tiles.

A message goes once to every core that holds a target of it. Tiles of `cores_per_tile`
cores form a mesh with rows of `tiles_per_row`; a message travels along x, then along y
(Davies et al. 2018). Between chips it is counted as if the next chip's mesh were the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..network import Projection
from .memory import IMAGES, is_image, parts_of
from .partition import Partition
from .placement import Placement

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Routes:
    """Of one projection, what each message of each source neuron takes.

    Attributes
    ----------
    copies, east_west, north_south : float64 [source neurons]
        Cores that get it, and tile hops along x and along y.
    """

    copies: FloatArray
    east_west: FloatArray
    north_south: FloatArray


def routes(placement: Placement, projection: Projection) -> Routes:
    """Copies and hops of a projection's messages; hops are 0 for what enters from outside."""
    target = placement[projection.target]
    reached = _cores_reached(placement, projection, target)
    copies = reached.sum(axis=1).astype(np.float64)
    names = [p.population.name for p in placement.partitions]
    if projection.source not in names:
        nowhere = np.zeros(len(copies))
        return Routes(copies, nowhere, nowhere)
    source = placement[projection.source]
    columns, rows = _distances(placement, source, target)
    home = source.core_of
    return Routes(copies, (reached * columns[home]).sum(axis=1), (reached * rows[home]).sum(axis=1))


def _distances(
    placement: Placement, source: Partition, target: Partition
) -> tuple[FloatArray, FloatArray]:
    """Hops along x and y from each core of one population to each of another."""
    per_tile, width = (placement.chip.limit(n) for n in ("cores_per_tile", "tiles_per_row"))
    tiles = []
    for partition in (source, target):
        first = placement.first_core(partition.population.name)
        tiles.append((first + np.arange(partition.cores)) // per_tile)
    columns = np.abs(tiles[0][:, None] % width - tiles[1][None] % width)
    rows = np.abs(tiles[0][:, None] // width - tiles[1][None] // width)
    return columns.astype(np.float64), rows.astype(np.float64)


def _cores_reached(
    placement: Placement, projection: Projection, target: Partition
) -> NDArray[np.bool_]:
    """Which cores of the target a message goes to, bool [source neurons, target cores]."""
    source = placement.network[projection.source]
    synapse = parts_of(projection.synapse)[0]
    if not is_image(synapse) or target.block is None:
        reaches = placement.network.fan_out(projection, dense=True) > 0
        return np.broadcast_to(reaches[:, None], (source.size, target.cores))
    assert isinstance(synapse, IMAGES)
    channels, height, width = source.shape
    columns, rows = (synapse.reach(axis, size) for axis, size in ((1, width), (0, height)))
    reached = np.zeros((height, width, target.cores), bool)
    for core, piece in enumerate(target.pieces):
        assert piece.corner is not None
        assert piece.block is not None
        (x, y, _), (wide, high, _) = piece.corner, piece.block
        hit_x = ((columns >= x) & (columns < x + wide)).any(axis=1)
        hit_y = ((rows >= y) & (rows < y + high)).any(axis=1)
        reached[:, :, core] = hit_y[:, None] & hit_x[None]
    flat = reached.reshape(height * width, target.cores)
    return np.tile(flat, (channels, 1)) if channels else flat
