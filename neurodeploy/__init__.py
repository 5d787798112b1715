"""neurodeploy takes a trained spiking network to Loihi 2 and says what the chip will do with it.

Importing the package is quick and needs no torch, lava or matplotlib.
"""

from __future__ import annotations

import importlib

from . import display, lava_imports
from ._version import __version__

TYPE_CHECKING = False  # typing takes 10 ms, in which Ctrl-C would show a traceback
if TYPE_CHECKING:
    from typing import Any

    from .ann import convert_ann as convert_ann
    from .backends import run as run
    from .c_source import emit_c as emit_c
    from .chip import fit as fit
    from .comparison import compare as compare
    from .engine.stream import stream as stream
    from .errors import NeurodeployError as NeurodeployError
    from .evaluation import evaluate as evaluate
    from .exporting.deploy import deploy as deploy
    from .exporting.export import export as export
    from .exporting.loading import load as load
    from .exporting.sketching import sketch as sketch
    from .exporting.verify import verify as verify
    from .formats import save as save
    from .network import Network as Network
    from .profiling import profile as profile
    from .quantization import QuantConfig as QuantConfig
    from .quantization import quantize as quantize
    from .recording import Recording as Recording
    from .reporting import plot as plot
    from .reporting import report as report

_HOMES = {
    "Network": "network",
    "NeurodeployError": "errors",
    "QuantConfig": "quantization",
    "Recording": "recording",
    "compare": "comparison",
    "convert_ann": "ann",
    "deploy": "exporting.deploy",
    "emit_c": "c_source",
    "evaluate": "evaluation",
    "export": "exporting.export",
    "fit": "chip",
    "load": "exporting.loading",
    "profile": "profiling",
    "quantize": "quantization",
    "report": "reporting",
    "run": "backends",
    "save": "formats",
    "sketch": "exporting.sketching",
    "stream": "engine.stream",
    "verify": "exporting.verify",
}
"""Public names and their rooms, which are imported when a name is first asked for."""

_MODULES = {"plot": "reporting.plot"}
"""Further names that are modules."""

__all__ = ["__version__", *_HOMES]

lava_imports.install()


def _in_notebook(shown: object) -> str:
    """What a notebook shows of an object; the report is imported when one asks."""
    html: str = importlib.import_module(".reporting.notebook", __name__).html_of(shown)
    return html


display.show_in_notebooks_with(_in_notebook)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        module = globals()[name] = importlib.import_module(f".{_MODULES[name]}", __name__)
        return module
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
