"""Runs a network on blocks of samples in the core, one call a block, each from zero state."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inputs import Presented
from ..network import Network
from ..recording.assemble import Events
from . import library as c
from .learning import Carried, LearnedBlock, learned_bytes, room_for, shape_of
from .library import library, raise_error
from .network import OVERFLOWS, CoreNetwork, core_network

BLOCK_BYTES = 1 << 26
"""Results and inputs of one block of samples should stay within this."""

BLOCK_WORK = 1 << 30
"""Neurons times steps of a block, a second or so, after which Ctrl-C is heard."""

THREAD_WORK = 1 << 20
"""Neurons times steps, about a millisecond, below which starting a thread does not pay."""


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
    trajectories: bool = False,
    learn_across_samples: bool = False,
) -> Iterator[BlockResults]:
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
    trajectories : bool
        Keep what projections that learn are like after each epoch, too.
    learn_across_samples : bool
        See `RunOptions`: samples follow one another, on one thread.

    Yields
    ------
    BlockResults
        In order of samples.

    Raises
    ------
    UnsupportedError
        If the core cannot run an element; it names it.
    """
    packed = core_network(network)
    wanted = frozenset(packed.names if messages is None else messages)
    neurons = packed.neurons
    held, given_steps = values.held, values.given.shape[1]
    shown = values.once if held else values
    if block is None and len(values) == 1:
        block = 1
    elif block is None:
        kept = 4 * len(states) * values.steps * neurons
        kept += 4 * shown.given[0].size + 4 * values.steps * len(packed.names) + 8 * neurons
        kept += sum(values.steps * network[name].size for name in wanted)
        kept += sum(learned_bytes(network, p, values.steps, trajectories) for p in network.learning)
        block = max(1, min(BLOCK_BYTES // kept, BLOCK_WORK // (values.steps * neurons)))
        if block > threads:
            block -= block % threads
    carried = Carried.of(network) if learn_across_samples and network.learning else None
    threads = 1 if carried else threads
    for first in range(0, len(values), block):
        made = shown.block(slice(first, first + block))
        worth = 1 + len(made) * values.steps * neurons // THREAD_WORK
        inputs = c.Inputs(
            made.ctypes.data, None, len(made), values.steps, given_steps, window,
            packed.names.index(network.input.name), made.itemsize, values.binary,
            min(threads, worth), held, _count_type(values.steps).itemsize,
        )  # fmt: skip
        room = _room(packed, network, inputs, wanted, (reset_interval, reset_offset))
        learning = _Learning(network, trajectories, carried) if network.learning else None
        yield _run_block(packed, room, inputs, wanted, states, learning)


def _count_type(steps: int) -> np.dtype[Any]:
    """Of what the core counts of a neuron in so many steps: most counts are never looked at."""
    return np.dtype(np.uint8 if steps < 1 << 8 else np.uint16 if steps < 1 << 16 else np.int64)


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


class BlockResults(Mapping[str, Events]):
    """What one block gave, by population, in flat (C, H, W) order; taken apart when asked for.

    Of populations whose messages were not asked for there are no counts of messages by step.

    Attributes
    ----------
    samples, steps : int
    learned : dict of str to LearnedBlock
        By projection, of those that learn.
    """

    def __init__(self, room: _Room) -> None:
        self._room = room
        self.samples, self.steps = room.samples, room.steps
        self.counted = np.zeros(room.words, np.int64)
        self.messages: dict[str, tuple[NDArray[np.int32], NDArray[np.int32] | None]] = {}
        self.states: dict[str, dict[str, NDArray[np.int32]]] = {}
        self.learned: dict[str, LearnedBlock] = {}
        self._known: dict[str, Events] = {}

    def step_counts(self, name: str) -> NDArray[np.int32] | None:
        """int32 [samples, steps], of a population whose messages were asked for."""
        if (first := self._room.first[name].get("step_counts")) is None:
            return None
        counts = self.counted[first:].view(np.int32)[: self.samples * self.steps]
        return counts.reshape(self.samples, self.steps)

    def __getitem__(self, name: str) -> Events:
        if name not in self._known:
            first, overflows = self._room.first[name], {}
            kind = _count_type(self.steps)
            counts = self.counted[first["counts"] : first["end"]].view(kind)
            counts = counts[: self.samples * self._room.sizes[name]].reshape(self.samples, -1)
            if (at := first.get("overflows")) is not None:
                each = self.counted[at : at + len(OVERFLOWS) * self.samples]
                found = dict(zip(OVERFLOWS, each.reshape(-1, self.samples), strict=True))
                overflows = {what: found[what] for what in self._room.overflows[name]}
            neuron, payload = self.messages.get(name, (None, None))
            states = self.states.get(name, {})
            steps = self.step_counts(name)
            self._known[name] = Events(
                steps, counts.astype(np.int64), neuron, payload, states, overflows
            )
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._room.names)

    def __len__(self) -> int:
        return len(self._room.names)


class _Room:
    """Where the core puts what it counts of a block: one array, which holds zeros at first.

    To find out where an array lies takes as long as a short step.
    """

    def __init__(
        self,
        packed: CoreNetwork,
        network: Network,
        samples: int,
        steps: int,
        wanted: frozenset[str],
        resets: tuple[int | None, int],
    ) -> None:
        self.names = tuple(p.name for p in network.populations)
        self.overflows = dict(zip(packed.names, packed.overflows, strict=True))
        self.sizes = {p.name: p.size for p in network.populations}
        self.samples, self.steps = samples, steps
        self.asked = (c.Results * len(packed.names))()
        self.first: dict[str, dict[str, int]] = {}
        self.words = 1  # nothing is at 0, which is no place to the core
        item = _count_type(steps).itemsize
        for place, population in enumerate(packed.populations):
            sizes = {"counts": -(-samples * population.size * item // 8)}
            if packed.overflows[place]:
                sizes["overflows"] = samples * len(OVERFLOWS)
            if population.name in wanted:
                sizes["step_counts"] = (samples * steps + 1) // 2  # of int32
                self.asked[place].wants_messages = True
            first = self.first[population.name] = {"end": self.words + sizes["counts"]}
            for what, size in sizes.items():
                first[what] = self.words
                setattr(self.asked[place], what, 8 * self.words)
                self.words += size
        self.resets = _resets(network, steps, *resets)
        for name, before in self.resets.items():
            self.asked[packed.names.index(name)].resets = before.ctypes.data


def _room(
    packed: CoreNetwork,
    network: Network,
    inputs: c.Inputs,
    wanted: frozenset[str],
    resets: tuple[int | None, int],
) -> _Room:
    """Of the run before, where this one is like it, as most are."""
    shape = inputs.samples, inputs.steps, wanted, resets
    if shape not in packed.rooms:
        packed.rooms = {shape: _Room(packed, network, *shape)}
    room: _Room = packed.rooms[shape]
    return room


def _run_block(
    packed: CoreNetwork,
    room: _Room,
    inputs: c.Inputs,
    wanted: frozenset[str],
    states: tuple[str, ...],
    learning: _Learning | None,
) -> BlockResults:
    results = BlockResults(room)
    inputs.counted = results.counted.ctypes.data
    asked = room.asked
    if states:
        asked = type(asked).from_buffer_copy(asked)
        _point(packed, asked, results, states)
    core = library()
    told = None if learning is None else learning.room_in(results)
    handle = core.nd_run(packed.handle, ctypes.byref(inputs), asked, len(asked), told)
    if not handle:
        raise_error("engine")
    try:
        for name in wanted:
            results.messages[name] = messages_of(handle, packed.names.index(name))
    finally:
        core.nd_run_free(handle)
    for place, name in enumerate(packed.names if states else ()):
        packed.complete(place, results.states[name])
    return results


@dataclass(frozen=True)
class _Learning:
    """What a run keeps of the projections that learn.

    Attributes
    ----------
    network : Network
    trajectories : bool
        After each epoch, too.
    carried : Carried or None
        Where each sample begins with what the last one learned.
    """

    network: Network
    trajectories: bool
    carried: Carried | None

    def room_in(self, results: BlockResults) -> Any:
        """Make room for it, in the order in which the core knows the projections."""
        learning = self.network.learning
        told = (c.Learned * len(learning))()
        for k, projection in enumerate(learning):
            results.learned[projection.name], told[k] = room_for(
                projection,
                shape_of(self.network, projection),
                results.samples,
                results.steps,
                self.trajectories,
                self.carried.buffers[k] if self.carried else None,
            )
        return told


def _point(
    packed: CoreNetwork,
    asked: Any,
    results: BlockResults,
    states: tuple[str, ...],
) -> None:
    """Make room for states and tell the core where."""
    for to, population in zip(asked, packed.populations, strict=True):
        own, room = population.neuron.states, (results.samples, results.steps, population.size)
        kept = {name: np.empty(room, np.int32) for name in own if name in states}
        results.states[population.name] = kept
        if kept:
            to.keep(own, kept)


def messages_of(handle: int, place: int) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """Take neurons and payloads of one population out of a run's result; None if all are 1."""
    core = library()
    neuron = np.empty(core.nd_message_count(handle, place), np.int32)
    payload = np.empty_like(neuron) if core.nd_has_payloads(handle, place) else None
    core.nd_messages(
        handle, place, neuron.ctypes.data, None if payload is None else payload.ctypes.data
    )
    return neuron, payload
