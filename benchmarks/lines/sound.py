"""Denoising networks live: how much of a core they take, and the training framework beside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.audio.encoders.ndns import HOP, NdnsEncoder
from neurodeploy.audio.enhancement import Denoiser, MaskCodec, MaskFront, separator
from neurodeploy.audio.mixing import noise
from neurodeploy.engine.stream import Stream
from neurodeploy.network import Network

from .. import ours
from ..measure import FOLDER, Ratio, Row, Settings, interleaved, microseconds, missing, ratio, timed

NETWORK = FOLDER.parents[1] / "shared" / "cases" / "ndns" / "network.net"
HOPS = 500
DPSNN = FOLDER.parent / "netx_exports"
FRAMES_SECONDS = 2.0


def denoise(settings: Settings) -> Iterator[Row]:
    """The whole path as a stream against the clock, and the network against SLAYER's forward."""
    work = f"N-DNS baseline, {HOPS} hops of 8 ms"
    if not NETWORK.is_file():
        yield missing(
            "denoise", work, "SLAYER, forward on CPU", f"needs {NETWORK.name} of the cases"
        )
        return
    network = nd.load(NETWORK)
    sound = _sound(HOPS * HOP)
    yield from _live("denoise", work, Denoiser(network), sound, settings, target=0.011)
    inputs = NdnsEncoder().encode(sound)
    try:
        theirs = slayer_forward(network, inputs, settings.threads)
    except ImportError:
        yield missing("denoise", f"{work}: the network", "SLAYER, forward on CPU", "needs lava-dl")
        return
    note = (
        "'engine' is one step at a time, as live sound comes; "
        f"{sum(ours.counts(network, inputs)[:2]):,} messages of the two hidden layers"
    )
    peer, live = "SLAYER, forward on CPU, all hops at once", nd.stream(network)
    yield _alone("denoise", work, peer, live, inputs, theirs, settings, note)


def separate(settings: Settings) -> Iterator[Row]:
    """DPSNN, 256 wide, gated: six layers within each hop; torch's forward of all frames beside."""
    network = nd.load(DPSNN / "dpsnn.net")
    codec = MaskCodec.load(DPSNN / "dpsnn.npz")
    frames = int(FRAMES_SECONDS * 16000) // codec.hop
    work = f"DPSNN {network.input.size} wide, {frames} hops of 2.5 ms"
    sound = _sound(frames * codec.hop)
    yield from _live("separate", work, separator(network, codec), sound, settings, target=0.053)
    inputs = MaskFront(codec).encode(sound)
    if find_spec("torch") is None:
        yield missing("separate", f"{work}: the network", "torch, forward", "needs torch")
        return
    theirs = torch_forward(sound, settings.threads)
    note = "'engine' is one gated step at a time, as live sound comes"
    peer = "the float network in torch, codec included, all hops at once"
    live = nd.stream(network, gated=True)
    yield _alone("separate", work, peer, live, inputs, theirs, settings, note)


def _live(
    line: str, work: str, denoiser: Denoiser, sound: Any, settings: Settings, target: float
) -> Iterator[Row]:
    """Sound in, sound out, a hop at a time, against the clock; and the slowest of hops."""
    hop_ms = 1e3 * denoiser.meter.hop_seconds
    readings = []
    for _ in range(settings.repeats):
        denoiser.reset()
        denoiser.push(sound)
        readings.append(denoiser.meter.read())
    factors = [reading.real_time_factor for reading in readings]
    yield Row(
        line,
        f"{work}: sound in, sound out, a hop at a time",
        "real time",
        ours_run=1e3 * hop_ms * float(np.median(factors)),
        run=Ratio.of(factors),
        target=target,
        at_most=True,
        note=f"{readings[-1].power_proxy / 1e6:.1f} M-Ops/s",
    )
    slowest = [reading.p999_ms for reading in readings]
    busy = np.median([reading.processor_p999_ms for reading in readings])
    yield Row(
        line,
        f"{work}: 99.9th percentile of a hop",
        "the hop",
        ours_run=1e3 * float(np.median(slowest)),
        run=Ratio.of([ms / hop_ms for ms in slowest]),
        target=1.0,
        at_most=True,
        note=f"by processor time {busy:.2f} ms of {hop_ms:g}: others on the core make the rest",
    )


