"""Events of a camera become steps: crop, downsample, polarity, hot pixels, bins of time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..memory import Need, check_memory

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])
"""An event: column and row from the upper left, microseconds, 1 for brighter and 0 for darker."""

Events = NDArray[Any]
"""A structured array [events] of `EVENT`, sorted by time."""

POLARITIES = ("both", "merge", "on", "off")

LATE_MICROSECONDS = 1_000_000
"""Events may stand this much before those that came earlier: cameras interleave a little."""

_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000}


def as_events(values: Any) -> Events:
    """Bring a structured array with fields x, y, t and p to `EVENT`.

    Parameters
    ----------
    values : structured array [events]
        With these fields under any whole or boolean type, in any order; t in microseconds, p 1 or
        0 (or 1 and -1).

    Raises
    ------
    InputError
    """
    array = np.asarray(values)
    names = array.dtype.names or ()
    if lacking := [name for name in "xytp" if name not in names]:
        raise InputError(
            f"events: fields {', '.join(names) or 'none'}; {lacking[0]!r} is missing, give x, y, t "
            f"and p"
        )
    made = np.empty(len(array), EVENT)
    for name in "xyt":
        kind = array[name].dtype.kind
        if kind not in "iu":
            raise InputError(f"events: field {name!r} is {array[name].dtype}; give whole numbers")
        limit = np.iinfo(EVENT[name])
        if len(array) and (array[name].min() < 0 or array[name].max() > limit.max):
            raise InputError(f"events: field {name!r} leaves 0..{limit.max}")
        made[name] = array[name]
    made["p"] = array["p"] > 0
    return made


def read_duration(text: str) -> int:
    """Read ``1ms``, ``500us`` or ``0.02s`` as microseconds.

    Raises
    ------
    InputError
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(us|ms|s)\s*", text)
    microseconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if microseconds < 1 or microseconds != round(microseconds):
        raise InputError(f"bin: {text!r}; give whole microseconds, such as 500us, 1ms or 0.02s")
    return round(microseconds)


@dataclass(frozen=True)
class Binning:
    """How events become steps.

    Attributes
    ----------
    microseconds : int
        Of a step.
    sensor : (int, int)
        Width and height of the camera in pixels.
    crop : (int, int, int, int) or None
        Left, top, right and bottom: columns left to before right, rows top to before bottom.
    downsample : int
        Pixels of a side that become one; after the crop.
    polarity : str
        ``both``: two channels, darker and brighter; ``merge``: one channel of all events;
        ``on``, ``off``: one channel of those.
    counts : bool
        Payloads: the number of events of a pixel in a step, at most 255. Otherwise 0 or 1.

    Raises
    ------
    InputError
        If nothing is left of the sensor, or a field is out of range.

    Examples
    --------
    >>> Binning(1000, (34, 34), downsample=2).shape
    (2, 17, 17)
    """

    microseconds: int
    sensor: tuple[int, int]
    crop: tuple[int, int, int, int] | None = None
    downsample: int = 1
    polarity: str = "both"
    counts: bool = False

    def __post_init__(self) -> None:
        width, height = self.sensor
        if not (0 < width <= 1 << 15 and 0 < height <= 1 << 15):
            raise InputError(f"sensor: {width}x{height}; give 1..32768 pixels a side")
        left, top, right, bottom = self.window
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise InputError(
                f"crop: {left},{top},{right},{bottom} of a sensor of {width}x{height} pixels; "
                f"give LEFT,TOP,RIGHT,BOTTOM within it"
            )
        if not 1 <= self.downsample <= min(right - left, bottom - top):
            raise InputError(
                f"downsample: {self.downsample} of {right - left}x{bottom - top} pixels"
            )
        if self.polarity not in POLARITIES:
            raise InputError(f"polarity: {self.polarity!r}; give one of {', '.join(POLARITIES)}")
        if self.microseconds < 1:
            raise InputError(f"bin: {self.microseconds} us; give at least 1")

    @property
    def window(self) -> tuple[int, int, int, int]:
        """The crop, or the whole sensor."""
        return self.crop or (0, 0, *self.sensor)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a step; what does not fill a whole pixel is cut off."""
        left, top, right, bottom = self.window
        sides = (bottom - top) // self.downsample, (right - left) // self.downsample
        return 2 if self.polarity == "both" else 1, *sides

    def places(self, events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give which events count, and where: their numbers, and flat places in `shape`.

        Raises
        ------
        InputError
            If an event lies off the sensor.
        """
        width, height = self.sensor
        x, y, p = (events[name].astype(np.int64) for name in "xyp")
        off = (x < 0) | (x >= width) | (y < 0) | (y >= height)
        if off.any():
            at = int(np.argmax(off))
            raise InputError(
                f"events: event {at} at column {x[at]}, row {y[at]} of a sensor of "
                f"{width}x{height} pixels; give the right sensor"
            )
        channels, rows, columns = self.shape
        left, top, _, _ = self.window
        column, row = (x - left) // self.downsample, (y - top) // self.downsample
        here = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        if self.polarity in ("on", "off"):
            here &= p == (self.polarity == "on")
        channel = p if channels == 2 else 0 * p
        place = (channel * rows + row) * columns + column
        chosen = np.flatnonzero(here)
        return chosen, place[chosen]


