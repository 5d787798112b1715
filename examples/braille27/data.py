"""Fingertip recordings of 27 letters as events, their fixed split, and two baselines.

The encoding of Mueller-Cleve et al. (Frontiers in Neuroscience 16, 2022), written anew after the
text: a taxel's pressure is cut at its local extremes, and on each ramp between two of them an ON
event (upwards) or an OFF event (downwards) is sent whenever it has gone by another `theta`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.shared import InputError, read_archive

FRAME_SECONDS, STEP_SECONDS = 0.025, 0.02
FRAMES, STEPS = 76, 95
THETA = 2.0
"""Change of pressure, of 255, that is an event."""

LETTERS = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q",
           "R", "S", "Space", "T", "U", "V", "W", "X", "Y", "Z")  # fmt: skip

SHARES = {"test": 10, "validation": 5}
"""Samples of each letter; the other 35 of its 50 are to learn from."""

SPLIT_SEED = 42
PENALTIES = (100.0, 10.0, 1.0, 0.1)


def load(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the pressures of the taxels that move, [samples, frames, taxels], and the letters."""
    held = read_archive(path, ("taxels", "letters"), cure="give braille27/taxels.npz")
    if not {"taxels", "letters"} <= held.keys() or held["taxels"].ndim != 3:
        raise InputError(f"{path}: needs taxels [samples, frames, taxels] and letters")
    pressure = 255.0 - held["taxels"][:, :FRAMES].astype(np.float64)
    moves = pressure.std(axis=(0, 1)) > 0
    names = list(LETTERS)
    try:
        labels = np.array([names.index(str(letter)) for letter in held["letters"]])
    except ValueError as error:
        raise InputError(f"{path}: letters: {error}; there are A to Z and Space") from None
    return pressure[:, :, moves], labels


def ramps(values: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First and last frame of each ramp between two local extremes; what stays level is on none.

    Examples
    --------
    >>> ramps(np.array([0.0, 3.0, 3.0, 5.0, 1.0]))
    [(0, 3), (3, 4)]
    """
    change = np.diff(values)
    moving = np.flatnonzero(change)
    if not len(moving):
        return []
    turns = np.flatnonzero(np.diff(np.sign(change[moving])))
    starts = moving[np.concatenate([[0], turns + 1])]
    ends = moving[np.concatenate([turns, [len(moving) - 1]])] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def events(values: NDArray[np.float64], theta: float) -> list[tuple[float, bool]]:
    """Time in frames and whether it is ON, of each event of one taxel.

    A ramp that changes by d makes floor(|d| / theta) of them, at the times at which the line
    through its frames passes.
    """
    found = []
    for first, last in ramps(values):
        up = values[last] > values[first]
        way = np.abs(values[first : last + 1] - values[first])
        for number in range(1, int(way[-1] / theta) + 1):
            after = int(np.argmax(way >= number * theta))
            share = (number * theta - way[after - 1]) / (way[after] - way[after - 1])
            found.append((first + after - 1 + share, bool(up)))
    return found


def encode(pressure: NDArray[np.float64], theta: float = THETA) -> NDArray[np.uint8]:
    """Spikes [samples, steps, 2 x taxels]: ON and OFF of each taxel side by side.

    Several events of a channel in one step are one spike.
    """
    samples, _, taxels = pressure.shape
    spikes = np.zeros((samples, STEPS, 2 * taxels), np.uint8)
    for sample, taxel in np.ndindex(samples, taxels):
        for time, up in events(pressure[sample, :, taxel], theta):
            step = min(int(time * FRAME_SECONDS / STEP_SECONDS), STEPS - 1)
            spikes[sample, step, 2 * taxel + (not up)] = 1
    return spikes


def split(labels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Samples of each part, the same number of each letter, always the same ones."""
    rng = np.random.default_rng(SPLIT_SEED)
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "validation": [], "test": []}
    for letter in range(len(LETTERS)):
        mixed = rng.permutation(np.flatnonzero(labels == letter))
        start = 0
        for part, size in SHARES.items():
            parts[part].append(mixed[start : start + size])
            start += size
        parts["train"].append(mixed[start:])
    return {part: np.sort(np.concatenate(found)) for part, found in parts.items()}


def baselines(
    spikes: NDArray[np.uint8], labels: NDArray[np.int64], parts: dict[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Test accuracy of logistic regression on counts of events, and on counts in 100 ms.

    What a network of spikes must beat, and what it cannot claim glory below. Its penalty is the
    one of `PENALTIES` that does best on the validation part.
    """
    from sklearn.linear_model import LogisticRegression

    counts = spikes.sum(axis=1).astype(np.float64)
    counts = (counts - counts[parts["train"]].mean(axis=0)) / counts[parts["train"]].std(axis=0)
    binned = spikes.reshape(len(spikes), STEPS // 5, 5, -1).sum(axis=2).reshape(len(spikes), -1)
    found = {}
    for name, features in {"counts": counts, "counts in 100 ms": binned}.items():
        scores = []
        for penalty in PENALTIES:
            model = LogisticRegression(C=1 / penalty, max_iter=3000)
            model.fit(features[parts["train"]], labels[parts["train"]])
            scores.append([
                model.score(features[parts[part]], labels[parts[part]])
                for part in ("validation", "test")
            ])  # fmt: skip
        found[name] = float(max(scores, key=lambda pair: pair[0])[1])
    return found
