"""What a SLAYER neuron is converted to, and how its parameters and its norm are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Neuron, Rating
from ...network.neurons import Parameter

Note = Callable[[str, Rating, str], None]
"""Adds an element, its rating and the reason to the audit."""


@dataclass(frozen=True, eq=False)
class Converted:
    """A neuron, and what must be added around it.

    Attributes
    ----------
    neuron : Neuron
    drive : tuple of int32 [neurons]
        Constant currents that enter at every step, one for each port; empty for none.
    weight_factor : int
        By which the weights into it are multiplied.
    """

    neuron: Neuron
    drive: tuple[NDArray[np.int32], ...] = field(default=())
    weight_factor: int = 1


def norm_of(norm: Any, shape: tuple[int, ...]) -> tuple[Parameter, int]:
    """Bias mantissas of a norm, and the power of two that it divides by.

    SLAYER's file has ``ceil(log2(std))`` as ``weight_exp``; its forward pass
    clamps that to ``weight_exp_bits`` (``neuron/norm.py:152``), as we do.
    """
    if norm is None:
        return 0, 0
    bias = per_neuron(norm.bias.detach().cpu().numpy(), shape)
    if not hasattr(norm, "std"):
        return bias, 0
    return bias, round(math.log2(float(norm.std(norm.running_var))))


def per_neuron(value: Any, shape: tuple[int, ...]) -> Parameter:
    """One number, or one for each channel, for all neurons."""
    values = np.asarray(value, np.float64).ravel().astype(np.int64)
    if values.size == 1:
        return int(values[0])
    return np.repeat(values, math.prod(shape) // values.size).astype(np.int32)
