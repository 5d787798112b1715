"""Speech through a network as it comes: enhancement of files and live sound, and its measures."""

from .denoise import Denoiser, enhance_whole
from .files import Enhanced, enhance_file
from .latency import Latency
from .meter import Meter, Reading
from .metrics import dnsmos, pesq, scores, si_snr, stoi

__all__ = [
    "Denoiser",
    "Enhanced",
    "Latency",
    "Meter",
    "Reading",
    "dnsmos",
    "enhance_file",
    "enhance_whole",
    "pesq",
    "scores",
    "si_snr",
    "stoi",
]
