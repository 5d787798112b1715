"""Encoders from values to spikes and payloads, and back, under the field's names.

Each takes rows [rows, width] (sound [rows] counts as width 1) and works on
each column by itself. In the integer form thresholds and values are integers
of one unit of the user's choice.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.sound import step_columns
from ...errors import InputError
from .base import Coder

Kernel = Literal["sigma_delta", "level_crossing", "track"]


class _Columns(Coder):
    """A coder that keeps one state for each column."""

    def __init__(self, threshold: float, fixed: bool = False) -> None:
        self.fixed = fixed
        if not threshold > 0 or (fixed and int(threshold) != threshold):
            raise InputError(
                f"{self.kind}: threshold {threshold:g}; give a "
                f"{'whole ' if fixed else ''}number above 0"
            )
        self.threshold = int(threshold) if fixed else float(threshold)
        self.reset()

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._state: NDArray[Any] | None = None

    def columns(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Bring what comes in to [rows, width]."""
        return np.ascontiguousarray(_columns(self.settle(rows)))

    def state(self, rows: NDArray[Any], kind: Any = None) -> NDArray[Any]:
        """Give the state of each column, 0 at first."""
        if self._state is None:
            self._state = np.zeros(rows.shape[1], kind or rows.dtype)
        if len(self._state) != rows.shape[1]:
            raise InputError(
                f"{self.kind}: {rows.shape[1]} columns after {len(self._state)} before; reset first"
            )
        return self._state

    def spikes(
        self, what: Kernel, rows: NDArray[Any], channels: int = 1, kind: Any = None
    ) -> NDArray[Any]:
        """Step the columns: whole numbers [rows, channels x width], in the type of this form."""
        out = np.zeros((len(rows), channels * rows.shape[1]), np.int64)
        step_columns(what, rows, self.threshold, self.state(rows, kind), out)
        return out if self.fixed else out.astype(np.float64)


class Delta(_Columns):
    """Sends the difference to all that was sent, once it reaches the threshold.

    What `network.Delta` sends (its residue is this difference), in the input's own unit.
    The sum of what was sent is never off by as much as the threshold.
    """

    kind = "delta"

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give payloads [rows, width], 0 where nothing is sent."""
        rows = self.columns(rows)
        out = np.zeros_like(rows)
        step_columns("delta", rows, self.threshold, self.state(rows), out)
        return out


class DeltaDecoder(_Columns):
    """Adds up what `Delta` sent, times the threshold where spikes stand for steps of it."""

    kind = "delta-decoder"

    def __init__(self, threshold: float = 1, fixed: bool = False) -> None:
        super().__init__(threshold, fixed)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give values [rows, width]."""
        rows = self.columns(rows)
        state = self.state(rows)
        out: NDArray[Any] = np.cumsum(np.concatenate([state[None], rows * self.threshold]), axis=0)[
            1:
        ]
        if len(out):
            state[:] = out[-1]
        return out


