"""One population by itself in the core, fed with messages that were recorded."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network, Population
from . import library as c
from .library import library, raise_error, unit_in_use
from .network import CoreNetwork
from .simulate import messages_of

_OWN = " (recorded)"
"""Ends the name of a source: a population that feeds itself is there twice."""


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
        Which to keep, of those that its neurons have.
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
        If the core cannot run the population.
    """
    population, projections = network[name], network.into(name)
    sources = list(dict.fromkeys(p.source for p in projections))
    is_input = population is network.input
    missing = set(sources) - set(messages)
    if missing or (is_input and values is None):
        what = f"messages of {min(missing)!r}" if missing else "the inputs"
        raise InputError(f"population {name!r}: {what} are needed to run it again; give them")
    given = [messages[source] for source in sources]
    # Of a population that nothing feeds, any other's messages say how long the run was.
    anyone = next(iter(messages.values()), None)
    shape = np.asarray(values).shape[:2] if anyone is None else anyone.step_counts.shape
    senders = [replace(network[s], name=s + _OWN, axon_delay=None) for s in sources]
    feeds = [replace(p, source=p.source + _OWN) for p in projections]
    order = [*senders, population]
    packed = CoreNetwork([[p] for p in order], feeds, [False] * len(order), unit_in_use())
    return _run(packed, population, given, shape, values if is_input else None, states, resets)


def _run(
    packed: CoreNetwork,
    population: Population,
    given: list[Messages],
    shape: tuple[int, ...],
    values: NDArray[np.int32] | None,
    states: tuple[str, ...],
    resets: NDArray[np.bool_] | None,
) -> Replayed:
    samples, steps = shape
    room = (samples, steps, population.size)
    own = population.neuron.states
    kept = {n: np.empty(room, np.int32) for n in own if n in states}
    fired, step_counts = np.zeros(room, np.bool_), np.zeros(shape, np.int32)
    asked = (c.Results * len(packed.names))()
    held = []  # arrays that must outlive the call
    for to, messages in zip(asked, given, strict=False):
        arrays = messages.step_counts, messages.neuron, messages.payload
        parts = [None if a is None else np.ascontiguousarray(a, np.int32) for a in arrays]
        held.append(parts)
        to.given_counts, to.given_neuron, to.given_payload = (
            None if a is None else a.ctypes.data for a in parts
        )
    last = asked[len(given)]
    last.keep(own, kept)
    last.fired, last.step_counts = fired.ctypes.data, step_counts.ctypes.data
    if resets is not None:
        resets = np.ascontiguousarray(resets, np.bool_)
        last.resets = resets.ctypes.data
    last.wants_messages = True
    if values is not None:
        values = np.ascontiguousarray(values, np.int32)
    presented = None if values is None else values.ctypes.data
    inputs = c.Inputs(presented, None, samples, steps, steps, 0, len(given), 4, False, 1, False)
    core = library()
    handle = core.nd_run(packed.handle, ctypes.byref(inputs), asked, len(asked), None)
    if not handle:
        raise_error(f"population {population.name!r}")
    try:
        neuron, payload = messages_of(handle, len(given))
    finally:
        core.nd_run_free(handle)
    packed.complete(len(given), kept)
    spikes = np.zeros((samples * steps, population.size), np.int32)
    where = np.repeat(np.arange(samples * steps), step_counts.ravel())
    spikes[where, neuron] = 1 if payload is None else payload
    return Replayed(spikes.reshape(room), fired, kept)
