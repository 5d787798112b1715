"""Speech through a network as it comes: enhancement of files and live sound, and its measures."""

from .codec import MaskCodec, MaskFront, separator
from .denoise import Denoiser, enhance_whole
from .fronts import Front, NdnsFront
from .latency import Latency
from .meter import Meter, Reading
from .metrics import dnsmos, pesq, scores, si_snr, stoi
from .whole_files import Enhanced, enhance_file

__all__ = [
    "Denoiser",
    "Enhanced",
    "Front",
    "Latency",
    "MaskCodec",
    "MaskFront",
    "Meter",
    "NdnsFront",
    "Reading",
    "dnsmos",
    "enhance_file",
    "enhance_whole",
    "pesq",
    "scores",
    "separator",
    "si_snr",
    "stoi",
]
