"""Mel and gammatone filterbanks: sound in, one row of band levels after every hop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.sound import Product, gammatone
from ...errors import InputError
from ..files import FULL_SCALE
from .base import Coder, check_exact, rounded_shift
from .stft import LARGEST_FRAME, STFT, magnitude

WEIGHT_BITS = 12
"""Fraction bits of the mel weights' integer form."""

LOG_BITS = 8
"""Fraction bits of the integer logarithm."""

COEFFICIENT_BITS = 20
"""Fraction bits of the gammatone poles' integer form."""

STATE_BITS = 12
"""Bits that the gammatone states of the integer form have below 1/2^15."""

ORDER = 4


class Mel(Coder):
    r"""Magnitudes of a Hann-windowed `STFT`, summed by triangles evenly spaced in mel.

    .. math:: m(f) = 2595 \log_{10}(1 + f/700)

    (O'Shaughnessy 1987, as HTK has it; triangles of height 1.) With `log`,
    :math:`\log_2(1 + 2^{15} y)`, in the integer form in 1/256, rounded down.
    Integer weights have 12 fraction bits; sums are rounded once. Levels below `floor` count as
    `floor`, and levels are given above it, so that what is softer than a threshold is silent.

    Parameters
    ----------
    rate : float
        Hz.
    bands : int
    n_fft, hop : int
    low, high : float
        Hz of the lowest and highest edge; `high` is half the rate by default.
    log : bool
    floor : float
        In the unit of the levels: 1/256 of an octave in the integer form with `log`.
    fixed : bool
    """

    kind = "mel"

    def __init__(
        self,
        rate: float = 16000,
        bands: int = 40,
        n_fft: int = 512,
        hop: int = 128,
        low: float = 20.0,
        high: float | None = None,
        log: bool = False,
        floor: float = 0,
        fixed: bool = False,
    ) -> None:
        high = rate / 2 if high is None else high
        if not 0 <= low < high <= rate / 2:
            raise InputError(f"mel: edges {low:g}..{high:g} Hz; give 0 <= low < high <= {rate / 2}")
        if not floor >= 0 or (fixed and int(floor) != floor):
            raise InputError(
                f"mel: floor {floor:g}; give a {'whole ' if fixed else ''}number of at least 0"
            )
        self._stft = STFT(n_fft, hop, "hann", fixed)
        self.fixed, self.log, self.floor = fixed, log, int(floor) if fixed else float(floor)
        self.ratio, self.width, self.delay = (hop, 1), bands, n_fft
        edges = _from_mel(np.linspace(_to_mel(low), _to_mel(high), bands + 2))
        bins = np.arange(n_fft // 2 + 1) * rate / n_fft
        rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
        falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
        self.weights = np.clip(np.minimum(rising, falling), 0, None)
        if empty := int(np.count_nonzero(~self.weights.any(axis=1))):
            raise InputError(
                f"mel: {empty} of {bands} bands hold no frequency of a {n_fft}-point transform; "
                f"use fewer bands or a longer n_fft"
            )
        if fixed:
            self.weights = np.rint(self.weights * (1 << WEIGHT_BITS))
            check_exact("mel", self.weights.sum(axis=1).max() * FULL_SCALE * LARGEST_FRAME)
            self._sum = Product(self.weights.T)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._stft.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give levels [frames, bands]."""
        made = [
            np.maximum(self._levels(spectrum) - self.floor, 0) for spectrum in self._stft.push(rows)
        ]
        kind = np.int64 if self.fixed else np.float64
        return np.stack(made) if made else np.zeros((0, self.width or 0), kind)

    def _levels(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        size = magnitude(spectrum, self.fixed)
        if not self.fixed:
            levels = self.weights @ size
            return np.asarray(np.log2(1 + FULL_SCALE * levels) if self.log else levels)
        whole = rounded_shift(self._sum.whole(size), WEIGHT_BITS)
        return log2_integer(1 + whole) if self.log else whole


class Gammatone(Coder):
    r"""Gammatone filters, their rectified output averaged over every hop.

    Four complex poles in a row for each band (Hohmann 2002, Acta Acustica 88:433),

    .. math:: z_i \leftarrow a z_i + (1 - |a|) z_{i-1}, \quad
        a = e^{2\pi (-1.019\,\mathrm{ERB}(f) + i f)/r}, \quad y = 2\,\mathrm{Re}\, z_4

    centres evenly spaced on the ERB scale, ERB(f) = 24.7 (0.00437 f + 1) Hz
    (Glasberg and Moore 1990). In the integer form, poles have 20 fraction bits,
    states 12 below 1/2^15, and each product is rounded down.

    Parameters
    ----------
    rate : float
        Hz.
    bands, hop : int
    low, high : float
        Hz of the lowest and highest centre; `high` is 0.45 of the rate by default.
    fixed : bool

    Notes
    -----
    `delay` is a hop and the time to the envelope's peak in the slowest band,
    3 / (2 pi 1.019 ERB).
    """

    kind = "gammatone"

    def __init__(
        self,
        rate: float = 16000,
        bands: int = 32,
        hop: int = 128,
        low: float = 80.0,
        high: float | None = None,
        fixed: bool = False,
    ) -> None:
        high = 0.45 * rate if high is None else high
        if not 0 < low <= high < rate / 2:
            raise InputError(
                f"gammatone: centres {low:g}..{high:g} Hz; give 0 < low <= high < {rate / 2}"
            )
        if bands < 1 or hop < 1:
            raise InputError(f"gammatone: {bands} bands, hop {hop}; give at least 1")
        self.fixed, self.hop = fixed, hop
        self.ratio, self.width = (hop, 1), bands
        self.centres = _from_erb(np.linspace(_to_erb(low), _to_erb(high), bands))
        widths = 1.019 * 24.7 * (0.00437 * self.centres + 1)
        self.delay = hop + round((ORDER - 1) / (2 * np.pi * widths.min()) * rate)
        poles = np.exp(2 * np.pi * (-widths + 1j * self.centres) / rate)
        gain = 1 - np.abs(poles)
        self._poles = np.stack([poles.real, poles.imag, gain])
        if fixed:
            self._poles = np.rint(self._poles * (1 << COEFFICIENT_BITS)).astype(np.int64)
        self.reset()

    def reset(self) -> None:
        """See `Coder.reset`."""
        kind = np.int64 if self.fixed else np.float64
        self._state = np.zeros((self.width or 0, ORDER, 2), kind)
        self._held = np.zeros(0, kind)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give levels [hops, bands]."""
        held = np.concatenate([self._held, self.settle(rows).ravel()])
        hops = len(held) // self.hop
        self._held = held[hops * self.hop :].copy()
        whole = held[: hops * self.hop]
        if not self.fixed:
            return gammatone(whole, self.hop, self._poles, 0, self._state)
        scaled = whole << STATE_BITS
        return gammatone(scaled, self.hop, self._poles, COEFFICIENT_BITS, self._state) >> STATE_BITS


def log2_integer(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give floor(256 log2(x)) of integers from 1 to 2^53, by squaring the mantissa.

    30 bits of it are kept, so that a result is one lower for a few x just above a step.
    """
    exponent = np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1
    mantissa = np.where(
        exponent <= 30,
        values << np.maximum(30 - exponent, 0),
        values >> np.maximum(exponent - 30, 0),
    )
    result = exponent
    for _ in range(LOG_BITS):
        mantissa = mantissa * mantissa >> 30
        bit = (mantissa >> 31).astype(np.int64)
        mantissa = mantissa >> bit
        result = 2 * result + bit
    return result


def _to_mel(hertz: Any) -> Any:
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    hertz: NDArray[np.float64] = 700 * (10 ** (mel / 2595) - 1)
    return hertz


def _to_erb(hertz: Any) -> Any:
    return 21.4 * np.log10(1 + 0.00437 * np.asarray(hertz))


def _from_erb(number: NDArray[np.float64]) -> NDArray[np.float64]:
    hertz: NDArray[np.float64] = (10 ** (number / 21.4) - 1) / 0.00437
    return hertz
