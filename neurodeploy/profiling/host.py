"""What an inference costs on this host: joules by its own counters, seconds by its clock."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from ..errors import BackendError, InputError, RecordingError, how_to_add
from .activity import count_activity, host_updates
from .result import PopulationShare, Profile

if TYPE_CHECKING:
    from ..network import Network
    from ..recording import Recording
    from ..recording.run_options import Progress

WINDOW_SECONDS, WINDOWS = 10.0, 5
"""A window lasts at least so long, and the median of so many is taken.

MLPerf Tiny's habits (``mlcommons/tiny``, energy mode), with a warm-up before.
"""

HOST = "this host"

Meter: TypeAlias = Callable[[], float]
"""Joules since some moment in the past, of everything that the host's counters cover."""


@dataclass(frozen=True)
class Window:
    """One window of measurement: how often the inputs ran, and what the host spent on it."""

    runs: int
    seconds: float
    joules: float


def host_meter() -> Meter:
    """Read this machine's energy counters of its CPU packages and their memory, through zeus.

    Raises
    ------
    BackendError
        If zeus is missing or finds no counter that it may read; the message says which.
        Most virtual machines have none.
    """
    try:
        from zeus.device import get_cpus
        from zeus.exception import ZeusBaseError
    except ImportError as error:
        raise BackendError(
            f"zeus is not installed; on a machine with counters: {how_to_add('power')}"
        ) from error
    try:
        cpus = get_cpus()
        # On some laptops RAPL also has a zone of the whole platform, which holds the packages.
        zones = [i for i, cpu in enumerate(cpus.cpus) if _zone(cpu).startswith("package")]
        meter = partial(_joules, cpus, zones)
        if zones:
            meter()
    except (ZeusBaseError, OSError) as error:
        raise BackendError(f"zeus reads no CPU counter here: {error}") from error
    if not zones:
        raise BackendError("zeus finds no CPU package with a counter here")
    return meter


def _zone(cpu: Any) -> str:
    """A zone's name; zeus's daemon gives none, and lists packages alone."""
    file = getattr(cpu, "rapl_file", None)
    return "package" if file is None else str(file.name)


def _joules(cpus: Any, zones: list[int]) -> float:
    total = 0.0
    for zone in zones:
        reading = cpus.get_total_energy_consumption(zone)
        total += reading.cpu_mj + (reading.dram_mj or 0.0)
    return total / 1000


