"""What convolutions and pools share: a kernel that slides over rows and columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import pair, weights
from .base import Incoming, Pair, Shape, Synapse


@dataclass(frozen=True, eq=False)
class Kernel(Synapse):
    """Base of operators with a kernel, whose last two axes are height and width.

    Attributes
    ----------
    weight : int32 or float32 [..., kernel height, kernel width]
    axes : tuple of str
        What the axes of `weight` are.
    stride, padding, dilation : (int, int)
        In (height, width) order.
    """

    weight: NDArray[Any] = field(metadata=weights())
    stride: Pair = field(default=(1, 1), metadata=pair(1))
    padding: Pair = field(default=(0, 0), metadata=pair(0))
    dilation: Pair = field(default=(1, 1), metadata=pair(1))
    axes: ClassVar[tuple[str, ...]] = (
        "output channels", "input channels", "kernel height", "kernel width",
    )  # fmt: skip

    @property
    def stride_along_x(self) -> int:
        """Source columns per target column; 1 where the kernel slides over the target."""
        return 1

    @property
    def keeps_channels_apart(self) -> bool:
        """Whether what a source row reaches is alike for all channels: no window leaves its own."""
        return True

    def groups_from(self, source_channels: int) -> tuple[int, int]:
        """Groups of channels that reach none but each other, and target channels of each."""
        return source_channels, 1

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        raise NotImplementedError

    def extent(self, axis: int, source_size: int) -> int:
        """Positions of the target along one axis (0 height, 1 width)."""
        raise NotImplementedError

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
        raise NotImplementedError

    def check_geometry(self, what: str, source_shape: Shape) -> None:
        """Make sure of an image as source and of a weight with all its axes."""
        if len(source_shape) != 3:
            raise NetworkError(
                f"a {what} needs a source of shape (channels, height, width), not {source_shape}"
            )
        if self.weight.ndim != len(self.axes):
            raise NetworkError(
                f"a {what}'s weight has shape {self.weight.shape}, needs ({', '.join(self.axes)})"
            )

    @staticmethod
    def check_output(doing: str, source: Shape, expected: Shape, target: Shape) -> None:
        """Make sure that the target has the shape which the operator gives."""
        if target != expected:
            raise NetworkError(
                f"{doing} {source} gives {expected}, but the target has shape {target}; check "
                f"stride, padding and kernel"
            )

    def rows(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where the source rows' taps land, see `Pool.rows`."""
        raise NotImplementedError

    def columns(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source column's taps land, int64 [source columns, kernel columns]."""
        return self.reach(1, source_shape[2])

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`: the taps that land on the neuron."""
        out, y, x = (int(i) for i in np.unravel_index(neuron, target_shape))
        channel, row, k, place = self._rows_onto(out, y, source_shape, target_shape)
        column, m = np.nonzero(self.columns(source_shape) == x)
        height, width = source_shape[1:]
        rows, columns = self.weight.shape[-2:]
        source = (channel * height + row)[:, None] * width + column[None]
        index = (place * rows + k)[:, None] * columns + m[None]
        return Incoming(source.ravel(), index.ravel(), np.ones(source.size, np.int64))

    def channels_onto(self, out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Source channels of a target channel, and which of the weight's kernels each has."""
        raise NotImplementedError

    def _rows_onto(
        self, out: int, y: int, source_shape: Shape, target_shape: Shape
    ) -> tuple[NDArray[np.int64], ...]:
        """Source channel, row, tap and kernel of all that lands on a target row."""
        if self.weight.ndim == 2:  # one kernel for all channels, as in pools
            channel, row, k = np.nonzero(self.rows(source_shape) == out * target_shape[1] + y)
            return channel, row, k, np.zeros_like(channel)
        row, k = np.nonzero(self.reach(0, source_shape[1]) == y)
        channels, places = self.channels_onto(out)
        each, times = len(row), len(channels)
        return (
            np.repeat(channels, each),
            np.tile(row, times),
            np.tile(k, times),
            np.repeat(places, each),
        )

    def _span(self, axis: int) -> int:
        return self.dilation[axis] * (self.weight.shape[axis - 2] - 1) + 1

    def _taps(self, axis: int) -> NDArray[np.int64]:
        return self.dilation[axis] * np.arange(self.weight.shape[axis - 2])[None, :]


@dataclass(frozen=True, eq=False)
class Gathering(Kernel):
    """The kernel slides over the source: convolutions and pools."""

    @property
    def stride_along_x(self) -> int:
        """See `Kernel.stride_along_x`."""
        return self.stride[1]

    def extent(self, axis: int, source_size: int) -> int:
        """See `Kernel.extent`."""
        padded = source_size + 2 * self.padding[axis]
        return (padded - self._span(axis)) // self.stride[axis] + 1

    def reach(self, axis: int, source_size: int) -> NDArray[np.int64]:
        """See `Kernel.reach`."""
        step = self.stride[axis]
        offset = np.arange(source_size)[:, None] + self.padding[axis] - self._taps(axis)
        lands = (offset >= 0) & (offset % step == 0)
        lands &= offset // step < self.extent(axis, source_size)
        return np.where(lands, offset // step, -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Scattering(Kernel):
    """The kernel slides over the target: transposed convolutions and unpools."""

    def extent(self, axis: int, source_size: int) -> int:
        """See `Kernel.extent`."""
        return (source_size - 1) * self.stride[axis] - 2 * self.padding[axis] + self._span(axis)

    def reach(self, axis: int, source_size: int) -> NDArray[np.int64]:
        """See `Kernel.reach`."""
        first = np.arange(source_size)[:, None] * self.stride[axis] - self.padding[axis]
        place = first + self._taps(axis)
        inside = (place >= 0) & (place < self.extent(axis, source_size))
        return np.where(inside, place, -1).astype(np.int64)


def kernels_of(synapse: Synapse) -> tuple[Kernel, ...]:
    """The kernels of an operator whose weights the positions of an image share; else none."""
    return tuple(part for part in synapse.parts if isinstance(part, Kernel))


def reached(
    taps: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Synapses of each source neuron of (C, H, W).

    Parameters
    ----------
    taps : int64 [channels, kernel rows, kernel columns]
        Targets of one source channel through one tap.
    rows : int64 [channels or 1, source rows, kernel rows]
        As `Kernel.reach`, for each channel.
    columns : int64 [source columns, kernel columns]
    """
    y, x = (rows >= 0).astype(np.int64), (columns >= 0).astype(np.int64)
    y = np.broadcast_to(y, (len(taps), *y.shape[1:]))
    counts: NDArray[np.int64] = np.einsum("ckl,chk,wl->chw", taps, y, x)
    return counts.ravel().astype(np.int64)
