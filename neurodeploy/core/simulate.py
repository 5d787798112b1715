"""Runs a network on blocks of samples in the core, one call a block, each from zero state."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import Presented
from ..network import Network
from . import library as c
from .library import library, raise_error
from .network import OVERFLOWS, CoreNetwork, core_network

BLOCK_BYTES = 1 << 26
"""Results and inputs of one block of samples should stay within this."""

BLOCK_WORK = 1 << 30
"""Neurons times steps of a block, a second or so, after which Ctrl-C is heard."""

THREAD_WORK = 1 << 20
"""Neurons times steps, about a millisecond, below which starting a thread does not pay."""


@dataclass(frozen=True)
class PopulationResult:
    """What one block gave for one population, in flat (C, H, W) order.

    Attributes
    ----------
    step_counts : int32 [samples, steps]
    counts : int64 [samples, neurons]
        Messages of each neuron.
    neuron : int32 [events] or None
        None where messages were not asked for.
    payload : int32 [events] or None
        None where every payload is 1, too.
    states : dict of str to int32 [samples, steps, neurons]
    overflows : dict of str to int64 [samples]
    """

    step_counts: NDArray[np.int32]
    counts: NDArray[np.int64]
    neuron: NDArray[np.int32] | None
    payload: NDArray[np.int32] | None
    states: dict[str, NDArray[np.int32]]
    overflows: dict[str, NDArray[np.int64]]


def simulate(
    network: Network,
    values: Presented,
    *,
    messages: Collection[str] | None = None,
    states: tuple[str, ...] = (),
    threads: int = 1,
    block: int | None = None,
    window: int = 0,
    reset_interval: int | None = None,
    reset_offset: int = 0,
) -> Iterator[dict[str, PopulationResult]]:
    """Run samples block by block.

    Parameters
    ----------
    network : Network
    values : Presented
        What the input population sends (a source) or receives (a neuron).
    messages : collection of str, optional
        Populations whose messages to return; by default all.
    states : tuple of str
        Which to keep for every step, of populations whose neurons have them.
    threads : int
        Share the samples of a block, or the neurons of one sample.
    block : int, optional
        Samples in a block; by default as many as `BLOCK_BYTES` and `BLOCK_WORK` allow.
    window : int
        Steps that a population runs at a time, at most; 0 leaves it to the core.
    reset_interval, reset_offset : int
        See `RunOptions`.

    Yields
    ------
    dict of population name to PopulationResult, in order of samples

    Raises
    ------
    UnsupportedError
        If the core cannot run an element; it names it.
    """
    packed = core_network(network)
    resets = _resets(network, values.steps, reset_interval, reset_offset)
    wanted = frozenset(packed.names if messages is None else messages)
    neurons = packed.neurons
    if block is None:
        kept = 4 * len(states) * values.steps * neurons
        kept += 4 * values.steps * (network.input.size + len(packed.names)) + 8 * neurons
        kept += sum(values.steps * network[name].size for name in wanted)
        block = max(1, min(BLOCK_BYTES // kept, BLOCK_WORK // (values.steps * neurons)))
        if block > threads:
            block -= block % threads
    # A picture that is held, as `numpy.broadcast_to` makes one, is looked at once.
    held = values.given.shape[1] > 1 and values.given.strides[1] == 0
    given_steps = values.given.shape[1]
    if held:
        values = replace(values, given=values.given[:, :1])
    for first in range(0, len(values), block):
        made = values.block(slice(first, first + block))
        worth = 1 + len(made) * values.steps * neurons // THREAD_WORK
        inputs = c.Inputs(
            made.ctypes.data, len(made), values.steps, given_steps, window,
            packed.names.index(network.input.name), made.itemsize, values.binary,
            min(threads, worth), held,
        )  # fmt: skip
        yield _run_block(packed, network, inputs, wanted, states, resets)


def _resets(
    network: Network, steps: int, interval: int | None, offset: int
) -> Mapping[str, NDArray[np.bool_]]:
    """Say before which steps each population's states return to zero."""
    if interval is None:
        return {}
    clock = np.arange(1, steps + 1) % interval
    return {
        p.name: clock == (offset + 1 + network.hops(p.name)) % interval for p in network.populations
    }


def _run_block(
    packed: CoreNetwork,
    network: Network,
    inputs: c.Inputs,
    wanted: frozenset[str],
    states: tuple[str, ...],
    resets: Mapping[str, NDArray[np.bool_]],
) -> dict[str, PopulationResult]:
    asked = (c.Results * len(packed.names))()
    results = _make_room(packed, inputs.samples, inputs.steps, states, asked)
    for to, name in zip(asked, packed.names, strict=True):
        if name in resets:
            to.resets = resets[name].ctypes.data
        to.wants_messages = name in wanted
    core = library()
    handle = core.nd_run(packed.handle, ctypes.byref(inputs), asked, len(asked))
    if not handle:
        raise_error("engine")
    try:
        for place, name in enumerate(packed.names):
            packed.complete(place, results[name].states)
            if name in wanted:
                total = int(results[name].step_counts.sum(dtype=np.int64))
                neuron, payload = messages_of(handle, place, total)
                results[name] = replace(results[name], neuron=neuron, payload=payload)
    finally:
        core.nd_run_free(handle)
    return {p.name: results[p.name] for p in network.populations}


def _make_room(
    packed: CoreNetwork, samples: int, steps: int, states: tuple[str, ...], asked: Any
) -> dict[str, PopulationResult]:
    """Make arrays for all populations, zero where the core adds, and tell it where they are.

    All that it adds to is one array: finding out where an array lies takes as long as a short
    step.
    """
    populations = packed.populations
    step_counts = np.zeros((len(populations), samples, steps), np.int32)
    overflows = np.zeros((len(populations), len(OVERFLOWS), samples), np.int64)
    counts = np.zeros(samples * sum(p.size for p in populations), np.int64)
    at_steps, at_overflows, at_counts = (a.ctypes.data for a in (step_counts, overflows, counts))
    results, first = {}, 0
    for place, (to, population) in enumerate(zip(asked, populations, strict=True)):
        size = samples * population.size
        to.step_counts = at_steps + place * step_counts.strides[0]
        to.overflows = at_overflows + place * overflows.strides[0]
        to.counts = at_counts + first * counts.itemsize
        own, room = population.neuron.states, (samples, steps, population.size)
        kept = {name: np.empty(room, np.int32) for name in own if name in states}
        if kept:
            to.keep(own, kept)
        sent = counts[first : first + size].reshape(samples, population.size)
        counted = {
            what: overflows[place][k]
            for k, what in enumerate(OVERFLOWS)
            if what in packed.overflows[place]
        }
        results[population.name] = PopulationResult(
            step_counts[place], sent, None, None, kept, counted
        )
        first += size
    return results


def messages_of(
    handle: int, place: int, total: int
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """Take neurons and payloads of one population out of a run's result; None if all are 1."""
    core = library()
    neuron = np.empty(total, np.int32)
    payload = np.empty(total, np.int32) if core.nd_has_payloads(handle, place) else None
    core.nd_messages(
        handle, place, neuron.ctypes.data, None if payload is None else payload.ctypes.data
    )
    return neuron, payload
