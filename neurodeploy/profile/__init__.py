"""Energy and latency of a recording: measured where there is a meter, else estimated."""

from .estimate import estimate, profile
from .result import STATIC, Band, Part, PopulationShare, Profile

__all__ = ["STATIC", "Band", "Part", "PopulationShare", "Profile", "estimate", "profile"]
