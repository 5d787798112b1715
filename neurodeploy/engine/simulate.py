"""Runs a plan on blocks of samples, each from zero state.

A population without loops runs a window of time steps at a time: all its
synapses first, then its neurons, so that the window's currents stay in cache.
A population that feeds itself runs step by step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Average, Conv, CubaLIF, Delta, Dense, SigmaDelta, Source
from . import kernels
from .plan import Plan, PopulationPlan, ProjectionPlan

WINDOW_BYTES = 1 << 20
"""Currents of one window should stay within a core's share of the cache."""

_NOTHING = np.empty((0, 0, 0), np.int32)


@dataclass
class EventBuffer:
    """Events of one population over one block; see `kernels` for the layout."""

    start: NDArray[np.int64]
    count: NDArray[np.int32]
    neuron: NDArray[np.int32]
    payload: NDArray[np.int32]
    used: int = 0

    @classmethod
    def empty(cls, samples: int, steps: int, capacity: int, graded: bool) -> EventBuffer:
        """Make room for `capacity` events and the one slot that kernels write beyond them."""
        return cls(
            np.zeros((samples, steps), np.int64),
            np.zeros((samples, steps), np.int32),
            np.empty(capacity + 1, np.int32),
            np.empty(capacity + 1 if graded else 0, np.int32),
        )

    def reserve(self, more: int) -> None:
        """Make room for `more` events beyond those in use."""
        needed = self.used + more + 1
        if needed > len(self.neuron):
            size = max(needed, 2 * len(self.neuron))
            self.neuron = np.concatenate([self.neuron, np.empty(size - len(self.neuron), np.int32)])
            if self.payload.size:
                grown = np.empty(size - len(self.payload), np.int32)
                self.payload = np.concatenate([self.payload, grown])


@dataclass
class PopulationResult:
    """What one block gave for one population, in flat (C, H, W) order."""

    step_counts: NDArray[np.int32]
    neuron: NDArray[np.int32]
    payload: NDArray[np.int32] | None
    states: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    overflows: dict[str, NDArray[np.int64]] = field(default_factory=dict)


