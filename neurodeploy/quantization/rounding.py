"""A network rounded as chosen: integers, and an audit of what each element lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import (
    Audit,
    AuditEntry,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from ..network.fixed_point import DECAY_UNITY, MAX_DELAY, SCALE, WEIGHT_BITS
from .exact import TOLERANCE, exact_choice, whole
from .neurons import Shape, float_neuron, round_neurons
from .scale_choice import INTEGERS, Choice, Choices, Site, Sites
from .weights import Grid, coarse_synapse, with_weight

BIAS = ".bias"
"""Ends the name of a population that drives another's current at every step."""


class Rounding:
    """Rounds one network as chosen.

    Parameters
    ----------
    network : Network
        A float network.
    sites : mapping of population name to Site
    choices : mapping of population name to Choice

    Attributes
    ----------
    parts : dict of population name to list of int
        How many parallel projections each projection into it became, once `result` was called.
    """

    def __init__(self, network: Network, sites: Sites, choices: Choices) -> None:
        self.network, self.sites, self.choices = network, sites, choices
        self.audit: list[AuditEntry] = []
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.integers = INTEGERS in network.metadata
        """Whether the network was in integers before: it keeps the chip's clock then."""
        self.metadata = {k: v for k, v in network.metadata.items() if k != INTEGERS}
        self.depth = depths(network)
        self.parts: dict[str, list[int]] = {name: [] for name in choices}

    def _note(self, element: str, rating: Rating, reason: str) -> None:
        self.audit.append(AuditEntry(element, rating, reason))

    def result(self) -> Network:
        """Give the rounded network."""
        for population in self.network.populations:
            if population.neuron.is_port:
                port = population if self.integers else replace(population, neuron=Source())
                self.populations.append(port)
                self._note(population.name, Rating.FAITHFUL, "input port")
            else:
                self._population(population)
        if self.integers:  # those into one population stand together now
            places = {(p.source, p.target): i for i, p in enumerate(self.network.projections)}
            self.projections.sort(key=lambda p: places[p.source, p.target])
        return Network(
            tuple(self.populations),
            tuple(self.projections),
            Audit(tuple(self.audit)),
            self.metadata,
        )

    def _population(self, population: Population) -> None:
        name = population.name
        site, choice = self.sites[name], self.choices[name]
        shape, factor = choice.shaped(site.shape), choice.factor
        # Of a network that was rounded before: to what was trained in the first place.
        self.metadata[f"{SCALE}{name}"] = factor * scale_before(self.network, name)
        fixed = replace(population, neuron=round_neurons(population, shape, factor))
        self._check_delay(population)
        self._drive(population, shape, factor)
        self.populations.append(fixed)
        self._note_neuron(population, shape, factor)
        coarse = any(step == 0 for step in choice.steps) and 2 * factor > site.largest
        if coarse and exact_choice(site) is None:
            reason = "weights use less than their range: threshold or bias would not fit the chip"
            self._note(f"{name}/scale", Rating.APPROXIMATE, reason)
        if choice.bias:
            largest = float(np.abs(choice.bias).max() * factor)
            reason = f"up to {largest:.3g} added for the mean current that rounding took"
            self._note(f"{name}/bias", Rating.APPROXIMATE, reason)
        if choice.balance:
            low, high = min(choice.balance), max(choice.balance)
            reason = f"threshold times {low:.4g}..{high:.4g}, so that as many spikes are sent"
            self._note(f"{name}/threshold", Rating.APPROXIMATE, reason)
        for index in range(len(site.feeds)):
            self._projection(site, index, choice)

    def _projection(self, site: Site, index: int, choice: Choice) -> None:
        projection, synapse = site.feeds[index]
        factor, step = choice.factor, choice.steps[index]
        mantissa = site.mantissas(index, choice)
        fine, coarse = mantissa, None
        if site.splits[index] and site.grids[index].beyond(mantissa).any():
            fine, coarse = site.grids[index].parts(mantissa)
        weight = _shifted(fine, step)
        self.projections.append(replace(projection, synapse=with_weight(synapse, weight)))
        if coarse is not None:
            more = coarse_synapse(
                synapse, _shifted(coarse, step + site.grids[index].shift(mantissa))
            )
            self.projections.append(replace(projection, synapse=more))
        self.parts[projection.target].append(1 if coarse is None else 2)
        self._note_projection(site, index, factor, step, mantissa)

    def _drive(self, population: Population, shape: Shape, factor: float) -> None:
        """Stand in for the bias of a current by a neuron that spikes at every step."""
        if not np.any(shape.drive):
            return
        hops = self.depth[population.name]
        name = f"{population.name}{BIAS}"
        # A bias counts from a population's first step on, which is hop by hop later on the chip.
        delay = np.full(1, hops - 1, np.int32) if hops > 1 else None
        always = CubaLIF(DECAY_UNITY, DECAY_UNITY, threshold=0, bias=1)
        self.populations.append(Population(name, (1,), always, axon_delay=delay))
        exact = shape.drive[:, None] * factor
        grid, mantissa = drive_of(shape, factor)
        if np.abs(mantissa - exact).max() > 1:
            raise UnsupportedError(
                f"population {population.name!r}: a bias of its current of {np.abs(exact).max():g} "
                f"beside weights up to 256; lower it or raise the threshold"
            )
        parts = grid.parts(mantissa) if grid.beyond(mantissa).any() else (mantissa,)
        for part, step in zip(parts, (0, grid.shift(mantissa)), strict=False):
            self.projections.append(Projection(name, population.name, Dense(_shifted(part, step))))
        reason = (
            f"bias of the current, by a neuron that spikes at every step; {_off(exact, mantissa)}"
        )
        self._note(name, Rating.APPROXIMATE, reason)

    def _check_delay(self, population: Population) -> None:
        delay = population.axon_delay
        if delay is not None and delay.max() > MAX_DELAY:
            raise UnsupportedError(
                f"population {population.name!r}: a delay of {delay.max()} steps, the chip's limit "
                f"is {MAX_DELAY}; shorten it or use a larger time step"
            )

    def _note_neuron(self, population: Population, shape: Shape, factor: float) -> None:
        neuron, name = float_neuron(population), population.name
        keeps = (neuron.current_keep, neuron.voltage_keep)
        decays = (shape.current_decay, shape.voltage_decay)
        off = max(
            float(np.abs(1 - np.asarray(k, np.float64) - d / DECAY_UNITY).max())
            for k, d in zip(keeps, decays, strict=True)
        )
        threshold = shape.threshold * factor
        error = float(np.abs(np.rint(threshold) / threshold - 1).max())
        reason = f"scale {factor:.6g}; decays off by up to {off:.2g}"
        if neuron.sends != "voltage":
            reason += f", threshold by {error:.2g} of itself"
        if shape.reset != "zero":
            late = " in the next step, after the decay" if shape.reset == "subtract-late" else ""
            reason += f"; soft reset{late}, which NetX and Lava's LIF have not: deploy it"
        if shape.refractory > 1:
            reason += "; a refractory step after a spike (NetX refDelay), which Lava's LIF has not:"
            reason += " deploy it"
        bias = shape.bias * factor
        lost = float(np.abs(np.rint(bias) - bias).max())
        if not whole(bias):
            reason += f", bias by {lost / np.abs(bias).max():.2g} of its largest"
        fires_alike = neuron.sends == "voltage" or error <= TOLERANCE
        exact = off <= TOLERANCE and whole(bias) and fires_alike
        self._note(name, Rating.FAITHFUL if exact else Rating.APPROXIMATE, reason)
        for note in shape.notes:
            self._note(name, Rating.APPROXIMATE, note)
        hops = self.depth[name]
        if np.any(shape.bias) and hops and not self.integers:
            reason = f"its bias counts from the chip's first step on, {hops} steps before its input"
            self._note(f"{name}/bias", Rating.APPROXIMATE, reason)

    def _note_projection(
        self, site: Site, index: int, factor: float, step: int, mantissa: NDArray[np.int64]
    ) -> None:
        projection, synapse = site.feeds[index]
        exact, held = site.weights[index] * factor, mantissa * 2.0**step
        reason = (
            f"{synapse.kind} weights {held.min():g}..{held.max():g} in steps of {1 << step}, "
            f"{_off(exact, held)}"
        )
        beyond = int(np.count_nonzero(site.grids[index].beyond(mantissa)))
        if beyond:
            reason += f"; {beyond} of {mantissa.size} by two synapses each"
        kept = np.abs(exact - held) <= TOLERANCE * np.maximum(1, np.abs(held))
        rating = Rating.FAITHFUL if kept.all() else Rating.APPROXIMATE
        self._note(projection.name, rating, reason)
        if self.integers:
            return
        lag = self.depth[projection.target] - self.depth[projection.source] - 1
        closes = self.network.closes(projection)
        if (not closes and lag) or (closes and projection.source != projection.target):
            steps = -lag - 1 if closes else -lag
            reason = (
                f"takes {steps + 1} steps in its cycle in place of 1" if closes and steps > 0
                else f"arrives {lag} steps before the longest way to {projection.target!r}"
            )  # fmt: skip
            if not closes or steps:
                self._note(f"{projection.name}/time", Rating.APPROXIMATE, reason)