def _alone(
    line: str,
    work: str,
    peer: str,
    live: Stream,
    inputs: Any,
    theirs: Callable[[], object],
    settings: Settings,
    note: str,
) -> Row:
    """The network without what the host does, in one run and step by step."""
    sides = {
        "run": timed(lambda: nd.run(live.network, inputs)),
        "engine": timed(lambda: [live.step(x) for x in inputs]),
        "theirs": timed(theirs),
    }
    seconds, hops = interleaved(sides, settings.slow_repeats), len(inputs)
    return Row(
        line,
        f"{work}: the network alone",
        peer,
        ours_run=microseconds(seconds["run"], hops),
        ours_engine=microseconds(seconds["engine"], hops),
        theirs=microseconds(seconds["theirs"], hops),
        run=ratio(seconds["theirs"], seconds["run"]),
        engine=ratio(seconds["theirs"], seconds["engine"]),
        note=note,
    )


def torch_forward(sound: Any, threads: int) -> Callable[[], object]:
    """The network that was trained, with weights at random; as wide, as many frames."""
    import torch

    folder = str(FOLDER.parent / "examples" / "dpsnn")
    sys.path.insert(0, folder)  # its modules import each other by name
    try:
        module = import_module("network")
    finally:
        sys.path.remove(folder)
    torch.set_num_threads(threads)
    model, given = module.DPSNN(), torch.from_numpy(sound)[None]

    def forward() -> object:
        with torch.no_grad():
            return model(given)

    return forward


def slayer_forward(network: Network, inputs: Any, threads: int) -> Callable[[], object]:
    """The same layers, weights, delays and thresholds in SLAYER's blocks."""
    import torch
    from lava.lib.dl import slayer

    torch.set_num_threads(threads)
    neuron = {"threshold": 6 / 64, "requires_grad": False, "shared_param": True}
    hidden = {**neuron, "activation": torch.nn.functional.relu}
    block = slayer.block.sigma_delta
    blocks = [
        block.Input(hidden),
        block.Dense(hidden, 257, 512, delay=True, delay_shift=True),
        block.Dense(hidden, 512, 512, delay=True, delay_shift=True),
        block.Output(hidden, 512, 257),
    ]
    blocks[0].pre_hook_fx = lambda x: x  # what it is given stands on the grid already
    for made, projection in zip(blocks[1:], network.projections, strict=True):
        weight = torch.tensor(projection.synapse.weight / 64.0, dtype=torch.float32)  # type: ignore[attr-defined]
        made.synapse.weight.data = weight.reshape(made.synapse.weight.shape)
        delay = network[projection.target].axon_delay
        if delay is not None:
            made.delay.init = True
            made.delay.delay.data = torch.tensor(delay, dtype=torch.float32)
    x = torch.tensor(inputs.T[None] / 64.0, dtype=torch.float32)

    def forward() -> object:
        with torch.no_grad():
            y = x
            for made in blocks:
                y = made(y)
            return y

    return forward


def _sound(samples: int) -> Any:
    """Tones that come and go in brown noise, at -25 dB of full scale."""
    t = np.arange(samples) / 16000
    tones = sum(np.sin(2 * np.pi * f * t) for f in (180, 360, 720, 1900))
    brown = noise("brown", samples, np.random.default_rng(0))
    sound = tones * np.clip(np.sin(2 * np.pi * 2.3 * t), 0, 1) + 0.6 * brown / brown.std()
    return (sound * 10 ** (-25 / 20) / sound.std()).astype(np.float32)
