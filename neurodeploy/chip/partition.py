"""How one population is cut into pieces that each fit on a core.

Two ways, decoded from the tables of Intel's Loihi 2 compiler (docs/chip.md).

**Lists.** A population whose inputs are lists of synapses is filled into cores neuron by
neuron, M at a time, M at first the most that a core holds. While a core needs r times what
it has, M becomes ``M // max(2, ceil(r))``.

**Images.** A population that takes part in convolutions is cut into blocks of (x, y, z).
The channels are halved until their kernels fit; x is a power of two, y the height halved
some times; the fewest cores win. Of equal ones the block is taken that halving x and y in
turn arrives at, x first, or y first where the channels had to be halved.

**No cut helps** where a single neuron takes more than a core has: of an image, where one
channel's kernels do, for all positions of a block share them. Such a population is not cut
beyond what its neurons need, and `Partition.alone` says what the single neuron takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import Population

INPUT_AXONS = "input axons"
"""The one resource that a core needs as much of, however few neurons it holds."""

LARGEST_SYSTEM = 1152 * 128
"""Cores of Hala Point, the largest system of Loihi chips: what needs more is not laid out."""

_POOLS = ("words of core memory",)
"""Resources that input axons take part of: full of them, no cut helps."""

Need: TypeAlias = "Callable[[Piece], Mapping[str, int]]"
"""What a piece takes of each resource of its core."""


@dataclass(frozen=True)
class Piece:
    """Neurons of one population that share a core.

    Attributes
    ----------
    first, neurons : int
        The first neuron of a list's piece, flat; and how many (of either kind).
    corner, block : (int, int, int) or None
        Of an image's piece: where its block starts, and its extent, in (x, y, z) order.
    """

    first: int
    neurons: int
    corner: tuple[int, int, int] | None = None
    block: tuple[int, int, int] | None = None

    def indices(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Its neurons in the population's flat (C, H, W) order."""
        if self.corner is None or self.block is None:
            return np.arange(self.first, self.first + self.neurons)
        (x, y, z), (columns, rows, channels) = self.corner, self.block
        channel, row = np.arange(z, z + channels), np.arange(y, y + rows)
        first = (channel[:, None] * shape[1] + row) * shape[2] + x
        return (first[:, :, None] + np.arange(columns)).ravel()


@dataclass(frozen=True, eq=False)
class Partition:
    """A population's pieces, each on a core of its own.

    Attributes
    ----------
    population : Population
    pieces : tuple of Piece
    used : tuple of mapping of str to int
        What each piece takes of each resource.
    block : (int, int, int) or None
        The (x, y, z) of a whole block of an image.
    alone : mapping of str to int or None
        What its fullest neuron takes by itself, where that is more than a core has: then no
        cut fits.
    counted : int or None
        Cores that it takes (at least, where they are more than `LARGEST_SYSTEM`) if they were
        counted and not laid out: then `pieces` holds the first alone, the fullest.
    """

    population: Population
    pieces: tuple[Piece, ...]
    used: tuple[Mapping[str, int], ...]
    block: tuple[int, int, int] | None = None
    alone: Mapping[str, int] | None = None
    counted: int | None = None

    @property
    def cores(self) -> int:
        """Cores that it takes."""
        return len(self.pieces) if self.counted is None else self.counted

    @cached_property
    def held(self) -> NDArray[np.float64]:
        """Neurons of each core, float64 [cores]."""
        return np.array([piece.neurons for piece in self.pieces], np.float64)

    @cached_property
    def core_of(self) -> NDArray[np.int64]:
        """Which of its cores each neuron is on, int64 [neurons].

        Raises
        ------
        NetworkError
            If it takes more cores than there are, and so was not laid out.
        """
        if self.counted is not None:
            raise NetworkError(
                f"population {self.population.name!r}: takes {self.counted:,} cores, the largest "
                f"system has {LARGEST_SYSTEM:,}; make the layer smaller"
            )
        cores = np.zeros(self.population.size, np.int64)
        for core, piece in enumerate(self.pieces):
            cores[piece.indices(self.population.shape)] = core
        return cores


