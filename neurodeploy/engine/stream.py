"""Runs a network one time step at a time, for ever."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ChipWarning, InputError, UnsupportedError
from ..inputs import present, range_of
from ..network import Network, Population
from .events import DelayLine, EventBuffer
from .intake import send_in, take_in
from .layout import to_engine
from .plan import Plan, PopulationPlan, make_plan
from .synapses import wrap_currents


def stream(
    network: Network, *, apply_transform: bool = True, count: bool = False, gated: bool = False
) -> Stream:
    """Open a network for running step by step; states carry on from step to step.

    Parameters
    ----------
    network : Network
    apply_transform : bool
        Whether to apply the input layer's weight and bias to what is presented.
    count : bool
        Keep `Stream.messages` and `Stream.synops`.
    gated : bool
        What a chip does that takes several of its steps for each one here and lets each
        population run in one of them, the first population first: a message reaches the
        populations behind within the step, and the output lags by nothing. Loops of a
        population with itself still take a step, and `Population.starts` counts from when
        the first message can be there. Where all paths to a population are equally long, and
        populations start when they are reached or have no bias, the output is that of a
        stream without this, as many steps earlier as it lags there.

    Returns
    -------
    Stream
        A context manager; ``stream.step(x)`` runs one step.

    Raises
    ------
    UnsupportedError
        If the engine cannot run an element; it names it. If `gated`, and populations
        feed each other in a loop: neither is the first.

    Warns
    -----
    ChipWarning
        If delays are longer than the chip's.
    """
    for line in network.beyond_chip:
        warnings.warn(line, ChipWarning, stacklevel=2)
    return Stream(network, apply_transform, count, gated)


class Stream:
    """A network that is running; see `stream`.

    Attributes
    ----------
    network : Network
    steps : int
        Steps run so far.
    messages : dict of str to int
        Messages that left each population so far, where they are counted.
    synops : int
        Synaptic operations that they cause, zero weights not counted.
    """

    def __init__(
        self,
        network: Network,
        apply_transform: bool = True,
        count: bool = False,
        gated: bool = False,
    ) -> None:
        self.network = network
        self.gated = gated
        self.steps = 0
        self._fan_outs: dict[str, NDArray[np.int64]] = {}
        if count:
            self._fan_outs = {p.name: _fan_out(network, p) for p in network.populations}
        self._apply_transform = apply_transform
        self._plan: Plan = make_plan(network)
        if gated:
            _check_order(self._plan)
        self._open = True
        plain = network.input.transform is None or not apply_transform
        self._limits = range_of(network) if plain else None
        self._begin()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False

    def reset(self) -> None:
        """Start again from zero state."""
        self.steps = 0
        self._begin()

    def step(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """Present one step of input and return what the output sends in this step.

        Parameters
        ----------
        x : array [*input shape]
            As one step of the inputs of `neurodeploy.run`. The output lags by
            ``network.hops(network.output.name)`` steps, by none if gated.

        Returns
        -------
        int32 [*output shape]

        Raises
        ------
        InputError
            If the shape or range does not fit, or the stream is closed.
        """
        if not self._open:
            raise InputError("stream: is closed; open another with stream(network)")
        values = self._presented(np.asarray(x))
        for run in self._runs:
            run.advance(values, self.steps)
        self.steps += 1
        out = self._runs[self._output].output()
        for name, fan_out in self._fan_outs.items():
            run = self._by_name[name]
            left = run.left
            sent, reached = _reached(left.start, left.count, left.neuron, run.now, fan_out)
            self.messages[name] += sent
            self.synops += reached
        for run in self._runs:
            run.forget()
        return out

    def _presented(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """As `present`, quickly where a step of integers is what it should be."""
        if self._limits is not None and x.shape == self.network.input.shape and x.dtype.kind == "i":
            least, most = self._limits
            if least <= x.min() and x.max() <= most:
                return np.ascontiguousarray(x, np.int32)[None, None]
        return present(self.network, x[None], None, self._apply_transform)[:]

    def _begin(self) -> None:
        plans = [plan for stretch in self._plan.stretches for plan in stretch.populations]
        slots = max((d.longest_lag for p in plans for _, d in p.feeds), default=0) + 1
        events: dict[str, EventBuffer] = {}
        self._runs = [_PopulationStream(plan, slots, events, self.gated) for plan in plans]
        names = [plan.population.name for plan in plans]
        self._output = names.index(self.network.output.name)
        self._by_name = dict(zip(names, self._runs, strict=True))
        self.messages, self.synops = dict.fromkeys(self._fan_outs, 0), 0


class _PopulationStream:
    """One population: the present step stands in the last slot of its buffers."""

    def __init__(
        self, plan: PopulationPlan, slots: int, events: dict[str, EventBuffer], gated: bool
    ) -> None:
        self.plan = plan
        self.events = events
        self.now = slots - 1
        population = plan.population
        self.starts = population.starts - (plan.hops if gated else 0)
        # The step of the sources' clock that is read as the present one.
        self.feeds = [
            (
                source,
                delivery,
                self.now + (delivery.lag if gated and source != population.name else 0),
            )
            for source, delivery in plan.feeds
        ]
        self.stepper = plan.stepper.begin(1, slots, (), np.zeros(slots, np.bool_))
        self.current = np.empty((1, 1, plan.width), np.int32)
        graded = population.neuron.graded
        room = 2 * (slots + 1) * population.size
        self.sent = EventBuffer.empty(1, slots, room, graded)
        self.line: DelayLine | None = None
        if population.axon_delay is not None:
            self.line = DelayLine(population, 1, slots)
        self.left = self.line.left if self.line else self.sent
        events[population.name] = self.left

    def advance(self, values: NDArray[np.int32], clock: int) -> None:
        """Run one step."""
        self.sent.reserve(self.plan.population.size)
        if self.plan.sends_inputs:
            send_in(_planes(values), 0, 1, self.sent, self.now)
        elif clock < self.starts:
            self.sent.rest(self.now, self.now + 1)
        else:
            self.stepper.step(self._currents(values), self.now, self.sent)
        if self.line is not None:
            self.line.pass_on(self.sent, self.now, clock)

    def _currents(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Add up what arrives in the present step."""
        current = self.current
        if self.plan.is_input:
            take_in(_planes(values), 0, 1, current)
        else:
            current[:] = 0
        for source, delivery, at in self.feeds:
            into = np.zeros_like(current) if delivery.may_wrap else current
            delivery.deliver(self.events[source], at, at + 1, into)
            if delivery.may_wrap:
                wrap_currents(into, self.stepper.overflows["input_overflows"])
                current += into
        return current

    def output(self) -> NDArray[np.int32]:
        """What leaves in the present step."""
        left, population = self.left, self.plan.population
        first = int(left.start[0, self.now])
        last = first + int(left.count[0, self.now])
        neuron = left.neuron[first:last]
        out = np.zeros(population.size, np.int32)
        out[self.plan.order[neuron] if self.plan.order.size else neuron] = (
            left.payload[first:last] if left.graded else 1
        )
        return out.reshape(population.shape)

    def forget(self) -> None:
        """Make the present step the one before."""
        self.sent.forget_oldest()
        if self.line is not None:
            self.left.forget_oldest()


def _check_order(plan: Plan) -> None:
    for stretch in plan.stretches:
        if len(stretch.populations) > 1:
            names = ", ".join(repr(p.population.name) for p in stretch.populations)
            raise UnsupportedError(
                f"stream: populations {names} feed each other in a loop, so none can run before "
                f"the others within a step; stream it without gated"
            )


@njit(nogil=True, cache=True)
def _reached(start, count, neuron, t, fan_out):  # type: ignore[no-untyped-def]
    """Messages of step t, and synapses that they reach."""
    total = np.int64(0)
    for e in range(start[0, t], start[0, t] + count[0, t]):
        total += fan_out[neuron[e]]
    return np.int64(count[0, t]), total


def _fan_out(network: Network, population: Population) -> NDArray[np.int64]:
    """Synapses that a message of each neuron reaches, as the engine numbers them."""
    total = np.zeros(population.size, np.int64)
    for projection in network.out_of(population.name):
        total += network.fan_out(projection).ravel()
    return np.ascontiguousarray(to_engine(total, population))


def _planes(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Bring [1, 1, *shape] to [1, 1, C, positions]."""
    channels = values.shape[2] if values.ndim == 5 else 1
    return values.reshape(1, 1, channels, -1)
