"""What the engine asks of a neuron model, and arithmetic that several share.

Kernels are int32 throughout, wrapping like NumPy's in Lava's process models;
every intermediate is cast so that LLVM can vectorise it as int32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
_ZERO = np.int32(0)
_NOTHING = np.empty((0, 0, 0), np.int32)


class Stepper(ABC):
    """States of one population's neurons over a block of samples, and the kernel that steps them.

    Parameters
    ----------
    population : Population
    samples, steps : int
    keep : tuple of str
        States to keep for every step, of ``u`` and ``v``.
    resets : bool [steps]
        Steps before which u and v become zero.

    Attributes
    ----------
    kept : dict of str to int32 [samples, steps, neurons]
    overflows : dict of str to int64 [samples]
    """

    on_chip = True

    def __init__(
        self,
        population: Population,
        samples: int,
        steps: int,
        keep: tuple[str, ...],
        resets: NDArray[np.bool_],
    ) -> None:
        self.neuron: Neuron = population.neuron
        self.resets = resets
        shape = (samples, population.size)
        self.state = [np.zeros(shape, np.int32) for _ in range(self.states_needed())]
        self.kept = {
            name: np.empty((samples, steps, population.size), np.int32)
            for name in self.neuron.states
            if name in keep
        }
        names = ("u_overflows", "v_overflows", "input_overflows") if self.on_chip else ()
        self.overflows = {name: np.zeros(samples, np.int64) for name in names}
        self.records = tuple(self.kept.get(name, _NOTHING) for name in ("u", "v"))

    def states_needed(self) -> int:
        """How many state variables the model has."""
        return 2

    @abstractmethod
    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """Run the neurons over `current` [samples, window, ports x neurons] from step t0 on.

        What they send is appended to `events`, which has room for it.
        """


def pack(value: Parameter, population: Population, shift: int = 0) -> Any:
    """Shift a parameter into the state's unit; arrays come into the engine's order."""
    if isinstance(value, np.ndarray):
        shifted = value.astype(np.int32) << shift
        return np.ascontiguousarray(to_engine(shifted, population), dtype=np.int32)
    return np.int32(int(value) << shift)


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

    ``|x| = 4096 h + l``, so ``|x| keep >> 12 = h keep + (l keep >> 12)``.
    """
    magnitude = np.int32(abs(x))
    high = np.int32(np.int32(magnitude >> _DECAY) * keep)
    low = np.int32(np.int32(np.int32(magnitude & _FRACTION) * keep) >> _DECAY)
    kept = np.int32(high + low)
    return np.int32(-kept) if x < _ZERO else kept
