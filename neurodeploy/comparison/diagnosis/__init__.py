"""Why two runs part where they first do: hypotheses tried on the engine."""

from ..results import Arrival, Diagnosis, Evidence, Finding, Trace
from .fault_search import diagnose

__all__ = ["Arrival", "Diagnosis", "Evidence", "Finding", "Trace", "diagnose"]
