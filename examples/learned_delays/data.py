"""Spoken digits as spikes in steps of 16 ms: the clips, split and encoder of ../spoken_digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.spoken_digits import spoken

JOINED = 2
"""Steps of the encoder that are one here."""

STEPS, CHANNELS, CLASSES = spoken.STEPS // JOINED, spoken.CHANNELS, spoken.CLASSES
STEP_SECONDS = JOINED * spoken.STEP_SECONDS
PARTS = tuple(spoken.SPLITS)

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def joined(spikes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Join steps: [clips, steps, channels] to as many steps less; 1 where any of them spiked."""
    clips, steps, channels = spikes.shape
    whole = steps // JOINED * JOINED
    each = spikes[:, :whole].reshape(clips, -1, JOINED, channels)
    found: NDArray[np.uint8] = each.max(axis=2)
    return found


def load(recordings: Path, cache: Path | None = None) -> dict[str, Part]:
    """Spikes uint8 [clips, STEPS, CHANNELS] and digits of ``test``, ``validation``, ``train``.

    Parameters
    ----------
    recordings : Path
        Folder of the recordings.
    cache : Path, optional
        Keeps what the encoder makes, and gives it again.
    """
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in PARTS:
        clips = spoken.load(recordings, name, cache)
        found[name] = (joined(clips.inputs), clips.labels.astype(np.int64))
    return found
