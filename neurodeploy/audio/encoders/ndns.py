"""Encoder and decoder of Intel's N-DNS baseline: magnitudes in, a mask back."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...network.fixed_point import SIGMA_DELTA_SHIFT, STATE_EXPONENT
from ..files import FULL_SCALE
from .base import Coder
from .stft import STFT, InverseSTFT, magnitude

N_FFT, HOP, RATE = 512, 128, 16000
MEAN = 0.2
GAIN_BITS = 6
"""Inputs count in 1/64, as netx's input layer has it."""

OUTPUT_BITS = SIGMA_DELTA_SHIFT + STATE_EXPONENT
"""The sum that the last population sends counts in 1/2^18."""


class NdnsEncoder(Coder):
    r"""Inputs of the denoising network: :math:`\mathrm{round}(64 (|X| - 0.2))`.

    X is the `STFT` of 512 samples every 128, rectangular window. Source:
    IntelNeuromorphicDNSChallenge, ``baseline_solution/sdnn_delays``. The float
    form is that of the challenge: spectra in doubles, integers from here on.
    The integer form takes spectra and magnitudes in integers of 1/2^15 as well.

    Parameters
    ----------
    mean : float
        Taken off the magnitude, in full scales.
    fixed : bool
    """

    kind = "ndns"

    def __init__(self, mean: float = MEAN, fixed: bool = False) -> None:
        self.fixed, self.mean = fixed, mean
        self.ratio, self.width, self.delay = (HOP, 1), N_FFT // 2 + 1, N_FFT
        self._stft = STFT(N_FFT, HOP, "rect", fixed)
        self._offset = round(mean * (FULL_SCALE << GAIN_BITS))

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._stft.reset()

    def push(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Give inputs [frames, 257]."""
        return self.of_spectra(self._stft.push(rows))

    def spectra(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give the spectra alone, which `of_spectra` and the decoder take."""
        return self._stft.push(rows)

    def of_spectra(self, spectra: NDArray[Any]) -> NDArray[np.int64]:
        """Give inputs [frames, 257] of spectra as `STFT` gives them."""
        if not self.fixed:
            rows = [np.rint((np.abs(row) - self.mean) * (1 << GAIN_BITS)) for row in spectra]
            return np.array(rows, np.int64).reshape(-1, self.width or 0)
        scaled = (magnitude(spectra, True) << GAIN_BITS) - self._offset
        return (scaled + FULL_SCALE // 2) // FULL_SCALE


class NdnsDecoder:
    """Sound from spectra and the network's output, one of each per step.

    ``mask = max(output / 2^18 + 1, 0)`` times the spectrum that came in `wait`
    steps earlier, then `InverseSTFT`. In the integer form masks count in 1/2^18
    and the masked spectra are rounded, halves upwards.

    Parameters
    ----------
    wait : int
        Steps by which the sound is held back for its mask.
    fixed : bool
    """

    def __init__(self, wait: int = 1, fixed: bool = False) -> None:
        if wait < 0:
            raise InputError(f"N-DNS decoder: waits {wait} steps; give 0 or more")
        self.wait, self.fixed = wait, fixed
        self._inverse = InverseSTFT(N_FFT, HOP, "rect", fixed)
        self.reset()

    def reset(self) -> None:
        """Begin again with silence."""
        self._inverse.reset()
        kind: Any = np.int64 if self.fixed else np.complex128
        shape = (N_FFT // 2 + 1, 2) if self.fixed else (N_FFT // 2 + 1,)
        self._waiting = deque(np.zeros(shape, kind) for _ in range(self.wait))

    def step(self, spectrum: NDArray[Any], output: NDArray[np.int32]) -> NDArray[Any]:
        """Take one spectrum and what the network sent in this step; give 128 samples."""
        self._waiting.append(spectrum)
        ready = self._waiting.popleft()
        whole = np.maximum(output.astype(np.int64) + (1 << OUTPUT_BITS), 0)
        if self.fixed:
            half = 1 << (OUTPUT_BITS - 1)
            masked = (ready * whole[:, None] + half) >> OUTPUT_BITS
        else:
            masked = ready * (whole / (1 << OUTPUT_BITS))
        return self._inverse.push(masked[None])
