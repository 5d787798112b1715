"""What the engine asks of a synapse operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Population, Synapse
from ..events import EventBuffer

KERNELS = ("auto", "events", "dense")
"""Add what each message brings, or look up all that was sent in tables; auto goes by activity.

The results are the same to the bit. Where an operator or graded messages leave
one way only, that way is taken. Dense matrices have one: adding rows of eight-bit
weights beat OpenBLAS's float32 product at every activity up to 60 % (256 x 256 to
2048 x 2048, one core) and was its equal at 90 %.
"""


class Delivery(ABC):
    """A projection's weights, packed; adds what they deliver to the target's current.

    Parameters
    ----------
    synapse : Synapse
    source, target : Population

    Attributes
    ----------
    lag : int
        Steps from message to current; the shortest of them where there are several.
    may_wrap : bool
        Whether the sum of this projection wraps to 24 bits and could reach that.
    parts : list of Delivery
        What it is made of, where it is made of several.
    """

    may_wrap = False
    parts: list[Delivery]

    def __init__(self, synapse: Synapse, source: Population, target: Population) -> None:
        self.lag = synapse.steps
        self.parts = []

    @property
    def longest_lag(self) -> int:
        """Most steps from message to current."""
        return max((self.lag, *(part.longest_lag for part in self.parts)))

    def choose(self, kernels: str) -> None:
        """Choose between kernels, where there are several; see `KERNELS`."""
        for part in self.parts:
            part.choose(kernels)

    @abstractmethod
    def deliver(self, events: EventBuffer, t0: int, t1: int, current: NDArray[np.int32]) -> None:
        """Add to `current` [samples, t1 - t0, ports x neurons] what arrives in steps t0..t1.

        What the source sent at step t arrives at t + `lag`.
        """


def narrowest(weight: NDArray[Any]) -> NDArray[Any]:
    """Copy to the narrowest of int8, int16 and int32 that holds the weights."""
    largest = int(np.abs(weight.astype(np.int64)).max(initial=0))
    kind = np.int8 if largest < 1 << 7 else np.int16 if largest < 1 << 15 else np.int32
    return np.array(weight, dtype=kind, order="C")  # Numba takes read-only arrays for another type


def reciprocal(divisor: int) -> tuple[np.uint64, np.uint64]:
    """Factor and shift by which `divided` divides numbers below 2^31 without a division.

    ``n / d = (n m) >> k`` exactly for n < 2^31 where ``m = ceil(2^k / d)`` and
    ``k = 32 + ceil(log2 d)``: m d exceeds 2^k by less than d, n (m d - 2^k) stays
    below 2^k (Granlund and Montgomery 1994, theorem 4.2), and n m below 2^64.
    """
    shift = 32 + (divisor - 1).bit_length()
    return np.uint64(-(-(1 << shift) // divisor)), np.uint64(shift)


@njit(inline="always")
def divided(n, by):  # type: ignore[no-untyped-def]
    """Divide a number from 0 to 2^31 - 1 by what `reciprocal` was made of."""
    return np.int64((np.uint64(n) * by[0]) >> by[1])
