"""Intel's denoising network live: how much of a core it takes, and SLAYER's forward pass beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.network import Network
from neurodeploy.signals.coding.ndns import HOP, NdnsEncoder
from neurodeploy.signals.mixing import noise
from neurodeploy.sound import Denoiser

from .. import ours
from ..measure import FOLDER, Ratio, Row, Settings, interleaved, microseconds, missing, ratio, timed

NETWORK = FOLDER.parents[1] / "shared" / "cases" / "ndns" / "network.net"
HOPS = 500


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
    denoiser, factors, slowest = Denoiser(network), [], []
    for _ in range(settings.repeats):
        denoiser.reset()
        denoiser.push(sound)
        reading = denoiser.meter.read()
        factors.append(reading.real_time_factor)
        slowest.append(reading.p999_ms)
    yield Row(
        "denoise",
        f"{work}: sound in, sound out, a hop at a time",
        "real time",
        ours_run=1e6 * 0.008 * float(np.median(factors)),
        run=Ratio.of(factors),
        target=0.1,
        at_most=True,
        note=f"99.9th percentile of a block {np.median(slowest):.2f} ms of 8 "
        f"({min(slowest):.2f}-{max(slowest):.2f}); {reading.power_proxy / 1e6:.1f} M-Ops/s",
        extra={"p999_ms": slowest},
    )
    inputs = NdnsEncoder().encode(sound)
    try:
        theirs = slayer_forward(network, inputs, settings.threads)
    except ImportError:
        yield missing("denoise", f"{work}: the network", "SLAYER, forward on CPU", "needs lava-dl")
        return
    live = nd.stream(network)
    sides = {
        "run": timed(lambda: nd.run(network, inputs)),
        "engine": timed(lambda: [live.step(x) for x in inputs]),
        "theirs": timed(theirs),
    }
    seconds = interleaved(sides, settings.slow_repeats)
    yield Row(
        "denoise",
        f"{work}: the network alone",
        "SLAYER, forward on CPU, all hops at once",
        ours_run=microseconds(seconds["run"], HOPS),
        ours_engine=microseconds(seconds["engine"], HOPS),
        theirs=microseconds(seconds["theirs"], HOPS),
        run=ratio(seconds["theirs"], seconds["run"]),
        engine=ratio(seconds["theirs"], seconds["engine"]),
        note="'engine' is one step at a time, as live sound comes; "
        f"{sum(ours.counts(network, inputs)[:2]):,} messages of the two hidden layers",
    )


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
