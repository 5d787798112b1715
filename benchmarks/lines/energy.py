"""What a profile costs beside the run it is of, and beside SANA-FE on the same network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.chip import Placement
from neurodeploy.demo import pilotnet as shipped_pilotnet
from neurodeploy.network import CubaLIF, Network
from neurodeploy.recording import Recording

from .. import ours
from ..measure import Ratio, Row, Settings, interleaved, microseconds, missing, ratio, timed
from ..networks import dense_network, spikes
from ..peer import Peer, PeerError

SIZES, ACTIVITY_IN, STEPS = (700, 256, 20), 0.02, 200
CHIP = "loihi1-sanafe"

AT_MOST = 0.1
"""Of the time that a recording takes, what its profile may take."""

SANAFE = 60.0
"""Times as fast as SANA-FE that a run and its profile are to be."""

ONE_SHORT_MS = {"plain": 0.4, "placed": 0.8}
"""What a profile of one short sample may take: it does not shrink with the work."""

TIMINGS = {"detailed": "its default", "simple": "its fastest"}

WITHIN = 0.05
"""How far the energy of a unit may be from SANA-FE's."""


def sanafe(settings: Settings) -> Iterator[Row]:
    """A random network that adds up, on Loihi 1: run and profiled, against SANA-FE."""
    network = dense_network(SIZES, ACTIVITY_IN, neuron=_adding)
    inputs = spikes((1, STEPS, SIZES[0]), ACTIVITY_IN)
    placement = nd.fit(network, CHIP)
    work = f"random 700-256-20, adding neurons, T={STEPS}: run, and energy by unit"
    for timing, what in TIMINGS.items():
        against = f"SANA-FE, {timing} timing ({what})"
        options = {"timing": timing, "cores": _cores(placement)}
        try:
            with Peer("sanafe", network, inputs, options) as peer:
                sides = {
                    "theirs": peer.seconds,
                    "run": timed(lambda: _profiled(network, inputs, placement)),
                    "engine": timed(ours.as_user(network, inputs)),
                }
                seconds = interleaved(sides, settings.repeats)
                facts, version = json.loads(peer.note), peer.version
        except PeerError as error:
            yield missing("sanafe", work, against, str(error), SANAFE)
            continue
        synops, _ = ours.work(network, inputs)
        rates = {side: synops / np.median(seconds[side]) / 1e6 for side in ("theirs", "run")}
        yield Row(
            "sanafe",
            work,
            against,
            ours_run=microseconds(seconds["run"], STEPS),
            ours_engine=microseconds(seconds["engine"], STEPS),
            theirs=microseconds(seconds["theirs"], STEPS),
            run=ratio(seconds["theirs"], seconds["run"]),
            engine=ratio(seconds["theirs"], seconds["engine"]),
            target=SANAFE,
            note=f"run: nd.run and nd.profile, engine: nd.run alone; M SynOps/s: ours "
            f"{rates['run']:.0f}, theirs {rates['theirs']:.1f}; "
            + _energies(network, inputs, placement, facts),
            extra={"peer": version},
        )


def profile_cost(settings: Settings) -> Iterator[Row]:
    """Time of a profile over the time of the run that it is of."""
    random = dense_network(SIZES, ACTIVITY_IN)
    for samples in (1, 64):
        inputs = spikes((samples, STEPS, SIZES[0]), ACTIVITY_IN)
        work = f"random 700-256-20, T={STEPS}, {_samples(samples)}"
        yield from _beside_the_run(settings, work, random, inputs)
    place = shipped_pilotnet.folder()
    if place is None:
        reason = "needs lava-dl (extra lava)"
        yield missing("profile", "PilotNet LIF, its frame", "the run", reason, AT_MOST)
        return
    model = shipped_pilotnet.load_pilotnet(place)
    for samples in (1, 8 if settings.quick else 32):
        shape = (samples, shipped_pilotnet.FRAME_STEPS, *model.frame.shape)
        work = f"PilotNet LIF, its frame, {_samples(samples)}"
        frames = np.broadcast_to(model.frame, shape)
        yield from _beside_the_run(settings, work, model.network, frames, apply_transform=False)


def _beside_the_run(
    settings: Settings, work: str, network: Network, inputs: Any, **options: Any
) -> Iterator[Row]:
    recording = nd.run(network, inputs, **options)
    placement = nd.fit(network, "loihi2")
    sides = {
        "run": timed(ours.as_user(network, inputs, **options)),
        "plain": timed(lambda: nd.profile(recording, "loihi2")),
        "placed": timed(lambda: nd.profile(recording, "loihi2", placement)),
    }
    seconds = interleaved(sides, settings.repeats)
    short = recording.samples == 1 and network.input.size == SIZES[0]
    for side, how in (("plain", "without a placement"), ("placed", "placed on cores")):
        of_run = ratio(seconds[side], seconds["run"])
        yield Row(
            "profile",
            f"{work}: profile, {how}",
            "a limit" if short else "its run",
            run=Ratio.of([1e3 * s for s in seconds[side]]) if short else of_run,
            target=ONE_SHORT_MS[side] if short else AT_MOST,
            at_most=True,
            unit="ms" if short else "of the run",
            note=f"ms: run {1e3 * np.median(seconds['run']):.3g}, profile "
            f"{1e3 * np.median(seconds[side]):.3g}; {of_run.median:.3g} of the run",
        )


def _cores(placement: Placement) -> list[list[int]]:
    """Each neuron's core, layer by layer; inputs go to the first, where they make no hops."""
    cores, first = [[0] * placement.network.input.size], 0
    for partition in placement.partitions:
        cores.append([first + int(core) for core in partition.core_of])
        first += partition.cores
    return cores


def _profiled(network: Network, inputs: Any, placement: Placement) -> object:
    return nd.profile(nd.run(network, inputs), CHIP, placement)


def _energies(network: Network, inputs: Any, placement: Placement, facts: dict[str, Any]) -> str:
    """Each unit's energy beside SANA-FE's, and whether all are near enough."""
    recording = nd.run(network, inputs)
    mine = by_unit(recording, placement)
    fired = sum(int(recording[name].counts.sum()) for name in recording.names)
    apart = {unit: joules / facts["energy"][unit] - 1 for unit, joules in mine.items()}
    near = all(abs(error) <= WITHIN for error in apart.values())
    said = ", ".join(f"{unit} {error:+.2%}" for unit, error in apart.items())
    verdict = "within 5 %" if near else "NOT within 5 %"
    return f"energy {verdict} by unit: {said}; spikes {fired} / {facts['fired']:.0f}"


def by_unit(recording: Recording, placement: Placement) -> dict[str, float]:
    """Joules by SANA-FE's units, per inference."""
    profile = nd.profile(recording, CHIP, placement)
    parts = {part.kind: part.joules for part in profile.parts}
    return {
        "synapse": parts["synaptic operation"],
        "soma": sum(joules for kind, joules in parts.items() if kind.startswith("neuron update")),
        "network": parts["message"] + parts["hop, east-west"] + parts["hop, north-south"],
    }


def _adding(threshold: int) -> CubaLIF:
    """No current, no leak; an odd threshold, which even weights never meet exactly."""
    return CubaLIF(4096, 0, threshold | 1)


def _samples(number: int) -> str:
    return "1 sample" if number == 1 else f"{number} samples"
