"""Where two recordings differ, after lining their clocks up, and why."""

from .align import compare
from .comparison import Comparison, Divergence, PopulationDifference
from .sensitivity import FloorOptions
from .tolerances import Tolerances

__all__ = [
    "Comparison",
    "Divergence",
    "FloorOptions",
    "PopulationDifference",
    "Tolerances",
    "compare",
]
