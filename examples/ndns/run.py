"""Intel's trained N-DNS network on spoken digits in noise; see README.md beside this file.

``python examples/ndns/run.py NETWORK RECORDINGS [--lava HOPS]``: NETWORK is ``network.net`` of
IntelNeuromorphicDNSChallenge, RECORDINGS the folder of the free-spoken-digit-dataset.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.audio.datasets import spoken_digits
from neurodeploy.audio.encoders.ndns import HOP, RATE
from neurodeploy.audio.enhancement import Denoiser, NdnsFront, enhance_whole, scores
from neurodeploy.audio.enhancement.denoise import in_time
from neurodeploy.audio.mixing import mix, noise

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SNRS = (0, 5, 10)
LEVEL_DB = -25
"""Of the mixture, in dB of full scale: the middle of the challenge's -35..-15."""


def speech(folder: Path, speaker: str, index: int = 0) -> np.ndarray:
    """Ten digits of one speaker (official test split: indices 0 to 4), pauses between them."""
    pause = np.zeros(RATE // 5, np.float32)
    clips = [c for c in spoken_digits(folder, "test") if (c.speaker, c.index) == (speaker, index)]
    return np.concatenate([part for clip in clips for part in (clip.read(RATE), pause)])


def noises(folder: Path, speaker: str, samples: int, seed: int) -> dict[str, np.ndarray]:
    """White and brown noise, and five other speakers at once."""
    rng = np.random.default_rng(seed)
    white = noise("white", samples, rng)
    others = [speech(folder, other, 1) for other in SPEAKERS if other != speaker]
    babble = noise("babble", samples, rng, clips=others)
    brown = noise("brown", samples, np.random.default_rng(seed))
    return {"brown": brown, "babble": babble, "white": white}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--speakers", type=int, default=len(SPEAKERS))
    parser.add_argument("--waits", action="store_true", help="also hold the sound 0 to 4 steps")
    parser.add_argument("--lava", type=int, default=0, metavar="HOPS", help="so many on Lava, too")
    given = parser.parse_args()
    net = nd.load(given.network)
    denoiser, lines, clips = Denoiser(net), {}, []
    for number, speaker in enumerate(SPEAKERS[: given.speakers]):
        clean = speech(given.recordings, speaker)
        for kind, sound in noises(given.recordings, speaker, len(clean), number).items():
            for snr in SNRS:
                noisy, target = mix(clean, sound, snr, LEVEL_DB)
                denoiser.reset()
                made = np.concatenate(list(in_time(denoiser, iter([noisy]))))
                found = scores(noisy, made, target, RATE)
                found["proxy"] = denoiser.meter.read().power_proxy / 1e6
                lines.setdefault((kind, snr), []).append(found)
                clips.append((target, noisy))
    print(f"{len(clips)} clips, {sum(len(n) for _, n in clips) / RATE:.0f} s; means over speakers")
    for (kind, snr), found in lines.items():
        mean = {key: np.mean([f[key] for f in found]) for key in found[0]}
        told = " ".join(f"{key} {value:.2f}" for key, value in mean.items())
        print(f"{kind:7s} {snr:3d} dB  {told}")
    if given.waits:
        some = [clip for clip, key in zip(clips, list(lines) * given.speakers, strict=True)
                if key[0] == "brown" and key[1] == 5]  # fmt: skip
        for wait in range(5):
            gains = [
                scores(noisy, enhance_whole(net, noisy, NdnsFront(wait)), target, RATE)[
                    "si_snr_improvement"
                ]
                for target, noisy in some
            ]
            print(f"wait {wait}: {32 + 8 * wait} ms, brown 5 dB, gain {np.mean(gains):.2f} dB")
    noisy = clips[0][1]
    whole = enhance_whole(net, noisy)
    denoiser.reset()
    pieces = (noisy[first : first + 777] for first in range(0, len(noisy), 777))
    stream = np.concatenate(list(in_time(denoiser, pieces)))
    print("stream equals whole run to the bit:", stream.tobytes() == whole.tobytes())
    if given.lava:
        some = noisy[: given.lava * HOP]
        theirs = enhance_whole(net, some, backend="lava")
        print(
            "Lava equals engine to the bit:", theirs.tobytes() == enhance_whole(net, some).tobytes()
        )
    reading = denoiser.meter.read()
    print(reading.line)


if __name__ == "__main__":
    main()
