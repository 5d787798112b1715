"""What every encoder and decoder of sound is: a stream with a latency."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError


class Coder(ABC):
    """Turns a stream into another one, block by block; how it is cut into blocks changes nothing.

    Attributes
    ----------
    kind : str
        Its name on the command line.
    ratio : (int, int)
        For so many rows taken in, so many come out.
    width : int or None
        Numbers in a row that comes out; None where it is that of what goes in.
    delay : int
        Rows taken in from the moment at which one arrives to the last output that it shapes,
        itself counted: a frame of n samples has n. What passes at once has 0.
    fixed : bool
        Whether this is the integer form: int64 in and out, exact on every machine.
    """

    kind: ClassVar[str] = "coder"
    ratio: tuple[int, int] = (1, 1)
    width: int | None = None
    delay: int = 0
    fixed: bool = False

    @abstractmethod
    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take in rows [rows, ...] and give what is ready [rows, width]."""

    def reset(self) -> None:  # noqa: B027  (some coders remember nothing)
        """Start again from the beginning."""

    def encode(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take in a whole stream, from a fresh start."""
        self.reset()
        return self.push(rows)

    def latency_ms(self, rate: float) -> float:
        """Algorithmic latency in milliseconds, where so many rows come in per second."""
        return 1e3 * self.delay / rate

    def rate_out(self, rate: float) -> float:
        """Rows that come out per second, where so many come in."""
        taken, given = self.ratio
        return rate * given / taken

    def settle(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Check what comes in and give it the type of this form."""
        rows = np.asarray(rows)
        if self.fixed:
            if rows.dtype.kind not in "iu":
                raise InputError(
                    f"{self.kind}: {rows.dtype} given to its integer form; give integers "
                    f"(audio.files.to_pcm16 for sound)"
                )
            return rows.astype(np.int64)
        if rows.dtype.kind not in "biuf":
            raise InputError(f"{self.kind}: {rows.dtype} given; give numbers")
        return rows.astype(np.float64)


class Chain(Coder):
    """Coders one after another; their latencies add up.

    Parameters
    ----------
    coders : sequence of Coder
        In the order in which the stream passes them; all of the same form.

    Raises
    ------
    InputError
        If there is none, or floats and integers are mixed.
    """

    kind = "chain"

    def __init__(self, coders: Sequence[Coder]) -> None:
        if not coders:
            raise InputError("chain of coders: 0 given; give at least 1")
        if len({coder.fixed for coder in coders}) > 1:
            raise InputError(
                "chain of coders: "
                + ", ".join(f"{c.kind} {'integer' if c.fixed else 'float'}" for c in coders)
                + "; give all of them in one form"
            )
        self.coders = tuple(coders)
        self.fixed = coders[0].fixed
        taken = given = 1
        for coder in coders:
            taken, given = taken * coder.ratio[0], given * coder.ratio[1]
        self.ratio = taken, given
        widths = [coder.width for coder in coders if coder.width is not None]
        self.width = widths[-1] if widths else None

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """See `Coder.push`."""
        for coder in self.coders:
            rows = coder.push(rows)
        return rows

    def reset(self) -> None:
        """See `Coder.reset`."""
        for coder in self.coders:
            coder.reset()

    def latency_ms(self, rate: float) -> float:
        """See `Coder.latency_ms`."""
        return sum(self.latencies_ms(rate).values())

    def latencies_ms(self, rate: float) -> dict[str, float]:
        """Milliseconds of each coder, by ``position:kind``."""
        found = {}
        for number, coder in enumerate(self.coders):
            found[f"{number}:{coder.kind}"] = coder.latency_ms(rate)
            rate = coder.rate_out(rate)
        return found


class Frames:
    """Cuts a stream of samples into frames that overlap.

    The stream is taken to begin after `size` - `hop` zeros, so that a frame is
    ready after every `hop` samples.

    Parameters
    ----------
    size, hop : int
        Samples of a frame, and from one to the next.
    dtype : dtype
    """

    def __init__(self, size: int, hop: int, dtype: Any) -> None:
        if not 1 <= hop <= size:
            raise InputError(f"frames of {size} samples: hop is {hop}; give 1..{size}")
        self.size, self.hop, self.dtype = size, hop, dtype
        self.reset()

    def reset(self) -> None:
        """Begin again after zeros."""
        self.held = np.zeros(self.size - self.hop, self.dtype)

    def push(self, samples: NDArray[Any]) -> list[NDArray[Any]]:
        """Take in samples and give the frames that are complete, each [size]."""
        held = np.concatenate([self.held, np.asarray(samples, self.dtype).ravel()])
        count = max(0, (len(held) - self.size) // self.hop + 1)
        self.held = held[count * self.hop :].copy()
        firsts = range(0, count * self.hop, self.hop)
        return [held[first : first + self.size] for first in firsts]


class Overlap:
    """Adds overlapping frames up to a stream of samples, `hop` samples a frame."""

    def __init__(self, size: int, hop: int, dtype: Any) -> None:
        self.size, self.hop, self.dtype = size, hop, dtype
        self.reset()

    def reset(self) -> None:
        """Begin with nothing."""
        self.sum = np.zeros(self.size, self.dtype)

    def add(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Add a frame and give the samples that no later one reaches."""
        self.sum += frame
        done = self.sum[: self.hop].copy()
        self.sum[: -self.hop] = self.sum[self.hop :].copy()
        self.sum[-self.hop :] = 0
        return done


def rounded_shift(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Divide by 2^bits, halves upwards."""
    return (values + (1 << bits >> 1)) >> bits


def check_exact(kind: str, largest: float) -> None:
    """Refuse a form whose sums could leave the integers that doubles hold."""
    if largest >= 1 << 53:
        raise InputError(
            f"{kind}: sums up to {largest:.3g} leave the exact integers (2^53); use fewer or "
            f"smaller weights"
        )
