"""Where two recordings differ, after lining their clocks up."""

from .align import compare
from .comparison import Comparison, Divergence, PopulationDifference

__all__ = ["Comparison", "Divergence", "PopulationDifference", "compare"]
