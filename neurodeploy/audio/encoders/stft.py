"""Short-time Fourier transform and its inverse by overlap-add."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.sound import Product
from ...errors import InputError
from .base import Coder, Frames, Overlap, rounded_shift

TWIDDLE_BITS = 14
"""Fraction bits of the integer form's sines, cosines and windows."""

_ONE = 1 << TWIDDLE_BITS
LARGEST_FRAME = 2048
"""Samples of a frame whose integer sums stay below 2^53: spectra of 2^26, waves of 2^15, 2^11 of
them."""


def window(name: str, size: int) -> NDArray[np.float64]:
    """Give a window, float64 [size]: ``rect``, or ``hann`` (periodic)."""
    if name == "rect":
        return np.ones(size)
    if name == "hann":
        hann: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        return hann
    raise InputError(f"window {name!r}: unknown; use rect or hann")


class _Transform(Coder):
    """What both directions share."""

    def __init__(
        self, n_fft: int = 512, hop: int = 128, window_name: str = "rect", fixed: bool = False
    ) -> None:
        if n_fft < 2 or n_fft & (n_fft - 1) or n_fft > LARGEST_FRAME:
            raise InputError(
                f"{self.kind}: n_fft is {n_fft}; give a power of two, 2..{LARGEST_FRAME}"
            )
        if not 1 <= hop <= n_fft or n_fft % hop:
            raise InputError(f"{self.kind}: hop {hop} does not divide n_fft {n_fft}")
        self.n_fft, self.hop, self.bins, self.fixed = n_fft, hop, n_fft // 2 + 1, fixed
        shape = window(window_name, n_fft)
        self.window: NDArray[Any] = shape
        if fixed:
            self.window = np.rint(shape * _ONE).astype(np.int64)
            angle = 2 * np.pi * np.outer(np.arange(self.bins), np.arange(n_fft)) / n_fft
            self._waves = np.rint(np.concatenate([np.cos(angle), -np.sin(angle)]) * _ONE)
        self._rect = window_name == "rect"


