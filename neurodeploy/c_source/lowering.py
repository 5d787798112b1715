"""A network as the emitted C holds it: populations laid out, their messages in rings, their feeds.

What the engine makes of a network (`core.neurons`, `core.synapses`) is made once more here, with
three differences. Images lie as [height][width][channels], so that a message of a convolution adds
to a run of channels. Populations run targets first, so that most messages need one place. Weights
stand by source, because a message walks what it reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.neurons import CoreNeuron, core_neuron
from ..core.order import cycles
from ..core.synapses import (
    CoreSynapses,
    DenseSynapses,
    KernelSynapses,
    ListedSynapses,
    core_synapses,
)
from ..errors import TooLargeError, UnsupportedError
from ..network import Network, Population, Projection
from .c_arrays import CArray, Weights, c_type, operand, smallest_type
from .c_names import label_of

MAX_NUMBERS = 4_000_000
"""Constants (weights, indices, parameters) of one source: some 16 MB of text, and a compiler's
memory of a few hundred MB."""

MAX_STATE_BYTES = 1 << 26
"""Of the struct that the caller owns."""

KINDS: dict[str, tuple[str, ...]] = {
    "relay": (),
    "cuba-lif": ("u", "v"),
    "cuba-lif-of-input": ("v",),
    "cuba-lif-general": ("u", "v", "wait"),
    "leaky-integrator": ("u", "v"),
    "ternary-lif": ("u", "v"),
    "alif": ("u", "v", "rise", "refractory"),
    "rf": ("u", "v"),
    "rf-iz": ("u", "v"),
    "rf-zero": ("u", "v"),
    "adrf": ("u", "v", "rise", "refractory"),
    "adrf-iz": ("u", "v", "rise", "refractory"),
    "delta": ("u", "v"),
    "sigma-delta": ("u", "v", "residue"),
    "sigma": ("u",),
    "threshold": (),
    "graded-threshold": (),
    "product": (),
}
"""Neurons by their kind in the core, with the states that the struct keeps of them: a current that
does not last is not kept, an adaptive threshold is kept as its rise above rest."""

Field = tuple[str, str, int, str]
"""Of the struct: type, name, how many numbers, its dimensions as they are declared."""

HARD_RESET = 0
"""Among the resets of ``cuba-lif-general``."""

SENDS_NOTHING = "leaky-integrator"


@dataclass(frozen=True, eq=False)
class Feed:
    """A part of a projection.

    Attributes
    ----------
    number : int
        Among all feeds.
    name : str
        Of its projection.
    source : Laid
    made : CoreSynapses
    weights : Weights
    lags : tuple of int
        Steps from message to current; several of a list with delays.
    arrays : dict of str to CArray
        What a list holds beside its weights.
    wraps : bool
        Whether its sum wraps to 24 bits.
    """

    number: int
    name: str
    source: Laid
    made: Any
    weights: Weights
    lags: tuple[int, ...]
    arrays: dict[str, CArray] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """Which of the three the core has."""
        return {DenseSynapses: "dense", KernelSynapses: "kernel", ListedSynapses: "list"}[
            type(self.made)
        ]

    @property
    def constants(self) -> Iterator[CArray]:
        """All its arrays."""
        if self.weights.array is not None:
            yield self.weights.array
        yield from self.arrays.values()


@dataclass(eq=False)
class Laid:
    """A population as the source holds it; what depends on its readers is filled in last.

    Attributes
    ----------
    number : int
        Its place in the network.
    population : Population
    neuron : CoreNeuron
    ident : str
        What begins its names in C.
    parameters : dict of str to str
        Each as an expression in C, of neuron ``i`` in channel ``c``.
    arrays : dict of str to CArray
        Parameters that differ between neurons, first voltages and delays of axons.
    feeds : list of Feed
        Those whose sums wrap first.
    slots : int
        Steps of which messages are kept.
    rank : int
        When it runs within a step.
    """

    number: int
    population: Population
    neuron: CoreNeuron
    ident: str
    parameters: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, CArray] = field(default_factory=dict)
    feeds: list[Feed] = field(default_factory=list)
    slots: int = 1
    rank: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.population.size

    @property
    def channels(self) -> int:
        """1 where the order of its neurons is the network's own."""
        shape = self.population.shape
        return shape[0] if len(shape) == 3 else 1

    @property
    def pixels(self) -> int:
        """Neurons of a channel."""
        return self.size // self.channels

    @property
    def order(self) -> NDArray[np.int64]:
        """(C, H, W) index of each of its neurons."""
        return np.arange(self.size).reshape(self.channels, self.pixels).T.ravel()

    @property
    def places(self) -> NDArray[np.int64]:
        """Where the neuron of each (C, H, W) index stands; the inverse of `order`."""
        return np.arange(self.size).reshape(self.pixels, self.channels).T.ravel()

    @property
    def states(self) -> tuple[str, ...]:
        """Kept in the struct."""
        return KINDS[self.neuron.kind]

    @property
    def sends(self) -> bool:
        """Whether it has messages."""
        return self.neuron.kind != SENDS_NOTHING

    @property
    def graded(self) -> bool:
        """Whether messages are other than 0 and 1."""
        return self.population.neuron.graded

    @property
    def message_type(self) -> str:
        """Of a message."""
        if not self.graded:
            return "uint8_t"
        return "int8_t" if self.neuron.kind == "ternary-lif" else "int32_t"

    @property
    def longest_delay(self) -> int:
        """Of its axons."""
        delay = self.population.axon_delay
        return 0 if delay is None else int(delay.max(initial=0))

    @property
    def ports(self) -> int:
        """Currents of a neuron."""
        return self.population.neuron.ports

    @property
    def by_channel(self) -> bool:
        """Whether a parameter differs between channels alone."""
        return any("[c]" in text for text in self.parameters.values())

    def sent(self, back: int) -> str:
        """Messages of `back` steps before its last one, in C."""
        if self.slots == 1:
            return f"s->{self.ident}_sent[0]"
        if back == 0:
            return f"s->{self.ident}_sent[s->{self.ident}_slot]"
        ahead = self.slots - back
        return f"s->{self.ident}_sent[(s->{self.ident}_slot + {ahead}u) % {self.slots}u]"

    def ahead(self, steps: int) -> str:
        """Messages that leave `steps` after its last one, in C."""
        return self.sent(self.slots - steps if steps else 0)

    def back(self, lag: int, reader: Laid) -> int:
        """Steps before its last one at which a reader in this step finds what is `lag` old."""
        return lag if reader.rank > self.rank else lag - 1

    def fields(self) -> Iterator[Field]:
        """Its fields of the struct."""
        if self.sends:
            dims = f"[{self.slots}][{self.size}]"
            yield self.message_type, f"{self.ident}_sent", self.slots * self.size, dims
        if self.slots > 1:
            yield c_type(smallest_type(0, 2 * self.slots)), f"{self.ident}_slot", 1, ""
        for state in self.states:
            yield "int32_t", f"{self.ident}_{state}", self.size, f"[{self.size}]"


