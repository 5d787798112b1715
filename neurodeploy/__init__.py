"""neurodeploy takes a trained spiking network to Loihi 2 and says what the chip will do with it.

Importing the package is quick and needs no torch, lava, numba or matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .backends import run
    from .chip import fit
    from .comparison import compare
    from .engine.stream import stream
    from .errors import NeurodeployError
    from .exporting.export import export
    from .exporting.loading import load
    from .exporting.verify import verify
    from .formats import save
    from .network import Network
    from .profiling import profile
    from .quantization import QuantConfig, quantize
    from .recording import Recording
    from .reporting import report

_HOMES = {
    "Network": "network",
    "NeurodeployError": "errors",
    "QuantConfig": "quantization",
    "Recording": "recording",
    "compare": "comparison",
    "export": "exporting.export",
    "fit": "chip",
    "load": "exporting.loading",
    "profile": "profiling",
    "quantize": "quantization",
    "report": "reporting",
    "run": "backends",
    "save": "formats",
    "stream": "engine.stream",
    "verify": "exporting.verify",
}
"""Public names and their rooms, which are imported when a name is first asked for."""

__all__ = [
    "Network",
    "NeurodeployError",
    "QuantConfig",
    "Recording",
    "__version__",
    "compare",
    "export",
    "fit",
    "load",
    "profile",
    "quantize",
    "report",
    "run",
    "save",
    "stream",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
