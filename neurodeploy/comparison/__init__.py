"""Where two recordings differ, after lining their clocks up, and why."""

from .comparison import Comparison
from .distribution import DistributionComparison, compare_distributions
from .divergence import Divergence
from .full_comparison import compare
from .learned import LearningDifference, LearningDivergence
from .results import PopulationDifference
from .sensitivity import FloorOptions
from .tolerances import Tolerances

__all__ = [
    "Comparison",
    "DistributionComparison",
    "Divergence",
    "FloorOptions",
    "LearningDifference",
    "LearningDivergence",
    "PopulationDifference",
    "Tolerances",
    "compare",
    "compare_distributions",
]