def read_binning(text: str, sensor: tuple[int, int] | None = None) -> tuple[Binning, float | None]:
    """Read ``1ms`` or ``1ms:OPTION=VALUE,...``: how events become steps.

    Options: ``sensor=WIDTHxHEIGHT``, ``crop=LEFT-TOP-RIGHT-BOTTOM``, ``downsample=N``,
    ``polarity=both|merge|on|off``, ``counts=yes``, ``hot=EVENTS_PER_SECOND``.

    Parameters
    ----------
    text : str
    sensor : (int, int), optional
        What the file says, where it does.

    Returns
    -------
    binning : Binning
    hot : float or None
        Pixels with more events a second are left out.

    Raises
    ------
    InputError

    Examples
    --------
    >>> read_binning("1ms:sensor=34x34,downsample=2")[0].shape
    (2, 17, 17)
    """
    duration, _, rest = text.partition(":")
    given = dict(item.partition("=")[::2] for item in rest.split(",") if item)
    known = ("sensor", "crop", "downsample", "polarity", "counts", "hot")
    if unknown := [name for name in given if name not in known]:
        raise InputError(f"bin: {unknown[0]!r} is no option; give some of {', '.join(known)}")
    if "sensor" in given:
        width, height = _numbers("sensor", given["sensor"], "x", 2)
        sensor = width, height
    if sensor is None:
        raise InputError("bin: nothing says how large the sensor is; add sensor=WIDTHxHEIGHT")
    crop = None
    if "crop" in given:
        left, top, right, bottom = _numbers("crop", given["crop"], "-", 4)
        crop = left, top, right, bottom
    if given.get("counts", "no") not in ("yes", "no"):
        raise InputError(f"bin: counts={given['counts']}; give yes or no")
    hot = None
    if "hot" in given:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", given["hot"]):
            raise InputError(f"bin: hot={given['hot']}; give events a second")
        hot = float(given["hot"])
    binning = Binning(
        read_duration(duration),
        sensor,
        crop,
        _numbers("downsample", given.get("downsample", "1"), ",", 1)[0],
        given.get("polarity", "both"),
        given.get("counts") == "yes",
    )
    return binning, hot


def _numbers(name: str, text: str, between: str, number: int) -> list[int]:
    parts = text.split(between)
    if len(parts) != number or not all(part.isdigit() and len(part) < 10 for part in parts):
        wanted = between.join(["N"] * number)
        raise InputError(f"bin: {name}={text}; give {name}={wanted}, whole numbers")
    return [int(part) for part in parts]


