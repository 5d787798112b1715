r"""Energy and time of an inference, from counted events and a chip's constants.

The first model. Per sample, with the constants of the chip file:

.. math::
    E &= E_{dyn} + P_{static} \cdot chips \cdot T \\
    E_{dyn} &= e_{synop} N_{synop} + e_{active} N_{active}
        + e_{inactive} (N_{update} - N_{active}) + e_{message} N_{message}
        + e_{hop} N_{hop} + e_{reset} N_{reset} + e_{learn} N_{learn} \\
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

**Learning.** One weight update for each synapse of which a product of its rule counted at the
end of an epoch: Davies et al. price pairwise STDP, whatever the rule. Trace updates are counted
and have no public price.

**Step time.** With a placement, that of its busiest core or link (`placed`). Without,
each population p of :math:`n_p` neurons fills
:math:`k_p = \lceil n_p / limit \rceil` cores of its own. A core handles its
neurons and synapses one after another, cores work side by side, and the work of a
step ends when the last is done:

.. math::
    t_{work} = \max_p \left( \left\lceil \frac{n_p}{k_p} \right\rceil t_{inactive}
        + \frac{m_p}{k_p} (t_{active} - t_{inactive})
        + \frac{s_p}{k_p} t_{synop} \right)

with :math:`m_p` messages and :math:`s_p` synaptic operations of the population
per step (mean over the steps of a sample). It is the compute part of the
max-affine bound of arXiv:2601.10035 on a placement without tuning, summed
instead of maximised because one core's phases are assumed not to overlap. What the
barrier makes of it: `barrier`.

**Input and output.** A host hands over value after value, between steps; programs on the
chip's own processors (snips) feed and read it while it works, so that a step takes as
long as they do or as the chip does, whichever is longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..chip import DEFAULT_CHIP, Chip, Placement, load_chip
from ..chip.specification import REQUIRED
from ..errors import ChipError, InputError, RecordingError
from ..numbers import si_range
from .activity import Activity, count_activity, host_updates, mean_of
from .events import ALWAYS, Run, core_work, on_placement, spread_evenly
from .placed import check_same_network, optional
from .result import STATIC, Band, Part, PopulationShare, Profile

if TYPE_CHECKING:
    from ..recording import Recording

FloatArray = NDArray[np.float64]

EMBEDDED = "embedded processors"

BESIDE: Mapping[str, str] = MappingProxyType(
    {
        "x86 cores of the board": "board_processor_power",
        "at the input of a board of many chips": "board_input_power",
    }
)
"""What a lab's meter may read besides, in none of the figures, and its constant."""

MEASURED_KEYS = ("energy_joules", "dynamic_joules", "static_joules", "seconds_per_step", "watts")
"""Names under which a recording's ``header.measured`` holds a chip's meter readings.

Means per inference, in SI units. ``energy_joules`` is the total and makes a
profile ``measured``; the others are taken where they are. They are readings of
the device that ran the network: a simulator's host uses other names.
"""


def profile(
    recording: Recording,
    chip: str | Chip | None = None,
    placement: Placement | None = None,
    host_io: bool = False,
    embedded_io: bool = False,
) -> Profile:
    """Energy and time per inference: measured if the recording holds a meter's reading.

    Parameters
    ----------
    recording : Recording
        With counts (or spikes) of every population and synops.
    chip : str or Chip, optional
        ``loihi1``, ``loihi2`` or the path of a chip file, for an estimate; by default the
        placement's, else ``loihi2``. A measured recording keeps the device that it was
        measured on.
    placement : Placement, optional
        Of the network that was recorded, as `neurodeploy.fit` makes it. Its cores set the
        time of a step and the ways of the messages; the constants remain `chip`'s.
    host_io : bool
        Add the time in which the host hands over the values of every step, and the energy of
        the chips' own processors: as a first run through NetX has it, not a chip fed by others.
    embedded_io : bool
        Take a step for at least as long as programs on the chips' own processors need to feed
        and read it.

    Returns
    -------
    Profile
        ``measured`` where ``recording.header.measured`` has `MEASURED_KEYS`, else `estimate`'s.

    Raises
    ------
    RecordingError
        If the recording has no samples, or lacks counts or synops.
    ChipError
        If there is no such chip, its file is incomplete, lacks what `host_io` or `embedded_io`
        needs, or is of another kind than the one that was placed on.
    InputError
        If both the host and the chip's processors are to feed it.

    Examples
    --------
    >>> prof = nd.profile(rec, chip="loihi2")
    >>> prof.kind, prof.bound
    ('estimated', "core of '0_dense'")
    >>> print(prof.headline)  # doctest: +SKIP
    """
    if "energy_joules" in recording.header.measured:
        return _measured(recording)
    return estimate(recording, chip, placement, host_io, embedded_io)


