r"""The barrier that ends a step, and the step that it makes of the work before it.

Where a chip's file has ``barrier_hides_work``, the barrier runs while the cores are at work, and
only an update of own microcode stands before it:

.. math::
    t_{step} = \max\left( t_{work},\; t_{own} + t_{barrier} \right)

with :math:`t_{own}` of the core that has most to do of it. Elsewhere the two add up. A network
whose step is its barrier costs the same whatever its neurons do: `Profile.bound` is ``barrier``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..chip import Chip

FloatArray = NDArray[np.float64]
BARRIER = "barrier"
FEW_CHIPS = 32
"""Up to so many chips ``barrier_time_32_chips`` stands for, where a chip's file has it."""


@dataclass(frozen=True)
class Barrier:
    """Seconds of a step's barrier, its band, and whether it hides work.

    Attributes
    ----------
    seconds, low, high : float
    hides_work : bool
    """

    seconds: float
    low: float
    high: float
    hides_work: bool

    def step(
        self, work: Mapping[str, FloatArray], own: float = 0.0
    ) -> tuple[FloatArray, FloatArray, str]:
        """Work and steps of a run, and what sets a step most often.

        Parameters
        ----------
        work : mapping of str to float64 [samples, steps]
            Seconds that each candidate is at work.
        own : float
            Of those, the most that a core spends on updates of own microcode.

        Returns
        -------
        float64 [samples], float64 [samples], str
            The longest work and the time of a step, means over steps; a key of `work`, or
            ``barrier``.
        """
        seconds = np.array(list(work.values()))
        busiest = seconds.max(axis=0)
        if self.hides_work:
            steps = np.maximum(busiest, own + self.seconds)
            waits = (steps > busiest) & (self.seconds > own)
        else:
            steps, waits = busiest + self.seconds, busiest < self.seconds
        which = np.where(waits, len(work), seconds.argmax(axis=0))
        most = int(np.bincount(which.ravel(), minlength=len(work) + 1).argmax())
        return busiest.mean(axis=1), steps.mean(axis=1), [*work, BARRIER][most]

    def band(self, least_work: float, most_work: float, own: float = 0.0) -> tuple[float, float]:
        """Ends of the time of a step, from those of its work.

        The low end hides all that may be hidden; the high end hides nothing, for one sweep
        alone says that it does.
        """
        low = max(least_work, own + self.low) if self.hides_work else least_work + self.low
        return low, most_work + self.high


def barrier_of(cores: int, chip: Chip) -> Barrier:
    """The barrier by the tiles or chips that take part.

    From one tile it grows in proportion to the tiles up to ``barrier_whole_from_tiles`` (all tiles
    of the chip, where its file does not say), and is then that of the whole chip.
    """
    scales = chip["step_time_low"], chip["step_time_high"]
    chips = math.ceil(cores / chip["cores_per_chip"])
    hides = "barrier_hides_work" in chip.constants and chip["barrier_hides_work"] > 0
    if chips > 1:
        few = chips <= FEW_CHIPS and "barrier_time_32_chips" in chip.constants
        name = "barrier_time_32_chips" if few else "barrier_time_many_chips"
        return Barrier(chip[name], *chip.constants[name].band(*scales), hides)
    tiles = max(1, math.ceil(cores / chip["cores_per_tile"]))
    whole = math.ceil(chip["cores_per_chip"] / chip["cores_per_tile"])
    if "barrier_whole_from_tiles" in chip.constants:
        whole = int(chip["barrier_whole_from_tiles"])
    share = min(1.0, (tiles - 1) / max(1, whole - 1))
    ends = [
        (chip[name], *chip.constants[name].band(*scales))
        for name in ("barrier_time_one_tile", "barrier_time_whole_chip")
    ]
    seconds, low, high = (one + (most - one) * share for one, most in zip(*ends, strict=True))
    return Barrier(seconds, low, high, hides)
