r"""Energy and time of an inference, from counted events and a chip's constants.

The first model. Per sample, with the constants of the chip file:

.. math::
    E &= E_{dyn} + P_{static} \cdot chips \cdot T \\
    E_{dyn} &= e_{synop} N_{synop} + e_{active} N_{active}
        + e_{inactive} (N_{update} - N_{active}) + e_{message} N_{message}
        + e_{hop} N_{hop} + e_{reset} N_{reset} \\
    T &= steps \cdot t_{step}

The form follows Davies et al. 2018, Table 2 (per-event energies) with the
static term that those constants leave out (Frady et al. 2020).

**Active updates.** Table 2 gives one energy for an active and one for an
inactive neuron update without defining them. Here an update is active when the
neuron sent a message in it, because a recording knows nothing else of every
backend. This is the least that can be active: neurons that only receive input
may count on silicon too (81 against 52 pJ on Loihi 1), which the band covers.

**Messages.** One per spike, as if it reached a single core of its own tile: the
least there can be. With a placement, one per core that it reaches, and its hops
between tiles (`placed`).

**Step time.** With a placement, that of its busiest core or link (`placed`). Without,
each population p of :math:`n_p` neurons fills
:math:`k_p = \lceil n_p / limit \rceil` cores of its own. A core handles its
neurons and synapses one after another, cores work side by side, and the step
ends when the last is done:

.. math::
    t_{step} = \max_p \left( \left\lceil \frac{n_p}{k_p} \right\rceil t_{inactive}
        + \frac{m_p}{k_p} (t_{active} - t_{inactive})
        + \frac{s_p}{k_p} t_{synop} \right) + t_{barrier}

with :math:`m_p` messages and :math:`s_p` synaptic operations of the population
per step (mean over the steps of a sample). It is the compute part of the
max-affine bound of arXiv:2601.10035 on a placement without tuning, summed
instead of maximised because one core's phases are assumed not to overlap. The
barrier grows linearly from one tile to the whole chip (Davies et al. 2018 give
the two ends); more than one chip pays the measured multi-chip barrier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip, Placement, load_chip
from ..chip.specification import REQUIRED
from ..errors import RecordingError
from .activity import Activity, count_activity
from .placed import (
    Traffic,
    check_same_network,
    core_seconds,
    driven_updates,
    on_cores,
    traffic,
    ways_of,
)
from .result import STATIC, Band, Part, PopulationShare, Profile

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]

MEASURED_KEYS = ("energy_joules", "dynamic_joules", "static_joules", "seconds_per_step", "watts")
"""Names under which a recording's ``header.measured`` holds a chip's meter readings.

