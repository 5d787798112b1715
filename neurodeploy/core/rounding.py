"""Loops of the core for what quantization tries out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .library import library

RESETS = ("zero", "subtract", "subtract-late")


def round_together(
    scaled: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    upper: NDArray[np.float64],
    unit: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Round weights column by column; each error goes to the columns after it.

    Parameters
    ----------
    scaled : [targets, sources]
        Weights in units.
    low, high : [targets, sources]
        The smallest and largest whole number that each may become.
    upper : [sources, sources]
        The upper Cholesky factor of the inverse of the inputs' power.
    unit : [sources]

    Returns
    -------
    int64 [targets, sources]
    """
    made = [np.ascontiguousarray(a, np.float64) for a in (scaled, low, high, upper, unit)]
    found, room = np.empty(scaled.shape, np.int64), np.empty(scaled.shape[1])
    library().nd_rounded(*scaled.shape, *(a.ctypes.data for a in (*made, room, found)))
    return found


def integrate(
    current: NDArray[np.float64], parameters: NDArray[np.float64], reset: str
) -> tuple[NDArray[np.float32], NDArray[np.float64], int]:
    """Step a population of `GeneralCubaLIF` in integers; u saturates where the chip's would wrap.

    Parameters
    ----------
    current : [samples, steps, neurons]
        Whole numbers.
    parameters : [6, neurons]
        What u and v keep of themselves (1 - decay / 4096), threshold, bias, refractory steps and
        what a reset takes off; threshold and bias, as v, in 1/64 of the current's unit.
    reset : str
        One of `RESETS`.

    Returns
    -------
    spikes : float32 [samples, steps, neurons]
    v : float64 [samples, steps, neurons]
    saturated : int
        Neurons x steps at which u or v left 24 bits.
    """
    current = np.ascontiguousarray(current, np.float64)
    parameters = np.ascontiguousarray(parameters, np.float64)
    spikes, v = np.empty(current.shape, np.float32), np.empty(current.shape)
    states = np.empty((3, current.shape[2]))
    saturated = library().nd_integrate(
        *current.shape, current.ctypes.data, parameters.ctypes.data, RESETS.index(reset),
        *(a.ctypes.data for a in (states, spikes, v)),
    )  # fmt: skip
    return spikes, v, int(saturated)
