"""How noisy is this speech: a net of binary activation maps, on the chip's integers; see README.md.

``python -m examples.snr_maps.run RECORDINGS [--result]``: trains for about four minutes; RECORDINGS
holds the clips of the free spoken digit dataset.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn
from torch.nn.utils import parametrize

import neurodeploy as nd
from neurodeploy.ann import run_floats
from neurodeploy.numbers import si
from neurodeploy.training.binary import BinaryActivation

from ..shared import Result

RATE, LENGTH, WINDOW, HOP, BANDS = 8000, 8000, 256, 125, 40
LOWEST, HIGHEST = -5.0, 25.0
"""dB of the ratio of speech to noise."""

BATCHES = 2000


def clips(folder: Path, indices: range) -> np.ndarray:
    """Clips of a second, from their names ``DIGIT_SPEAKER_INDEX.wav``, of unit power."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        if int(path.stem.rsplit("_", 1)[1]) in indices:
            sound, _ = soundfile.read(path, frames=LENGTH)
            sound = np.resize(sound, LENGTH)  # a short clip is repeated
            found.append(sound / (np.sqrt((sound**2).mean()) + 1e-9))
    return np.array(found)


def noise(count: int, speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """White and coloured noise and babble of several voices, of unit power."""
    white = random.normal(size=(count, LENGTH))
    shape = np.arange(1, LENGTH // 2 + 2) ** -random.choice([0, 0.5, 1.0], count)[:, None]
    made = np.fft.irfft(np.fft.rfft(white) * shape, LENGTH)
    babble = random.random(count) < 0.3
    voices = random.integers(len(speech), size=(count, 6))
    made[babble] = speech[voices[babble]].sum(axis=1)
    return made / np.sqrt((made**2).mean(axis=1, keepdims=True))


def mel(bands: int) -> np.ndarray:
    """Triangles on the mel scale from 60 Hz, [bins, bands]."""
    edges = np.linspace(np.log1p(60 / 700), np.log1p(RATE / 2 / 700), bands + 2)
    edges = 700 * np.expm1(edges) / RATE * WINDOW
    bins = np.arange(WINDOW // 2 + 1)[:, None]
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    return np.clip(np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)), 0, None)


FILTERS = mel(BANDS)


def features(sound: np.ndarray) -> np.ndarray:
    """Log-mel images [clips, 1, bands, frames], 0..1 in steps of 1/255."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))) ** 2
    image = np.log10(power @ FILTERS + 1e-3).transpose(0, 2, 1)[:, None]
    return (np.rint(np.clip((image + 3) / 7, 0, 1) * 255) / 255).astype(np.float32)


def noisy(
    speech: np.ndarray, all_speech: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images of clips in noise, and their ratio, LOWEST..HIGHEST dB as -1..1."""
    label = random.uniform(-1, 1, len(speech))
    decibel = LOWEST + (label + 1) / 2 * (HIGHEST - LOWEST)
    gain = 10 ** (-decibel / 20)[:, None]
    mixed = speech + gain * noise(len(speech), all_speech, random)
    mixed /= np.sqrt((mixed**2).mean(axis=1, keepdims=True))  # loudness tells nothing
    return features(mixed), label.astype(np.float32)


class EightBits(nn.Module):
    """Weights in 255 steps of each output channel; gradients pass as they are."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        unit = weight.detach().abs().amax((1, 2, 3), keepdim=True) / 127
        return weight + (torch.round(weight / unit) * unit - weight).detach()


def maps() -> nn.Module:
    """Four times convolution, binary map, max pool; then two rectified layers."""

    def block(ins: int, outs: int, pool: nn.Module) -> list[nn.Module]:
        conv = nn.Conv2d(ins, outs, 3, padding=1, bias=False)
        return [conv, nn.BatchNorm2d(outs), BinaryActivation(slope=2.0), pool]

    return nn.Sequential(
        *block(1, 16, nn.MaxPool2d(2)), *block(16, 16, nn.MaxPool2d(2)),
        *block(16, 16, nn.MaxPool2d(2)), *block(16, 64, nn.AdaptiveMaxPool2d(1)), nn.Flatten(),
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1),
    )  # fmt: skip


def trained(speech: np.ndarray, batches: int) -> nn.Module:
    torch.manual_seed(0)
    net = maps()
    convolutions = [part for part in net if isinstance(part, nn.Conv2d)]
    for conv in convolutions:
        parametrize.register_parametrization(conv, "weight", EightBits())
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, batches)
    random = np.random.default_rng(0)
    for _ in range(batches):
        images, label = noisy(speech[random.integers(len(speech), size=32)], speech, random)
        loss = ((net(torch.tensor(images))[:, 0] - torch.tensor(label)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    for conv in convolutions:
        parametrize.remove_parametrizations(conv, "weight")
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--result", action="store_true", help="write result.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    speech, held, test = (
        clips(given.recordings, range(*ends)) for ends in ((10, 50), (5, 10), (0, 5))
    )
    before = time.process_time()
    net = trained(speech, given.batches)
    minutes = (time.process_time() - before) / 60
    random = np.random.default_rng(1)
    calibration, _ = noisy(held, held, random)
    images, label = noisy(test, test, random)
    floats = run_floats(net, images)[:, 0]
    fixed = nd.convert_ann(net, calibration)
    output, first = fixed.output.name, fixed.hops(fixed.output.name)
    rec = nd.run(fixed, images, drain=True, record=("counts", "v"))  # one clip at each step
    found = rec[output].v[0, first:, 0] / fixed.metadata[f"ann/scale/{output}"]
    cost = nd.profile(rec, chip="loihi2")
    place = nd.fit(fixed, chip="loihi2")

    def described(values: np.ndarray) -> str:
        error = np.abs(values - label).mean() * (HIGHEST - LOWEST) / 2
        return f"r with the ratio {np.corrcoef(values, label)[0, 1]:.3f}, mean error {error:.2f} dB"

    alike = float(np.corrcoef(found, floats)[0, 1])
    print(f"float:    {described(floats)}")
    print(f"integers: {described(found)}")
    print(f"r of integers with floats: {alike:.4f}")
    binary = sum(p.size for p in fixed if p.neuron.kind == "threshold")
    graded = sum(p.size for p in fixed if p.neuron.kind == "cuba-lif-general")
    bits, twin = binary + 8 * graded, 32 * (binary + graded)
    print(
        f"activations: {binary:,} bits and {graded} bytes, {bits / 8 / 1024:.1f} KiB; in float32 "
        f"{twin / 8 / 1024:.1f} KiB, {twin / bits:.1f} times as much"
    )
    sent = cost.messages / len(images)
    print(
        f"a clip: {sent:,.0f} messages, {cost.synops / len(images) / 1e6:.2f} M SynOps, "
        f"{place.cores_used} cores, {cost.dynamic_joules / len(images) * 1e6:.0f} uJ dynamic "
        f"(estimated)"
    )
    if given.result:
        dynamic, whole = (j / len(images) for j in (cost.dynamic_joules, cost.energy_joules))
        Result(
            system="Noise of speech, binary activation maps",
            reference="none: the published net's labels are not public; here the ratio is set",
            floats=described(floats),
            integers=f"{described(found)}; r {alike:.4f} with the floats",
            lava="not tried",
            cores=str(place.cores_used),
            energy=f"{si(dynamic, 'J')} dynamic, {si(whole, 'J')} in all (loihi2, estimated)",
            training=f"{minutes:.1f} min of CPU, one seed",
            data="free-spoken-digit-dataset with noise, clips 0 to 4 to test; the same speakers",
            command="python -m examples.snr_maps.run RECORDINGS --result",
            figures={
                "correlation": alike,
                "activation_bits": bits,
                "activation_bits_in_float32": twin,
                "synops": cost.synops / len(images),
                "dynamic_joules": dynamic,
            },
        ).write(Path(__file__).parent)


if __name__ == "__main__":
    main()
