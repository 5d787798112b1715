"""How good speech sounds, by the field's measures."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendError, InputError, how_to_add

DNSMOS_SECONDS = 9.01
DNSMOS_FITS = {
    "sig": (-0.08397278, 1.22083953, 0.00524390),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
"""From the net's raw scores to MOS: microsoft/DNS-Challenge, ``dnsmos_local.py``."""


def si_snr(estimate: NDArray[Any], clean: NDArray[Any]) -> float:
    r"""Scale-invariant signal-to-noise ratio in dB.

    .. math:: s = \frac{\langle \hat x, x\rangle}{\|x\|^2} x, \quad
        10 \log_{10} \|s\|^2 / \|\hat x - s\|^2

    of signals without their means (Le Roux et al. 2019, SI-SDR).

    Parameters
    ----------
    estimate, clean : float [samples]

    Returns
    -------
    float
        Infinite where the estimate is a multiple of the clean signal; -inf where it has none of it.

    Raises
    ------
    InputError
        If lengths differ, or the clean signal is silent.
    """
    estimate, clean = _pair(estimate, clean)
    estimate, clean = estimate - estimate.mean(), clean - clean.mean()
    power = float(clean @ clean)
    if power == 0:
        raise InputError("SI-SNR: the clean signal is silent; give one with some sound")
    target = (estimate @ clean) / power * clean
    rest = estimate - target
    with np.errstate(divide="ignore"):
        return float(10 * (np.log10(target @ target) - np.log10(rest @ rest)))


def stoi(estimate: NDArray[Any], clean: NDArray[Any], rate: int, extended: bool = False) -> float:
    """Short-time objective intelligibility, by ``pystoi``.

    Raises
    ------
    BackendError
        If pystoi is not installed.
    InputError
        If lengths differ.
    """
    try:
        from pystoi import stoi as measure
    except ImportError:
        raise _missing("STOI", "pystoi") from None
    estimate, clean = _pair(estimate, clean)
    return float(measure(clean, estimate, rate, extended=extended))


def pesq(estimate: NDArray[Any], clean: NDArray[Any], rate: int) -> float:
    """Perceptual evaluation of speech quality, by ``pesq``: wide band at 16 kHz, narrow at 8 kHz.

    Raises
    ------
    BackendError
        If pesq is not installed.
    InputError
        If lengths differ, the rate is another, or it finds no speech.
    """
    try:
        from pesq import PesqError
        from pesq import pesq as measure
    except ImportError:
        raise _missing("PESQ", "pesq") from None
    if rate not in (8000, 16000):
        raise InputError(f"PESQ: rate {rate} Hz; resample to 8000 or 16000")
    estimate, clean = _pair(estimate, clean)
    if not (estimate.any() and clean.any()):
        raise InputError("PESQ: one of the signals is silent; give some seconds of speech")
    try:
        return float(measure(rate, clean, estimate, "wb" if rate == 16000 else "nb"))
    except PesqError as error:
        raise InputError(f"PESQ: {error}; give some seconds of speech") from error


def dnsmos(samples: NDArray[Any], rate: int, model: str | os.PathLike[str]) -> dict[str, float]:
    """Mean opinion scores without a reference, by Microsoft's net.

    Windows of 9.01 s, one second apart; what is shorter is repeated, as the challenge does.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        16000.
    model : path
        ``sig_bak_ovr.onnx`` of microsoft/DNS-Challenge.

    Returns
    -------
    dict
        ``sig``, ``bak``, ``ovrl``.

    Raises
    ------
    BackendError
        If onnxruntime is not installed.
    InputError
        If the rate is another, or the file no such net.
    """
    try:
        import onnxruntime
    except ImportError:
        raise _missing("DNSMOS", "onnxruntime") from None
    if rate != 16000 or not len(samples):
        raise InputError(f"DNSMOS: {len(samples)} samples at {rate} Hz; give some at 16000 Hz")
    length = int(DNSMOS_SECONDS * rate)
    sound = np.asarray(samples, np.float32)
    while len(sound) < length:
        sound = np.concatenate([sound, sound])
    try:
        session = onnxruntime.InferenceSession(os.fspath(model), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        starts = range(0, len(sound) - length + 1, rate)
        raw = [session.run(None, {name: sound[None, s : s + length]})[0][0] for s in starts]
        scores = np.asarray(raw, np.float64).reshape(len(starts), 3)
    except Exception as error:  # onnxruntime has exceptions of its own for each kind of failure
        raise InputError(f"{model}: not the DNSMOS net ({error}); give sig_bak_ovr.onnx") from error
    return {
        key: float(np.polyval(fit, column).mean())
        for (key, fit), column in zip(DNSMOS_FITS.items(), scores.T, strict=True)
    }


def scores(
    noisy: NDArray[Any],
    enhanced: NDArray[Any],
    clean: NDArray[Any],
    rate: int,
    model: str | os.PathLike[str] | None = None,
) -> dict[str, float]:
    """All measures that are installed, before and after; what is not is left out.

    Returns
    -------
    dict
        ``si_snr_noisy``, ``si_snr``, ``si_snr_improvement`` in dB; ``stoi_noisy``, ``stoi``,
        ``pesq_noisy``, ``pesq``; with `model` ``dnsmos_ovrl`` and so on.
    """
    found = {"si_snr_noisy": si_snr(noisy, clean), "si_snr": si_snr(enhanced, clean)}
    found["si_snr_improvement"] = found["si_snr"] - found["si_snr_noisy"]
    for name, measure in (("stoi", stoi), ("pesq", pesq)):
        try:
            before, after = (measure(x, clean, rate) for x in (noisy, enhanced))
        except BackendError:
            continue
        found[f"{name}_noisy"], found[name] = before, after
    if model is not None:
        for suffix, sound in (("_noisy", noisy), ("", enhanced)):
            for key, value in dnsmos(sound, rate, model).items():
                found[f"dnsmos_{key}{suffix}"] = value
    return found


def _pair(estimate: NDArray[Any], clean: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    estimate, clean = np.asarray(estimate, np.float64), np.asarray(clean, np.float64)
    if estimate.ndim != 1 or estimate.shape != clean.shape or not clean.size:
        raise InputError(
            f"estimate {estimate.shape} and clean {clean.shape}: give two signals of one length"
        )
    return estimate, clean


def _missing(what: str, package: str) -> BackendError:
    return BackendError(f"{what}: {package} is not installed; {how_to_add('audio-metrics')}")
