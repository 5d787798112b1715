"""What is chosen for a population: its scale and the steps of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Population, Projection, Synapse
from ..network.fixed_point import DECAY_UNITY, STATE_LIMIT
from .calibration import Calibration
from .config import QuantConfig
from .neurons import STATE_UNIT, Shape, float_neuron, largest_factor, shape_of
from .weights import Doubles, Grid, scaled

INTEGERS = "quantize/integers"
"""Fact in the metadata of a float form: the network was in integers before."""

LEAST_RESOLUTION = 1 << 12
"""Steps of a threshold aimed at where no calibration input says how far states go."""

SYNAPSE_PRICE = 4
"""Splitting pays where the error falls faster than the synapses' number grows, to this power: a
fifth more synapses must halve it."""


@dataclass(frozen=True)
class Choice:
    """Scale of a population and steps of the projections into it.

    Attributes
    ----------
    factor : float
        Weights, bias and threshold times this are the integers.
    steps : tuple of int
        Of each projection in the order of `Network.into`: its weights are multiples of 2^step.
    bias : tuple of float
        Added to the voltage's bias, one for each neuron; empty for none. Before `factor`.
    mantissas : tuple of (int64 array or None)
        Of each projection, where they are not the nearest; empty where all are.
    balance : tuple of float
        The threshold is multiplied by this, one for each neuron; empty for not at all.
    """

    factor: float
    steps: tuple[int, ...]
    bias: tuple[float, ...] = ()
    balance: tuple[float, ...] = ()
    mantissas: tuple[NDArray[np.int64] | None, ...] = field(default=(), compare=False)

    def shaped(self, shape: Shape) -> Shape:
        """Give a population's shape with bias and threshold as chosen."""
        if self.bias:
            shape = replace(shape, bias=shape.bias + np.asarray(self.bias))
        if self.balance:
            shape = replace(shape, threshold=shape.threshold * np.asarray(self.balance))
        return shape


