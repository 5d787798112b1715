"""The first place where two recordings differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Divergence:
    """The first place where two recordings differ.

    Attributes
    ----------
    sample : int
    step : int
        On A's chip clock, counted from 0.
    population : str
    neuron : int
        Flat index in (C, H, W) order.
    position : tuple of int
        The same neuron in the population's shape.
    variable : str
        ``u``, ``v`` or ``spikes``: within a step, the first of them to differ.
    value_a, value_b : int, or float where a side recorded floats
    """

    sample: int
    step: int
    population: str
    neuron: int
    position: tuple[int, ...]
    variable: str
    value_a: int | float
    value_b: int | float

    @property
    def when(self) -> tuple[int, int]:
        """Sample and step."""
        return self.sample, self.step

    def __str__(self) -> str:
        where = f"neuron {self.neuron}"
        if len(self.position) > 1:
            where += f" at {self.position}"
        return (
            f"sample {self.sample}, step {self.step}, population {self.population!r}, {where}: "
            f"{self.variable} {self.value_a:.7g} against {self.value_b:.7g}"
        )


def position_of(neuron: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A flat index as a position in a shape."""
    return tuple(int(i) for i in np.unravel_index(neuron, shape))
