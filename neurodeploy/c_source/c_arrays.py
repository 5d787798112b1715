"""Numbers as C writes them: the smallest type that holds them, and their text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32)
"""From the smallest on."""

LOWEST = -(1 << 31)
"""Of 32 bits."""

PER_LINE = 24
"""Numbers in a line of an array."""


def smallest_type(low: int, high: int) -> np.dtype[Any]:
    """Of those of C's that hold both numbers."""
    for kind in TYPES:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return np.dtype(kind)
    raise ValueError(f"{low}..{high} needs more than 32 bits")


def c_type(kind: np.dtype[Any]) -> str:
    """As <stdint.h> names it."""
    return f"{kind.name}_t"


def literal(value: int) -> str:
    """Give a 32-bit number as C reads it; the smallest one has no literal of its own."""
    return "(-2147483647 - 1)" if value == LOWEST else str(value)


def operand(value: int) -> str:
    """Give a 32-bit number to compare with: of the smallest constant a compiler says too much."""
    return "minus(-2147483647, 1)" if value == LOWEST else str(value)


def bits_literal(value: int) -> str:
    """Give a 32-bit number's bits as an unsigned literal."""
    return f"{value & 0xFFFFFFFF}u"


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array.

    Attributes
    ----------
    name : str
    values : integer array
        In its smallest type; written flat.
    """

    name: str
    values: NDArray[Any]

    @classmethod
    def of(cls, name: str, values: NDArray[Any]) -> CArray:
        """Hold the values in the smallest type."""
        kind = smallest_type(int(values.min(initial=0)), int(values.max(initial=0)))
        return cls(name, np.ascontiguousarray(values, kind))

    @property
    def type(self) -> str:
        """Of one number."""
        return c_type(self.values.dtype)

    @property
    def lines(self) -> str:
        """Lines of numbers, with commas between all of them."""
        flat = self.values.ravel()
        numbers = flat.tolist()
        write = literal if flat.size and flat.min() == LOWEST else str
        parts = range(0, len(numbers), PER_LINE)
        return ",\n".join(", ".join(map(write, numbers[k : k + PER_LINE])) for k in parts)


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a projection's part: one for all, or an array with its common power of two.

    Attributes
    ----------
    only : int or None
        The weight, where all are the same.
    array : CArray or None
        Otherwise, divided by 2^`shift`.
    shift : int
    """

    only: int | None
    array: CArray | None
    shift: int = 0

    @classmethod
    def of(cls, name: str, values: NDArray[Any]) -> Weights:
        """Take out a power of two where a smaller type then holds the rest: NetX's are even."""
        flat = values.ravel()
        if flat.size and (flat == flat[0]).all():
            return cls(int(flat[0]), None)
        whole = CArray.of(name, values)
        bits = int(np.bitwise_or.reduce(values.astype(np.int64), axis=None))
        shift = (bits & -bits).bit_length() - 1
        less = CArray.of(name, values.astype(np.int64) >> shift)
        if less.values.itemsize < whole.values.itemsize:
            return cls(None, less, shift)
        return cls(None, whole)
