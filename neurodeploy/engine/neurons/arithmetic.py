"""Arithmetic on states that kernels of several models share; all of it int32."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...network import Population
from ...network.fixed_point import STATE_LIMIT
from ...network.neurons import Parameter
from ..layout import to_engine
from .base import decayed

_ZERO = np.int32(0)
_LIMIT = np.int32(STATE_LIMIT)
_TOP = np.int32(STATE_LIMIT - 1)
_SPAN = np.int32(2 * STATE_LIMIT)


def spread(value: Parameter, population: Population, shift: int = 0) -> NDArray[np.int32]:
    """Shift a parameter into the state's unit, one for each neuron in the engine's order.

    `base.pack` keeps single integers single, which is faster and makes Numba
    compile a kernel for every mixture; models of many parameters go without.
    """
    whole = np.full(population.size, value) if np.ndim(value) == 0 else np.asarray(value)
    shifted = whole.astype(np.int32) << shift
    return np.ascontiguousarray(to_engine(shifted, population), dtype=np.int32)


@njit(inline="always")
def scaled(a, exponent):  # type: ignore[no-untyped-def]
    """Multiply by 2^exponent, rounding towards zero where it is negative."""
    if exponent >= 0:
        return np.int32(a << np.int32(exponent))
    magnitude = np.int32(np.int32(abs(a)) >> np.int32(-exponent))
    return np.int32(-magnitude) if a < _ZERO else magnitude


@njit(inline="always")
def turned(x, factor):  # type: ignore[no-untyped-def]
    """Multiply by factor / 2^12, of either sign, rounding towards zero."""
    product = decayed(x, np.int32(abs(factor)))
    return np.int32(-product) if factor < _ZERO else product


@njit(inline="always")
def wraps(u):  # type: ignore[no-untyped-def]
    """Tell whether `wrapped` changes a current."""
    return (u > _LIMIT) | (u <= np.int32(-_LIMIT))


@njit(inline="always")
def wrapped(u):  # type: ignore[no-untyped-def]
    """See `fixed_point.wrap_current`."""
    if u > _LIMIT:
        return np.int32(u - _SPAN)
    return np.int32(u + _SPAN) if u <= np.int32(-_LIMIT) else u


@njit(inline="always")
def clips(v):  # type: ignore[no-untyped-def]
    """Tell whether `clipped` changes a voltage."""
    return (v > _TOP) | (v < np.int32(-_TOP))


@njit(inline="always")
def clipped(v):  # type: ignore[no-untyped-def]
    """See `fixed_point.saturate_voltage`."""
    return min(max(v, np.int32(-_TOP)), _TOP)
