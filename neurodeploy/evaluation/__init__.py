"""A data set run and scored: in this process, in several, or on a Dask cluster."""

from .evaluation import Evaluation
from .shards import evaluate
from .tallies import Fit, Spread, Tally, Votes

__all__ = ["Evaluation", "Fit", "Spread", "Tally", "Votes", "evaluate"]