class Site:
    """A population about to be rounded: its shape, its projections and what their grids are.

    Attributes
    ----------
    neuron : FloatLIF
    shape : Shape
    feeds : list of (Projection, Synapse)
        The synapse with the neurons' gains folded into its weights, float64.
    weights : list of float64 arrays
    grids : list of Grid
    splits : list of bool
        Whether weights of a projection may become two parallel synapses.
    integers : bool
        Whether the network is the float form of one in integers.
    """

    def __init__(
        self,
        network: Network,
        population: Population,
        config: QuantConfig,
        calibration: Calibration | None = None,
    ) -> None:
        self.population, self.config, self.calibration = population, config, calibration
        self.neuron = float_neuron(population)
        self.integers = INTEGERS in network.metadata
        self.shape: Shape = shape_of(population, population is network.output, config)
        self.feeds: list[tuple[Projection, Synapse]] = [
            (p, scaled(p, population, self.shape.gain)) for p in network.into(population.name)
        ]
        self.bits = config.bits_of(population.name)
        self.weights: list[Doubles] = [
            synapse.only_array.astype(np.float64) for _, synapse in self.feeds
        ]
        self.grids = [Grid.of(weight, self.bits) for weight in self.weights]
        self.splits = [bool(config.split and grid.width) for grid in self.grids]
        self.sources = [p.source for p, _ in self.feeds]

    def mantissas(self, index: int, choice: Choice) -> NDArray[np.int64]:
        """Mantissas of a projection as chosen."""
        given = choice.mantissas[index] if choice.mantissas else None
        return self.rounded(index, choice.factor, choice.steps[index]) if given is None else given

    def rounded(self, index: int, factor: float, step: int) -> NDArray[np.int64]:
        """Mantissas of a projection, the nearest ones."""
        grid = self.grids[index]
        return grid.mantissas(self.weights[index] * factor, step, self.splits[index])

    def added(self, index: int, mantissa: NDArray[np.int64]) -> float:
        """Share of a projection's synapses that splitting adds."""
        beyond = int(np.count_nonzero(self.grids[index].beyond(mantissa)))
        return beyond / max(1, int(np.count_nonzero(self.weights[index])))

    def price(self, choice: Choice) -> float:
        """Factor on an error for the synapses that splitting adds; 1 where it adds none."""
        synapses = sum(int(np.count_nonzero(weight)) for weight in self.weights)
        added = sum(
            int(np.count_nonzero(grid.beyond(self.mantissas(index, choice))))
            for index, grid in enumerate(self.grids)
        )
        return float((1 + added / max(1, synapses)) ** SYNAPSE_PRICE)

    def clipped(self, choice: Choice) -> int:
        """How many weights lie beyond what their synapses hold."""
        number = 0
        for index, (grid, step) in enumerate(zip(self.grids, choice.steps, strict=True)):
            low, high = grid.limits(self.splits[index])
            whole = np.rint(self.weights[index] * choice.factor / 2.0**step)
            number += 0 if grid.binary else int(((whole < low) | (whole > high)).sum())
        return number

    def last_step(self, index: int, factor: float, step: int) -> int:
        """Largest step that the chip's exponents allow for a projection rounded so."""
        grid = self.grids[index]
        if not self.config.exponents:
            return grid.base
        return grid.last_step - grid.shift(self.rounded(index, factor, step))

    @property
    def largest(self) -> float:
        """Largest factor that threshold, bias and states allow."""
        limit = largest_factor(self.shape, self.neuron)
        room = (STATE_LIMIT - 1) / STATE_UNIT / self.config.headroom
        known = self.calibration is not None
        peak = self.calibration.peak(self.population) if self.calibration else self._current_bound()
        if known and not peak:
            peak = self._current_bound()
        return min(limit, room / peak) if peak else limit

    @property
    def enough(self) -> float:
        """Factor beyond which states need not be finer, where nothing says how far they go."""
        if self.calibration is not None or self.neuron.sends == "voltage":
            return np.inf
        return LEAST_RESOLUTION / float(self.shape.threshold.min())

    def _current_bound(self) -> float:
        """Largest current that unit spikes at every step could lead to."""
        if any(not isinstance(s.weight, np.ndarray) or s.weight.ndim != 2  # type: ignore[attr-defined]
               for _, s in self.feeds):  # fmt: skip
            return 0.0
        keep = 1 - self.shape.current_decay / DECAY_UNITY
        total = np.abs(self.shape.drive)
        for weight in self.weights:
            total = total + np.abs(weight).sum(axis=1)
        return float((total / np.maximum(1 - keep, 1 / DECAY_UNITY)).max())


Sites: TypeAlias = Mapping[str, Site]
"""The populations of a network that are rounded, by name."""

Choices: TypeAlias = Mapping[str, Choice]
"""What is chosen for each of them."""


def sites_of(network: Network, config: QuantConfig, reference: Calibration | None) -> Sites:
    """All populations of a float network that are rounded."""
    floats = (p for p in network.populations if p.neuron.is_float)
    return {p.name: Site(network, p, config, reference) for p in floats}


def finest(site: Site, factor: float, steps: list[float]) -> Choice:
    """Round steps up to integers, and shift factor and steps as far up as the chip allows.

    Parameters
    ----------
    site : Site
    factor : float
        Whose mantissa is kept; the power of two is chosen here.
    steps : list of float
        Steps at that factor, -inf where any will do.

    Raises
    ------
    UnsupportedError
        If weights overflow every exponent.
    """
    whole = [int(np.ceil(s - 1e-9)) if np.isfinite(s) else None for s in steps]
    known = [
        (step, site.last_step(index, factor, step))
        for index, step in enumerate(whole)
        if step is not None
    ]
    room = [float(last - step) for step, last in known]
    hard = min([*room, np.floor(np.log2(site.largest / factor) + 1e-12)])
    # As fine as is enough, but integers at least hold the finest weights.
    soft = max([np.floor(np.log2(site.enough / factor)), *(-step for step, _ in known)])
    shift = min(hard, soft)
    if not np.isfinite(shift):
        shift = -np.log2(factor)  # nothing to scale: no weight, no threshold, no bias
    if not site.config.exponents and known:  # all projections share the step of the coarsest
        top = max(step for step, _ in known)
        whole = [None if step is None else top for step in whole]
    # Weights finer than an integer: rounded at integers instead.
    moved = tuple(0 if step is None else max(0, step + int(shift)) for step in whole)
    return Choice(float(factor * 2.0**shift), moved)