@dataclass(frozen=True, eq=False)
class Program:
    """All that the templates write.

    Attributes
    ----------
    network : Network
    populations : tuple of Laid
        In the network's order.
    running : tuple of Laid
        In the order in which they run within a step.
    """

    network: Network
    populations: tuple[Laid, ...]
    running: tuple[Laid, ...]

    @property
    def input(self) -> Laid:
        """Where values are presented."""
        return self.populations[0]

    @property
    def output(self) -> Laid:
        """Whose messages are given, or whose v where it sends none."""
        return self.populations[-1]

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Of all populations."""
        return tuple(feed for laid in self.populations for feed in laid.feeds)

    @property
    def constants(self) -> Iterator[CArray]:
        """All arrays."""
        for laid in self.populations:
            yield from laid.arrays.values()
            for feed in laid.feeds:
                yield from feed.constants

    @property
    def constant_bytes(self) -> int:
        """Of all arrays."""
        return sum(array.values.nbytes for array in self.constants)

    @property
    def starts_late(self) -> bool:
        """Whether steps are counted."""
        return any(laid.population.starts for laid in self.populations)

    @property
    def row(self) -> int:
        """Numbers of a current, of the largest population that needs one."""
        return max((laid.size for laid in self.populations if not self.passes_on(laid)), default=0)

    @property
    def currents(self) -> int:
        """Currents that the struct has room for."""
        return max((laid.ports for laid in self.populations if not self.passes_on(laid)), default=0)

    @property
    def has_part(self) -> bool:
        """Whether a sum that wraps is added to another one."""
        return any(wraps_beside(laid, feed) for laid in self.populations for feed in laid.feeds)

    def passes_on(self, laid: Laid) -> bool:
        """Whether it is a port: its messages are what is presented."""
        return laid is self.input and laid.neuron.kind == "relay" and not laid.feeds

    def own_fields(self) -> Iterator[Field]:
        """Fields of the struct that are of no population."""
        count = len(self.populations)
        yield "uint32_t", "overflows", 3 * count, f"[{count}][3]"
        if self.starts_late:
            yield "uint32_t", "steps", 1, ""

    def scratch(self) -> Iterator[Field]:
        """Fields of the struct that hold nothing from step to step."""
        if self.currents:
            size = self.currents * self.row
            yield "uint32_t", "current", size, f"[{self.currents}][{self.row}]"
        if self.has_part:
            yield "uint32_t", "part", self.row, f"[{self.row}]"

    def fields(self) -> Iterator[Field]:
        """All fields of the struct in their order."""
        yield from self.own_fields()
        for laid in self.populations:
            yield from laid.fields()
        yield from self.scratch()

    @property
    def state_bytes(self) -> int:
        """What sizeof gives where types are aligned to their own size."""
        at = 0
        for kind, _, numbers, _ in self.fields():
            item = np.dtype(kind.removesuffix("_t")).itemsize
            at = -(-at // item) * item + numbers * item
        return -(-at // 4) * 4


def wraps_beside(laid: Laid, feed: Feed) -> bool:
    """Whether a feed's sum wraps and others stand in the current before it."""
    ahead = [one for one in laid.feeds if one.made.port == feed.made.port]
    return feed.made.wraps and ahead[0] is not feed