Means per inference, in SI units. ``energy_joules`` is the total and makes a
profile ``measured``; the others are taken where they are. They are readings of
the device that ran the network: a simulator's host uses other names.
"""


def profile(
    recording: Recording, chip: str | Chip = "loihi1", placement: Placement | None = None
) -> Profile:
    """Energy and time per inference: measured if the recording holds a meter's reading.

    Parameters
    ----------
    recording : Recording
        With counts (or spikes) of every population and synops.
    chip : str or Chip
        ``loihi1``, ``loihi2`` or the path of a chip file, for an estimate. A
        measured recording keeps the device that it was measured on.
    placement : Placement, optional
        Of the network that was recorded, as `neurodeploy.fit` makes it. Its cores set the
        time of a step and the ways of the messages; the constants remain `chip`'s.

    Returns
    -------
    Profile
        ``measured`` where ``recording.header.measured`` has `MEASURED_KEYS`, else `estimate`'s.

    Raises
    ------
    RecordingError
        If the recording has no samples, or lacks counts or synops.
    ChipError
        If there is no such chip, or its file is incomplete.
    """
    if "energy_joules" in recording.header.measured:
        return _measured(recording)
    return estimate(recording, chip, placement)


def estimate(
    recording: Recording, chip: str | Chip = "loihi1", placement: Placement | None = None
) -> Profile:
    """Energy and time per inference from the chip's constants, even where a meter was read.

    Parameters, errors: as `profile`. Model: see this module.
    """
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    activities = count_activity(recording)
    way: Traffic | None = None
    driven: Mapping[str, float] = {}
    if placement is None:
        cores = [cores_of(activity, chip) for activity in activities]
        work = np.array(
            [
                _core_work(
                    a, cores=k, neurons=math.ceil(a.size / k), steps=recording.steps, chip=chip
                )
                for a, k in zip(activities, cores, strict=True)
                if k
            ]
        )
        cores_used = sum(cores)
        dynamic = np.sum([_dynamic(a, chip, a.messages) for a in activities], axis=0)
        shares = [float(_dynamic(a, chip, a.messages).mean()) for a in activities]
    else:
        check_same_network(recording, placement)
        placement = replace(placement, chip=_with_limits(chip, placement.chip))
        activities = on_cores(activities, placement)
        ways = ways_of(placement)
        way = traffic(recording, placement.chip, ways)
        per_core = core_seconds(recording, placement, activities, ways)
        work = np.concatenate([seconds.T for seconds in per_core.values()])
        cores_used = placement.cores_used
        # Copies and hops per message are means, so messages of a sample set its share.
        own = [_dynamic(a, chip, np.zeros(recording.samples)) for a in activities]
        sent = [_per_sample(way.per_population.get(a.name, 0.0), a) for a in activities]
        by_input = _optional(chip, "neuron_update_by_input_energy")
        driven = driven_updates(recording, placement) if by_input else {}
        stirred = [by_input * driven.get(a.name, 0.0) for a in activities]
        dynamic = np.sum(own, axis=0) + np.sum(sent, axis=0) + sum(stirred)
        shares = [float((o + w).mean()) + d for o, w, d in zip(own, sent, stirred, strict=True)]
    chips = max(1, math.ceil(cores_used / chip["cores_per_chip"]))
    resets = reset_count(recording) * chips
    dynamic = dynamic + resets * _optional(chip, "state_reset_energy")
    step = np.max(work, axis=0) + barrier_seconds(cores_used, chip)
    seconds = recording.steps * step
    static = chip["static_power"] * chips * seconds
    energy = dynamic + static

    return Profile(
        energy_joules=float(energy.mean()),
        dynamic_joules=float(dynamic.mean()),
        static_joules=float(static.mean()),
        seconds_per_step=float(step.mean()),
        seconds=float(seconds.mean()),
        watts=_ratio(float(energy.mean()), float(seconds.mean())),
        synops=_mean_sum([a.synops for a in activities]),
        neuron_updates=float(sum(a.updates for a in activities)),
        messages=_mean_sum([a.messages for a in activities]),
        kind="estimated",
        chip=chip.name,
        model=f"{chip.title}: energy of counted events + static power x chips x step time, "
        + ("no placement" if placement is None else f"placed on {cores_used} cores"),
        band=_band(activities, chip, recording.steps, chips, float(dynamic.mean()), step),
        parts=_parts(activities, chip, chips, float(seconds.mean()), way, driven, resets),
        per_population=tuple(
            _share(activity, joules) for activity, joules in zip(activities, shares, strict=True)
        ),
        spread=float(energy.std()),
        steps=recording.steps,
        samples=recording.samples,
        cores=cores_used,
        chips=chips,
        constants={name: chip.constants[name] for name in REQUIRED},
        notes=chip.notes,
    )


def cores_of(activity: Activity, chip: Chip) -> int:
    """Fewest cores that hold a population's neurons."""
    return math.ceil(activity.size / chip["neurons_per_core"])


def barrier_seconds(cores: int, chip: Chip) -> float:
    """Time of the barrier that ends a step, by the tiles or chips that take part."""
    if cores > chip["cores_per_chip"]:
        return chip["barrier_time_many_chips"]
    tiles_of_chip = math.ceil(chip["cores_per_chip"] / chip["cores_per_tile"])
    tiles = max(1, math.ceil(cores / chip["cores_per_tile"]))
    one, whole = chip["barrier_time_one_tile"], chip["barrier_time_whole_chip"]
    return one + (whole - one) * (tiles - 1) / max(1, tiles_of_chip - 1)


def _core_work(
    activity: Activity, *, cores: int, neurons: float, steps: int, chip: Chip
) -> FloatArray:
    """Seconds per step, float64 [samples], that a core with so many of the neurons is busy."""
    inactive, active = chip["neuron_update_inactive_time"], chip["neuron_update_active_time"]
    per_core_step = 1 / (cores * steps)
    work: FloatArray = (
        neurons * inactive
        + activity.spiking_updates * per_core_step * (active - inactive)
        + activity.synops * per_core_step * chip["synop_time"]
    )
    return work


def _dynamic(activity: Activity, chip: Chip, messages: FloatArray) -> FloatArray:
    """Joules per sample, float64 [samples], with so many copies of messages."""
    active = activity.spiking_updates
    joules: FloatArray = (
        chip["synop_energy"] * activity.synops
        + chip["neuron_update_active_energy"] * active
        + chip["neuron_update_inactive_energy"] * (activity.updates - active)
        + chip["message_energy"] * messages
    )
    return joules


def _band(
    activities: Sequence[Activity],
    chip: Chip,
    steps: int,
    chips: int,
    dynamic: float,
    step: FloatArray,
) -> Band:
    """Ends of energy and time.

    No placement on these chips is faster than one that shares all work evenly
    among all their cores, so the low end of the time starts there.
    """
    all_cores = int(chips * chip["cores_per_chip"])
    shared = [
        _core_work(a, cores=all_cores, neurons=a.size / all_cores, steps=steps, chip=chip)
        for a in activities
    ]
    fastest = float(np.sum(shared, axis=0).mean()) + chip["barrier_time_one_tile"]
    low_seconds = steps * min(fastest, float(step.mean())) * chip["step_time_low"]
    high_seconds = steps * float(step.mean()) * chip["step_time_high"]
    low, high = chip["dynamic_energy_low"], chip["dynamic_energy_high"]
    low_watts, high_watts = chip["static_power_low"], chip["static_power_high"]
    return Band(
        low_joules=low * dynamic + low_watts * chips * low_seconds,
        high_joules=high * dynamic + high_watts * chips * high_seconds,
        low_seconds=low_seconds,
        high_seconds=high_seconds,
        reason=f"dynamic energy x {low:g} to {high:g}; step time from all work shared evenly by "
        f"{all_cores} cores x {chip['step_time_low']:g} to the model's x "
        f"{chip['step_time_high']:g}; static power {low_watts:g} to {high_watts:g} W a chip",
    )


