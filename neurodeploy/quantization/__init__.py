"""From a float network to one in the chip's integers, saying what each element lost."""

from .bit_width_sweep import Sweep, sweep
from .config import QuantConfig
from .mixed_precision import Budget, within_budget
from .quantize_network import quantize
from .report import QuantReport, quantization_report

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
