"""Runs a plan on blocks of samples, each from zero state.

A population outside cycles runs a window of time steps at a time: all its
synapses first, then its neurons, so that the window's currents stay in cache.
Populations of a cycle take turns step by step.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..core.simulate import PopulationResult
from ..inputs import Presented
from .events import DelayLine, EventBuffer
from .intake import send_in, take_in
from .layout import from_engine
from .neurons import Stepper
from .plan import Plan, PopulationPlan, Stretch
from .synapses import wrap_currents

WINDOW_BYTES = 1 << 18
"""Currents of one window should stay within a core's cache (L2)."""

SHORTEST_WINDOW = 8
"""Steps of a window that a block of samples must leave room for in the cache."""

STATE_BYTES = 1 << 26
"""States that a block may keep, where a run records them; and messages of a source."""


THREAD_WORK = 1 << 20
"""Neurons times steps, about a millisecond, below which starting a thread does not pay."""

MESSAGES = 1 << 22
"""Messages that a population has room for at first."""


def simulate(
    plan: Plan,
    values: Presented,
    *,
    messages: Collection[str] | None = None,
    states: tuple[str, ...] = (),
    threads: int = 1,
    block: int | None = None,
    reset_interval: int | None = None,
    reset_offset: int = 0,
) -> Iterator[dict[str, PopulationResult]]:
    """Run samples block by block.

    Parameters
    ----------
    plan : Plan
    values : Presented
        What the input population sends (a source) or receives (a neuron).
    messages : collection of str, optional
        Populations whose messages to return; by default all.
    states : tuple of str
        Of "u" and "v": which to keep for every step.
    threads : int
        Blocks that run at once.
    block : int, optional
        Samples in a block; by default as many as keep the currents in cache.
    reset_interval, reset_offset : int
        See `RunOptions`.

    Yields
    ------
    dict of population name to PopulationResult, in order of samples
    """
    samples = len(values)
    wanted = frozenset(plan.names if messages is None else messages)
    if block is None:
        fitting = WINDOW_BYTES // (4 * plan.widest * min(values.steps, SHORTEST_WINDOW))
        if states:
            kept = 4 * len(states) * values.steps * plan.neurons
            fitting = min(fitting, STATE_BYTES // kept)
        worth_a_thread = THREAD_WORK // (values.steps * plan.neurons)
        block = max(1, min(fitting, max(worth_a_thread, -(-samples // threads))))

    def run(first: int) -> dict[str, PopulationResult]:
        part = slice(first, first + block)
        return _Block(plan, values, part, wanted, states).run(reset_interval, reset_offset)

    if threads == 1 or samples <= block:
        for first in range(0, samples, block):
            yield run(first)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[dict[str, PopulationResult]]] = deque()
        for first in range(0, samples, block):
            waiting.append(pool.submit(run, first))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Block:
    """One block of samples on its way through the network."""

    def __init__(
        self,
        plan: Plan,
        values: Presented,
        part: slice,
        messages: frozenset[str],
        states: tuple[str, ...],
    ) -> None:
        self.plan = plan
        made = values.block(part)
        channels = made.shape[2] if made.ndim == 5 else 1
        self.values = made.reshape(*made.shape[:2], channels, -1)
        self.samples, self.steps = len(made), values.steps
        self.binary = values.binary
        self.messages = messages
        self.states = states
        self.events: dict[str, EventBuffer] = {}

    def run(self, interval: int | None, offset: int) -> dict[str, PopulationResult]:
        results: dict[str, PopulationResult] = {}
        clock = np.arange(1, self.steps + 1)
        never = np.zeros(self.steps, np.bool_)
        for stretch in self.plan.stretches:
            runs = []
            for plan in stretch.populations:
                resets = never
                if interval is not None:
                    resets = clock % interval == (offset + 1 + plan.hops) % interval
                runs.append(_PopulationRun(self, plan, stretch, resets))
            width = runs[0].window
            for t0 in range(0, self.steps, width):
                for run in runs:
                    run.advance(t0, min(t0 + width, self.steps))
            for run in runs:
                results[run.plan.population.name] = run.finish()
        return {name: results[name] for name in self.plan.names}


class _PopulationRun:
    """One population over one block: its currents, states and messages."""

    def __init__(
        self, block: _Block, plan: PopulationPlan, stretch: Stretch, resets: NDArray[np.bool_]
    ) -> None:
        self.block = block
        self.plan = plan
        samples, steps = block.samples, block.steps
        population = plan.population
        # A source has no currents; only its messages need room.
        bound = STATE_BYTES if plan.sends_inputs else WINDOW_BYTES
        fitting = bound // (4 * plan.width * samples)
        self.window = 1 if stretch.cyclic else max(1, min(steps, fitting))
        currents = 0 if plan.sends_inputs else samples * self.window * plan.width
        self.room = np.empty(currents, np.int32)
        self.stepper: Stepper = plan.stepper.begin(samples, steps, block.states, resets)
        # Pages that no message touches cost nothing; growing copies.
        room = min(samples * steps * population.size, MESSAGES)
        graded = population.neuron.graded and not (plan.sends_inputs and block.binary)
        self.sent = EventBuffer.empty(samples, steps, room, graded)
        # In a cycle, delayed messages must be at hand while later steps still run.
        self.line: DelayLine | None = None
        if stretch.cyclic and population.axon_delay is not None:
            self.line = DelayLine(population, samples, steps)
        block.events[population.name] = self.line.left if self.line else self.sent

    def advance(self, t0: int, t1: int) -> None:
        """Run steps t0..t1."""
        self.sent.reserve(self.block.samples * (t1 - t0) * self.plan.population.size)
        if self.plan.sends_inputs:
            send_in(self.block.values, t0, t1, self.sent)
        else:
            awake = min(max(t0, self.plan.population.starts), t1)
            if t0 < awake:
                self.sent.rest(t0, awake)
                for kept in self.stepper.kept.values():
                    kept[:, t0:awake] = 0
            if awake < t1:
                self.stepper.step(self._currents(awake, t1), awake, self.sent)
        if self.line is not None:
            self.line.pass_on(self.sent, t0)

    def _currents(self, t0: int, t1: int) -> NDArray[np.int32]:
        """Add up what arrives in steps t0..t1."""
        shape = (self.block.samples, t1 - t0, self.plan.width)
        current = self.room[: math.prod(shape)].reshape(shape)  # contiguous in the last window too
        if self.plan.is_input:
            take_in(self.block.values, t0, t1, current)
        else:
            current[:] = 0
        alone = not self.plan.is_input and len(self.plan.feeds) == 1
        for source, delivery in self.plan.feeds:
            # What wraps is the sum of one projection, not that of all.
            into = np.zeros_like(current) if delivery.may_wrap and not alone else current
            delivery.deliver(self.block.events[source], t0, t1, into)
            if delivery.may_wrap:
                wrap_currents(into, self.stepper.overflows["input_overflows"])
            if into is not current:
                current += into
        return current

    def finish(self) -> PopulationResult:
        """Collect what the population did."""
        population = self.plan.population
        events = self.block.events[population.name]
        if population.axon_delay is not None and self.line is None:
            events = events.delayed(DelayLine.of(population))
            self.block.events[population.name] = events
        neuron = payload = None
        if population.name in self.block.messages:
            in_order = events is self.sent and (
                self.window >= self.block.steps or self.block.samples == 1
            )
            neuron, payload = events.gathered(self.plan.order, in_order)
        counts = events.counted(self.plan.order, population.size)
        states = {n: from_engine(kept, population) for n, kept in self.stepper.kept.items()}
        return PopulationResult(
            events.count, counts, neuron, payload, states, self.stepper.overflows
        )
