"""Spoken digits in noises made here: mixtures drawn by number, the same for all who ask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal

import numpy as np
from frames import RATE, SIZE
from numpy.typing import NDArray

from neurodeploy.audio.datasets import ndns, spoken_digits, vctk
from neurodeploy.audio.mixing import NOISES, mix, noise

Sound = NDArray[np.float32]

CONTEXT = RATE // 100
"""10 ms before each second, in which the states settle; not part of the loss."""

SNRS, LEVELS = (-5.0, 15.0), (-35.0, -15.0)
"""dB; levels of the mixture as in the N-DNS data."""

PAUSE = RATE // 4
"""Longest pause between two digits, samples."""

_HELD_OUT = range(5, 10)


class Mixer:
    """Gives mixtures by number."""

    def draw(self, number: int, samples: int) -> tuple[Sound, Sound]:
        """Noisy and clean sound [samples]."""
        raise NotImplementedError

    def batch(self, number: int, size: int, seconds: float) -> tuple[Sound, Sound]:
        """Noisy and clean mixtures [size, samples] with `CONTEXT` before them."""
        samples = int(seconds * RATE) + CONTEXT + SIZE // 2
        drawn = [self.draw(number * size + k, samples) for k in range(size)]
        noisy, clean = (np.stack(sounds) for sounds in zip(*drawn, strict=True))
        return noisy, clean


class Recorded(Mixer):
    """Pairs of noisy and clean speech that others recorded: noisy VCTK or N-DNS data.

    Parameters
    ----------
    folder : Path
        As `neurodeploy.audio.datasets.vctk` or ``ndns`` have it.
    dataset : {"vctk", "ndns"}
    part : {"train", "validation"}
        Every fiftieth pair of the training set validates.
    """

    def __init__(self, folder: Path, dataset: str, part: str) -> None:
        pairs = {"vctk": vctk, "ndns": ndns}[dataset](folder, "train")
        held = part == "validation"
        self.pairs = [pair for n, pair in enumerate(pairs) if (n % 50 == 0) == held] or list(pairs)
        self.part = ("train", "validation").index(part)

    def draw(self, number: int, samples: int) -> tuple[Sound, Sound]:
        """A part of a pair, silence behind it where it is too short."""
        rng = np.random.default_rng([number, self.part])
        noisy, clean = self.pairs[rng.integers(len(self.pairs))].read(RATE)
        first = rng.integers(max(1, len(noisy) - samples + 1))
        short = max(0, samples - len(noisy))
        made = (np.pad(sound[first : first + samples], (0, short)) for sound in (noisy, clean))
        return next(made), next(made)


class Mixtures(Mixer):
    """Speech of one part of the recordings, and noises with it.

    Parameters
    ----------
    folder : Path
        The free-spoken-digit-dataset's ``recordings``.
    part : {"train", "validation", "test"}
        ``test`` is the official one (indices 0 to 4), ``validation`` indices 5 to 9.
    """

    def __init__(self, folder: Path, part: str) -> None:
        clips = spoken_digits(folder, "test" if part == "test" else "train")
        if part != "test":
            clips = [c for c in clips if (c.index in _HELD_OUT) == (part == "validation")]
        self.part = ("train", "validation", "test").index(part)
        self.spoken: dict[str, list[Sound]] = {}
        for clip in clips:
            self.spoken.setdefault(clip.speaker, []).append(clip.read(RATE))

    def speech(self, rng: np.random.Generator, speaker: str, samples: int) -> Sound:
        """Digits of one speaker with pauses, cut to length; begins anywhere in a digit."""
        parts, length = [np.zeros(0, np.float32)], -rng.integers(RATE // 2)
        while length < samples:
            digit = self.spoken[speaker][rng.integers(len(self.spoken[speaker]))]
            parts += [digit, np.zeros(rng.integers(PAUSE), np.float32)]
            length += len(parts[-2]) + len(parts[-1])
        whole = np.concatenate(parts)
        return whole[len(whole) - length :][:samples] if length < len(whole) else whole[:samples]

    def draw(
        self,
        number: int,
        samples: int,
        kind: str | None = None,
        snr: float | None = None,
    ) -> tuple[Sound, Sound]:
        """Noisy and clean sound; what is not given is drawn by `number`."""
        rng = np.random.default_rng([number, self.part])
        speakers = sorted(self.spoken)
        speaker = speakers[rng.integers(len(speakers))]
        drawn, ratio = NOISES[rng.integers(len(NOISES))], rng.uniform(*SNRS)
        level = rng.uniform(*LEVELS)
        clean = self.speech(rng, speaker, samples)
        while not clean.any():
            clean = self.speech(rng, speaker, samples)
        others = [self.speech(rng, s, samples) for s in speakers if s != speaker]
        made = noise(kind or drawn, samples, rng, RATE, others)
        return mix(clean, made, ratio if snr is None else snr, level)


def ahead(mixtures: Mixer, first: int, size: int, seconds: float) -> Iterator[tuple[Sound, Sound]]:
    """Batches from number `first` on, made by another process while one is used."""
    # Ctrl-C is for the one who asks. A fork beside threads may hang.
    with ProcessPoolExecutor(1, get_context("spawn"), _begin, (mixtures,)) as pool:
        waiting = [pool.submit(_batch, first, size, seconds)]
        while True:
            first += 1
            waiting.append(pool.submit(_batch, first, size, seconds))
            yield waiting.pop(0).result()


_held: list[Mixer] = []


def _begin(mixtures: Mixer) -> None:
    signal(SIGINT, SIG_IGN)
    _held.append(mixtures)


def _batch(first: int, size: int, seconds: float) -> tuple[Sound, Sound]:
    return _held[0].batch(first, size, seconds)
