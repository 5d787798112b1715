"""Measuring on the chip: time, activity and memory in one run, power in others.

The power probe is not run beside the others: the time probe is known to distort
it (NECOTIS, TemporalLearningInRSNNs, ``loihi_experiment/delay.py``). Probes and their
fields as in lava-dl's ``pilotnet_snn/benchmark.ipynb`` and the published profile
script of YOLO-KP: ``Loihi2Power`` (W), ``Loihi2ExecutionTime`` (microseconds),
``Loihi2Memory``, ``Loihi2Activity``; the idle board with ``nxcore``'s ``N3Board``.

The samples are repeated without the host where there is a cyclic buffer: a host
that feeds the chip is slower than the chip, which then waits and seems to need
no power.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendError
from ...network import Network
from ...remote.blocks import write_into_place
from .board import Board
from .energy import Measured, PowerReading, energy
from .schedule import Schedule
from .settings import ChipSettings

CORES_OF_A_CHIP = 120
"""Usable by a network; the published profile script numbers cores with it."""

TIMED_STEPS = 4096
"""Chip steps over which the time of a step is measured."""

IDLE_STEPS = 100_000
"""Steps of the board without a network, as in the published profile script."""

COUNTERS = ("syn_ops", "dendrite_updates", "axon_out", "spikes_in")
"""Fields of ``Loihi2Activity``, one number for each core, over a whole run."""

MICRO = 1e-6

Report = Callable[[str], None]


@dataclass(frozen=True)
class Activity:
    """What the chip's own counters say.

    Attributes
    ----------
    cores : int64 [cores]
        Logical core: ``core_idx + 120 chip_idx``.
    per_step : dict of str to float64 [cores]
        `COUNTERS`, per chip step.
    memory : float64 [cores] or None
        Share of each core's synaptic memory in use.
    """

    cores: NDArray[np.int64]
    per_step: dict[str, NDArray[np.float64]]
    memory: NDArray[np.float64] | None

    def as_lists(self) -> dict[str, list[float]]:
        """Everything as lists of numbers, for a recording's header."""
        held = {"core": self.cores, **self.per_step}
        if self.memory is not None:
            held["memory_share"] = self.memory
        return {name: [float(value) for value in values] for name, values in held.items()}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Sequence[float]]) -> Activity:
        """Undo `as_lists`."""
        held = {name: np.asarray(values, np.float64) for name, values in lists.items()}
        cores, memory = held.pop("core").astype(np.int64), held.pop("memory_share", None)
        return cls(cores, held, memory)

    @property
    def used_chips(self) -> int:
        """Chips that hold a core of the network."""
        return len(np.unique(self.cores // CORES_OF_A_CHIP))


class Kept:
    """Readings of a job that are there already, a file each, so that no second call repeats them.

    Parameters
    ----------
    folder : Path
        Made when the first reading comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        """Whether a reading is kept."""
        return (self.folder / f"{name}.json").is_file()

    def get(self, name: str, take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A reading by name: the one that is kept, or what `take` gives, which is kept then."""
        path = self.folder / f"{name}.json"
        if path.is_file():
            with suppress(ValueError):  # cut short: taken anew
                kept: dict[str, Any] = json.loads(path.read_text())
                return kept
        taken = take()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_into_place(path, json.dumps(taken).encode())
        return taken


def measure(
    network: Network,
    values: NDArray[np.int32],
    schedule: Schedule,
    settings: ChipSettings,
    kept: Kept,
    report: Report = lambda _: None,
) -> tuple[Measured, Activity | None]:
    """Measure what an inference takes.

    Parameters
    ----------
    network : Network
    values : int32 [samples, steps, neurons]
        Presented again and again; those of `schedule`.
    schedule : Schedule
        Of the samples, without resets that differ from a run's.
    settings : ChipSettings
    kept : Kept
    report : callable
        Told what is being done.

    Raises
    ------
    BackendError
        If a probe returns nothing that can be used.
    """
    cyclic = find_spec("lava.proc.cyclic_buffer") is not None
    warnings = []
    if not cyclic:
        warnings.append(
            "no cyclic buffer in this lava-loihi: the host fed the chip while it was measured, "
            "so time and power are of a chip that waits for its input"
        )
    profiler: Any = import_module("lava.utils.loihi2_profiler")

    def board() -> Board:
        return Board(network, values, schedule, cyclic=cyclic)

    def time() -> dict[str, Any]:
        report("timing")
        steps = schedule.slot * max(1, math.ceil(TIMED_STEPS / schedule.slot))
        clock = profiler.Loihi2ExecutionTime()
        counters, memory = profiler.Loihi2Activity(), profiler.Loihi2Memory()
        board().run(steps, [clock, counters, memory])
        found = read_activity(counters, memory, steps)
        return {
            "seconds_per_step": _number(clock, "avg_time_per_step") * MICRO,
            "activity": found.as_lists() if found else None,
        }

    timed = kept.get("time", time)
    seconds_per_step = timed["seconds_per_step"]
    activity = Activity.from_lists(timed["activity"]) if timed["activity"] else None
    idle = kept.get("idle", lambda: {"watts": _idle_watts(profiler, report)})["watts"]
    slots = max(1, math.ceil(settings.window_seconds / (seconds_per_step * schedule.slot)))
    steps = slots * schedule.slot

    def power() -> dict[str, Any]:
        meter = profiler.Loihi2Power(num_steps=steps)
        board().run(steps, [meter])
        return read_power(meter, steps * seconds_per_step).as_lists()

    readings = []
    for repeat in range(settings.repeats):
        name = f"power-{repeat}"
        if not repeat and not kept.has(name):
            report("warming up")
            power()
        report(f"power, {repeat + 1} of {settings.repeats}")
        readings.append(PowerReading.from_lists(kept.get(name, power)))
    result = energy(
        readings,
        seconds_per_step=seconds_per_step,
        slot=schedule.slot,
        board_chips=settings.board_chips,
        used_chips=activity.used_chips if activity else 1,
        idle_watts=idle,
        wanted_seconds=settings.window_seconds,
    )
    figures = {**result.figures, **_totals(activity, schedule.slot)}
    return Measured(figures, (*warnings, *result.warnings)), activity


def read_power(meter: Any, seconds: float) -> PowerReading:
    """Take what a ``Loihi2Power`` probe holds after its run.

    Raises
    ------
    BackendError
        If it holds nothing.
    """
    series = {
        rail: np.atleast_1d(np.asarray(_field(meter, f"{rail}_power"), np.float64))
        for rail in ("total", "vdd", "vddm", "vddio")
    }
    static = float(np.mean(_field(meter, "static_total_power")))
    return PowerReading(**series, static_total=static, seconds=seconds)


def read_activity(probe: Any, memory: Any, steps: int) -> Activity | None:
    """Take what the activity and memory probes hold after a run of `steps`.

    Returns
    -------
    Activity or None
        None where the probe counted nothing.

    Raises
    ------
    BackendError
        If counters and cores do not belong together.
    """
    core = getattr(probe, "core_idx", None)
    if core is None or not np.size(core):
        return None
    cores = np.atleast_1d(np.asarray(core, np.int64))
    chip = getattr(probe, "chip_idx", None)
    if chip is not None and np.size(chip):
        cores = cores + CORES_OF_A_CHIP * np.asarray(chip, np.int64)
    per_step = {}
    for name in COUNTERS:
        counted = getattr(probe, name, None)
        if counted is None:
            continue
        numbers = np.atleast_1d(np.asarray(counted, np.float64))
        if numbers.shape != cores.shape:
            raise BackendError(
                f"activity probe: {name} came as {numbers.shape} for {len(cores)} cores; is this "
                f"another lava-loihi than the backend was written for?"
            )
        per_step[name] = numbers / steps
    used = getattr(memory, "total_mpds", None)
    known = used is not None and np.size(used) == len(cores)
    return Activity(cores, per_step, np.asarray(used, np.float64) if known else None)


def _idle_watts(profiler: Any, report: Report) -> float | None:
    """Power of the board without a network; None where nxcore does not let us at it."""
    try:
        boards = import_module("nxcore.arch.n3b.n3board")
    except ImportError:
        return None
    report("the idle board")
    meter = profiler.Loihi2Power(num_steps=IDLE_STEPS)
    board = boards.N3Board(1, 0)
    try:
        meter.pre_run_callback(board, {})
        board.run(IDLE_STEPS)
        meter.post_run_callback(board, {})
    finally:
        board.disconnect()
    return float(np.mean(_field(meter, "static_total_power")))


def _totals(activity: Activity | None, slot: int) -> Mapping[str, float]:
    """The chip's own counts of an inference."""
    if activity is None:
        return {}
    names = {
        "syn_ops": "chip_synops",
        "dendrite_updates": "chip_neuron_updates",
        "axon_out": "chip_messages_sent",
        "spikes_in": "chip_messages_received",
    }
    totals = {names[k]: float(v.sum()) * slot for k, v in activity.per_step.items()}
    totals["used_cores"] = float(len(activity.cores))
    if activity.memory is not None:
        totals["memory_share"] = float(activity.memory.mean())
    return totals


def _field(probe: Any, name: str) -> Any:
    value = getattr(probe, name, None)
    if value is None or not np.size(value):
        raise BackendError(
            f"{type(probe).__name__}: {name} is empty; the board's meter returned nothing"
        )
    return value


def _number(probe: Any, name: str) -> float:
    number = float(np.mean(_field(probe, name)))
    if not math.isfinite(number) or number <= 0:
        raise BackendError(f"{type(probe).__name__}: {name} is {number}; no time was measured")
    return number
