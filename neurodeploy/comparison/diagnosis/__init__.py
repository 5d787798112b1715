"""Why two runs part where they first do: suppositions tried on the engine."""

from .evidence import Arrival, Evidence, Trace
from .search import Diagnosis, Finding, diagnose

__all__ = ["Arrival", "Diagnosis", "Evidence", "Finding", "Trace", "diagnose"]
