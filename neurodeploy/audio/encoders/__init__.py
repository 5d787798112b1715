"""Encoders of sound and their decoders, each streaming, each in floats and in exact integers."""

from .base import Chain, Coder
from .codec import ConvDecoder, ConvEncoder
from .filterbanks import Gammatone, Mel
from .named import ENCODERS, encode_file, parse_encoder
from .spikes import (
    CumulativeDelta,
    Delta,
    DeltaDecoder,
    Latency,
    LatencyDecoder,
    LevelCrossing,
    LevelDecoder,
    MeanDecoder,
    OnOff,
    Rate,
    RateDecoder,
    SigmaDelta,
)
from .stft import STFT, InverseSTFT, magnitude, phase, polar

__all__ = [
    "ENCODERS",
    "STFT",
    "Chain",
    "Coder",
    "ConvDecoder",
    "ConvEncoder",
    "CumulativeDelta",
    "Delta",
    "DeltaDecoder",
    "Gammatone",
    "InverseSTFT",
    "Latency",
    "LatencyDecoder",
    "LevelCrossing",
    "LevelDecoder",
    "MeanDecoder",
    "Mel",
    "OnOff",
    "Rate",
    "RateDecoder",
    "SigmaDelta",
    "encode_file",
    "magnitude",
    "parse_encoder",
    "phase",
    "polar",
]