def _parts(
    activities: Sequence[Activity],
    chip: Chip,
    chips: int,
    seconds: float,
    way: Traffic | None,
    driven: Mapping[str, float],
    resets: int,
) -> tuple[Part, ...]:
    active = _mean_sum([a.spiking_updates for a in activities if a.size])
    updates = float(sum(a.updates for a in activities))
    messages = _mean_sum([a.messages for a in activities]) if way is None else way.copies
    numbers = [
        ("synaptic operation", "synop_energy", _mean_sum([a.synops for a in activities])),
        ("neuron update, active", "neuron_update_active_energy", active),
        ("neuron update, inactive", "neuron_update_inactive_energy", updates - active),
        ("message", "message_energy", messages),
    ]
    if way is not None:
        numbers.append(("hop, east-west", "hop_east_west_energy", way.east_west))
        numbers.append(("hop, north-south", "hop_north_south_energy", way.north_south))
    if driven:
        key = "neuron_update_by_input_energy"
        numbers.append(("neuron update, by input", key, sum(driven.values())))
    if resets:
        numbers.append(("state reset of a chip", "state_reset_energy", float(resets)))
    numbers = [entry for entry in numbers if entry[1] in chip.constants]
    numbers.append((STATIC, "static_power", chips * seconds))
    return tuple(
        Part(kind, number, chip[name], number * chip[name], chip.constants[name].source)
        for kind, name, number in numbers
    )


def reset_count(recording: Recording) -> int:
    """State resets within one sample; none where samples merely start from zero state."""
    interval = recording.header.reset_interval
    return recording.steps // interval if interval else 0


def _optional(chip: Chip, name: str) -> float:
    return chip[name] if name in chip.constants else 0.0


def _per_sample(joules: float, activity: Activity) -> FloatArray:
    """Spread a mean over samples by each sample's messages."""
    mean = float(activity.messages.mean())
    each: FloatArray = joules * activity.messages / mean if mean else 0.0 * activity.messages
    return each


def _with_limits(chip: Chip, placed: Chip) -> Chip:
    """The chip whose constants count, with the limits of the one that was placed on."""
    return replace(chip, constants=MappingProxyType({**placed.constants, **chip.constants}))


def _measured(recording: Recording) -> Profile:
    """Build a profile of a meter's readings; only the numbers of events are counted."""
    meter = {key: float(recording.header.measured.get(key, math.nan)) for key in MEASURED_KEYS}
    # On the chip an inference takes as long as samples are apart, which may be more than its steps.
    per_inference = recording.header.measured.get("seconds_per_inference")
    seconds = per_inference or meter["seconds_per_step"] * recording.steps
    watts = meter["watts"]
    if math.isnan(watts):
        watts = _ratio(meter["energy_joules"], seconds)
    activities: tuple[Activity, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        activities = count_activity(recording)
    except RecordingError as error:  # a chip that was metered need not have counted its events
        notes = (f"Numbers of events are unavailable: {error}",)
    backend = f"{recording.header.backend} {recording.header.backend_version}".strip()
    return Profile(
        energy_joules=meter["energy_joules"],
        dynamic_joules=meter["dynamic_joules"],
        static_joules=meter["static_joules"],
        seconds_per_step=meter["seconds_per_step"],
        seconds=seconds,
        watts=watts,
        synops=_mean_sum([a.synops for a in activities]) if activities else math.nan,
        neuron_updates=float(sum(a.updates for a in activities)) if activities else math.nan,
        messages=_mean_sum([a.messages for a in activities]) if activities else math.nan,
        kind="measured",
        chip=recording.header.backend,
        model=f"meter read by backend {backend}",
        band=None,
        parts=(),
        per_population=tuple(_share(activity, math.nan) for activity in activities),
        spread=math.nan,
        steps=recording.steps,
        samples=recording.samples,
        notes=notes,
    )


def _share(activity: Activity, dynamic: float) -> PopulationShare:
    return PopulationShare(
        name=activity.name,
        neuron_updates=float(activity.updates),
        messages=float(activity.messages.mean()),
        synops=float(activity.synops.mean()),
        dynamic_joules=dynamic,
    )


def _mean_sum(arrays: Sequence[FloatArray]) -> float:
    """Mean over samples of the sum over populations."""
    return float(sum(array.mean() for array in arrays))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
