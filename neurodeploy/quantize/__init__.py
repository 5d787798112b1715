"""From a float network to one in the chip's integers, saying what each element lost."""

from .config import QuantConfig
from .report import QuantReport, quantization_report
from .verb import quantize

__all__ = ["QuantConfig", "QuantReport", "quantization_report", "quantize"]