def lower(network: Network) -> Program:
    """Lay a network out for C.

    Raises
    ------
    UnsupportedError
        If C source has no form of an element; it names it.
    TooLargeError
        If there would be more than `MAX_NUMBERS` constants or `MAX_STATE_BYTES` of states.
    """
    neurons = sum(population.size for population in network.populations)
    if 4 * neurons > MAX_STATE_BYTES:
        raise TooLargeError(
            f"network: {neurons:,} neurons, limit of emit-c {MAX_STATE_BYTES // 4:,}; take a "
            f"smaller network"
        )
    populations = tuple(_laid(k, p) for k, p in enumerate(network.populations))
    by_name = {laid.population.name: laid for laid in populations}
    made = [
        (projection, by_name[projection.source], by_name[projection.target], part)
        for projection in network.projections
        for part in _parts(network, projection)
    ]
    running = _running(network, by_name, made)
    for rank, laid in enumerate(running):
        laid.rank = rank
    numbers = sum(array.values.size for laid in populations for array in laid.arrays.values())
    for projection, source, target, part in made:
        numbers += part.weight.size
        if numbers <= MAX_NUMBERS and source.sends and part.weight.any():
            feed = _feed(projection.name, source, target, part)
            numbers += sum(array.values.size for array in feed.arrays.values())
            target.feeds.append(feed)
        _check_numbers(projection, numbers)
    for laid in populations:
        laid.feeds.sort(key=lambda feed: not feed.made.wraps)
    number = 0
    for laid in populations:
        for k, feed in enumerate(laid.feeds):
            laid.feeds[k] = _numbered(feed, number)
            number += 1
    for laid in populations:
        for feed in laid.feeds:
            needed = feed.source.back(max(feed.lags), laid) + 1
            feed.source.slots = max(feed.source.slots, needed)
    for laid in populations:
        laid.slots += laid.longest_delay
    program = Program(network, populations, running)
    if program.state_bytes > MAX_STATE_BYTES:
        raise TooLargeError(
            f"network: its states and messages take {program.state_bytes:,} bytes, limit of emit-c "
            f"{MAX_STATE_BYTES:,}; take a smaller network, or shorter delays"
        )
    return program


def _check_numbers(projection: Projection, numbers: int) -> None:
    if numbers > MAX_NUMBERS:
        raise TooLargeError(
            f"projection {projection.name}: with it the source would hold {numbers:,} constants, "
            f"limit of emit-c {MAX_NUMBERS:,}; take a smaller or sparser network"
        )


def _laid(number: int, population: Population) -> Laid:
    neuron = core_neuron(population.neuron)
    if neuron is None or neuron.kind not in KINDS:
        hint = "; quantize the network first (nd.quantize)" if population.neuron.is_float else ""
        raise UnsupportedError(
            f"population {population.name!r}: emit-c has no {population.neuron.kind} neuron of "
            f"class {type(population.neuron).__name__}; it has {', '.join(KINDS)}{hint}"
        )
    laid = Laid(number, population, neuron, f"p{number}_{label_of(population.name)}")
    hard = neuron.options.get("reset") == HARD_RESET
    for name, value in neuron.parameters.items():
        if hard and name == "taken_off":  # nothing reads it then, which compilers warn of
            continue
        laid.parameters[name] = _constant(laid, name, np.asarray(value))
    if np.any(population.initial_voltage):
        given = np.broadcast_to(np.asarray(population.initial_voltage), population.size)
        laid.arrays["first_v"] = CArray.of(f"{laid.ident}_first_v", given[laid.order])
    if laid.longest_delay:
        delay = np.asarray(population.axon_delay)[laid.order]
        laid.arrays["axon_delay"] = CArray.of(f"{laid.ident}_axon_delay", delay)
    return laid


