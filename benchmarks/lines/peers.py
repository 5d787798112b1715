"""Against simulators in floats, and the two emulators of Loihi 1, on the same network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from numpy.typing import NDArray

from neurodeploy.network import Network

from .. import ours
from ..measure import Row, Settings, interleaved, microseconds, missing, ratio, timed
from ..networks import dense_network, pilotnet_shape, spikes
from ..peer import HOPS, Peer, PeerError

SIZES, ACTIVITY_IN, STEPS = (700, 256, 20), 0.02, 100

RANDOM = {
    # peer: what the table calls it, target by batch
    "jax": ("JAX, jitted scan", {1: 2.0, 64: 5.0}),
    "slayer": ("SLAYER, forward on CPU", {1: 10.0, 64: 10.0}),
    "spikingjelly": ("SpikingJelly, multi-step", {1: 10.0, 64: 15.0}),
    "norse": ("Norse, LIFCell", {1: 10.0, 64: 15.0}),
    "snntorch": ("snnTorch, Synaptic", {1: 10.0, 64: 15.0}),
    "brian2_loihi": ("Brian2Loihi", {1: 300.0}),
    "nengo_loihi": ("nengo-loihi's emulator", {1: 300.0}),
}

ANY_TOLERANCE = 0.02
"""By how much the spikes of a layer may differ in number; floats round otherwise than the chip."""

TOLERANCE = {"nengo_loihi": 0.1}
"""Peers allowed more: nengo-loihi discretizes weights and thresholds anew."""


def random_dense(peer: str) -> Callable[[Settings], Iterator[Row]]:
    """Make the line of one peer on a random 700-256-20 CUBA network."""
    against, targets = RANDOM[peer]

    def line(settings: Settings) -> Iterator[Row]:
        for samples, target in targets.items():
            network, inputs = _random_work(samples)
            work = f"random 700-256-20, T=100, batch {samples}"
            yield _against(peer, f"random-{peer}", work, against, network, inputs, target, settings)

    return line


def convolutions(settings: Settings) -> Iterator[Row]:
    """PilotNet's shape with every layer at 5 % activity, batch 16."""
    samples, steps = 4 if settings.quick else 16, 32
    network = pilotnet_shape(0.05, steps)
    inputs = spikes((samples, steps, *network.input.shape), 0.05)
    work = f"PilotNet's shape at 5 %, T={steps}, batch {samples}"
    against = "SpikingJelly, multi-step, oneDNN"
    yield _against(
        "spikingjelly", "conv-spikingjelly", work, against, network, inputs, 2.0, settings
    )


@cache
def _random_work(samples: int) -> tuple[Network, NDArray[Any]]:
    return dense_network(SIZES, ACTIVITY_IN), spikes((samples, STEPS, SIZES[0]), ACTIVITY_IN)


def _against(
    name: str,
    line: str,
    work: str,
    against: str,
    network: Network,
    inputs: NDArray[Any],
    target: float,
    settings: Settings,
) -> Row:
    try:
        with Peer(name, network, inputs, {"threads": settings.threads}) as peer:
            sides = {
                "theirs": peer.seconds,
                "run": timed(ours.as_user(network, inputs)),
                "engine": timed(ours.engine_alone(network, inputs)),
            }
            seconds = interleaved(sides, settings.repeats)
            note = "; ".join(filter(None, (_check(network, inputs, peer), peer.note)))
            version = peer.version
    except PeerError as error:
        return missing(line, work, against, str(error), target)
    sample_steps = inputs.shape[0] * inputs.shape[1]
    return Row(
        line,
        work,
        against,
        ours_run=microseconds(seconds["run"], sample_steps),
        ours_engine=microseconds(seconds["engine"], sample_steps),
        theirs=microseconds(seconds["theirs"], sample_steps),
        run=ratio(seconds["theirs"], seconds["run"]),
        engine=ratio(seconds["theirs"], seconds["engine"]),
        target=target,
        note=note,
        extra={"peer": version},
    )


def _check(network: Network, inputs: NDArray[Any], peer: Peer) -> str:
    """Say whether both sides did the same work, by the spikes of every layer."""
    if not peer.counts:
        return "spikes not comparable"
    count = ours.counts if peer.name in HOPS else ours.aligned_counts
    mine = count(network, inputs)
    apart = max(abs(a - b) / max(a, 1) for a, b in zip(mine, peer.counts, strict=True))
    allowed = TOLERANCE.get(peer.name, ANY_TOLERANCE)
    verdict = "same work" if apart <= allowed else "NOT THE SAME WORK"
    verdict += f" ({apart:.1%} apart, {allowed:.0%} allowed)"
    return f"{verdict}: spikes per layer {_list(mine)} / {_list(peer.counts)}"


def _list(counts: list[int]) -> str:
    return " ".join(str(n) for n in counts)