def estimate(
    recording: Recording,
    chip: str | Chip | None = None,
    placement: Placement | None = None,
    host_io: bool = False,
    embedded_io: bool = False,
) -> Profile:
    """Energy and time per inference from the chip's constants, even where a meter was read.

    Parameters, errors: as `profile`. Model: see this module.
    """
    if chip is None:
        chip = DEFAULT_CHIP if placement is None else placement.chip
    chip = load_chip(chip)
    activities = count_activity(recording)
    if placement is None:
        run = spread_evenly(activities, recording, chip)
    else:
        check_same_network(recording, placement)
        if chip.kind != placement.chip.kind:
            raise ChipError(
                f"chip {chip.name!r}: the network was placed on {placement.chip.name!r}; place it "
                f"on the chip that it is priced for"
            )
        chip = _with_limits(chip, placement.chip)
        run = on_placement(activities, recording, chip, placement)
    chips = max(1, math.ceil(run.cores / chip["cores_per_chip"]))
    resets = reset_count(recording) * chips
    dynamic = run.dynamic + resets * optional(chip, "state_reset_energy")
    if host_io and embedded_io:
        raise InputError("host_io, embedded_io: one of them feeds a network; give one of them")
    waiting = host_seconds(recording, chip, placement) if host_io else 0.0
    feeding = embedded_seconds(chip) if embedded_io else 0.0
    step = np.maximum(run.step, feeding) + waiting
    seconds = recording.steps * step
    fed = (host_io or embedded_io) and "x86_power" in chip.constants
    powers = ["static_power"] + ["x86_power"] * fed
    static = sum(chip[name] for name in powers) * chips * seconds
    energy = dynamic + static
    chip_seconds = chips * mean_of(seconds)
    kinds = {"static_power": STATIC, "x86_power": EMBEDDED}
    numbers = [*run.numbers, ("state reset of a chip", "state_reset_energy", float(resets))]
    numbers = [n for n in numbers if n[1] in chip.constants and (n[2] or n[0] in ALWAYS)]
    numbers += [(kinds[name], name, chip_seconds) for name in powers]
    parts = tuple(_part(kind, name, number, chip) for kind, name, number in numbers)
    bound = run.bound
    if waiting > mean_of(run.step):
        bound = "the host's input and output"
    elif feeding > mean_of(run.step):
        bound = "embedded input and output"

    return Profile(
        energy_joules=mean_of(energy),
        dynamic_joules=mean_of(dynamic),
        static_joules=mean_of(static),
        seconds_per_step=mean_of(step),
        seconds=mean_of(seconds),
        watts=_ratio(mean_of(energy), mean_of(seconds)),
        synops=_mean_sum([a.synops for a in activities]),
        neuron_updates=float(sum(a.updates for a in run.activities)),
        messages=_mean_sum([a.messages for a in activities]),
        kind="estimated",
        chip=chip.name,
        model=f"{chip.title}: energy of counted events + static power x chips x step time, "
        + ("no placement" if placement is None else f"placed on {run.cores} cores")
        + (", with the host's input and output" if host_io else "")
        + (", with embedded input and output" if embedded_io else ""),
        band=_band(run, parts, chip, recording.steps, chips, (waiting, feeding), powers),
        parts=parts,
        per_population=tuple(
            _share(activity, joules)
            for activity, joules in zip(run.activities, run.shares, strict=True)
        ),
        spread=float(energy.std()),
        steps=recording.steps,
        samples=recording.samples,
        cores=run.cores,
        chips=chips,
        constants={name: chip.constants[name] for name in (*REQUIRED, *_used(chip))},
        notes=(*chip.notes, *_on_learning(run.activities)),
        bound=bound,
        placed="" if placement is None else placement.strategy,
        stepwise=placement is not None
        and all(recording[name].has("spikes") for name in recording.names),
        beside=_beside(chip, chips, mean_of(seconds)),
        host_updates=host_updates(recording, run.activities),
    )


