"""Neurons that the core has no equations for: it calls their NumPy ``step`` in each time step."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, NetworkError
from ..network import Population
from ..network.fields import INT32
from .library import HostStep, note_failure

STEPS = "NEURODEPLOY_STEPS"


def prefers_numpy() -> bool:
    """Whether ``NEURODEPLOY_STEPS=numpy`` asks for the NumPy steps of models that have both.

    Raises
    ------
    BackendError
        If it asks for something else.
    """
    asked = os.environ.get(STEPS, "")
    if asked not in ("", "numpy"):
        raise BackendError(f"{STEPS}: {asked!r}; give numpy, or leave it out")
    return asked == "numpy"


def host_step(population: Population) -> Any:
    """Make what the core calls in each step; the caller keeps it alive.

    What it raises is raised again, as it is, by the call that runs the core.
    """
    size, names, ports = population.size, population.neuron.states, population.neuron.currents

    def call(current_at: int, states_at: int, sent_at: int) -> int:
        try:
            current = _view(current_at, ports, size).astype(np.int64)
            held = _view(states_at, len(names), size)
            before = dict(zip(names, held.astype(np.int64), strict=True))
            after, sent = population.neuron.step(before, current[0] if ports == 1 else current)
            _view(sent_at, 1, size)[0] = _checked_messages(population, sent)
            for row, values in zip(held, _checked_states(population, after), strict=True):
                row[:] = values
            return 0
        except BaseException as error:  # an interrupt, too, must not get lost in the core
            return note_failure(error)

    return HostStep(call)


def _view(at: int, rows: int, size: int) -> NDArray[np.int32]:
    numbers = (ctypes.c_int32 * (rows * size)).from_address(at)
    return np.ndarray((rows, size), np.int32, numbers)  # type: ignore[arg-type]


def _checked_states(
    population: Population, after: Mapping[str, NDArray[Any]]
) -> list[NDArray[np.integer[Any]]]:
    names = population.neuron.states
    if set(after) != set(names):
        raise NetworkError(
            f"{_label(population)}: step gives states {', '.join(after) or 'none'}, needs "
            f"{', '.join(names) or 'none'}"
        )
    return [_checked(population, f"state {n}", after[n], INT32.min, INT32.max) for n in names]


def _checked_messages(population: Population, sent: object) -> NDArray[np.integer[Any]]:
    low, high = (INT32.min, INT32.max) if population.neuron.graded else (0, 1)
    return _checked(population, "a message", sent, low, high)


def _checked(
    population: Population, what: str, values: object, low: int, high: int
) -> NDArray[np.integer[Any]]:
    array = np.asarray(values)
    if array.dtype.kind not in "biu" or array.shape != (population.size,):
        raise NetworkError(
            f"{_label(population)}: step gives {what} as {array.dtype} {array.shape}, needs "
            f"integers ({population.size},)"
        )
    if array.min() < low or array.max() > high:
        worst = array.min() if array.min() < low else array.max()
        hint = "; let graded be True" if what == "a message" and high == 1 else ""
        raise NetworkError(
            f"{_label(population)}: step gives {what} of {worst}, needs {low}..{high}{hint}"
        )
    return array


def _label(population: Population) -> str:
    return f"population {population.name!r}: {population.neuron.label}"
