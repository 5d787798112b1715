"""Drawings of where and when energy goes, of the first estimate whose recording is there."""

from __future__ import annotations

import math

from ..chip import Chip, Placement, load_chip
from ..errors import NeurodeployError
from ..numbers import count
from ..profiling import Profile, estimate
from ..profiling.slices import Point, busy_cores, by_sample, over_sparsity, over_time
from ..recording import Recording
from .blocks import Block, Drawing, Note
from .figures import plots_available
from .report_sources import Sources


def cost_figures(sources: Sources) -> list[Block]:
    """Energy by population, power against time, cost against sparsity, the busiest cores."""
    estimates = [p for p in sources.profiles if p.kind == "estimated" and p.parts]
    if not estimates or not plots_available():
        return []
    from . import cost_plots

    profile = estimates[0]
    caption = f"Dynamic energy by population, {profile.label} (estimated)."
    blocks: list[Block] = [Drawing(cost_plots.population_energy(profile), caption)]
    found = _behind(profile, sources)
    if found is None:
        return blocks
    recording, _, placement = found
    blocks += [_over_time(profile, sources, *found), _sparsity(profile, *found)]
    if placement is not None:
        cores = busy_cores(recording, placement)
        caption = (
            f"The busiest of {count(len(cores))} cores set the time of a step: their neuron "
            f"updates and synaptic operations in a mean step, {profile.label} (estimated)."
        )
        blocks.append(Drawing(cost_plots.busiest_cores(cores), caption))
    return blocks


def _behind(profile: Profile, sources: Sources) -> tuple[Recording, Chip, Placement | None] | None:
    """What an estimate was made from: that which gives its energy once more."""
    placement = sources.placement if isinstance(sources.placement, Placement) else None
    for recording in sources.recordings:
        for placed in (placement, None):
            try:
                named = placed is not None and placed.chip.name == profile.chip
                chip = placed.chip if placed and named else load_chip(profile.chip)
                again = estimate(recording, chip, placed)
            except NeurodeployError:  # another network, no counts, a chip file that is elsewhere
                continue
            if math.isclose(again.energy_joules, profile.energy_joules, rel_tol=1e-9):
                return recording, chip, placed
    return None


def _over_time(
    profile: Profile, sources: Sources, recording: Recording, chip: Chip, placed: Placement | None
) -> Block:
    from . import cost_plots

    network = sources.network
    if network is not None and network.fingerprint != recording.header.network:
        network = None
    missing = [name for name in recording.names if not recording[name].has("spikes")]
    if missing:
        return Note(
            f"Power against time is left out: spikes of {missing[0]} were not recorded; run "
            f"again with --record counts,spikes."
        )
    stretches = over_time(recording, chip, placed, network)
    svg, hover = cost_plots.power_over_time(stretches)
    caption = f"Power and the time of a step, {profile.label}, mean over samples (estimated)"
    length = stretches[0].stop - stretches[0].first
    caption += "." if length == 1 else f", in stretches of {length} steps."
    return Drawing(svg, caption, hover)


def _sparsity(
    profile: Profile, recording: Recording, chip: Chip, placement: Placement | None
) -> Block:
    from . import cost_plots

    curve = over_sparsity(recording, chip, placement)
    (recorded,) = over_sparsity(recording, chip, placement, scales=(1.0,))
    samples: tuple[Point, ...] = by_sample(recording, chip, placement)
    svg, hover = cost_plots.cost_against_sparsity(curve, samples, recorded)
    caption = (
        f"Cost against sparsity, {profile.label} (estimated): the run as recorded, and as if every "
        f"neuron and input had sent none to twice as many messages, at most one a step."
    )
    return Drawing(svg, caption, hover)
