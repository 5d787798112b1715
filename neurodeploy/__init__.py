"""neurodeploy takes a trained spiking network to Loihi 2 and says what the chip will do with it.

Names below are imported when they are first used, so that importing the
package is quick and needs no torch, lava, numba or matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .backends import run
    from .compare import compare
    from .errors import NeurodeployError
    from .formats import load, save
    from .network import Network
    from .profile import profile
    from .recording import Recording
    from .report import report

_HOMES = {
    "NeurodeployError": "errors",
    "Network": "network",
    "Recording": "recording",
    "compare": "compare",
    "load": "formats",
    "profile": "profile",
    "report": "report",
    "run": "backends",
    "save": "formats",
}

__all__ = [
    "Network",
    "NeurodeployError",
    "Recording",
    "__version__",
    "compare",
    "load",
    "profile",
    "report",
    "run",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    # A subpackage of the same name (compare, profile, report) would hide it.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
