"""What happens when a process is run with ``Loihi2HwCfg``: Lava's CPU models, and callbacks."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.io.sink import RingBuffer

from .adapters import PyToNxAdapter
from .probes import StateProbe
from .state import called, faults

UNREAD_STEPS = 64
"""Of a run that nothing reads but meters, no more than these are simulated."""

_run = AbstractProcess.run
_runs = 0


def take_over() -> None:
    """Have ``Loihi2HwCfg`` choose CPU models, and ``Process.run`` call its callbacks."""
    Loihi2HwCfg.select = _select  # type: ignore[method-assign]
    AbstractProcess.run = _run_with_callbacks  # type: ignore[method-assign]


def _select(self: Loihi2HwCfg, process: Any, models: Any) -> Any:
    if type(process) in self.exception_proc_model_map:
        return self.exception_proc_model_map[type(process)]
    _check_adapters(process)
    return Loihi2SimCfg(select_tag="fixed_pt").select(process, models)


def _check_adapters(process: Any) -> None:
    if faults().compiler_fails:
        raise RuntimeError(faults().compiler_fails)
    if isinstance(process, PyToNxAdapter):
        for port in process.out.out_connections:
            if isinstance(port.process, Conv):
                raise TypeError("a Conv needs PyToN3ConvAdapter before it")


def _run_with_callbacks(
    self: Any, condition: RunSteps, run_cfg: Any = None, compile_config: Any = None
) -> None:
    if not isinstance(run_cfg, Loihi2HwCfg):
        _run(self, condition, run_cfg, compile_config)
        return
    global _runs
    _runs += 1
    board = SimpleNamespace(steps=condition.num_steps)
    states = [fx for fx in run_cfg.callback_fxs if isinstance(fx, StateProbe)]
    called(
        "run",
        number=_runs,
        steps=condition.num_steps,
        probes=[type(fx).__name__ for fx in run_cfg.callback_fxs],
    )
    if faults().ends_at_run == _runs:
        os._exit(9)
    while faults().hangs_at_run == _runs:
        time.sleep(1)
    for fx in run_cfg.callback_fxs:
        fx.pre_run_callback(board, {})
    if states:
        for _ in range(condition.num_steps):
            _run(self, RunSteps(num_steps=1), run_cfg, compile_config)
            for probe in states:
                probe.take()
    else:
        steps = condition.num_steps if _is_read(self) else min(condition.num_steps, UNREAD_STEPS)
        _run(self, RunSteps(num_steps=steps), run_cfg, compile_config)
    for fx in run_cfg.callback_fxs:
        fx.post_run_callback(board, {})


def _is_read(process: Any) -> bool:
    from lava.magma.compiler.compiler_graphs import find_processes
    from lava.magma.compiler.utils import PortInitializer  # noqa: F401  (part of Lava's compiler)

    return any(isinstance(found, RingBuffer) for found in find_processes(process))
