"""Energy and latency of a recording: measured where there is a meter, else estimated."""

from .estimate import estimate, profile
from .host import host_meter, profile_host
from .result import STATIC, Band, Part, PopulationShare, Profile

__all__ = [
    "STATIC",
    "Band",
    "Part",
    "PopulationShare",
    "Profile",
    "estimate",
    "host_meter",
    "profile",
    "profile_host",
]