def _constant(laid: Laid, name: str, value: NDArray[Any]) -> str:
    """Give a parameter as an expression; hold what neurons, or a channel's, share once."""
    if not value.ndim or (value == value[0]).all():
        return operand(int(value.ravel()[0]))
    array, index = value[laid.order], "i"
    if laid.channels > 1:
        channels = array.reshape(laid.pixels, laid.channels)
        if (channels == channels[0]).all():
            array, index = channels[0], "c"
    laid.arrays[name] = CArray.of(f"{laid.ident}_{name}", array)
    return f"(int32_t){laid.arrays[name].name}[{index}]"


def _parts(network: Network, projection: Projection) -> tuple[Any, ...]:
    if projection.rule is not None:
        raise UnsupportedError(
            f"projection {projection.name}: its synapses learn, and emit-c writes weights that "
            f"stay; leave its rule out"
        )
    source, target = network[projection.source], network[projection.target]
    for one in projection.synapse.parts:  # windows across channels become lists, window by window
        if getattr(one, "across_channels", False):
            _check_numbers(projection, source.size * one.only_array.size)
    parts: tuple[CoreSynapses, ...] | None = core_synapses(
        projection.synapse, source, target, projection.into
    )
    if parts is None:
        raise UnsupportedError(
            f"projection {projection.name}: emit-c has no {projection.synapse.kind} synapse of "
            f"class {type(projection.synapse).__name__}; make it dense or a list"
        )
    return parts


Made = list[tuple[Projection, Laid, Laid, Any]]


def _running(network: Network, by_name: dict[str, Laid], made: Made) -> tuple[Laid, ...]:
    """Targets before their sources; whoever reads what is sent in the same step after them."""
    waiting = [by_name[name] for stretch in cycles(network) for name in stretch][::-1]
    first: dict[int, set[int]] = {laid.number: set() for laid in waiting}
    for _, source, target, part in made:
        if part.lag + part.delay == 0:
            first[target.number].add(source.number)
    running: list[Laid] = []
    while waiting:
        there = {laid.number for laid in running}
        ready = next((laid for laid in waiting if first[laid.number] <= there), None)
        if ready is None:
            names = ", ".join(repr(laid.population.name) for laid in waiting)
            raise UnsupportedError(
                f"populations {names}: read each other within one step; emit-c has no order for "
                f"them, give one of the projections a step"
            )
        waiting.remove(ready)
        running.append(ready)
    return tuple(running)


def _feed(name: str, source: Laid, target: Laid, part: Any) -> Feed:
    if type(part) is ListedSynapses:
        return _listed(name, source, target, part)
    lag = part.lag + part.delay
    if type(part) is DenseSynapses:
        weight = part.weight.T[np.ix_(source.order, target.order)]
    else:
        weight = _by_source_channel(part)
    return Feed(-1, name, source, part, Weights.of("weight", weight), (lag,))


def _by_source_channel(part: KernelSynapses) -> NDArray[Any]:
    """[source channels][height][width][targets of a group]; without the first of a pool."""
    out, in_group, height, width = part.weight.shape
    of_group = out // part.groups
    grouped = part.weight.reshape(part.groups, of_group, in_group, height, width)
    turned = grouped.transpose(0, 2, 3, 4, 1).reshape(-1, height, width, of_group)
    return turned[:1] if len(turned) > 1 and (turned == turned[:1]).all() else turned


def _listed(name: str, source: Laid, target: Laid, part: ListedSynapses) -> Feed:
    """Synapses of each delay by their source."""
    start, end = source.places[part.source], target.places[part.target]
    delays, which = np.unique(part.delays, return_inverse=True)
    sort = np.lexsort((end, start, which))
    counts = np.zeros((len(delays), source.size + 1), np.int64)
    np.add.at(counts, (which, start + 1), 1)
    begins = np.concatenate([[0], np.cumsum(counts.sum(axis=1))[:-1]])
    first = counts.cumsum(axis=1) + begins[:, None]
    arrays = {"first": CArray.of("first", first), "target": CArray.of("target", end[sort])}
    lags = tuple(part.lag + part.delay + int(delay) for delay in delays)
    weights = Weights.of("weight", part.weight[sort])
    return Feed(-1, name, source, part, weights, lags, arrays)


def _numbered(feed: Feed, number: int) -> Feed:
    """Name its arrays by its number."""

    def named(array: CArray) -> CArray:
        return CArray(f"{array.name}_{number}", array.values)

    weights = feed.weights
    if weights.array is not None:
        weights = Weights(None, named(weights.array), weights.shift)
    arrays = {key: named(array) for key, array in feed.arrays.items()}
    return Feed(number, feed.name, feed.source, feed.made, weights, feed.lags, arrays)
