"""What the engine asks of a neuron model, and arithmetic that several share.

Kernels are int32 throughout, wrapping like NumPy's in Lava's process models;
every intermediate is cast so that LLVM can vectorise it as int32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from ...network import Neuron, Population
from ...network.fixed_point import DECAY_BITS, DECAY_UNITY
from ...network.neurons import Parameter
from ..events import EventBuffer
from ..layout import to_engine

_DECAY = np.int32(DECAY_BITS)
_FRACTION = np.int32(DECAY_UNITY - 1)
_SIGN = np.int32(31)
_UPWARDS = np.uint32(32 - DECAY_BITS)
_ZERO = np.int32(0)
_NOTHING = np.empty((0, 0, 0), np.int32)

OVERFLOWS = ("u_overflows", "v_overflows", "input_overflows")


class Stepper(ABC):
    """A population's neurons: parameters ready for the kernel, and states once begun.

    Parameters
    ----------
    population : Population

    Attributes
    ----------
    kept : dict of str to int32 [samples, steps, neurons]
        States that `begin` was asked to keep.
    overflows : dict of str to int64 [samples]
    """

    on_chip = True
    state: list[NDArray[np.int32]]
    kept: dict[str, NDArray[np.int32]]
    records: tuple[NDArray[np.int32], ...]
    overflows: dict[str, NDArray[np.int64]]
    resets: NDArray[np.bool_]

    def __init__(self, population: Population) -> None:
        self.neuron: Neuron = population.neuron
        self.size = population.size

    def begin(
        self, samples: int, steps: int, keep: tuple[str, ...], resets: NDArray[np.bool_]
    ) -> Stepper:
        """Give a copy with states of its own, all zero.

        Parameters
        ----------
        samples, steps : int
        keep : tuple of str
            States to keep for every step, of ``u`` and ``v``.
        resets : bool [steps]
            Steps before which u and v become zero.
        """
        begun = object.__new__(type(self))  # a shallow copy, ten times as fast as copy.copy
        begun.__dict__.update(self.__dict__)
        begun.resets = resets
        shape = (samples, self.size)
        begun.state = [np.zeros(shape, np.int32) for _ in range(self.states_needed())]
        begun.kept = {
            name: np.empty((samples, steps, self.size), np.int32)
            for name in self.neuron.states
            if name in keep
        }
        begun.overflows = {}
        if self.on_chip:
            counts = np.zeros((3, samples), np.int64)
            begun.overflows = dict(zip(OVERFLOWS, counts, strict=True))
        begun.records = tuple(begun.kept.get(name, _NOTHING) for name in ("u", "v"))
        return begun

    def states_needed(self) -> int:
        """How many state variables the model has."""
        return 2

    @abstractmethod
    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """Run the neurons over `current` [samples, window, ports x neurons] from step t0 on.

        What they send is appended to `events`, which has room for it.
        """


class KernelStepper(Stepper):
    """A model whose kernel takes states, parameters, events and records in the usual order."""

    parameters: tuple[Any, ...]

    @abstractmethod
    def kernel(self) -> Callable[..., int]:
        """Give the compiled kernel; it returns how many events there are now."""

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """See `Stepper.step`."""
        events.used = self.kernel()(
            current, t0, *self.state, *self.parameters, self.resets,
            events.used, events.start, events.count, events.neuron, events.payload, events.graded,
            *self.records, self.overflows["u_overflows"], self.overflows["v_overflows"],
        )  # fmt: skip


def pack(value: Parameter, population: Population, shift: int = 0) -> Any:
    """Shift a parameter into the state's unit; arrays come into the engine's order."""
    if isinstance(value, np.ndarray):
        shifted = value.astype(np.int32) << shift
        return np.ascontiguousarray(to_engine(shifted, population), dtype=np.int32)
    return np.int32(int(value) << shift)


def whole_words(size: int) -> int:
    """Bytes that hold one byte for each neuron, in whole words of eight."""
    return -(-size // 8) * 8


def flags_for(size: int) -> NDArray[np.uint8]:
    """One byte for each neuron, in whole words of eight, for `emit`."""
    return np.zeros(whole_words(size), np.uint8)


def at(value, j):  # type: ignore[no-untyped-def]
    """Give a parameter of neuron j, be it one for all or one for each; for kernels."""
    return value[j] if isinstance(value, np.ndarray) else value


@overload(at, inline="always")
def _at_overload(value, j):  # type: ignore[no-untyped-def]
    if hasattr(value, "ndim"):
        return lambda value, j: value[j]
    return lambda value, j: value


@njit(inline="always")
def decayed(x, keep):  # type: ignore[no-untyped-def]
    """Multiply by keep / 2^12, rounding towards zero, exactly, without leaving int32.

    ``x = 4096 h + l`` with 0 <= l < 4096, so ``x keep >> 12 = h keep + (l keep >> 12)``;
    where x is negative 4095 is added first, so that the shift rounds up, not down.
    """
    high = np.int32(np.int32(x >> _DECAY) * keep)
    low = np.int32(np.int32(x & _FRACTION) * keep)
    upwards = np.int32(np.uint32(np.int32(x >> _SIGN)) >> _UPWARDS)
    return np.int32(high + np.int32(np.int32(low + upwards) >> _DECAY))


PACK = np.uint64(0x0102040810204080)
"""Times eight bytes of 0 or 1, leaves their bits in the highest byte."""

_SUM = np.uint64(0x0101010101010101)
"""Times eight bytes, leaves their sum in the highest byte."""

_HIGHEST = np.uint64(56)

_BITS = np.array(
    [i for byte in range(256) for i in ([*(k for k in range(8) if byte >> k & 1)] + [0] * 8)[:8]],
    np.int32,
)
"""Positions of the bits of each byte, eight entries a byte."""


@njit(nogil=True, cache=True)
def emit(words, neuron, used):  # type: ignore[no-untyped-def]
    """List the neurons whose byte in `words` (eight a word) is 1; returns the new end.

    First the words that are not zero are listed, then eight entries written
    for each of them and as many kept as fired: no branch that depends on a
    neuron, which a processor would guess wrong. The list of words stands at the
    end of the room that `neuron` has for this step and is read before it is
    written over: the entries of n + 1 words end at 8 (n + 1), and word n + 1 of W
    stands at 7 W + n + 1, which is no less.
    """
    at = np.uint64(used)
    listed = np.uint64(at + np.uint64(7 * words.size))
    found = listed
    for w in range(words.size):
        neuron[found] = np.int32(w)
        found += np.uint64(words[np.uint64(w)] != 0)
    for n in range(listed, found):
        w = np.uint64(neuron[np.uint64(n)])
        word = words[w]
        first = ((word * PACK) >> _HIGHEST) << np.uint64(3)
        for k in range(8):
            neuron[at + np.uint64(k)] = np.int32(
                np.int32(w << np.uint64(3)) + _BITS[first + np.uint64(k)]
            )
        at += (word * _SUM) >> _HIGHEST
    return np.int64(at)


@njit(inline="always")
def listed(neuron, payload, graded, used, j, fires, value):  # type: ignore[no-untyped-def]
    """List neuron j if it fires; returns the new end. A graded message of value 0 is none."""
    neuron[used] = j
    if graded:
        payload[used] = value
        return used + (fires & (value != _ZERO))
    return used + fires