def host_seconds(recording: Recording, chip: Chip, placement: Placement | None) -> float:
    """Time of a step that the chip waits for the host to hand over every input and output value.

    Handed over is what enters from outside, spikes or not, and what the last population sends.

    Raises
    ------
    ChipError
        If the chip's file does not say how long a value takes.
    """
    if "host_value_time" not in chip.constants:
        raise ChipError(
            f"{chip.name}: constant 'host_value_time' is missing, the time of host input and "
            "output needs it; profile without it, or add a table [constants.host_value_time]"
        )
    header = recording.header
    on_chip = {p.name for p in header.populations if p.on_chip}
    if placement is not None:  # delta encoders that stand first run on the host
        on_chip = {partition.population.name for partition in placement.partitions}
    heard = {p.source for p in header.projections if p.target in on_chip}
    sizes = {p.name: p.size for p in header.populations}
    last = header.populations[-1].name
    values = sum(sizes[name] for name in heard - on_chip) + sizes[last]
    return values * chip["host_value_time"]


def embedded_seconds(chip: Chip) -> float:
    """Time of a step that programs on the chip's own processors need to feed and read it.

    Raises
    ------
    ChipError
        If the chip's file does not say it.
    """
    if "embedded_io_time" not in chip.constants:
        raise ChipError(
            f"{chip.name}: constant 'embedded_io_time' is missing, embedded input and output "
            "needs it; profile without it, or add a table [constants.embedded_io_time]"
        )
    return chip["embedded_io_time"]


def _part(kind: str, name: str, number: float, chip: Chip) -> Part:
    """One kind of event with what it costs; its own band, else the chip's for all of them."""
    constant, each = chip.constants[name], chip[name]
    low, high = chip["dynamic_energy_low"], chip["dynamic_energy_high"]
    ends = constant.band(low, high)
    if kind == STATIC:
        ends = (chip["static_power_low"], chip["static_power_high"])
    elif constant.base_unit == "W" and constant.low is None:
        ends = (math.nan, math.nan)  # one row, or none that says how wide
    return Part(
        kind,
        number,
        each,
        number * each,
        constant.source,
        *ends,
        confidence=constant.confidence,
        unit=constant.base_unit,
    )


def _beside(chip: Chip, chips: int, seconds: float) -> tuple[Part, ...]:
    """What a board takes besides, in none of the figures: its x86 cores, or all at its input."""
    return tuple(
        _part(kind, name, chips * seconds, chip)
        for kind, name in BESIDE.items()
        if name in chip.constants
    )


def _used(chip: Chip) -> tuple[str, ...]:
    """Constants that are priced or timed beside those that every chip's file has."""
    return tuple(
        name
        for name, constant in chip.constants.items()
        if name not in REQUIRED and (constant.base_unit != "1" or name.startswith("barrier"))
    )


