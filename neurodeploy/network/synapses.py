"""Synapse operators: what a message becomes on its way to the next population.

Every projection takes one time step: what a population sends at step t enters
its target's ``a`` at step t + 1 (Lava buffers synaptic output by one step).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Synapse:
    """Base of all synapse operators."""

    kind: ClassVar[str] = "synapse"
    steps: ClassVar[int] = 1
    """Time steps from the source's message to the target's input."""


@dataclass(frozen=True, eq=False)
class Dense(Synapse):
    """``a[i] = sum_j weight[i, j] * s[j]``, j over the source in (C, H, W) order.

    Attributes
    ----------
    weight : int32 [targets, sources]
    """

    weight: NDArray[np.int32]
    kind: ClassVar[str] = "dense"


@dataclass(frozen=True, eq=False)
class Conv(Synapse):
    """Two-dimensional convolution as torch defines it (a cross-correlation).

    The sum of one convolution wraps to 24 bits (`fixed_point.wrap_signed`).

    Attributes
    ----------
    weight : int32 [out channels, in channels / groups, kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    groups : int
    """

    weight: NDArray[np.int32]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    kind: ClassVar[str] = "conv"

    def output_shape(self, source_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        size = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                source_shape[1:],
                self.padding,
                self.dilation,
                self.weight.shape[2:],
                self.stride,
                strict=True,
            )
        ]
        return self.weight.shape[0], size[0], size[1]


@dataclass(frozen=True, eq=False)
class Readout(Synapse):
    """The host reads the source's messages in the step they are sent."""

    kind: ClassVar[str] = "readout"
    steps: ClassVar[int] = 0
