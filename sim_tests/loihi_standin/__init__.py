"""A stand-in for the modules of lava-loihi, which Intel does not publish. It is no hardware.

It honours the calls that public code makes (`neurodeploy.backends.loihi2.board`
and ``meters`` name it) and fails on any other, drives Lava's CPU models behind
the adapters, and injects faults. Its powers and times are made up. No
distribution is installed with it, so recordings made through it name their
backend ``loihi2-standin`` and hold no figure under a measured figure's name.

    python -m sim_tests.loihi_standin -m neurodeploy.backends.worker JOB

runs the worker beside it. Faults and made-up figures come as JSON in the
environment variable `FAULTS`, see `state.Faults`; what was called is written to the
file that `CALLS` names.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType

FAULTS = "LOIHI_STANDIN_FAULTS"
CALLS = "LOIHI_STANDIN_CALLS"

VERSION = "stand-in of the tests, Lava's CPU models"


def install() -> None:
    """Put the stand-in's modules where lava-loihi's would be."""
    from . import adapters, board, probes, runs
    from .state import faults

    # Lava looks for process models in every file beside a process.
    warnings.filterwarnings("ignore", message="Cannot import module", category=UserWarning)
    if faults().missing_lava_loihi:
        return
    _module("lava.utils.loihi2_profiler", probes.PROFILER, __version__=VERSION)
    _module("lava.utils.loihi2_state_probes", {"StateProbe": probes.StateProbe})
    _module("lava.proc.embedded_io", {})
    _module("lava.proc.embedded_io.spike", adapters.SPIKE)
    if not faults().no_cyclic_buffer:
        _module("lava.proc.cyclic_buffer", {})
        _module("lava.proc.cyclic_buffer.process", {"CyclicBuffer": adapters.CyclicBuffer})
    if not faults().no_nxcore:
        for name in ("nxcore", "nxcore.arch", "nxcore.arch.n3b"):
            _module(name, {})
        _module("nxcore.arch.n3b.n3board", {"N3Board": board.N3Board})
    runs.take_over()


def _module(name: str, members: dict[str, object], **more: object) -> None:
    module = ModuleType(name, __doc__)
    module.__spec__ = ModuleSpec(name, None)
    module.__path__ = []
    vars(module).update(members, **more)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(importlib.import_module(parent), child, module)