def simulate(
    plan: Plan,
    values: NDArray[np.int32],
    *,
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
    values : int32 [samples, steps, *input shape]
        What the input population sends (a source) or receives (a neuron).
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
    samples, steps = values.shape[:2]
    largest = max(p.size for p in plan.populations)
    if block is None:
        block = max(1, min(WINDOW_BYTES // (4 * largest * max(1, steps)), -(-samples // threads)))

    def run(first: int) -> dict[str, PopulationResult]:
        return _Block(plan, values[first : first + block], states).run(reset_interval, reset_offset)

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

    def __init__(self, plan: Plan, values: NDArray[np.int32], states: tuple[str, ...]) -> None:
        self.plan = plan
        self.values = values
        self.samples, self.steps = values.shape[:2]
        self.states = states
        self.events: list[EventBuffer] = []

    def run(self, interval: int | None, offset: int) -> dict[str, PopulationResult]:
        results = {}
        for population in self.plan.populations:
            resets = np.zeros(self.steps, np.bool_)
            if interval is not None:
                clock = np.arange(1, self.steps + 1)
                resets = clock % interval == (offset + 1 + population.hops) % interval
            results[population.population.name] = self._run_population(population, resets)
        return results

    def _run_population(self, plan: PopulationPlan, resets: NDArray[np.bool_]) -> PopulationResult:
        neuron = plan.population.neuron
        window = 1 if plan.loops else max(1, WINDOW_BYTES // (4 * plan.size * self.samples))
        window = min(window, max(1, self.steps))
        events = EventBuffer.empty(
            self.samples, self.steps, self.samples * window * plan.size, neuron.graded
        )
        self.events.append(events)
        stepper = _Stepper(plan, self.samples, self.steps, self.states, resets)
        current = np.empty((self.samples, window, plan.size), np.int32)
        for t0 in range(0, self.steps, window):
            t1 = min(t0 + window, self.steps)
            part = current[:, : t1 - t0]
            self._deliver(plan, t0, t1, part, stepper)
            events.reserve(part.size)
            stepper.step(part, t0, events)
        if plan.delay is not None:
            events = self.events[-1] = self._delayed(plan, events)
        return self._result(plan, events, stepper)

    def _deliver(
        self,
        plan: PopulationPlan,
        t0: int,
        t1: int,
        current: NDArray[np.int32],
        stepper: _Stepper,
    ) -> None:
        if plan.index == 0:
            given = self.values[:, t0:t1]
            if plan.order.size:
                given = given.transpose(0, 1, 3, 4, 2)
            current[:] = given.reshape(current.shape)
        else:
            current[:] = 0
        for projection in (*plan.forward, *plan.loops):
            into = current
            if projection.may_wrap and (plan.index == 0 or len(plan.forward + plan.loops) > 1):
                into = np.zeros_like(current)  # only this convolution's own sum wraps
            self._deliver_one(plan, projection, t0, t1, into)
            if projection.may_wrap:
                kernels.wrap_currents(into, stepper.overflows["input_overflows"])
            if into is not current:
                current += into

    def _deliver_one(
        self,
        plan: PopulationPlan,
        projection: ProjectionPlan,
        t0: int,
        t1: int,
        current: NDArray[np.int32],
    ) -> None:
        e = self.events[projection.source]
        messages = (e.start, e.count, e.neuron, e.payload, projection.graded)
        synapse = projection.projection.synapse
        if isinstance(synapse, Dense):
            kernels.deliver_dense(*messages, synapse.steps, t0, t1, projection.weight, current)
        elif isinstance(synapse, Conv):
            kernels.deliver_conv(
                *messages,
                synapse.steps,
                t0,
                t1,
                projection.weight,
                projection.rows,
                projection.columns,
                projection.layout,
                current,
            )
        elif isinstance(plan.population.neuron, Average):
            group_size = plan.population.neuron.group_size
            kernels.deliver_groups(*messages, t0, t1, group_size, current)

    def _delayed(self, plan: PopulationPlan, events: EventBuffer) -> EventBuffer:
        graded = plan.population.neuron.graded
        moved = EventBuffer.empty(self.samples, self.steps, events.used, graded)
        out = (moved.start, moved.count, moved.neuron, moved.payload)
        moved.used = kernels.delay_events(
            events.start, events.count, events.neuron, events.payload, graded, plan.delay, out
        )
        return moved

    def _result(
        self, plan: PopulationPlan, events: EventBuffer, stepper: _Stepper
    ) -> PopulationResult:
        graded = plan.population.neuron.graded
        neuron = np.empty(events.used, np.int32)
        payload = np.empty(events.used if graded else 0, np.int32)
        kernels.gather_events(
            events.start, events.count, events.neuron, events.payload, graded, plan.order,
            neuron, payload,
        )  # fmt: skip
        return PopulationResult(
            events.count,
            neuron,
            payload if graded else None,
            {name: self._flat(plan, kept) for name, kept in stepper.kept.items()},
            stepper.overflows,
        )

    def _flat(self, plan: PopulationPlan, kept: NDArray[np.int32]) -> NDArray[np.int32]:
        """Bring states from the engine's order into flat (C, H, W) order."""
        if not plan.order.size:
            return kept
        channels, height, width = plan.population.shape
        grid = kept.reshape(self.samples, self.steps, height, width, channels)
        return grid.transpose(0, 1, 4, 2, 3).reshape(kept.shape)


class _Stepper:
    """States of one population's neurons, and the kernel that steps them."""

    def __init__(
        self,
        plan: PopulationPlan,
        samples: int,
        steps: int,
        states: tuple[str, ...],
        resets: NDArray[np.bool_],
    ) -> None:
        self.neuron = plan.population.neuron
        self.parameters = plan.parameters
        self.resets = resets
        number = 3 if isinstance(self.neuron, (Delta, SigmaDelta)) else 2
        self.state = [np.zeros((samples, plan.size), np.int32) for _ in range(number)]
        self.kept = {
            name: np.empty((samples, steps, plan.size), np.int32)
            for name in self.neuron.states
            if name in states
        }
        on_chip = not isinstance(self.neuron, (Source, Average))
        self.overflows = {
            name: np.zeros(samples, np.int64)
            for name in ("u_overflows", "v_overflows", "input_overflows")
            if on_chip
        }
        self._unused = np.zeros(samples, np.int64)

    def step(self, current: NDArray[np.int32], t0: int, events: EventBuffer) -> None:
        """Run the neurons over a window and append what they send."""
        into = (events.used, events.start, events.count, events.neuron)
        u, v = (self.kept.get(name, _NOTHING) for name in ("u", "v"))
        p: dict[str, Any] = self.parameters
        u_overflows = self.overflows.get("u_overflows", self._unused)
        if isinstance(self.neuron, CubaLIF):
            events.used = kernels.cuba_lif(
                current, t0, *self.state, p["keep_u"], p["keep_v"], p["threshold"], p["bias"],
                self.resets, *into, u, v, u_overflows, self.overflows["v_overflows"],
            )  # fmt: skip
        elif isinstance(self.neuron, (Delta, SigmaDelta)):
            mode = 0 if isinstance(self.neuron, Delta) else 1 if self.neuron.rectify else 2
            events.used = kernels.sigma_delta(
                current, t0, *self.state, p["threshold"], p["bias"], mode,
                *into, events.payload, u, v, u_overflows,
            )  # fmt: skip
        else:
            keep = not isinstance(self.neuron, (Source, Average))
            events.used = kernels.accumulate(
                current, t0, self.state[0], keep, *into, events.payload, u, u_overflows
            )
