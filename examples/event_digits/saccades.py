"""Digits seen by an event camera that moves: streams of events from scikit-learn's digits.

Made here, not recorded. N-MNIST (Orchard et al. 2015, doi:10.3389/fnins.2015.00437) moves a real
camera in three saccades in front of digits on a screen; here an image of 8 x 8 grey levels moves
along the sides of a triangle across a sensor of 12 x 12 pixels that has no noise. Computed in
integers: the same events on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InputError
from neurodeploy.inputs.events import EVENT, Events

SENSOR = 12
"""Pixels of a side."""

IMAGE = 8

SACCADE_MS = 100
PARTS = 50
"""A pixel is so many steps of a motion; a grey level so PARTS^2 units of brightness."""

SACCADES = ((1, 2), (1, -2), (-2, 0))
"""Right and down, in PARTS of a pixel each millisecond: down right, up right, left, back again."""

CONTRAST = 3 * PARTS**2
"""A pixel sends an event whenever it is three grey levels from where it last did."""

BIN, STEPS = "10ms", 30
"""How the streams become steps, as ``--bin`` and ``--steps`` take it."""

SPLITS = {"train": range(1149), "validation": range(1149, 1437), "test": range(1437, 1797)}
"""In the order of the file, in which writers come one after another ("apparently grouped by
authors", say scikit-learn's own tests): most writers of a part have written in no other."""


def _paths() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What each sensor row and column takes of image rows and columns, [time, SENSOR, IMAGE].

    In 1 / PARTS, at each millisecond; between two pixels an image is interpolated linearly.
    """
    moves = np.repeat(np.array(SACCADES), SACCADE_MS, axis=0)
    at = np.concatenate([np.zeros((1, 2), int), np.cumsum(moves, axis=0)])
    apart = np.arange(SENSOR)[:, None] - np.arange(IMAGE)
    right, down = (np.maximum(0, PARTS - np.abs(PARTS * apart - a[:, None, None])) for a in at.T)
    return down, right


_DOWN, _RIGHT = _paths()


def brightness(image: NDArray[np.integer]) -> NDArray[np.int64]:
    """What the sensor sees at each millisecond, [time, SENSOR, SENSOR], in 1 / PARTS^2 of a level.

    `image` holds grey levels 0..16, [IMAGE, IMAGE].
    """
    image = np.asarray(image)
    if image.shape != (IMAGE, IMAGE) or image.dtype.kind not in "iu":
        raise InputError(
            f"saccades: an image of shape {image.shape}, {image.dtype}; give whole grey levels "
            f"[{IMAGE}, {IMAGE}]"
        )
    return _DOWN @ image.astype(np.int64) @ _RIGHT.transpose(0, 2, 1)


def saccades(image: NDArray[np.integer]) -> Events:
    """Events of an image, sorted by time; time is between 0 and 300,000 us.

    Each pixel remembers the brightness at its last event, and sends the next when it is
    `CONTRAST` brighter (p = 1) or darker (p = 0). When that is between two milliseconds is
    interpolated, as brightness is.
    """
    seen = brightness(image)
    last = seen[0].copy()
    found = []
    for ms, (before, now) in enumerate(pairwise(seen)):
        change = now - last
        y, x = np.nonzero(np.abs(change) >= CONTRAST)
        brighter = change[y, x] > 0
        last[y, x] += np.where(brighter, CONTRAST, -CONTRAST)
        part = np.abs(last[y, x] - before[y, x]) * 1000 // np.abs(now[y, x] - before[y, x])
        events = np.empty(len(x), EVENT)
        for name, values in zip("xytp", (x, y, 1000 * ms + part, brighter), strict=True):
            events[name] = values
        found.append(events)
    whole = np.concatenate(found)
    return whole[np.argsort(whole["t"], kind="stable")]


@dataclass(frozen=True, eq=False)
class EventDigits:
    """A data set as tonic has them: item i is (events, digit), made when it is asked for.

    Attributes
    ----------
    images : int [n, IMAGE, IMAGE]
        Grey levels 0..16.
    labels : int64 [n]
    """

    images: NDArray[np.integer]
    labels: NDArray[np.int64]

    sensor_size = (SENSOR, SENSOR, 2)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Events, int]:
        return saccades(self.images[number]), int(self.labels[number])


def load(split: str) -> EventDigits:
    """One part of scikit-learn's digits: ``train``, ``validation`` or ``test``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = SPLITS[split]
    images = data.images[chosen.start : chosen.stop].astype(np.int64)
    return EventDigits(images, data.target[chosen.start : chosen.stop].astype(np.int64))
