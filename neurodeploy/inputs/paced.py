"""Steps presented when they are due, with what comes late counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from ..errors import InputError


class Paced:
    """Gives each step when it is due in real time, and counts how late the taker comes for it.

    A step is late when it is asked for after the end of its own time: the work on the one before
    took too long, or the source did. Nothing is dropped; what is late is made up for as fast as
    it goes.

    Parameters
    ----------
    steps : iterable of arrays
        As `events.frames` gives them.
    step_seconds : float
        Time of a step.
    clock, sleep : callable
        Of another time, for tests.

    Attributes
    ----------
    given : int
        Steps given so far.
    late : int
        Of these, how many were late.
    worst_seconds : float
        Largest lateness.

    Raises
    ------
    InputError
        If the time of a step is not above 0.

    Examples
    --------
    >>> paced = Paced(frames(recorded.chunks(), binning), 0.001)
    >>> with nd.stream(net) as stream:
    ...     for step in paced:
    ...         out = stream.step(step)
    >>> paced.late, paced.worst_seconds
    (0, 0.0)
    """

    def __init__(
        self,
        steps: Iterable[NDArray[Any]],
        step_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not step_seconds > 0:
            raise InputError(f"step_seconds: {step_seconds}; give seconds above 0")
        self.step_seconds = step_seconds
        self.given = self.late = 0
        self.worst_seconds = 0.0
        self._steps, self._clock, self._sleep = steps, clock, sleep

    def __iter__(self) -> Iterator[NDArray[Any]]:
        begin: float | None = None
        for step in self._steps:
            begin = self._clock() if begin is None else begin
            due = begin + self.given * self.step_seconds
            behind = self._clock() - due
            if behind < 0:
                self._sleep(-behind)
            elif behind > self.step_seconds:
                self.late += 1
                self.worst_seconds = max(self.worst_seconds, behind - self.step_seconds)
            self.given += 1
            yield step
