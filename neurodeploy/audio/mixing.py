"""Noises made from random numbers or from speech, and speech mixed with them as DNS sets are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import Samples

NOISES = ("white", "pink", "brown", "hum", "babble")

PEAK = 0.99
"""Mixtures louder than this are scaled down to it, as the DNS scripts do."""

_SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0}
_FLAT_BELOW = 20
"""Periods in the whole sound; slower ones are held at that level, else they take all the power."""

_MAINS_HZ = 50
_HARMONICS = 10
_MOST_DB = 200


def noise(
    kind: str,
    samples: int,
    rng: np.random.Generator,
    rate: int | None = None,
    clips: Sequence[NDArray[Any]] = (),
) -> NDArray[Any]:
    """Make a noise of no particular level; `mix` sets it.

    Parameters
    ----------
    kind : str
        ``white``, ``pink`` (power falls as 1/f), ``brown`` (1/f^2), ``hum``
        (50 Hz and its harmonics up to the tenth, amplitudes 1/k, phases at
        random) or ``babble`` (all `clips` at once, each from a random place and repeated).
    samples : int
    rng : numpy.random.Generator
    rate : int, optional
        Hz; ``hum`` needs it.
    clips : sequence of float [samples]
        Speech for ``babble``, one array for each speaker.

    Returns
    -------
    float [samples]
        The same for one `rng`, to the last bits that FFT libraries share.

    Raises
    ------
    InputError
        If the kind is unknown or something that it needs is missing.

    Notes
    -----
    Colours are white noise shaped in the spectrum: J. Timmer, M. Koenig, *On
    generating power law noise*, Astronomy and Astrophysics 300 (1995) 707.
    """
    if samples < 1:
        raise InputError(f"noise {kind!r}: {samples} samples; give at least 1")
    if kind == "hum":
        return _hum(samples, rng, rate)
    if kind == "babble":
        if not clips or not all(len(clip) for clip in clips):
            raise InputError("noise 'babble': no speech, or an empty clip; give clips=[...]")
        parts = (np.resize(np.roll(c, rng.integers(len(c))), samples) for c in clips)
        return np.asarray(sum(parts))
    if kind not in _SLOPES:
        raise InputError(f"noise {kind!r}: unknown; use one of {', '.join(NOISES)}")
    white = rng.standard_normal(samples)
    if kind == "white":
        return white
    bins = np.maximum(np.arange(samples // 2 + 1), _FLAT_BELOW)
    return np.fft.irfft(np.fft.rfft(white) / bins ** _SLOPES[kind], samples)


def mix(
    clean: NDArray[Any], noise: NDArray[Any], snr_db: float, level_db: float = -25
) -> tuple[Samples, Samples]:
    """Add noise to speech at a ratio and a level.

    Parameters
    ----------
    clean, noise : float [samples]
        Of any level. Powers are means over all samples, pauses included.
    snr_db : float
        Power of the speech over that of the noise, dB.
    level_db : float
        RMS of the mixture, dB of full scale; the N-DNS data have -35 to -15.

    Returns
    -------
    noisy, clean : float32 [samples]
        Both at the mixture's scale. Where the mixture would pass 0.99, both
        are scaled down until it reaches that, and the level is lower than asked.

    Raises
    ------
    InputError
        If lengths differ, one of the two is silent or not finite, or a dB beyond 200.

    Notes
    -----
    ``snr_mixer`` of ``audiolib.py`` in github.com/microsoft/DNS-Challenge,
    without its random level. The N-DNS data were made by ``segmental_snr_mixer``, whose
    powers are those of the stretches in which there is noise.
    """
    for what, value in (("SNR", snr_db), ("level", level_db)):
        if not abs(value) <= _MOST_DB:
            raise InputError(f"mix: {what} of {value} dB; give -{_MOST_DB}..{_MOST_DB}")
    clean, noise = _sound(clean, "clean"), _sound(noise, "noise")
    if len(clean) != len(noise):
        raise InputError(
            f"mix: {len(clean)} samples of clean speech, {len(noise)} of noise; make them equal"
        )
    ratio = _power(clean, "clean") / _power(noise, "noise") / 10 ** (snr_db / 10)
    noisy = clean + noise * np.sqrt(ratio)
    scale = 10 ** (level_db / 20) / np.sqrt(_power(noisy, "mixture"))
    noisy, clean = noisy * scale, clean * scale
    peak = np.abs(noisy).max()
    if peak > PEAK:
        noisy, clean = noisy * (PEAK / peak), clean * (PEAK / peak)
    return noisy.astype(np.float32), clean.astype(np.float32)


def _hum(samples: int, rng: np.random.Generator, rate: int | None) -> NDArray[np.float64]:
    orders = [k for k in range(1, _HARMONICS + 1) if 2 * k * _MAINS_HZ < (rate or 0)]
    if not orders:
        raise InputError(f"noise 'hum': rate {rate}; give rate= in Hz, above {2 * _MAINS_HZ}")
    turns = np.arange(samples) * (_MAINS_HZ / (rate or 1))
    made = np.zeros(samples)
    for k in orders:
        made += np.sin(2 * np.pi * (k * turns + rng.random())) / k
    return made


def _sound(given: NDArray[Any], what: str) -> NDArray[Any]:
    """One channel in floats: squares of 16-bit integers would wrap."""
    found = np.asarray(given)
    if found.ndim != 1 or not len(found):
        raise InputError(f"mix: {what} of shape {found.shape}; give one channel, [samples]")
    return found if np.issubdtype(found.dtype, np.floating) else found.astype(np.float64)


def _power(sound: NDArray[Any], what: str) -> Any:
    power = (sound**2).mean()
    if not 0 < power < np.inf:
        raise InputError(f"mix: power of {what} is {power}; give finite sound that is not silent")
    return power