def profile_host(
    network: Network,
    inputs: NDArray[Any],
    *,
    recording: Recording | None = None,
    threads: int | None = None,
    window_seconds: float = WINDOW_SECONDS,
    windows: int = WINDOWS,
    meter: Meter | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Run a network on this host's engine again and again, and measure an inference.

    Two runs to warm up, one window at rest, then `windows` windows of `nd.run`; the median
    counts. Static energy is the power at rest, for as long as an inference takes: of
    everything on this host, so of its neighbours too where the machine is shared.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
    recording : Recording, optional
        Of this network on these inputs: its steps and resets are taken, and anything else
        than what it recorded is refused.
    threads : int, optional
        As for `nd.run`.
    window_seconds : float
        At least; a run is not broken off.
    windows : int
    meter : callable, optional
        Instead of `host_meter`: joules since some moment, e.g. of a wall-plug meter.
    progress : callable, optional
        Called with (windows done, windows in all).

    Returns
    -------
    Profile
        ``measured``; ``unavailable`` where there is no meter: then a note says why, energies
        are NaN, and the seconds are measured all the same.

    Raises
    ------
    InputError
        If there is no window to measure in, or `inputs` are not those of `recording`.
    RecordingError
        If `recording` was made by another network.
    """
    if windows < 1 or not window_seconds > 0:
        raise InputError(
            f"windows: {windows} of {window_seconds:g} s; give at least 1, longer than 0 s"
        )
    run = _runner(network, inputs, recording, threads)
    reason, which = "", "the meter that was given"
    if meter is None:
        try:
            meter, which = host_meter(), "zeus: counters of the CPU packages and their memory"
        except BackendError as error:
            reason = str(error)
    run()  # lays the network out
    made = run()
    rest = _window(lambda: time.sleep(window_seconds), meter, window_seconds) if meter else None
    found = []
    for done in range(windows):
        found.append(_window(run, meter, window_seconds))
        if progress is not None:
            progress(done + 1, windows)
    if meter and min(window.joules for window in found) <= 0:
        reason, rest = "the counters stood still while the engine ran", None
    return _profile(made, found, rest, reason or which, window_seconds)


def _runner(
    network: Network,
    inputs: NDArray[Any],
    recording: Recording | None,
    threads: int | None,
) -> Callable[[], Recording]:
    from ..backends import run
    from ..inputs import present

    if recording is None:
        return partial(run, network, inputs, threads=threads)
    header = recording.header
    if header.network != network.fingerprint:
        raise RecordingError("recording: made by another network; give the network that ran")
    for transform in (True, False):
        presented = present(network, inputs, header.steps, transform)
        if presented.fingerprint() == header.inputs:
            return partial(
                run,
                network,
                inputs,
                steps=header.steps,
                apply_transform=transform,
                reset_interval=header.reset_interval,
                reset_offset=header.reset_offset,
                threads=threads,
            )
    raise InputError("inputs: not those of the recording; give the inputs that ran")


def _window(call: Callable[[], object], meter: Meter | None, seconds: float) -> Window:
    """Call until so many seconds have passed."""
    runs, before = 0, meter() if meter else math.nan
    started = time.perf_counter()
    while runs == 0 or time.perf_counter() - started < seconds:
        call()
        runs += 1
    passed = time.perf_counter() - started
    return Window(runs, passed, (meter() if meter else math.nan) - before)


def _profile(
    made: Recording, found: list[Window], rest: Window | None, why: str, window_seconds: float
) -> Profile:
    """The profile of these windows; `why` names the meter, or what it lacks: `rest` is None."""
    samples = made.samples
    seconds = statistics.median(w.seconds / (w.runs * samples) for w in found)
    energy = static = math.nan
    notes: tuple[str, ...] = (f"Energy of {HOST} is unavailable: {why}.",)
    if rest is not None:
        each = sorted(w.joules / (w.runs * samples) for w in found)
        energy = statistics.median(each)
        static = rest.joules / rest.seconds * seconds
        notes = (
            f"Read from {why}; {each[0]:.3g} to {each[-1]:.3g} J in single windows; static: "
            f"{rest.joules / rest.seconds:.3g} W at rest.",
        )
    if window_seconds < WINDOW_SECONDS:
        notes += (f"Windows are shorter than MLPerf Tiny's {WINDOW_SECONDS:g} s.",)
    activities = count_activity(made)
    header = made.header
    return Profile(
        energy_joules=energy,
        dynamic_joules=energy - static,
        static_joules=static,
        seconds_per_step=seconds / made.steps,
        seconds=seconds,
        watts=energy / seconds,
        synops=float(sum(a.synops.mean() for a in activities)),
        neuron_updates=float(sum(a.updates for a in activities)),
        host_updates=host_updates(made, activities),
        messages=float(sum(a.messages.mean() for a in activities)),
        kind="unavailable" if math.isnan(energy) else "measured",
        chip=HOST,
        model=f"backend {header.backend} {header.backend_version} on {HOST}, {samples} samples at "
        f"a time, median of {len(found)} windows of {window_seconds:g} s or more",
        band=None,
        parts=(),
        per_population=tuple(
            PopulationShare(
                a.name, float(a.updates), float(a.messages.mean()), float(a.synops.mean()), math.nan
            )
            for a in activities
        ),
        spread=math.nan,
        steps=made.steps,
        samples=samples,
        notes=notes,
    )
