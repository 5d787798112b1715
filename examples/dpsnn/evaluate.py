"""DPSNN as deployed, on speech and noises that training never saw; see README.md beside this file.

``python examples/dpsnn/evaluate.py dpsnn.net dpsnn.npz RECORDINGS [--checkpoint dpsnn.pt]
[--ndns network.net] [--lava FRAMES]``
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from data import Mixtures
from frames import RATE, one_line_errors
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.audio.enhancement import (
    Denoiser,
    MaskCodec,
    MaskFront,
    enhance_whole,
    scores,
    separator,
    si_snr,
)
from neurodeploy.audio.enhancement.denoise import in_time
from neurodeploy.audio.mixing import NOISES
from neurodeploy.network import Network
from neurodeploy.targets import rewrite

SNRS = (0.0, 5.0, 10.0)
SECONDS = 4
FIRST_LAYERS = ("input", "project", "temporal")
"""What Lava's CPU models have, too."""


def streamed(denoiser: Denoiser, sound: NDArray[Any], piece: int = 777) -> NDArray[np.float32]:
    """Enhance sound in pieces."""
    denoiser.reset()
    pieces = (sound[first : first + piece] for first in range(0, len(sound), piece))
    return np.concatenate(list(in_time(denoiser, pieces)))


def on_lava(network: Network) -> Network:
    """The layers that Lava has, in its operators; all begin at once there."""
    part = Network(
        [replace(network[name], starts=0) for name in FIRST_LAYERS],
        [p for p in network.projections if {p.source, p.target} <= set(FIRST_LAYERS)],
    )
    return rewrite.taps_as_delays(part)


def floats(checkpoint: Path) -> Any:
    """Give a function that enhances by the trained network itself, states carried on."""
    import torch
    from train import load

    torch.set_num_threads(1)
    model, _ = load(checkpoint)

    def enhance(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            made: NDArray[np.float32] = model(torch.from_numpy(sound)[None])[0][0].numpy()
        return made

    return enhance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("codec", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--clips", type=int, default=4, help="for each noise and SNR")
    parser.add_argument("--checkpoint", type=Path, help="compare with the float network")
    parser.add_argument("--ndns", type=Path, help="Intel's network.net on the same clips")
    parser.add_argument("--lava", type=int, default=0, metavar="FRAMES")
    given = parser.parse_args()
    network, codec = nd.load(given.network), MaskCodec.load(given.codec)
    mixtures = Mixtures(given.recordings, "test")
    live, wait = separator(network, codec), network.hops(network.output.name)
    trained = None if given.checkpoint is None else floats(given.checkpoint)
    intel = None if given.ndns is None else Denoiser(nd.load(given.ndns))
    found: dict[tuple[str, float], list[dict[str, float]]] = {}
    sent: dict[str, list[float]] = {}
    whole = 0
    for number, (kind, snr) in enumerate(
        (k, s) for k in NOISES for s in SNRS for _ in range(given.clips)
    ):
        noisy, clean = mixtures.draw(number, SECONDS * RATE, kind, snr)
        made = streamed(live, noisy)
        told = scores(noisy, made, clean, RATE)
        reading = live.meter.read()
        told["M-Ops/s"] = reading.power_proxy / 1e6
        told["mW dynamic"] = 1e3 * reading.dynamic_watts
        for name, count in reading.messages_per_step.items():
            sent.setdefault(name, []).append(count)
        seconds = [streamed(live, part, RATE) for part in np.split(noisy, SECONDS)]
        told["reset each second"] = si_snr(np.concatenate(seconds), clean)
        if trained is not None:
            told["float"] = si_snr(trained(noisy), clean[: len(trained(noisy))])
        if intel is not None:
            told["N-DNS"] = si_snr(streamed(intel, noisy), clean)
        found.setdefault((kind, snr), []).append(told)
        pipelined = enhance_whole(network, noisy, MaskFront(codec, wait))
        whole += made.tobytes() == pipelined.tobytes()
    clips = [told for group in found.values() for told in group]
    for (kind, snr), group in [*found.items(), (("all", np.nan), clips)]:
        means = {key: np.mean([told[key] for told in group]) for key in group[0]}
        print(f"{kind:7s} {snr:3.0f} dB  " + "  ".join(f"{k} {v:.2f}" for k, v in means.items()))
    if trained is not None:
        lost = np.array([told["float"] - told["si_snr"] for told in clips])
        print(
            f"lost by integers, dB: mean {lost.mean():.3f}, median {np.median(lost):.3f}, "
            f"{lost.min():.2f} to {lost.max():.2f}"
        )
    print(f"stream in pieces = pipelined run of the whole, to the bit: {whole} of {len(clips)}")
    operations = np.mean([told["M-Ops/s"] for told in clips])
    product = operations * live.latency.total_ms / 1e3
    print(f"power proxy {operations:.1f} M-Ops/s, power-delay product {product:.3f} M-Ops")
    print("messages a frame:", {name: round(np.mean(counts), 1) for name, counts in sent.items()})
    price(network, codec, mixtures)
    if given.lava:
        compare_with_lava(network, codec, mixtures, given.lava)


def price(network: Network, codec: MaskCodec, mixtures: Mixtures) -> None:
    """What the chip would take for a frame, pipelined and gated, by how it holds taps in time."""
    noisy, _ = mixtures.draw(0, RATE)
    steps, hop = network.hops(network.output.name) + 1, codec.hop / RATE
    forms = {"one-to-one taps": network, "taps as matrices": rewrite.taps_as_delays(network)}
    for name, form in forms.items():
        recording = nd.run(form, MaskFront(codec).encode(noisy), apply_transform=False)
        cost = nd.profile(recording, "loihi2", nd.fit(form))
        step = cost.seconds_per_step
        print(
            f"chip, estimated, {name}: {cost.cores} cores, a step {1e6 * step:.1f} us, "
            f"{1e3 * cost.dynamic_joules / (cost.steps * hop):.2f} mW dynamic pipelined; gated at "
            f"most {1e6 * steps * step:.0f} us a hop ({steps} steps), "
            f"{100 * steps * step / hop:.1f} % of it; pipelined {1e3 * hop * (steps - 1):g} ms "
            f"later than the buffer"
        )


def compare_with_lava(network: Network, codec: MaskCodec, mixtures: Mixtures, frames: int) -> None:
    """Spikes and states of the layers that Lava has, over some frames."""
    noisy, _ = mixtures.draw(0, frames * codec.hop)
    part, record = on_lava(network), ["spikes", "u", "v"]
    ours, theirs = (
        nd.run(
            part,
            MaskFront(codec).encode(noisy),
            backend=backend,
            record=record,
            apply_transform=False,
        )
        for backend in ("engine", "lava")
    )
    print(nd.compare(ours, theirs).summary())


if __name__ == "__main__":
    with one_line_errors():
        main()
