"""From a float network to one in the chip's integers, saying what each element lost."""

from .config import QuantConfig
from .verb import quantize

__all__ = ["QuantConfig", "quantize"]