def cut_into_lists(
    population: Population,
    need: Need,
    limits: Mapping[str, int],
    most: int,
    fullest: int | None = None,
    listed_up_to: int = LARGEST_SYSTEM,
) -> Partition:
    """Cut neuron by neuron.

    Parameters
    ----------
    population : Population
    need : callable
    limits : mapping of str to int
        Of each resource, per core.
    most : int
        Neurons that a core holds at most.
    fullest : int or None
        The neuron with the most synapses; None: all have as many, so that pieces differ by their
        size alone.
    listed_up_to : int
        Cores up to which all pieces are made; see `Partition.counted`.
    """
    single = need(Piece(fullest or 0, 1))
    alone = single if _excess(single, limits) > 1 else None
    while True:
        cores = -(-population.size // most)
        every = cores <= listed_up_to
        pieces = _pieces(population.size, most, cores if fullest is not None and every else 1)
        worst = max(_excess(need(piece), limits) for piece in pieces)
        if cores > LARGEST_SYSTEM or alone is not None or worst <= 1 or most == 1:
            pieces = _pieces(population.size, most, cores if every else 1)
            used = tuple(map(need, pieces))
            return Partition(population, pieces, used, None, alone, None if every else cores)
        most = max(1, most // max(2, math.ceil(worst)))


def _pieces(size: int, most: int, cores: int) -> tuple[Piece, ...]:
    """The first so many pieces of a list."""
    return tuple(Piece(at, min(most, size - at)) for at in range(0, cores * most, most))


def _excess(used: Mapping[str, int], limits: Mapping[str, int]) -> float:
    """How many times too full a core is, of what fewer neurons on it would free."""
    held = used[INPUT_AXONS]
    return max(
        used[name] / limit
        for name, limit in limits.items()
        if name != INPUT_AXONS and (name not in _POOLS or held < limit)
    )


def cut_into_blocks(
    population: Population,
    need: Need,
    limits: Mapping[str, int],
    most: int,
    fits: Callable[[int], bool],
    listed_up_to: int = LARGEST_SYSTEM,
) -> Partition:
    """Cut an image into blocks.

    Parameters
    ----------
    population, need, limits, most, listed_up_to
        As `cut_into_lists`.
    fits : callable
        Whether the kernels of so many channels fit on a core.
    """
    single = need(Piece(0, 1, (0, 0, 0), (1, 1, 1)))
    alone = single if any(single[name] > limit for name, limit in limits.items()) else None
    depth = population.shape[0]
    while depth > 1 and not (fits(depth) and depth <= most):
        depth = math.ceil(depth / 2)
    while True:
        block = _best_block(population.shape, depth, most)
        cores = math.prod(-(-n // b) for n, b in zip(population.shape[::-1], block, strict=True))
        first = need(next(_blocks(population.shape, block)))  # no other block is larger
        worst = max(first[name] / limit for name, limit in limits.items())
        done = cores > LARGEST_SYSTEM or alone is not None or worst <= 1
        if done or most == 1 or block == (1, 1, 1):
            counted = cores if cores > listed_up_to else None
            pieces = tuple(islice(_blocks(population.shape, block), 1 if counted else cores))
            used = tuple(map(need, pieces))
            return Partition(population, pieces, used, block, alone, counted)
        most = max(1, most // 2)
        depth = min(depth, most)


def _best_block(shape: tuple[int, ...], depth: int, most: int) -> tuple[int, int, int]:
    channels, height, width = shape
    # Halving in turn ends within a factor of two of this ratio of y to x.
    target = 1.0 if depth == channels else 0.0
    best: tuple[tuple[float, float], tuple[int, int, int]] | None = None
    for x in _powers(width):
        for y in _halves(height):
            if x * y * depth > most:
                continue
            cores = math.ceil(width / x) * math.ceil(height / y)
            key = (float(cores), abs(math.log2(y / x) - target))
            if best is None or key < best[0]:
                best = (key, (x, y, depth))
    return best[1] if best else (1, 1, 1)


def _powers(width: int) -> Iterator[int]:
    """Powers of two down from the first that covers a width."""
    x = 1 << max(0, (width - 1).bit_length())
    while x:
        yield x
        x //= 2


def _halves(height: int) -> Iterator[int]:
    while height > 1:
        yield height
        height = math.ceil(height / 2)
    yield 1


def _blocks(shape: tuple[int, ...], block: tuple[int, int, int]) -> Iterator[Piece]:
    extents = (shape[2], shape[1], shape[0])
    for z in range(0, extents[2], block[2]):
        for y in range(0, extents[1], block[1]):
            for x in range(0, extents[0], block[0]):
                corner = (x, y, z)
                real = tuple(min(b, e - c) for b, e, c in zip(block, extents, corner, strict=True))
                yield Piece(0, math.prod(real), corner, (real[0], real[1], real[2]))
