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

    def fan_out(self, source_shape: tuple[int, ...], dense: bool = False) -> NDArray[np.int64]:
        """Synapses that one message of each source neuron reaches.

        Parameters
        ----------
        source_shape : tuple of int
        dense : bool
            Count synapses of weight zero too.

        Returns
        -------
        int64 [source neurons], flat in (C, H, W) order
        """
        return np.zeros(int(np.prod(source_shape)), np.int64)


@dataclass(frozen=True, eq=False)
class Dense(Synapse):
    """``a[i] = sum_j weight[i, j] * s[j]``, j over the source in (C, H, W) order.

    Attributes
    ----------
    weight : int32 [targets, sources]
    """

    weight: NDArray[np.int32]
    kind: ClassVar[str] = "dense"

    def fan_out(self, source_shape: tuple[int, ...], dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`."""
        if dense:
            return np.full(self.weight.shape[1], self.weight.shape[0], np.int64)
        counts: NDArray[np.int64] = np.count_nonzero(self.weight, axis=0).astype(np.int64)
        return counts


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

    def reach(self, axis: int, source_size: int) -> NDArray[np.int64]:
        """Where a source position's kernel taps land along one axis.

        Parameters
        ----------
        axis : int
            0 for height, 1 for width.
        source_size : int
            Positions of the source along this axis.

        Returns
        -------
        int64 [source positions, kernel taps]
            Position in the target, -1 where the tap falls outside or between strides.
        """
        kernel = self.weight.shape[2 + axis]
        step, pad, spread = self.stride[axis], self.padding[axis], self.dilation[axis]
        target_size = (source_size + 2 * pad - spread * (kernel - 1) - 1) // step + 1
        offset = np.arange(source_size)[:, None] + pad - spread * np.arange(kernel)[None, :]
        lands = (offset >= 0) & (offset % step == 0) & (offset // step < target_size)
        return np.where(lands, offset // step, -1).astype(np.int64)

    def fan_out(self, source_shape: tuple[int, ...], dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; borders and strides are taken into account."""
        present = np.ones_like(self.weight) if dense else self.weight != 0
        grouped = present.reshape(self.groups, -1, *self.weight.shape[1:])
        taps = grouped.sum(axis=1).reshape(-1, *self.weight.shape[2:])
        rows = (self.reach(0, source_shape[1]) >= 0).astype(np.int64)
        columns = (self.reach(1, source_shape[2]) >= 0).astype(np.int64)
        counts: NDArray[np.int64] = np.einsum("ckl,hk,wl->chw", taps, rows, columns)
        return counts.ravel().astype(np.int64)


@dataclass(frozen=True, eq=False)
class Readout(Synapse):
    """The host reads the source's messages in the step they are sent."""

    kind: ClassVar[str] = "readout"
    steps: ClassVar[int] = 0
