"""Runs a float network on blocks of samples, each from zero state.

A population outside cycles runs all its steps at once, synapses as matrix products over samples
x steps. Populations of a cycle take turns step by step, in the network's order: what leads
forward delivers in the same step, what closes the cycle (`Network.closes`) in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.order import cycles
from ...errors import UnsupportedError
from ...inputs import Presented
from ...network import FloatLIF, Network, Population, Source
from .neurons import Neurons
from .synapses import Deliver, deliveries

BLOCK_BYTES = 1 << 27
"""Messages and currents of one block of samples should stay within this."""

Floats = NDArray[np.float32]
_NOTHING = np.empty((0, 0, 0), np.float32)


@dataclass(frozen=True)
class Feed:
    """A part of a projection: who sends, how many steps before, and what it delivers."""

    source: str
    lag: int
    deliver: Deliver


@dataclass(frozen=True)
class FloatResult:
    """What one block gave for one population, in flat (C, H, W) order.

    Attributes
    ----------
    sent : float32 [samples, steps, neurons]
    states : dict of str to float32 [samples, steps, neurons]
    """

    sent: Floats
    states: dict[str, Floats]


def simulate(
    network: Network, values: Presented, *, states: tuple[str, ...] = (), block: int | None = None
) -> Iterator[dict[str, FloatResult]]:
    """Run samples block by block.

    Parameters
    ----------
    network : Network
        A float network.
    values : Presented
    states : tuple of str
        Of "u" and "v": which to keep for every step.
    block : int, optional
        Samples in a block; by default as many as fit into `BLOCK_BYTES`.

    Yields
    ------
    dict of population name to FloatResult, in order of samples

    Raises
    ------
    UnsupportedError
        If the float mode cannot run an element; it names it.
    """
    feeds = {p.name: _feeds(network, p) for p in network.populations}
    stretches = list(cycles(network))
    samples, steps = values.shape[:2]
    if block is None:
        size = sum(p.size * (2 + len(states)) for p in network.populations)
        block = max(1, BLOCK_BYTES // (4 * size * steps))
    for first in range(0, samples, block):
        run = _Block(network, feeds, values[first : first + block], states)
        for names in stretches:
            run.advance(names)
        yield {p.name: run.results[p.name] for p in network.populations}


def _feeds(network: Network, population: Population) -> list[Feed]:
    if type(population.neuron) not in (FloatLIF, Source):
        raise UnsupportedError(
            f"population {population.name!r}: {population.neuron.kind} neurons are none that the "
            f"float backend has; those in integers run on backend 'engine'"
        )
    feeds = []
    for projection in network.into(population.name):
        source = network[projection.source]
        wait = int(network.closes(projection))
        for delay, deliver in deliveries(projection, source, population):
            feeds.append(Feed(source.name, wait + delay, deliver))
    return feeds


class _Block:
    """One block of samples on its way through the network."""

    def __init__(
        self,
        network: Network,
        feeds: dict[str, list[Feed]],
        values: NDArray[np.generic],
        states: tuple[str, ...],
    ) -> None:
        self.network, self.feeds, self.states = network, feeds, states
        self.samples, self.steps = values.shape[:2]
        self.values = values.reshape(self.samples, self.steps, -1).astype(np.float32)
        self.results: dict[str, FloatResult] = {}

    def advance(self, names: list[str]) -> None:
        """Run a population alone, or those of a cycle together."""
        order = [p.name for p in self.network.populations if p.name in names]
        inner = any(feed.source in names for name in names for feed in self.feeds[name])
        runs = [_PopulationRun(self, self.network[name], set(names)) for name in order]
        for run in runs:
            self.results[run.population.name] = run.result
        width = 1 if inner else self.steps
        for t0 in range(0, self.steps, width):
            for run in runs:
                run.advance(t0, t0 + width)


class _PopulationRun:
    """One population over one block."""

    def __init__(self, block: _Block, population: Population, together: set[str]) -> None:
        self.block, self.population = block, population
        shape = (block.samples, block.steps, population.size)
        kept = [name for name in population.neuron.states if name in block.states]
        states = {name: np.empty(shape, np.float32) for name in kept}
        self.result = FloatResult(np.zeros(shape, np.float32), states)
        self.current = np.zeros(shape, np.float32)
        if population is block.network.input:
            self.current += block.values
        self.inner = []
        for feed in block.feeds[population.name]:
            if feed.source in together:
                self.inner.append(feed)
            else:  # what comes from outside the cycle is there already, all of it
                self._take(feed, 0, block.steps)
        self.neurons: Neurons | None = None
        if isinstance(population.neuron, FloatLIF):
            self.neurons = Neurons.of(population.neuron, population.size, block.samples)

    def advance(self, t0: int, t1: int) -> None:
        """Run steps t0..t1."""
        for feed in self.inner:
            self._take(feed, t0, t1)
        current = self.current[:, t0:t1]
        sent = np.empty_like(current)
        if self.neurons is None:
            sent[:] = current
        else:
            states = self.result.states
            u, v = (states[n][:, t0:t1] if n in states else _NOTHING for n in ("u", "v"))
            self.neurons.step(current, sent, u, v)
        self._send(sent, t0)

    def _take(self, feed: Feed, t0: int, t1: int) -> None:
        sent = self.block.results[feed.source].sent
        first = max(t0, feed.lag)
        if first >= t1:
            return
        messages = sent[:, first - feed.lag : t1 - feed.lag]
        delivered = feed.deliver(messages.reshape(-1, messages.shape[2]))
        self.current[:, first:t1] += delivered.reshape(self.block.samples, t1 - first, -1)

    def _send(self, sent: Floats, t0: int) -> None:
        """Pass messages on, each as late as its axon is long."""
        delay = self.population.axon_delay
        for steps in (0,) if delay is None else np.unique(delay):
            late = t0 + int(steps)
            span = min(sent.shape[1], self.block.steps - late)
            if span <= 0:
                continue
            which = slice(None) if delay is None else np.flatnonzero(delay == steps)
            self.result.sent[:, late : late + span, which] = sent[:, :span, which]
