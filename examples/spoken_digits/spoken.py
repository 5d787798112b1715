"""Spoken digits: the recordings and their split, sound to spikes, the network and its decision.

``make`` is what ``neurodeploy export spoken:make --weights trained.pt`` calls in this folder.
Importing this module needs neither torch nor lava-dl.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.audio.datasets import Clip, spoken_digits
from neurodeploy.audio.encoders import parse_encoder
from neurodeploy.audio.files import read_audio, to_pcm16
from neurodeploy.errors import InputError
from neurodeploy.files import written_whole
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source
from neurodeploy.recording import decide as decide_from_sums

RATE = 8000
BANDS, HOP = 32, 64
STEP_SECONDS = HOP / RATE
ENCODER = (
    f"mel:bands={BANDS},n_fft=256,hop={HOP},low=60,log=true,floor=2560"
    "+cumulative-delta:threshold=192,cumulative=false+on-off"
)
"""Log-mel levels 10 octaves above the last bit, followed in steps of 3/4 octave: 4.5 dB."""

CHANNELS, STEPS, CLASSES = 2 * BANDS, 80, 10
HIDDEN, LAYERS = 128, 2
LONGEST_START = 16
"""Delays start between 0 and this; SLAYER clamps them to 0..62, as NetX and the chip do."""

NEURON: dict[str, Any] = {
    "threshold": 1.0,
    "current_decay": 0.25,
    "voltage_decay": 0.1,
    "tau_grad": 0.02,
    "scale_grad": 1.0,
    "scale": 256,  # a weight's step is 2/256: SLAYER's 2/64 is coarse for sums of 128
}

SPLITS = {"test": range(5), "validation": range(5, 10), "train": range(10, 50)}
"""Indices of each speaker's fifty recordings of a digit; 0-4 are the official test split."""


@dataclass(frozen=True, eq=False)
class Clips:
    """Encoded recordings: spikes uint8 [clips, STEPS, CHANNELS], digits, speakers."""

    inputs: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray


def recordings(folder: Path, split: str) -> list[Clip]:
    """Recordings of a split, in order of their names."""
    official = spoken_digits(folder, "test" if split == "test" else "train")
    found = [clip for clip in official if clip.index in SPLITS[split]]
    if not found:
        raise InputError(
            f"{folder}: no {split} recordings; give the folder of DIGIT_SPEAKER_INDEX.wav files "
            f"with indices {SPLITS[split].start}..{SPLITS[split].stop - 1}"
        )
    return sorted(found, key=lambda clip: clip.path.name)


def encode(path: Path) -> np.ndarray:
    """Spikes of a recording, uint8 [STEPS, CHANNELS]: cut there, no spikes after its end."""
    sound, rate = read_audio(path)
    if rate != RATE:
        raise InputError(f"{path}: {rate} Hz; give recordings of {RATE} Hz")
    spikes = parse_encoder(ENCODER, RATE).encode(to_pcm16(sound))
    return fitted(spikes)


def fitted(spikes: np.ndarray) -> np.ndarray:
    """Cut or pad spikes to STEPS."""
    found = np.zeros((STEPS, CHANNELS), np.uint8)
    found[: len(spikes)] = spikes[:STEPS]
    return found


def load(
    folder: Path,
    split: str,
    cache: Path | None = None,
    watch: Callable[[list[Clip]], Iterator[Clip]] | None = None,
) -> Clips:
    """Encode a split; keep the spikes in the folder `cache` and take them from there again.

    Parameters
    ----------
    folder : Path
    split : str
        ``test``, ``validation`` or ``train``.
    cache : Path, optional
    watch : callable, optional
        Passes the recordings through, and may show how far they are.
    """
    found = recordings(folder, split)
    kept = None if cache is None else cache / f"{split}-{_digest(found)}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept, allow_pickle=False) as data:
            return Clips(data["inputs"], data["labels"], data["speakers"])
    clips = Clips(
        np.stack([encode(clip.path) for clip in (watch or iter)(found)]),
        np.array([clip.label for clip in found]),
        np.array([clip.speaker for clip in found], np.str_),
    )
    if kept is not None:
        with written_whole(kept) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **vars(clips))
    return clips


def _digest(found: Sequence[Clip]) -> str:
    """Of the encoder and of which files in which sizes there are."""
    told = [f"{ENCODER} {STEPS}", *(f"{c.path.name} {c.path.stat().st_size}" for c in found)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def decide(output: np.ndarray) -> np.ndarray:
    """Digit whose neuron spiked most, int64 [samples]; of several, the smallest.

    `output` is [samples, steps, CLASSES].
    """
    return decide_from_sums(output.sum(axis=1))[0]


def make(hidden: int = HIDDEN, delays: bool = True) -> Any:
    """CHANNELS-hidden-hidden-CLASSES of SLAYER's CUBA blocks, delays on the hidden axons.

    Weights are 8 bits in every forward pass.
    """
    from neurodeploy.formats.slayer.importing import import_slayer

    torch, slayer = import_slayer()
    sizes = [CHANNELS, *[hidden] * LAYERS, CLASSES]
    blocks = [
        slayer.block.cuba.Dense(NEURON, before, after, delay=delays and number < LAYERS)
        for number, (before, after) in enumerate(pairwise(sizes))
    ]
    module = torch.nn.Sequential(*blocks)
    for block in blocks:
        if block.delay is not None:  # SLAYER would draw 0..1 in the first forward pass
            block.delay.delay.data = torch.rand(hidden) * LONGEST_START
            block.delay.init = True
    return module


def float_weights(module: Any) -> dict[str, np.ndarray]:
    """Weights before they are rounded, in units of the integers, and delays, by array name."""
    found = {}
    for number, block in enumerate(module.children()):
        weight = block.synapse.weight.detach().numpy()
        found[f"{number}_dense"] = weight.reshape(weight.shape[:2]) * np.float32(NEURON["scale"])
        if block.delay is not None:
            found[f"{number}_delay"] = np.floor(block.delay.delay.detach().numpy()).astype(np.int32)
    return found


def float_network(arrays: Mapping[str, np.ndarray]) -> Network:
    """The network of `float_weights` in float32, with the neurons' decays in twelve bits."""
    keep = {
        key: 1 - np.rint(NEURON[f"{key}_decay"] * 4096) / 4096 for key in ("current", "voltage")
    }
    neuron = FloatLIF(
        current_keep=keep["current"], voltage_keep=keep["voltage"],
        threshold=NEURON["threshold"] * NEURON["scale"],
    )  # fmt: skip
    names = sorted(name for name in arrays if name.endswith("_dense"))
    populations = [Population("input", (arrays[names[0]].shape[1],), Source())]
    projections = []
    for name in names:
        projections.append(Projection(populations[-1].name, name, Dense(arrays[name])))
        delay = arrays.get(name.replace("dense", "delay"))
        populations.append(Population(name, (len(arrays[name]),), neuron, axon_delay=delay))
    return Network(tuple(populations), tuple(projections))
