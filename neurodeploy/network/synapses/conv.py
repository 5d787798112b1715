"""Two-dimensional convolutions: plain, transposed and complex."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import one_integer, pair, weights
from .base import Pair, Shape
from .complex import RealAndImaginary
from .kernel import Gathering, Scattering, reached


@dataclass(frozen=True, eq=False)
class Conv(Gathering):
    """Two-dimensional convolution as torch defines it (a cross-correlation).

    The sum of one convolution wraps to 24 bits (`fixed_point.wrap_signed`).
    With as many groups as input channels it is a depthwise convolution.

    Attributes
    ----------
    weight : int32 [out channels, in channels / groups, kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    groups : int
    """

    groups: int = field(default=1, metadata=one_integer(1))
    kind: ClassVar[str] = "conv"
    has_float_form: ClassVar[bool] = True
    rows_are: ClassVar[str] = "channels"
    sums_wrap: ClassVar[bool] = True

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        height, width = (self.extent(axis, source_shape[1 + axis]) for axis in (0, 1))
        return self.weight.shape[0], height, width

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        self.check_geometry("convolution", source_shape)
        out_channels, in_channels = self.weight.shape[:2]
        if out_channels % self.groups:
            raise NetworkError(f"{self.groups} groups do not divide {out_channels} output channels")
        if in_channels * self.groups != source_shape[0]:
            raise NetworkError(
                f"weight takes {in_channels} x {self.groups} groups input channels, the source "
                f"has {source_shape[0]}"
            )
        expected = self.output_shape(source_shape)
        self.check_output("convolving", source_shape, expected, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; borders and strides are taken into account."""
        present = np.ones_like(self.weight) if dense else self.weight != 0
        grouped = present.reshape(self.groups, -1, *self.weight.shape[1:])
        taps = grouped.sum(axis=1).reshape(-1, *self.weight.shape[2:])
        return reached(taps, self.reach(0, source_shape[1])[None], self.reach(1, source_shape[2]))

    def channels_onto(self, out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Kernel.channels_onto`."""
        outs, each = self.weight.shape[:2]
        group = out // (outs // self.groups)
        return group * each + np.arange(each), out * each + np.arange(each)

    def groups_from(self, source_channels: int) -> tuple[int, int]:
        """See `Kernel.groups_from`."""
        return self.groups, len(self.weight) // self.groups

    def channels_read(self) -> NDArray[np.bool_]:
        """See `Synapse.channels_read`."""
        grouped = (self.weight != 0).reshape(self.groups, -1, *self.weight.shape[1:])
        return np.asarray(grouped.any(axis=(1, 3, 4)).ravel())

    def synops_per_target(
        self, counts: NDArray[np.float64], source_shape: Shape, targets: int, stored: bool = False
    ) -> NDArray[np.float64]:
        """See `Synapse.synops_per_target`."""
        if self.groups != 1:
            return super().synops_per_target(counts, source_shape, targets, stored)
        image, present = counts.reshape(source_shape), (self.weight != 0).astype(np.float64)
        channels, height, width = self.output_shape(source_shape)
        if stored:  # every channel alike: one stands for all
            image, present = image.sum(axis=0)[None], np.ones((1, 1, *present.shape[2:]))
        rows, columns = self.reach(0, source_shape[1]), self.reach(1, source_shape[2])
        synops = np.zeros((len(present), height, width))
        for k, m in np.ndindex(*present.shape[2:]):
            y, x = np.flatnonzero(rows[:, k] >= 0), np.flatnonzero(columns[:, m] >= 0)
            arriving = np.einsum("oc,cyx->oyx", present[:, :, k, m], image[:, y][:, :, x])
            synops[:, rows[y, k][:, None], columns[x, m][None, :]] += arriving
        return np.repeat(synops, channels // len(synops), axis=0).ravel()


@dataclass(frozen=True, eq=False)
class ConvTranspose(Scattering):
    r"""Transposed two-dimensional convolution as torch defines it.

    .. math::
        a[o, y s - p + d k, x s - p + d l] \mathrel{+}= w[c, o, k, l]\, s[c, y, x]

    The target is ``(n - 1) stride - 2 padding + dilation (kernel - 1) + 1``
    high and wide (``output_padding`` 0, all that SLAYER offers). Source:
    ``ConvTranspose`` in SLAYER's ``synapse/layer.py``. Lava has none; as in
    SLAYER, its sums do not wrap to 24 bits.

    Attributes
    ----------
    weight : int32 [in channels, out channels / groups, kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    groups : int
    """

    groups: int = field(default=1, metadata=one_integer(1))
    kind: ClassVar[str] = "conv-transpose"
    axes: ClassVar[tuple[str, ...]] = (
        "input channels", "output channels", "kernel height", "kernel width",
    )  # fmt: skip

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        height, width = (self.extent(axis, source_shape[1 + axis]) for axis in (0, 1))
        return self.weight.shape[1] * self.groups, height, width

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        self.check_geometry("transposed convolution", source_shape)
        channels = source_shape[0]
        if self.weight.shape[0] != channels:
            raise NetworkError(
                f"weight takes {self.weight.shape[0]} input channels, the source has {channels}"
            )
        if channels % self.groups:
            raise NetworkError(f"{self.groups} groups do not divide {channels} input channels")
        expected = self.output_shape(source_shape)
        self.check_output("transposed convolution of", source_shape, expected, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; taps that padding cuts off do not count."""
        present = np.ones_like(self.weight) if dense else self.weight != 0
        taps = present.sum(axis=1)
        return reached(taps, self.reach(0, source_shape[1])[None], self.reach(1, source_shape[2]))

    def channels_onto(self, out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Kernel.channels_onto`."""
        each, outs = self.weight.shape[0] // self.groups, self.weight.shape[1]
        channels = (out // outs) * each + np.arange(each)
        return channels, channels * outs + out % outs

    def groups_from(self, source_channels: int) -> tuple[int, int]:
        """See `Kernel.groups_from`."""
        return self.groups, self.weight.shape[1]

    def channels_read(self) -> NDArray[np.bool_]:
        """See `Synapse.channels_read`."""
        return np.asarray((self.weight != 0).any(axis=(1, 2, 3)))


@dataclass(frozen=True, eq=False)
class ComplexConv(RealAndImaginary):
    """Two convolutions for neurons with a real and an imaginary current (``ports == 2``).

    Source: ``Conv`` in SLAYER's ``synapse/complex.py``. Lava has none; as in
    SLAYER, the sums do not wrap to 24 bits.

    Attributes
    ----------
    real, imag : int32 [out channels, in channels / groups, kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    groups : int
    """

    real: NDArray[np.int32] = field(metadata=weights())
    imag: NDArray[np.int32] = field(metadata=weights())
    stride: Pair = field(default=(1, 1), metadata=pair(1))
    padding: Pair = field(default=(0, 0), metadata=pair(0))
    dilation: Pair = field(default=(1, 1), metadata=pair(1))
    groups: int = field(default=1, metadata=one_integer(1))
    kind: ClassVar[str] = "complex-conv"

    @property
    def parts(self) -> tuple[Conv, Conv]:
        """The real and the imaginary convolution."""
        how = (self.stride, self.padding, self.dilation, self.groups)
        return Conv(self.real, *how), Conv(self.imag, *how)

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        return self.parts[0].output_shape(source_shape)