def scale_before(network: Network, name: str) -> float:
    """What the states of a network that is rounded anew were multiplied by already."""
    if INTEGERS not in network.metadata:
        return 1.0
    return float(network.metadata.get(f"{SCALE}{name}", 1.0))


def drive_of(shape: Shape, factor: float) -> tuple[Grid, NDArray[np.int64]]:
    """Weights [neurons, 1] of what drives a population's currents at every step, and their grid."""
    grid = Grid.of(shape.drive, WEIGHT_BITS)  # few synapses: always at full width
    return grid, grid.mantissas(shape.drive[:, None] * factor, 0, split=True)


def _shifted(mantissa: NDArray[np.int64], step: int) -> NDArray[np.int32]:
    weight: NDArray[np.int32] = (mantissa << step).astype(np.int32)
    return weight


def _off(exact: NDArray[np.float64], held: NDArray[np.generic]) -> str:
    """Largest and relative root-mean-square rounding error of weights."""
    error = exact - np.asarray(held, np.float64)
    power = float(np.sqrt((exact**2).mean())) if exact.size else 0.0
    relative = float(np.sqrt((error**2).mean())) / power if power else 0.0
    return f"off by up to {np.abs(error).max(initial=0):.3g} (rms {relative:.2%} of the weights)"


def depths(network: Network) -> dict[str, int]:
    """Hops of each population on the longest way that closes no cycle."""
    depths = {network.input.name: 0}
    for population in network.populations[1:]:
        sources = [p.source for p in network.into(population.name) if not network.closes(p)]
        depths[population.name] = max((depths[s] + 1 for s in sources), default=0)
    return depths
