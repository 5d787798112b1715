"""Loops of the core over samples and steps of sound; integers or doubles, as they come."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_char
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .library import bound, library

_TYPES = {"f": "float64", "i": "int64"}
_buffer: Callable[[Any], Any] = (c_char * 0).from_buffer
"""An array for a call, in a quarter of the time that `ndarray.ctypes` takes."""


class Product:
    """Adds up columns, each times its number, always in the same order.

    So sums of doubles come out the same on every machine, and no BLAS wakes other threads 250
    times a second.

    Parameters
    ----------
    columns : [inputs, outputs]

    Examples
    --------
    >>> Product(np.eye(2))(np.array([3.0, 4.0]), start=1)
    array([4., 5.])
    """

    def __init__(self, columns: NDArray[Any]) -> None:
        self._columns = np.ascontiguousarray(columns, np.float64)
        inputs, outputs = self._columns.shape
        self._vector, self._out = np.empty(inputs), np.empty(outputs)
        self._add = bound("nd_product", inputs, outputs, self._columns, self._vector, self._out)

    def __call__(self, vector: NDArray[Any], start: float | NDArray[Any] = 0) -> NDArray[Any]:
        """Give `start` and the columns times `vector` [inputs], float64 [outputs]."""
        self._out[...] = start
        self._vector[...] = vector
        self._add()
        return self._out.copy()

    def whole(self, vector: NDArray[np.int64]) -> NDArray[np.int64]:
        """Multiply integers: exact while sums stay below 2^53."""
        return self(vector).astype(np.int64)


def step_columns(
    coder: Literal["delta", "sigma_delta", "level_crossing", "track"],
    rows: NDArray[Any],
    threshold: float,
    state: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Take rows one after the other, each column by itself; see ``sound.cpp`` for the loops.

    Parameters
    ----------
    coder : str
    rows : float64 or int64 [rows, width]
    threshold : float
    state : [width]
        Of the rows' type; of ``level_crossing`` int64. Goes on.
    out : [rows, width]
        Of the rows' type for ``delta``, else int64; of ``level_crossing`` [rows, 2 x width].
    """
    getattr(library(), f"nd_{coder}_{_TYPES[rows.dtype.kind]}")(
        *rows.shape, _buffer(rows), threshold, _buffer(state), _buffer(out)
    )


def gammatone(
    sound: NDArray[Any], hop: int, poles: NDArray[Any], bits: int, state: NDArray[Any]
) -> NDArray[Any]:
    """Run complex poles over sound: mean of the rectified output of every hop.

    Parameters
    ----------
    sound : float64 or int64 [hops x hop]
    hop : int
    poles : [3, bands]
        Real and imaginary part, and the gain.
    bits : int
        Fraction bits of integer poles; each product is rounded down.
    state : [bands, 4, 2]
        Goes on.

    Returns
    -------
    [hops, bands], of the sound's type
    """
    out = np.empty((len(sound) // hop, poles.shape[1]), sound.dtype)
    getattr(library(), f"nd_gammatone_{_TYPES[sound.dtype.kind]}")(
        *out.shape, hop, _buffer(sound), _buffer(poles), bits, _buffer(state), _buffer(out)
    )
    return out


class Mask:
    """A frame to a network's inputs and, times the network's mask, back.

    Parameters
    ----------
    gain, largest, epsilon : float
    unit : float
    bias : float64 [width]
        See `audio.enhancement.codec.MaskCodec`.
    """

    def __init__(
        self, gain: float, largest: float, epsilon: float, unit: float, bias: NDArray[np.float64]
    ) -> None:
        width = len(bias)
        self._bias = np.ascontiguousarray(bias)
        self._frame, self._product = np.empty(width), np.empty(width)
        self._output, self._normal = np.empty(width, np.int32), np.empty(width, np.int64)
        self._normalise = bound(
            "nd_normalised", width, self._frame, gain, largest, epsilon, self._normal
        )
        self._mask = bound(
            "nd_masked", width, self._frame, self._output, unit, self._bias, self._product
        )

    def normalised(self, frame: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give a frame [width] in 1/gain standard deviations, rounded and clipped."""
        self._frame[...] = frame
        self._normalise()
        return self._normal.copy()

    def masked(self, frame: NDArray[np.float64], output: NDArray[np.int32]) -> NDArray[np.float64]:
        """Give a frame [width] times the logistic function of what the network sent."""
        self._frame[...] = frame
        self._output[...] = output
        self._mask()
        return self._product.copy()