def bin_events(
    chunks: Iterable[Events],
    binning: Binning,
    steps: int | None = None,
    silent: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Bin a whole recording, uint8 [steps, channels, height, width].

    Parameters
    ----------
    chunks : iterable of Events
        Sorted by time, as `event_files.read_chunks` gives them.
    binning : Binning
    steps : int, optional
        Cut, or fill with empty steps; by default as long as the recording.
    silent : bool [height, width], optional
        Pixels of the sensor that are left out, see `hot_pixels`.

    Raises
    ------
    InputError
    TooLargeError
        If the steps do not fit into memory: use `frames` with a stream.
    """
    found: list[NDArray[np.uint8]] = []
    size = math.prod(binning.shape)
    for frame in frames(chunks, binning, silent):
        if steps is not None and len(found) >= steps:
            break
        found.append(frame)
        if len(found) % 1024 == 0:
            what = f"events: {len(found)} steps of {size} pixels"
            check_memory([Need(what, 2 * len(found) * size, "use longer bins, or nd.stream")])
    if steps is not None:
        found += [np.zeros(binning.shape, np.uint8)] * (steps - len(found))
    if not found:
        raise InputError("events: there are none; give a recording with events, or steps")
    return np.stack(found)


def frames(
    chunks: Iterable[Events], binning: Binning, silent: NDArray[np.bool_] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield one step after another, uint8 [channels, height, width], for as long as events come.

    Time begins with the first event. Memory holds one step and one chunk.

    Raises
    ------
    InputError
        If an event lies off the sensor, or time runs back by more than `LATE_MICROSECONDS`.
    """
    size = math.prod(binning.shape)
    held = np.zeros(size, np.int64)
    start: int | None = None
    now = 0
    for events in chunks:
        if not len(events):
            continue
        start = int(events["t"][0]) if start is None else start
        step = (events["t"] - start) // binning.microseconds
        if int(step.min()) < now - LATE_MICROSECONDS // binning.microseconds - 1:
            at = int(step.argmin())
            raise InputError(
                f"events: time runs back to {events['t'][at]} us at event {at} of a chunk; sort "
                f"them by time"
            )
        # A late one counts in the step that is on.
        step = np.maximum.accumulate(np.maximum(step, now))
        chosen, place = binning.places(events)
        if silent is not None:
            kept = ~silent[events["y"][chosen], events["x"][chosen]]
            chosen, place = chosen[kept], place[kept]
        ends = np.searchsorted(step, np.arange(now + 1, int(step[-1]) + 1))
        begins = 0
        for end in ends:
            part = slice(*np.searchsorted(chosen, (begins, end)))
            held += np.bincount(place[part], minlength=size)
            yield _step(held, binning)
            held[:] = 0
            begins = end
        held += np.bincount(place[np.searchsorted(chosen, begins) :], minlength=size)
        now = int(step[-1])
    if start is not None:
        yield _step(held, binning)


def _step(held: NDArray[np.int64], binning: Binning) -> NDArray[np.uint8]:
    most = 255 if binning.counts else 1
    return np.minimum(held, most).astype(np.uint8).reshape(binning.shape)


def hot_pixels(
    chunks: Iterable[Events], sensor: tuple[int, int], per_second: float
) -> NDArray[np.bool_]:
    """Find the pixels with more events a second than that, bool [height, width].

    Over the whole recording, as tonic's ``DropPixel(hot_pixel_frequency=...)`` takes them. Memory
    holds one number for each pixel.
    """
    width, height = sensor
    counts = np.zeros(width * height, np.int64)
    first = last = None
    whole = Binning(1, sensor, polarity="merge")
    for events in chunks:
        if len(events):
            first = int(events["t"][0]) if first is None else first
            last = int(events["t"][-1])
            counts += np.bincount(whole.places(events)[1], minlength=width * height)
    if first is None or last is None or last <= first:
        return np.zeros((height, width), np.bool_)
    found: NDArray[np.bool_] = counts > per_second * (last - first) / 1e6
    return found.reshape(height, width)
