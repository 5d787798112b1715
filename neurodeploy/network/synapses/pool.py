"""Sum pooling and its reverse: one kernel for all channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import flag, pair
from .base import Pair, Shape
from .kernel import Gathering, Scattering, reached


@dataclass(frozen=True, eq=False)
class Pool(Gathering):
    r"""Sum pooling: each target neuron adds up a window of its own channel.

    .. math::
        a[c, y, x] = \sum_{k,l} w[k, l]\, s[c, y s - p + d k, x s - p + d l]

    A max pool has no counterpart on the chip. Source: ``Pool`` in SLAYER's
    ``synapse/layer.py``, where all weights are one quantized constant. Lava
    has none; as in SLAYER, the sums do not wrap to 24 bits.

    Attributes
    ----------
    weight : int32 [kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    end_padding : (int, int)
        More zeros below and at the right of each channel. SLAYER adds
        ``size mod kernel`` of them.
    across_channels : bool
        SLAYER lays all channels below each other and pools that one tall
        image, so that windows which overlap a channel's last row add rows of
        the next one, and `padding` stands only above the first channel and
        below the last. False: each channel is pooled for itself, which is the
        same wherever the stride divides the height and no window overlaps.
    """

    end_padding: Pair = field(default=(0, 0), metadata=pair(0))
    across_channels: bool = field(default=False, metadata=flag())
    axes: ClassVar[tuple[str, ...]] = ("kernel height", "kernel width")
    kind: ClassVar[str] = "pool"

    @property
    def has_float_form(self) -> bool:  # type: ignore[override]
        """See `Synapse`."""
        return not self.across_channels

    @classmethod
    def sums(cls, kernel: Pair, weight: int = 1, stride: Pair | None = None) -> Pool:
        """Every weight the same; windows side by side unless a stride is given."""
        return cls(np.full(kernel, weight, np.int32), kernel if stride is None else stride)

    @classmethod
    def averages(cls, kernel: Pair, unit: int = 64, stride: Pair | None = None) -> Pool:
        """Average pooling: weights ``unit / (kernel height * kernel width)``.

        Parameters
        ----------
        kernel : (int, int)
        unit : int
            What a weight of 1.0 is in integers: 64 in NetX.
        stride : (int, int), optional
            `kernel` unless given.

        Raises
        ------
        NetworkError
            If the weight is not whole; no integer average is exact then.
        """
        weight, rest = divmod(unit, kernel[0] * kernel[1])
        if rest:
            raise NetworkError(
                f"average pool: {unit} / ({kernel[0]} x {kernel[1]}) is no whole weight; use "
                f"Pool.sums and fold the factor into the threshold"
            )
        return cls.sums(kernel, weight, stride)

    @property
    def keeps_channels_apart(self) -> bool:
        """See `Kernel.keeps_channels_apart`."""
        return not self.across_channels

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        return _output_shape(self, source_shape, self.end_padding)

    def rows(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source row's taps land.

        Returns
        -------
        int64 [channels, source rows, kernel rows]
            Target channel times target height plus target row; -1 for nowhere.
        """
        return _rows(self, source_shape, self.end_padding[0])

    def columns(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source column's taps land, int64 [source columns, kernel columns]."""
        return self.reach(1, source_shape[2] + self.end_padding[1])[: source_shape[2]]

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        _check(self, "pool", source_shape, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; borders and strides are taken into account."""
        return _fan_out(self, source_shape, dense)


@dataclass(frozen=True, eq=False)
class Unpool(Scattering):
    r"""Each source neuron reaches a window of its own channel.

    .. math::
        a[c, y s - p + d k, x s - p + d l] \mathrel{+}= w[k, l]\, s[c, y, x]

    Source: ``Unpool`` in SLAYER's ``synapse/layer.py``, where all weights are
    one quantized constant. Sums do not wrap to 24 bits.

    Attributes
    ----------
    weight : int32 [kernel height, kernel width]
    stride, padding, dilation : (int, int)
        In (height, width) order.
    across_channels : bool
        As in `Pool`: SLAYER unpools one tall image, in which a window may
        reach into the next channel.
    """

    across_channels: bool = field(default=False, metadata=flag())
    axes: ClassVar[tuple[str, ...]] = ("kernel height", "kernel width")
    kind: ClassVar[str] = "unpool"

    @property
    def keeps_channels_apart(self) -> bool:
        """See `Kernel.keeps_channels_apart`."""
        return not self.across_channels

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        return _output_shape(self, source_shape, (0, 0))

    def rows(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source row's taps land, see `Pool.rows`."""
        return _rows(self, source_shape, 0)

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        _check(self, "unpool", source_shape, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; taps that padding cuts off do not count."""
        return _fan_out(self, source_shape, dense)


def _output_shape(
    synapse: Pool | Unpool, source_shape: Shape, end_padding: Pair
) -> tuple[int, int, int]:
    channels, height, width = source_shape
    rows = height + end_padding[0]
    width = synapse.extent(1, width + end_padding[1])
    if not synapse.across_channels:
        return channels, synapse.extent(0, rows), width
    total = synapse.extent(0, channels * rows)
    if total % channels:
        raise NetworkError(
            f"across channels, {channels} channels of {rows} rows give {total} rows, which do not "
            f"divide into {channels} channels; choose another stride or padding"
        )
    return channels, total // channels, width


def _rows(synapse: Pool | Unpool, source_shape: Shape, end_padding: int) -> NDArray[np.int64]:
    channels, height = source_shape[:2]
    padded = height + end_padding
    if synapse.across_channels:
        rows = synapse.reach(0, channels * padded).reshape(channels, padded, -1)
    else:
        own = synapse.reach(0, padded)[None]
        first = np.arange(channels)[:, None, None] * synapse.extent(0, padded)
        rows = np.where(own >= 0, own + first, -1)
    return rows[:, :height]


def _check(synapse: Pool | Unpool, what: str, source: Shape, target: Shape) -> None:
    synapse.check_geometry(what, source)
    synapse.check_output(f"{what} of", source, synapse.output_shape(source), target)


def _fan_out(synapse: Pool | Unpool, source_shape: Shape, dense: bool) -> NDArray[np.int64]:
    present = np.ones_like(synapse.weight) if dense else synapse.weight != 0
    taps = np.broadcast_to(present.astype(np.int64), (source_shape[0], *present.shape))
    return reached(taps, synapse.rows(source_shape), synapse.columns(source_shape))
