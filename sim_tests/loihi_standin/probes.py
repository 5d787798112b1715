"""The probes: what they read is made up, but for the states, which are Lava's."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.callback_fx import NxSdkCallbackFx
from lava.magma.core.process.variable import Var

from .state import called, faults

READINGS = 200
CORES_OF_A_CHIP = 120


class _Probe(NxSdkCallbackFx):
    finished = False
    steps = 0

    def pre_run_callback(self, board: Any, var_id_to_var_model_map: Any = None) -> None:
        self.finished = False

    def post_run_callback(self, board: Any, var_id_to_var_model_map: Any = None) -> None:
        self.finished = True
        self.steps = board.steps

    def _after(self, value: Any) -> Any:
        if not self.finished:
            raise RuntimeError(f"{type(self).__name__} was read before its run")
        return value


class Loihi2Power(_Probe):
    """Watts of the whole board."""

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        called("Loihi2Power", num_steps=num_steps)

    def _series(self, share: float) -> Any:
        if faults().empty_power:
            return self._after(np.array([]))
        made = faults()
        wave = made.noise_watts * np.sin(np.arange(READINGS) * 1.7)
        return self._after(share * (made.static_watts + made.dynamic_watts + wave))

    total_power = property(lambda self: self._series(1.0))
    vdd_power = property(lambda self: self._series(0.6))
    vddm_power = property(lambda self: self._series(0.3))
    vddio_power = property(lambda self: self._series(0.1))
    static_total_power = property(lambda self: self._after(faults().static_watts))
    static_vdd_power = property(lambda self: self._after(0.6 * faults().static_watts))
    static_vddm_power = property(lambda self: self._after(0.3 * faults().static_watts))
    static_vddio_power = property(lambda self: self._after(0.1 * faults().static_watts))


class Loihi2ExecutionTime(_Probe):
    """Microseconds."""

    def __init__(
        self,
        t_start: int = 1,
        t_end: int | None = None,
        buffer_size: int = 1024,
        bin_size: int = 1,
    ) -> None:
        called("Loihi2ExecutionTime", buffer_size=buffer_size)

    @property
    def execution_time_per_step(self) -> Any:
        series = np.full(self.steps, faults().step_microseconds)
        return self._after(np.array([]) if faults().empty_time else series)

    @property
    def avg_time_per_step(self) -> Any:
        return self._after(None if faults().empty_time else faults().step_microseconds)


class Loihi2Memory(_Probe):
    """Share of memory, one number for each core."""

    core_idx = property(lambda self: self._after(_cores()[0]))
    chip_idx = property(lambda self: self._after(_cores()[1]))
    total_mpds = property(lambda self: self._after(np.full(len(_cores()[0]), 0.5)))


class Loihi2Activity(_Probe):
    """Counts over a whole run, one number for each core."""

    core_idx = property(lambda self: self._after(_cores()[0]))
    chip_idx = property(lambda self: self._after(_cores()[1]))
    syn_ops = property(lambda self: self._count(100))
    dendrite_updates = property(lambda self: self._count(10))
    axon_out = property(lambda self: self._count(2))
    spikes_in = property(lambda self: self._count(3))

    def _count(self, per_step: int) -> Any:
        return self._after(np.full(len(_cores()[0]), per_step * self.steps))


def _cores() -> tuple[Any, Any]:
    if faults().empty_activity:
        return np.array([], int), np.array([], int)
    chips = np.repeat(np.arange(faults().chips), 4)
    return np.tile(np.arange(4), faults().chips), chips


class StateProbe(_Probe):
    """A variable in every step: [neurons, steps]."""

    def __init__(self, variable: Var) -> None:
        if not isinstance(variable, Var):
            raise TypeError(f"StateProbe: {variable!r} is no Var")
        self.variable = variable
        self.rows: list[Any] = []
        called("StateProbe", variable=variable.name, process=type(variable.process).__name__)

    def take(self) -> None:
        """Read the variable after a step."""
        self.rows.append(np.asarray(self.variable.get()).copy())

    @property
    def time_series(self) -> Any:
        if faults().empty_state_probe:
            return self._after(None)
        series = np.stack(self.rows[1:] if faults().wrong_shape else self.rows, axis=-1)
        return self._after(series.reshape(-1, series.shape[-1]))


PROFILER = {
    "Loihi2Power": Loihi2Power,
    "Loihi2ExecutionTime": Loihi2ExecutionTime,
    "Loihi2Memory": Loihi2Memory,
    "Loihi2Activity": Loihi2Activity,
}