class STFT(_Transform):
    r"""Spectra of overlapping frames, one after every hop.

    .. math:: X_t[k] = \sum_n w[n]\, x[t h - N + h + n]\, e^{-2\pi i k n / N}

    with x = 0 before the first sample. The float form gives complex128. The
    integer form takes sound in 1/2^15 and gives int64 pairs [..., 2] of real
    and imaginary part in the same unit: window and waves have 14 fraction
    bits, and each of the two products is rounded once, halves upwards.

    Parameters
    ----------
    n_fft, hop : int
        Samples of a frame (a power of two) and from one to the next (divides it).
    window_name : str
        ``rect`` or ``hann``.
    fixed : bool
    """

    kind = "stft"

    def __init__(
        self, n_fft: int = 512, hop: int = 128, window_name: str = "rect", fixed: bool = False
    ) -> None:
        super().__init__(n_fft, hop, window_name, fixed)
        self.ratio, self.width, self.delay = (hop, 1), self.bins, n_fft
        self._frames = Frames(n_fft, hop, np.int64 if fixed else np.float64)
        if fixed:
            self._there = Product(self._waves.T)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._frames.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give spectra: complex128 [frames, bins], or int64 [frames, bins, 2]."""
        # Frame by frame: libraries may take another way through several rows at once.
        made = [self._spectrum(frame) for frame in self._frames.push(self.settle(rows))]
        if made:
            return np.stack(made)
        if self.fixed:
            return np.zeros((0, self.bins, 2), np.int64)
        return np.zeros((0, self.bins), np.complex128)

    def _spectrum(self, frame: NDArray[Any]) -> NDArray[Any]:
        if not self.fixed:
            spectrum: NDArray[Any] = np.fft.rfft(frame if self._rect else frame * self.window)
            return spectrum
        shaped = frame if self._rect else rounded_shift(frame * self.window, TWIDDLE_BITS)
        parts = rounded_shift(self._there.whole(shaped), TWIDDLE_BITS)
        return parts.reshape(2, self.bins).T


class InverseSTFT(_Transform):
    r"""Sound from spectra: inverse transform, window, overlap-add, divided by the windows' sum.

    .. math:: y = \sum_t w\, \mathrm{IDFT}(X_t) \Big/ \sum_t w^2

    Each frame finishes `hop` samples. Frames before the first are silent, so
    that nothing but silence is lost. Parameters as `STFT`; the integer form
    rounds after the inverse, after the window and after the division.
    """

    kind = "istft"

    def __init__(
        self, n_fft: int = 512, hop: int = 128, window_name: str = "rect", fixed: bool = False
    ) -> None:
        super().__init__(n_fft, hop, window_name, fixed)
        self.ratio, self.width = (1, hop), 1
        self._overlap = Overlap(n_fft, hop, np.int64 if fixed else np.float64)
        # The sum of the squared windows repeats every hop.
        self._norm = (self.window**2).reshape(-1, hop).sum(axis=0)
        if not np.all(self._norm > 0):
            raise InputError(
                f"istft: hop {hop} leaves samples that no {window_name} window of {n_fft} reaches"
            )
        if fixed:
            weights = np.full(self.bins, 2.0)
            weights[[0, -1]] = 1.0  # the others stand for two bins each
            self._back = Product(self._waves * np.tile(weights, 2)[:, None])

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._overlap.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take in spectra as `STFT` gives them, and give samples [frames x hop]."""
        rows = np.asarray(rows)
        made = [self._overlap.add(self._frame(row)) for row in rows]
        if len(made) == 1 and not self.fixed:
            return np.asarray(made[0] / self._norm)
        if not made:
            return np.zeros(0, np.int64 if self.fixed else np.float64)
        if not self.fixed:
            return np.concatenate([done / self._norm for done in made])
        norm = self._norm
        # 2 x the window's unit, so that halves round upwards.
        scaled = [(2 * (done << TWIDDLE_BITS) + norm) // (2 * norm) for done in made]
        return np.concatenate(scaled)

    def _frame(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        if not self.fixed:
            frame: NDArray[Any] = np.fft.irfft(spectrum, self.n_fft)
            return frame if self._rect else frame * self.window
        parts = spectrum.T.reshape(-1).astype(np.int64)
        length = TWIDDLE_BITS + self.n_fft.bit_length() - 1
        whole = rounded_shift(self._back.whole(parts), length)
        return np.asarray(whole * self.window)


def magnitude(spectra: NDArray[Any], fixed: bool = False) -> NDArray[Any]:
    """Absolute values of spectra: float64, or int64 rounded down where they are integer pairs."""
    if not fixed:
        return np.asarray(np.abs(spectra))
    square = (spectra.astype(np.int64) ** 2).sum(axis=-1)
    root = np.sqrt(square.astype(np.float64)).astype(np.int64)
    # Doubles round squares above 2^53, and with them the root, by one at most.
    root = np.where(root * root > square, root - 1, root)
    return np.where((root + 1) ** 2 <= square, root + 1, root)


def phase(spectra: NDArray[Any], fixed: bool = False) -> NDArray[Any]:
    """Angles of spectra: radians, or int64 in 1/2^15 of half a turn (-32768..32767)."""
    if not fixed:
        return np.angle(spectra)
    turns = np.arctan2(spectra[..., 1].astype(np.float64), spectra[..., 0].astype(np.float64))
    whole = np.rint(turns / np.pi * (1 << 15)).astype(np.int64)
    return np.where(whole == 1 << 15, -(1 << 15), whole)


def polar(size: NDArray[Any], angle: NDArray[Any], fixed: bool = False) -> NDArray[Any]:
    """Spectra from magnitudes and phases as `magnitude` and `phase` give them."""
    if not fixed:
        spectra: NDArray[Any] = size * np.exp(1j * angle)
        return spectra
    radians = angle.astype(np.float64) * (np.pi / (1 << 15))
    cosine, sine = (np.rint(f(radians) * _ONE).astype(np.int64) for f in (np.cos, np.sin))
    parts = np.stack([size * cosine, size * sine], axis=-1)
    return rounded_shift(parts, TWIDDLE_BITS)
