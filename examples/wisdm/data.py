"""Activities from a watch's accelerometer as spikes: windows, levels, a split by subject.

WISDM (Weiss 2019, UCI 507): here 51 subjects, six activities of two minutes each at 20 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.shared import InputError, read_archive

ACTIVITIES = ("walking", "jogging", "stairs", "sitting", "standing", "kicking")
LETTERS = "ABCDEM"
STEPS = 40
"""Of a window: 2 s, as NeHAR takes."""

LEVELS = 16
"""Of each axis; a level's neuron spikes in every step in which the axis is there."""

TEST_SUBJECTS, VALIDATION_SUBJECTS, SPLIT_SEED = 10, 6, 7
PENALTIES = (10.0, 1.0, 0.1)


@dataclass(frozen=True)
class Windows:
    """Windows that do not overlap.

    Attributes
    ----------
    values : float64 [windows, 40, 3]
        Acceleration in m/s^2.
    labels, subjects : int64 [windows]
    """

    values: NDArray[np.float64]
    labels: NDArray[np.int64]
    subjects: NDArray[np.int64]

    def split(self) -> dict[str, NDArray[np.int64]]:
        """Windows of each part; no subject is in two of them."""
        everyone = np.random.default_rng(SPLIT_SEED).permutation(np.unique(self.subjects))
        ends = (TEST_SUBJECTS, TEST_SUBJECTS + VALIDATION_SUBJECTS)
        test, validation, train = np.split(everyone, ends)
        who = {"train": train, "validation": validation, "test": test}
        return {name: np.flatnonzero(np.isin(self.subjects, some)) for name, some in who.items()}


def load(path: Path) -> Windows:
    """Read the recordings and cut them.

    Raises
    ------
    InputError
        If an array is missing, or an activity is none of the six.
    """
    held = read_archive(path, cure="give watch_accel_6.npz")
    if missing := {"accel", "offsets", "subject", "activity"} - held.keys():
        raise InputError(f"{path}: no {sorted(missing)[0]}; give watch_accel_6.npz")
    values, labels, subjects = [], [], []
    for start, end, subject, activity in zip(
        held["offsets"], held["offsets"][1:], held["subject"], held["activity"], strict=False
    ):
        if str(activity) not in LETTERS:
            raise InputError(f"{path}: activity {activity}; there are {', '.join(LETTERS)}")
        whole = (int(end) - int(start)) // STEPS
        cut = held["accel"][start : start + whole * STEPS].reshape(whole, STEPS, 3) / 400
        values.append(cut)
        labels += [LETTERS.index(str(activity))] * whole
        subjects += [int(subject)] * whole
    return Windows(np.concatenate(values), np.array(labels), np.array(subjects))


def edges_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges [3, 15] between levels, so that each is as frequent in these windows."""
    shares = np.arange(1, LEVELS) / LEVELS
    return np.quantile(values.reshape(-1, 3), shares, axis=0).T


def encode(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Spikes [windows, 40, 48]: of each axis the level at which it is."""
    spikes = np.zeros((*values.shape, LEVELS), np.uint8)
    for axis in range(3):
        level = np.searchsorted(edges[axis], values[..., axis], side="right")
        np.put_along_axis(spikes[:, :, axis], level[..., None], 1, axis=-1)
    return spikes.reshape(*values.shape[:2], 3 * LEVELS)


def baselines(
    windows: Windows, spikes: NDArray[np.uint8], parts: dict[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Test accuracy of the most frequent class, and of logistic regression on two summaries.

    On how often each level was taken, which is what a network without memory could count; and on
    mean, spread and mean step of each axis, which a network would have to find. The penalty is
    the best one on the validation part.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = windows.labels
    most = int(np.bincount(labels[parts["train"]]).argmax())
    found = {"most frequent": float((labels[parts["test"]] == most).mean())}
    x = windows.values
    moves = np.abs(np.diff(x, axis=1)).mean(axis=1)
    summary = np.concatenate([x.mean(axis=1), x.std(axis=1), moves], axis=1)
    seen = {"levels": spikes.sum(axis=1), "mean, spread, step": summary}
    for name, features in seen.items():
        scores = []
        for penalty in PENALTIES:
            model = make_pipeline(
                StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=2000)
            )
            model.fit(features[parts["train"]], labels[parts["train"]])
            scores.append([
                model.score(features[parts[part]], labels[parts[part]])
                for part in ("validation", "test")
            ])  # fmt: skip
        found[name] = float(max(scores, key=lambda pair: pair[0])[1])
    return found