class SigmaDelta(_Columns):
    """First-order sigma-delta modulator: adds values up, sends +1 or -1 at the threshold.

    Values stay within the threshold, or the sum runs away: one spike a step carries no more.
    """

    kind = "sigma-delta"

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give spikes [rows, width]: -1, 0 or 1."""
        return self.spikes("sigma_delta", self.columns(rows))


class MeanDecoder(_Columns):
    """Mean of the last `steps` rows, times the threshold: undoes `SigmaDelta`, low-passed.

    The integer form divides by `steps` and rounds down.
    """

    kind = "mean-decoder"

    def __init__(self, threshold: float, steps: int, fixed: bool = False) -> None:
        if steps < 1:
            raise InputError(f"{self.kind}: mean of {steps} steps; give at least 1")
        self.steps = self.delay = steps
        super().__init__(threshold, fixed)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give values [rows, width]."""
        rows = self.columns(rows)
        if self._state is None:
            self._state = np.zeros((self.steps - 1, rows.shape[1]), rows.dtype)
        held = np.concatenate([self._state, rows])
        self._state = held[len(rows) :].copy()
        if not len(rows):
            return rows
        windows = np.lib.stride_tricks.sliding_window_view(held, self.steps, axis=0)
        total = windows.sum(axis=-1) * self.threshold  # spikes are whole: exact in any order
        return np.asarray(total // self.steps if self.fixed else total / self.steps)


class _Windowed(Coder):
    """A coder that takes `steps` steps for each value, a share of full scale."""

    least: ClassVar[int] = 1

    def __init__(self, full: float = 1, steps: int = 16, fixed: bool = False) -> None:
        if not full > 0 or (fixed and int(full) != full) or steps < self.least:
            raise InputError(
                f"{self.kind}: full scale {full:g} in {steps} steps; give a "
                f"{'whole ' if fixed else ''}number above 0 and at least {self.least} steps"
            )
        self.full, self.steps, self.fixed = full, steps, fixed
        self.ratio = 1, steps
        self.reset()

    def share(self, values: NDArray[Any], most: int) -> NDArray[np.int64]:
        """round(most x / full), halves upwards."""
        if self.fixed:
            full = int(self.full)
            return np.asarray((2 * values * most + full) // (2 * full), np.int64)
        return np.asarray(np.floor(values * most / self.full + 0.5), np.int64)

    def value(self, share: NDArray[Any], most: int) -> NDArray[Any]:
        """Undo `share`; the integer form rounds halves upwards."""
        if self.fixed:
            return np.asarray((2 * share * int(self.full) + most) // (2 * most))
        return np.asarray(share * (self.full / most))

    def typed(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """Spikes in the type of this form."""
        return np.asarray(spikes, np.int64 if self.fixed else np.float64)


class Rate(_Windowed):
    """Each value becomes a rate: so many spikes in `steps` steps as its share of full scale.

    Without a seed evenly spread, ``floor((t+1) n / steps) - floor(t n / steps)`` with
    ``n = round(steps x / full)`` (halves upwards); with one, a spike in each step with that
    probability. Values are cut to 0..full.

    Parameters
    ----------
    full : float
        The value that spikes in every step.
    steps : int
    seed : int, optional
    fixed : bool
    """

    kind = "rate"

    def __init__(
        self, full: float = 1, steps: int = 16, seed: int | None = None, fixed: bool = False
    ) -> None:
        self.seed = seed
        super().__init__(full, steps, fixed)

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._draw = None if self.seed is None else np.random.default_rng(self.seed)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give spikes [rows x steps, width]."""
        rows = np.clip(_columns(self.settle(rows)), 0, self.full)
        shape = (self.steps, rows.shape[1])
        made = []
        for row in rows:
            if self._draw is None:
                count = self.share(row, self.steps)
                ends = np.arange(self.steps + 1)[:, None] * count // self.steps
                made.append(np.diff(ends, axis=0))
            elif self.fixed:
                made.append(row > self._draw.integers(0, int(self.full), shape))
            else:
                made.append(row > self._draw.random(shape) * self.full)
        return self.typed(np.concatenate([*made, np.zeros((0, rows.shape[1]))]))


class RateDecoder(_Windowed):
    """Values from the spikes that `Rate` sent; the integer form rounds halves upwards."""

    kind = "rate-decoder"

    def __init__(self, full: float = 1, steps: int = 16, fixed: bool = False) -> None:
        super().__init__(full, steps, fixed)
        self.ratio, self.delay = (steps, 1), steps

    def reset(self) -> None:
        """See `Coder.reset`."""
        self._held: NDArray[Any] | None = None

    def windows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give whole windows [windows, steps, width] and keep the rest."""
        rows = _columns(self.settle(rows))
        held = rows if self._held is None else np.concatenate([self._held, rows])
        whole = len(held) // self.steps
        self._held = held[whole * self.steps :].copy()
        return held[: whole * self.steps].reshape(whole, self.steps, held.shape[1])

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give values [windows, width]."""
        counts = self.windows(rows).sum(axis=1)  # whole numbers: exact in any order
        return self.value(counts, self.steps)


class Latency(_Windowed):
    """Time to first spike: one spike in `steps` steps, the earlier the larger the value.

    At step ``steps - 1 - round((steps - 1) x / full)`` (halves upwards); values of 0 and less
    send nothing, those above `full` spike at once.
    """

    kind = "latency"
    least = 2

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give spikes [rows x steps, width]."""
        rows = _columns(self.settle(rows))
        share = self.share(np.clip(rows, 0, self.full), self.steps - 1)
        when = np.where(rows > 0, self.steps - 1 - share, -1)
        out = np.arange(self.steps)[None, :, None] == when[:, None, :]
        return self.typed(out.reshape(len(rows) * self.steps, rows.shape[1]))


class LatencyDecoder(RateDecoder):
    """Values from the step of the first spike; 0 where there was none."""

    kind = "latency-decoder"

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give values [windows, width]."""
        windows = self.windows(rows)
        most = self.steps - 1
        share = np.where(windows.any(axis=1), most - (windows != 0).argmax(axis=1), 0)
        return self.value(share, most)


class LevelCrossing(_Columns):
    """Counts the levels, one threshold apart, that the value has crossed.

    Upwards in the first half of a row, downwards in the second. The level last
    crossed must be left by a whole threshold, so that noise on a level is silent.
    """

    kind = "level-crossing"

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give counts [rows, 2 x width]."""
        return self.spikes("level_crossing", self.columns(rows), 2, np.int64)


class LevelDecoder(DeltaDecoder):
    """The level last crossed, from the counts of `LevelCrossing`."""

    kind = "level-decoder"

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give values [rows, width]."""
        rows = self.columns(rows)
        half = rows.shape[1] // 2
        return super().push(rows[:, :half] - rows[:, half:])


class CumulativeDelta(_Columns):
    """Follows each value by at most one threshold a step, beside its running sum.

    After Speech2Spikes (Stewart et al. 2023, doi:10.1145/3584954.3584995): log-mel levels, and
    with `cumulative` also their sums since the start, become spikes of +1 and -1. Levels begin
    at 0.
    """

    kind = "cumulative-delta"

    def __init__(self, threshold: float, cumulative: bool = True, fixed: bool = False) -> None:
        self.cumulative = cumulative
        super().__init__(threshold, fixed)

    def reset(self) -> None:
        """See `Coder.reset`."""
        super().reset()
        self._sum = DeltaDecoder(fixed=self.fixed)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give spikes [rows, width], or [rows, 2 x width]: those of the sums after the others."""
        rows = self.columns(rows)
        if self.cumulative:
            rows = np.concatenate([rows, self._sum.push(rows)], axis=1)
        return self.spikes("track", rows)


class OnOff(Coder):
    """Splits signed spikes into two channels without sign: ups, and after them downs.

    Axons carry no sign: a spike of -1 is a spike to neurons that take 0 or 1.
    """

    kind = "on-off"

    def __init__(self, fixed: bool = False) -> None:
        self.fixed = fixed

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Give max(x, 0) and max(-x, 0), [rows, 2 x width]."""
        rows = _columns(self.settle(rows))
        return np.asarray(np.maximum(np.concatenate([rows, -rows], axis=1), 0))


def _columns(rows: NDArray[Any]) -> NDArray[Any]:
    """Bring [rows, ...] to [rows, width]."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))
