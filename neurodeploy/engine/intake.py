"""How inputs enter the engine: as currents of neurons, or as messages of a source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .events import EventBuffer
from .neurons.base import emit, flags_for


@njit(nogil=True, cache=True)
def take_in(values: NDArray[Any], t0: int, t1: int, current: NDArray[np.int32]) -> None:
    """Copy steps t0..t1 of [samples, steps, C, positions] into `current`, channels last.

    After the last of these steps come zeros.
    """
    channels, positions = values.shape[2], values.shape[3]
    for s in range(values.shape[0]):
        for t in range(t0, t1):
            into = current[s, t - t0]
            if t >= values.shape[1]:
                into[:] = 0
                continue
            for c in range(channels):
                plane = values[s, t, c]
                for at in range(positions):
                    into[at * channels + c] = plane[at]


def send_in(
    values: NDArray[Any], t0: int, t1: int, events: EventBuffer, slot: int | None = None
) -> None:
    """Send steps t0..t1 of [samples, steps, C, positions], channels last.

    After the last of these steps nothing is sent. `slot` is where step t0
    stands in `events`, if not at t0.
    """
    size = values.shape[2] * values.shape[3]
    events.used = _send_in(
        values, t0, t1, t0 if slot is None else slot, flags_for(size),
        events.used, events.start, events.count, events.neuron, events.payload,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _send_in(values, t0, t1, slot, sends, used, start, count, neuron, payload):  # type: ignore[no-untyped-def]
    channels, positions = values.shape[2], values.shape[3]
    words = sends.view(np.uint64)
    for s in range(values.shape[0]):
        for t in range(t0, t1):
            first = used
            if t < values.shape[1]:
                if channels == 1:
                    plane = values[s, t, 0]
                    for at in range(positions):
                        sends[at] = plane[at] != 0
                else:
                    for c in range(channels):
                        plane = values[s, t, c]
                        for at in range(positions):
                            sends[at * channels + c] = plane[at] != 0
                used = emit(words, neuron, used)
                if payload.size:
                    for e in range(first, used):
                        at = neuron[e] // channels
                        payload[e] = values[s, t, neuron[e] - at * channels, at]
            start[s, slot + t - t0] = first
            count[s, slot + t - t0] = used - first
    return used
