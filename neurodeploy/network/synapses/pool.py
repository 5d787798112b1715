"""Sum pooling and its reverse: one kernel for all channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import flag, pair
from .base import Pair, Shape
from .kernel import Gathering, Kernel, Scattering, reached


class PerChannel(Kernel):
    """What both share: one kernel for all channels, which may lie below each other.

    Attributes
    ----------
    end_padding : (int, int)
        As in `Pool`.
    across_channels : bool
        As in `Pool`.
    """

    end_padding: Pair = (0, 0)
    across_channels: bool
    axes: ClassVar[tuple[str, ...]] = ("kernel height", "kernel width")

    @property
    def keeps_channels_apart(self) -> bool:
        """See `Kernel.keeps_channels_apart`."""
        return not self.across_channels

    def output_shape(self, source_shape: Shape) -> tuple[int, int, int]:
        """Shape (C, H, W) of the target for a source of shape (C, H, W)."""
        channels, height, width = source_shape
        rows = height + self.end_padding[0]
        width = self.extent(1, width + self.end_padding[1])
        if not self.across_channels:
            return channels, self.extent(0, rows), width
        total = self.extent(0, channels * rows)
        if total % channels:
            raise NetworkError(
                f"across channels, {channels} channels of {rows} rows give {total} rows, which do "
                f"not divide into {channels} channels; choose another stride or padding"
            )
        return channels, total // channels, width

    def rows(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source row's taps land.

        Returns
        -------
        int64 [channels, source rows, kernel rows]
            Target channel times target height plus target row; -1 for nowhere.
        """
        channels, height = source_shape[:2]
        padded = height + self.end_padding[0]
        if self.across_channels:
            rows = self.reach(0, channels * padded).reshape(channels, padded, -1)
        else:
            own = self.reach(0, padded)[None]
            first = np.arange(channels)[:, None, None] * self.extent(0, padded)
            rows = np.where(own >= 0, own + first, -1)
        return rows[:, :height]

    def columns(self, source_shape: Shape) -> NDArray[np.int64]:
        """Where each source column's taps land, int64 [source columns, kernel columns]."""
        return self.reach(1, source_shape[2] + self.end_padding[1])[: source_shape[2]]

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        self.check_geometry(self.kind, source_shape)
        expected = self.output_shape(source_shape)
        self.check_output(f"{self.kind} of", source_shape, expected, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; borders, strides and what padding cuts off are accounted for."""
        present = np.ones_like(self.weight) if dense else self.weight != 0
        taps = np.broadcast_to(present.astype(np.int64), (source_shape[0], *present.shape))
        return reached(taps, self.rows(source_shape), self.columns(source_shape))


@dataclass(frozen=True, eq=False)
class Pool(PerChannel, Gathering):
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


@dataclass(frozen=True, eq=False)
class Unpool(PerChannel, Scattering):
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
    kind: ClassVar[str] = "unpool"
