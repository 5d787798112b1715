"""A learned codec: one strided 1-D convolution in, one transposed convolution out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.sound import Product
from ...errors import InputError
from ..files import FULL_SCALE
from .base import Coder, Frames, Overlap, check_exact, rounded_shift


class ConvEncoder(Coder):
    r"""Filters that were learned, over overlapping frames: :math:`y_c = W_c \cdot x + b_c`.

    In the integer form :math:`y = (W x + b + 2^{s-1}) \gg s` with integer W, b
    and s = `shift`; the unit of y is that of x where W counts 1/2^s.

    Parameters
    ----------
    weight : array [channels, size]
        As ``torch.nn.Conv1d(1, channels, size, stride).weight[:, 0]``; integers make the
        integer form.
    stride : int
    bias : array [channels], optional
    rectify : bool
        Whether y is cut off below 0 (ReLU).
    shift : int
        Integer form only.
    """

    kind = "conv"

    def __init__(
        self,
        weight: NDArray[Any],
        stride: int,
        bias: NDArray[Any] | None = None,
        rectify: bool = True,
        shift: int = 0,
    ) -> None:
        self.weight, self.fixed = _checked(self.kind, weight, shift)
        channels, size = self.weight.shape
        self.bias = np.zeros(channels) if bias is None else np.asarray(bias)
        if self.bias.shape != (channels,) or (
            self.fixed and bias is not None and self.bias.dtype.kind not in "iu"
        ):
            raise InputError(
                f"{self.kind}: bias of {self.bias.dtype} {self.bias.shape} beside weights of "
                f"{np.asarray(weight).dtype}; give {channels} numbers of their kind"
            )
        self.rectify, self.shift = rectify, shift
        self.ratio, self.width, self.delay = (stride, 1), channels, size
        kind = np.int64 if self.fixed else np.float64
        self.bias = self.bias.astype(kind)
        self._product = Product(self.weight.T)
        self._frames = Frames(size, stride, kind)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._frames.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give [frames, channels]."""
        made = [self._filter(frame) for frame in self._frames.push(self.settle(rows))]
        return np.stack(made) if made else np.zeros((0, len(self.weight)), self.bias.dtype)

    def _filter(self, frame: NDArray[Any]) -> NDArray[Any]:
        if self.fixed:
            whole = self._product.whole(frame) + self.bias
            out: NDArray[Any] = rounded_shift(np.asarray(whole, np.int64), self.shift)
        else:
            out = self._product(frame, start=self.bias)
        return np.maximum(out, 0) if self.rectify else out


class ConvDecoder(Coder):
    r"""Filters that were learned, added up where frames overlap: a transposed convolution.

    Parameters
    ----------
    weight : array [channels, size]
        As ``torch.nn.ConvTranspose1d(channels, 1, size, stride).weight[:, 0]``; integers make
        the integer form, whose frames are ``(W^T y + 2^(s-1)) >> s``.
    stride : int
    shift : int
        s, integer form only.
    """

    kind = "conv-transpose"

    def __init__(self, weight: NDArray[Any], stride: int, shift: int = 0) -> None:
        weight, self.fixed = _checked(self.kind, weight, shift)
        self.shift = shift
        channels, size = weight.shape
        self.ratio, self.width, self.channels = (1, stride), 1, channels
        self._product = Product(weight)
        if not 1 <= stride <= size:
            raise InputError(f"{self.kind}: stride {stride} of filters of {size}; give 1..{size}")
        self._overlap = Overlap(size, stride, np.int64 if self.fixed else np.float64)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._overlap.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take in [frames, channels] and give samples [frames x stride]."""
        made, rows = [], self.settle(rows)
        if rows.shape[1:] != (self.channels,):
            raise InputError(
                f"{self.kind}: rows of shape {rows.shape[1:]}; its filters take {self.channels}"
            )
        for row in rows:
            if self.fixed:
                frame = rounded_shift(self._product.whole(row), self.shift)
            else:
                frame = self._product(row)
            made.append(self._overlap.add(frame))
        return np.concatenate([*made, np.zeros(0, self._overlap.dtype)])


def quantized(weight: NDArray[Any], bits: int = 8) -> tuple[NDArray[np.int64], int]:
    """Round filters to `bits` bits with the finest power of two that holds them all.

    Returns
    -------
    weight : int64
    shift : int
        Each stands for 1/2^shift.
    """
    largest = float(np.abs(weight).max(initial=0))
    limit = (1 << bits - 1) - 1
    shift = int(np.floor(np.log2(limit / largest))) if largest else 0
    if shift < 0:
        raise InputError(f"filters: {largest:g} does not fit {bits} bits; scale them down")
    return np.rint(np.asarray(weight, np.float64) * 2.0**shift).astype(np.int64), shift


def _checked(kind: str, weight: NDArray[Any], shift: int) -> tuple[NDArray[np.float64], bool]:
    weight = np.asarray(weight)
    if weight.ndim != 2 or 0 in weight.shape:
        raise InputError(f"{kind}: weight of shape {weight.shape}; give [channels, size]")
    fixed = weight.dtype.kind in "iu"
    if shift < 0 or (shift and not fixed):
        raise InputError(f"{kind}: shift {shift} with {weight.dtype} weights; it is for integers")
    made = weight.astype(np.float64)
    if fixed:
        check_exact(kind, np.abs(made).sum(axis=1).max() * FULL_SCALE)
    return made, fixed
