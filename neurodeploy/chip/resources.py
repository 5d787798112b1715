"""What a piece of a population takes of its core, resource by resource."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..network import Network, Population, Projection
from ..network.synapses.kernel import kernels_of
from .energy import joined_compartments
from .memory import input_axons, kernel_words, list_words, synapse_bits
from .partition import INPUT_AXONS, Piece
from .specification import Chip

NEURONS, WORDS, INPUTS, MAPS, GROUPS, ACCUMULATORS, MEMORY = (
    "neurons",
    "synapse words",
    INPUT_AXONS,
    "axon maps",
    "neuron groups",
    "dendritic accumulators",
    "words of core memory",
)

REMEDY: Mapping[str, str] = {
    NEURONS: "split the layer",
    WORDS: "use fewer weight bits, sparse weights or a smaller layer",
    INPUTS: "raise the stride of the layer before, pool, or split its channels",
    MAPS: "split the layer, or let it reach fewer cores",
    GROUPS: "give the neurons one model",
    ACCUMULATORS: "shorten the delays",
    MEMORY: "use fewer weight bits, sparse weights, fewer inputs or a smaller layer",
}
"""What helps where a resource does not suffice."""

ALONE: Mapping[str, str] = {
    **REMEDY,
    WORDS: "one neuron's inputs alone take them; use sparse weights or fewer inputs",
    MEMORY: "one neuron's inputs alone take them; use sparse weights or fewer inputs",
    MAPS: "one neuron reaches too many cores; let it feed fewer or smaller layers",
}
"""What helps where not even a single neuron fits on a core."""

ALONE_IN_IMAGE: Mapping[str, str] = {
    **ALONE,
    WORDS: "the kernels of one channel alone take them; use smaller kernels, groups or fewer "
    "input channels",
    MEMORY: "the kernels of one channel alone take them; use smaller kernels, groups or fewer "
    "input channels",
}
"""The same, for a population whose kernels all positions of an image share."""


@dataclass(frozen=True, eq=False)
class Needs:
    """What populations of a network need on a chip.

    Attributes
    ----------
    network : Network
        As the chip holds it, see `joined_convolutions.with_parts_as_one`.
    chip : Chip
    cores : mapping of str to int
        Cores of each population, as far as they are known: on chips where a neuron needs
        an output axon for every core that it reaches.
    bits : dict
        What `memory.synapse_bits` gave, by the projection's identity; it does not depend on
        the cut.
    """

    network: Network
    chip: Chip
    cores: Mapping[str, int] = field(default_factory=dict)
    bits: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def on_chip(self, population: Population) -> bool:
        """Whether a population takes cores: its neurons, or on some chips the input's messages."""
        port = population.neuron.is_port and population.name == self.network.input.name
        inputs = "input_layer_on_chip" in self.chip.constants and port
        return self.network.on_chip(population) or (
            inputs and bool(self.chip.limit("input_layer_on_chip"))
        )

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """Projections into a population that cost synaptic memory."""
        return tuple(p for p in self.network.into(name) if p.synapse.steps)

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """Projections that messages take on the chip."""
        return tuple(
            p
            for p in self.network.out_of(name)
            if p.synapse.steps and self.network.on_chip(self.network[p.target])
        )

    def is_image(self, population: Population) -> bool:
        """Whether the population is cut into blocks of an image."""
        if len(population.shape) != 3:
            return False
        incoming = self.incoming(population.name)
        if incoming:
            return any(kernels_of(p.synapse) for p in incoming)
        return any(kernels_of(p.synapse) for p in self.outgoing(population.name))

    def limits(self, population: Population) -> dict[str, int]:
        """Each resource of a core that holds some of a population."""
        found = {
            NEURONS: self.chip.limit("neurons_per_core"),
            WORDS: self.chip.limit("synapse_words_per_core"),
            INPUTS: self.chip.limit("input_axons_per_core"),
            MAPS: self.chip.limit("axon_maps_per_core"),
            GROUPS: self.chip.limit("neuron_groups_per_core"),
        }
        if "dendritic_accumulators_per_core" in self.chip.constants:
            found[ACCUMULATORS] = self.chip.limit("dendritic_accumulators_per_core")
        if "core_memory_words" in self.chip.constants:
            found[MEMORY] = self.chip.limit("core_memory_words")
        return found

    def kernels_fit(self, population: Population, channels: int) -> bool:
        """Whether the kernels of so many channels leave a core's memory whole."""
        words = sum(
            kernel_words(
                p.synapse, channels, self.network[p.source].shape[0], self.chip, self._bits(p)
            )
            for p in self.incoming(population.name)
            if kernels_of(p.synapse)
        )
        return words <= self.limits(population)[WORDS]

    def fullest(self, population: Population) -> int | None:
        """The neuron of a population with the most listed synapses; None where none are listed."""
        listed = [p.synapse for p in self.incoming(population.name) if p.synapse.is_listed]
        each = [
            np.bincount(s.weight_rows(population.size), minlength=population.size) for s in listed
        ]
        return int(np.sum(each, axis=0).argmax()) if each else None

    def of(self, population: Population, piece: Piece) -> dict[str, int]:
        """What a piece takes of each resource; pieces alike share one answer."""
        incoming = self.incoming(population.name)
        by_place = piece.block is None and any(p.synapse.is_listed for p in incoming)
        key = (population.name, piece.first if by_place else 0, piece.neurons, piece.block)
        if key not in self._known:
            self._known[key] = self._count(population, piece)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[Any, ...], dict[str, int]]:
        return {}

    def _count(self, population: Population, piece: Piece) -> dict[str, int]:
        incoming = self.incoming(population.name)
        words = inputs = 0
        for projection in incoming:
            source = self.network[projection.source]
            inputs += input_axons(projection.synapse, source.size)
            if kernels_of(projection.synapse):
                depth = piece.block[2] if piece.block else population.shape[0]
                words += kernel_words(
                    projection.synapse, depth, source.shape[0], self.chip, self._bits(projection)
                )
            else:
                first, stop = piece.first, piece.first + piece.neurons
                words += list_words(
                    projection.synapse, first, stop, source.size, self.chip, self._bits(projection)
                )
        if not incoming:
            inputs = 1
        needs = {
            NEURONS: piece.neurons
            * population.neuron.currents
            * joined_compartments(self.chip, population.neuron.kind),
            WORDS: words,
            INPUTS: inputs,
            MAPS: self._axon_maps(population, piece),
            GROUPS: 1,
        }
        if "core_memory_words" in self.chip.constants:  # a word for each entry of any kind
            needs[MEMORY] = sum(needs.values())
        if "dendritic_accumulators_per_core" in self.chip.constants:
            needs[ACCUMULATORS] = piece.neurons * self._delay_slots(population)
        return needs

    def _bits(self, projection: Projection) -> tuple[int, ...]:
        key = id(projection)  # of the same two populations there may be several
        if key not in self.bits:
            self.bits[key] = synapse_bits(projection.synapse, self.chip, projection.rule)
        return self.bits[key]

    def _axon_maps(self, population: Population, piece: Piece) -> int:
        outgoing = self.outgoing(population.name)
        if not outgoing:
            return piece.neurons
        maps = 0
        for projection in outgoing:
            entries = piece.neurons
            if kernels_of(projection.synapse) and piece.block is not None:
                entries = piece.block[0] * piece.block[1] * _runs_of_channels(population.shape[0])
            each = self.cores.get(projection.target, 1)
            maps += entries * (each if self.chip.limit("map_per_target_core") else 1)
        return maps

    def _delay_slots(self, population: Population) -> int:
        """Accumulators of a neuron: one for each step that input may be on its way."""
        longest = 0
        for projection in self.incoming(population.name):
            axons = self.network[projection.source].axon_delay
            of_axons = 0 if axons is None else int(axons.max(initial=0))
            longest = max(longest, projection.synapse.longest_delay, of_axons)
        return int(max(8, 1 << math.ceil(math.log2(longest + 2))))


def _runs_of_channels(channels: int) -> int:
    """Axon maps of one image position: powers of two that make up its channels, by fours."""
    return (4 * math.ceil(channels / 4)).bit_count() if channels > 4 else 1
