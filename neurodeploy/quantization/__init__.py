"""From a float network to one in the chip's integers, saying what each element lost."""

from .config import QuantConfig
from .mixed import Budget, within_budget
from .quantize import quantize
from .report import QuantReport, quantization_report
from .widths import Sweep, sweep

__all__ = [
    "Budget",
    "QuantConfig",
    "QuantReport",
    "Sweep",
    "quantization_report",
    "quantize",
    "sweep",
    "within_budget",
]
