"""neurodeploy takes a trained spiking network to Loihi 2 and says what the chip will do with it.

Importing the package is quick and needs no torch, lava, numba or matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

# These are named like their subpackages. Imported here, the functions
# stand; imported later, a subpackage would take their place.
from .compare import compare
from .profile import profile
from .quantize import QuantConfig, quantize
from .report import report

if TYPE_CHECKING:
    from .backends import run
    from .backends.loading import load
    from .chip import fit
    from .engine.stream import stream
    from .errors import NeurodeployError
    from .formats import save
    from .network import Network
    from .recording import Recording

_HOMES = {
    "NeurodeployError": "errors",
    "Network": "network",
    "Recording": "recording",
    "fit": "chip",
    "load": "backends.loading",
    "run": "backends",
    "save": "formats",
    "stream": "engine.stream",
}

__all__ = [
    "Network",
    "NeurodeployError",
    "QuantConfig",
    "Recording",
    "__version__",
    "compare",
    "fit",
    "load",
    "profile",
    "quantize",
    "report",
    "run",
    "save",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
