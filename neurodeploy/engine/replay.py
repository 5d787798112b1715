"""One population by itself, fed with messages that were recorded.

What a population does follows from what reached it, so a single population can
be run again, on any recorded messages of its sources, without the network
before it. Its own messages count as a source too, where it feeds itself: no
cycle is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Population
from .events import SLACK, DelayLine, EventBuffer
from .layout import from_engine, order_of
from .plan import plan_population
from .simulate import WINDOW_BYTES
from .synapses import wrap_currents


@dataclass(frozen=True)
class Messages:
    """Messages of one population over some samples, neurons flat in (C, H, W) order.

    Attributes
    ----------
    step_counts : int32 [samples, steps]
    neuron : int32 [events]
        Sorted by sample and step.
    payload : int32 [events] or None
        None where every payload is 1.
    """

    step_counts: NDArray[np.int32]
    neuron: NDArray[np.int32]
    payload: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, dense: NDArray[np.integer]) -> Messages:  # type: ignore[type-arg]
        """Collect the entries of [samples, steps, neurons] that are not zero."""
        sample, step, neuron = np.nonzero(dense)
        payload = dense[sample, step, neuron].astype(np.int32)
        counts = np.count_nonzero(dense, axis=2).astype(np.int32)
        plain = bool((payload == 1).all())
        return cls(counts, neuron.astype(np.int32), None if plain else payload)


@dataclass(frozen=True)
class Replayed:
    """What a population did, int32 [samples, steps, neurons] in flat (C, H, W) order.

    Attributes
    ----------
    spikes : int32 [samples, steps, neurons]
        Messages as they leave, after the axon's delay.
    fired : bool [samples, steps, neurons]
        In which steps neurons sent, before the axon's delay.
    states : dict of str to int32 [samples, steps, neurons]
    """

    spikes: NDArray[np.int32]
    fired: NDArray[np.bool_]
    states: dict[str, NDArray[np.int32]]


def replay(
    network: Network,
    name: str,
    messages: Mapping[str, Messages],
    *,
    values: NDArray[np.int32] | None = None,
    states: tuple[str, ...] = ("u", "v"),
    resets: NDArray[np.bool_] | None = None,
) -> Replayed:
    """Run one population on recorded messages of its sources, from zero state.

    Parameters
    ----------
    network : Network
    name : str
    messages : mapping of source to Messages
        As they left the source, delays of its axons behind them; equal samples
        and steps for all.
    values : int32 [samples, steps, neurons], optional
        What is presented to the input population's neurons.
    states : tuple of str
        Of "u" and "v": which to keep.
    resets : bool [steps], optional
        Steps before which states become zero.

    Returns
    -------
    Replayed

    Raises
    ------
    InputError
        If messages of a source are missing.
    UnsupportedError
        If the engine cannot run the population.
    """
    plan = plan_population(network, name, "auto")
    missing = {source for source, _ in plan.feeds} - set(messages)
    if missing or (plan.is_input and values is None):
        what = f"messages of {min(missing)!r}" if missing else "the inputs"
        raise InputError(f"population {name!r}: {what} are needed to run it again; give them")
    given = [m.step_counts for m in messages.values()]
    samples, steps = given[0].shape if given else np.asarray(values).shape[:2]
    events = {source: _buffer(messages[source], network[source]) for source, _ in plan.feeds}
    never = np.zeros(steps, np.bool_)
    stepper = plan.stepper.begin(samples, steps, states, never if resets is None else resets)
    graded = plan.population.neuron.graded
    sent = EventBuffer.empty(samples, steps, plan.population.size, graded)
    window = max(1, min(steps, WINDOW_BYTES // (4 * plan.width * samples)))
    order = order_of(plan.population)
    awake = min(plan.population.starts, steps)
    sent.rest(0, awake)
    for kept_states in stepper.kept.values():
        kept_states[:, :awake] = 0
    for t0 in range(awake, steps, window):
        t1 = min(t0 + window, steps)
        current = np.zeros((samples, t1 - t0, plan.width), np.int32)
        if plan.is_input and values is not None:
            part = values[:, t0:t1]
            current += part[..., order] if order.size else part
        for source, delivery in plan.feeds:
            into = np.zeros_like(current)
            delivery.deliver(events[source], t0, t1, into)
            if delivery.may_wrap:
                wrap_currents(into, np.zeros(samples, np.int64))
            current += into
        sent.reserve(samples * (t1 - t0) * plan.population.size)
        stepper.step(current, t0, sent)
    left = sent
    if plan.population.axon_delay is not None:
        left = sent.delayed(DelayLine.of(plan.population))
    kept = {n: from_engine(values, plan.population) for n, values in stepper.kept.items()}
    fired = _dense(sent, order, plan.population.size) != 0
    return Replayed(_dense(left, order, plan.population.size), fired, kept)


def _buffer(messages: Messages, source: Population) -> EventBuffer:
    """Bring messages into the engine's order."""
    order = order_of(source)
    neuron = messages.neuron
    if order.size:
        place = np.empty(order.size, np.int32)
        place[order] = np.arange(order.size, dtype=np.int32)
        neuron = place[neuron]
    counts = np.ascontiguousarray(messages.step_counts, np.int32)
    ends = np.cumsum(counts, dtype=np.int64).reshape(counts.shape)
    padded = np.zeros(len(neuron) + SLACK, np.int32)
    padded[: len(neuron)] = neuron
    payload = np.empty(0, np.int32)
    if messages.payload is not None:
        payload = np.zeros(len(neuron) + SLACK, np.int32)
        payload[: len(neuron)] = messages.payload
    return EventBuffer(ends - counts, counts, padded, payload, len(neuron))


def _dense(events: EventBuffer, order: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    neuron, payload = events.gathered(order)
    samples, steps = events.count.shape
    where = np.repeat(np.arange(samples * steps), events.count.ravel())
    dense = np.zeros((samples * steps, size), np.int32)
    dense[where, neuron] = 1 if payload is None else payload
    return dense.reshape(samples, steps, size)