def _band(
    run: Run,
    parts: Sequence[Part],
    chip: Chip,
    steps: int,
    chips: int,
    fed: tuple[float, float],
    powers: Sequence[str],
) -> Band:
    """Ends of energy and time.

    Each kind of event has its own band where its constant has one. No placement on these chips
    is faster than one that shares all work evenly among all their cores, so the low end of the
    time starts there. No placement spares the host, or the chip's processors, any of the values
    that they hand over, so both ends hold the time that it takes, each within its own band.
    """
    all_cores = int(chips * chip["cores_per_chip"])
    neurons = [activity.size / all_cores for activity in run.activities]
    every = [all_cores] * len(run.activities)
    shared = core_work(run.activities, cores=every, neurons=neurons, steps=steps, chip=chip)
    least = min(mean_of(shared.sum(axis=0)), mean_of(run.busiest))
    slow, fast = chip["step_time_high"], chip["step_time_low"]
    ends = run.barrier.band(
        least * fast, mean_of(run.busiest) * slow, own=min(run.own, least) * fast
    )
    names = ("host_value_time", "embedded_io_time")
    (waited, waits), (feeds_low, feeds_high) = (
        _spread(seconds, name, chip) for seconds, name in zip(fed, names, strict=True)
    )
    low_seconds = steps * (max(ends[0], feeds_low) + waited)
    high_seconds = steps * (max(ends[1], feeds_high) + waits)
    low_watts, high_watts = chip["static_power_low"], chip["static_power_high"]
    processors = sum(chip[name] for name in powers if name != "static_power")
    events = [part for part in parts if part.kind not in (STATIC, EMBEDDED)]
    low = sum(part.number * part.low_each for part in events)
    high = sum(part.number * part.high_each for part in events)
    return Band(
        low_joules=low + (low_watts + processors) * chips * low_seconds,
        high_joules=high + (high_watts + processors) * chips * high_seconds,
        low_seconds=low_seconds,
        high_seconds=high_seconds,
        reason=f"energy of events x {chip['dynamic_energy_low']:g} to "
        f"{chip['dynamic_energy_high']:g}, or by each one's own band; work of a step from all of "
        f"it shared evenly by {all_cores} cores x {fast:g} to the model's x {slow:g}, the barrier "
        f"{si_range(run.barrier.low, run.barrier.high, 's')}; static power {low_watts:g} to "
        f"{high_watts:g} W a chip" + (", the host's time at both ends" if fed[0] else ""),
        low_dynamic_joules=low,
        high_dynamic_joules=high,
    )


def _spread(seconds: float, name: str, chip: Chip) -> tuple[float, float]:
    """Ends of a time that is some number of one constant."""
    if not seconds:
        return 0.0, 0.0
    low, high = chip.constants[name].band(chip["step_time_low"], chip["step_time_high"])
    return seconds * low / chip[name], seconds * high / chip[name]


def reset_count(recording: Recording) -> int:
    """State resets within one sample; none where samples merely start from zero state."""
    interval = recording.header.reset_interval
    return recording.steps // interval if interval else 0


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
        host_updates=host_updates(recording, activities) if activities else 0.0,
    )


def _share(activity: Activity, dynamic: float) -> PopulationShare:
    return PopulationShare(
        name=activity.name,
        neuron_updates=float(activity.updates),
        messages=mean_of(activity.messages),
        synops=mean_of(activity.synops),
        dynamic_joules=dynamic,
    )


def _mean_sum(arrays: Sequence[FloatArray]) -> float:
    """Mean over samples of the sum over populations."""
    return float(sum(map(mean_of, arrays)))


def _on_learning(activities: Sequence[Activity]) -> tuple[str, ...]:
    """What a reader of an estimate must know where synapses learned."""
    traces = _mean_sum([a.trace_updates for a in activities])
    if not traces:
        return ()
    return (
        f"Learning: weight updates are priced as pairwise STDP; {traces:.0f} trace updates per "
        f"inference are not, no public source has their energy. The one measured row of online "
        f"learning, CLP-SNN on Loihi 2 with 1280 inputs and 300 prototypes: 12.87 uJ dynamic and "
        f"0.33 ms a learning step (arXiv:2511.01553).",
    )


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
