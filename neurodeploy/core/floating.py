"""Runs a float network on blocks of samples, each from zero state, in float32.

A population outside cycles runs all its steps at once. Populations of a cycle take turns step by
step, in the network's order: what leads forward delivers in the same step, what closes the cycle
(`Network.closes`) in the next. Sums have one order, see `floating_synapses`; samples share nothing:
so the result is the same to the bit for every block, thread and instruction set.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..inputs import Presented
from ..network import FloatLIF, Network, Population, Source
from . import library as c
from .floating_synapses import Deliver, Floats, call, deliveries
from .order import cycles

BLOCK_BYTES = 1 << 27
"""Messages and currents of the blocks that run at a time should stay within this."""

CALL_WORK = 1 << 16
"""Neurons times steps of one call, some milliseconds with their synapses, that a thread is worth.

Less of them, and threads only wait for each other in Python.
"""

_PARAMETERS = (
    "current_keep", "current_gain", "current_bias", "voltage_keep", "voltage_gain",
    "voltage_bias", "threshold", "reset_value", "minimum",
)  # fmt: skip


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
    network: Network,
    values: Presented,
    *,
    states: tuple[str, ...] = (),
    threads: int = 1,
    block: int | None = None,
) -> Iterator[dict[str, FloatResult]]:
    """Run samples block by block.

    Parameters
    ----------
    network : Network
        A float network.
    values : Presented
    states : tuple of str
        Of "u" and "v": which to keep for every step.
    threads : int
        Blocks that run at a time.
    block : int, optional
        Samples in a block; by default as many as keep all threads busy and fit into `BLOCK_BYTES`.

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
    neurons = sum(p.size for p in network.populations)
    at_once = 1 if any(_is_cycle(names, feeds) for names in stretches) else steps
    threads = min(threads, 1 + samples * neurons * at_once // CALL_WORK)
    if block is None:
        fitting = BLOCK_BYTES // (4 * neurons * (2 + len(states)) * steps * threads)
        block = max(1, min(fitting, -(-samples // threads)))

    def run(first: int) -> dict[str, FloatResult]:
        made = _Block(network, feeds, values[first : first + block], states)
        for names in stretches:
            made.advance(names)
        return {p.name: made.results[p.name] for p in network.populations}

    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, samples, block * threads):
            starts = range(first, min(samples, first + block * threads), block)
            yield from map(run, starts) if len(starts) == 1 else pool.map(run, starts)


def _feeds(network: Network, population: Population) -> list[Feed]:
    # The kernels are those of this model alone.
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


def _is_cycle(names: list[str], feeds: dict[str, list[Feed]]) -> bool:
    return any(feed.source in names for name in names for feed in feeds[name])


class _Block:
    """One block of samples on its way through the network."""

    def __init__(
        self,
        network: Network,
        feeds: dict[str, list[Feed]],
        values: NDArray[Any],
        states: tuple[str, ...],
    ) -> None:
        self.network, self.feeds, self.states = network, feeds, states
        self.samples, self.steps = values.shape[:2]
        self.values = values.reshape(self.samples, self.steps, -1)
        self.results: dict[str, FloatResult] = {}

    def advance(self, names: list[str]) -> None:
        """Run a population alone, or those of a cycle together."""
        runs = [_PopulationRun(self, self.network[name], names) for name in names]
        for run in runs:
            self.results[run.population.name] = run.result
        width = 1 if _is_cycle(names, self.feeds) else self.steps
        for t0 in range(0, self.steps, width):
            for run in runs:
                run.advance(t0, t0 + width)


class _PopulationRun:
    """One population over one block."""

    def __init__(self, block: _Block, population: Population, together: list[str]) -> None:
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
        self.neurons = None
        if population.neuron.is_float:  # a source passes on what it is given
            self.neurons = _Neurons(population.neuron, population.size, block.samples)

    def advance(self, t0: int, t1: int) -> None:
        """Run steps t0..t1, and pass messages on, each as late as its axon is long."""
        for feed in self.inner:
            self._take(feed, t0, t1)
        current, delay = self.current[:, t0:t1], self.population.axon_delay
        sent = np.empty_like(current) if delay is not None else self.result.sent[:, t0:t1]
        if self.neurons is None:
            sent[:] = current
        else:
            states = {name: kept[:, t0:t1] for name, kept in self.result.states.items()}
            self.neurons.step(current, sent, states)
        for steps in () if delay is None else np.unique(delay):
            late = t0 + int(steps)
            span = max(0, min(t1 - t0, self.block.steps - late))
            which = np.flatnonzero(delay == steps)
            self.result.sent[:, late : late + span, which] = sent[:, :span, which]

    def _take(self, feed: Feed, t0: int, t1: int) -> None:
        first = max(t0, feed.lag)
        if first < t1:
            sent = self.block.results[feed.source].sent
            feed.deliver(sent[:, first - feed.lag : t1 - feed.lag], self.current[:, first:t1])


class _Neurons:
    """A population's neurons with their states, zero at first; all that the core's step takes."""

    def __init__(self, neuron: Any, size: int, samples: int) -> None:
        self.states = np.zeros((3, samples, size), np.float32)
        self.parameters = np.empty((len(_PARAMETERS), size), np.float32)
        for row, name in zip(self.parameters, _PARAMETERS, strict=True):
            value = getattr(neuron, name)
            row[:] = -np.inf if value is None else value
        self.asked = c.FloatNeurons(
            reset=("value", "subtract", "none").index(neuron.reset),
            reset_time=("same", "before", "after", "again").index(neuron.reset_time),
            inclusive=neuron.inclusive,
            sees_last_current=neuron.sees_last_current,
            sends=("spike", "voltage", "count").index(neuron.sends),
        )
        for names, arrays in ((("u", "v", "owed"), self.states), (_PARAMETERS, self.parameters)):
            for name, array in zip(names, arrays, strict=True):
                setattr(self.asked, name, array.ctypes.data)

    def step(self, current: Floats, sent: Floats, records: dict[str, Floats]) -> None:
        """Run over `current` [samples, steps, neurons]; write into `sent` and records like it."""
        asked = self.asked
        asked.samples, asked.steps, asked.neurons = current.shape
        asked.current, asked.sent = current.ctypes.data, sent.ctypes.data
        asked.current_stride, asked.sent_stride = current.strides[0] // 4, sent.strides[0] // 4
        for name, record in records.items():
            setattr(asked, f"{name}_record", record.ctypes.data)
            asked.record_stride = record.strides[0] // 4
        call("step", ctypes.byref(asked))
