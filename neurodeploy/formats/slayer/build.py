"""Puts a traced module together as a `Network`.

SLAYER's blocks take no time but for the one step by which most of them delay
what they send; on the chip every projection takes one. `Lags` says how far
each population's clock is behind SLAYER's, and where branches of different
length meet the shorter one waits in a relay, so that what met in SLAYER meets
on the chip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UnsupportedError
from ...network import (
    Audit,
    Average,
    Dense,
    Network,
    Population,
    Rating,
    Readout,
    Sigma,
)
from ...network.fixed_point import ACTIVATION_SHIFT
from ...network.synapses import winners_drive, winners_loop
from .bias_currents import add_biases
from .converted import Converted
from .dataflow import (
    TYPES,
    Feed,
    Node,
    axon_delay,
    find_lags,
    read_inputs,
    shape_of,
    unit_of,
)
from .draft import Draft
from .module_kinds import family_of, has_dynamics
from .network_input import add_input_block, add_input_port
from .network_output import place_output_last
from .neurons import convert_affine, convert_neuron, message_unit
from .origins import Group
from .synapses import convert_synapse, integers
from .weights import computing_hooks

if TYPE_CHECKING:
    from .running import Trace


class Builder(Draft):
    """Makes the populations and projections of a trace, in the order in which they ran."""

    def __init__(self, trace: Trace, allow: Collection[str]) -> None:
        super().__init__(trace, allow)
        self.links: list[Callable[[], None]] = []

    def build(self) -> Network:
        """Give the network; see `sent` and `inputs` for what SLAYER did meanwhile."""
        read_inputs(self.nodes)
        find_lags(self.nodes)
        for index, node in enumerate(self.nodes):
            if index and self._is_used(index):
                self._add(node)
        for connect in self.links:  # all populations are there now, also those of a cycle
            connect()
        place_output_last(self)
        return Network(
            tuple(self.populations),
            tuple(self.projections),
            Audit(tuple(self.audit)),
            self.metadata,
        )

    def _is_used(self, index: int) -> bool:
        """Inputs that no block takes are preparations of the host, not the network's."""
        emitter = self.nodes[index].emitter
        return emitter.kind not in ("input", "block.TimeDecimation")

    def _add(self, node: Node) -> None:
        kind = node.emitter.kind
        if kind == "block.Input":
            add_input_block(self, node)
        elif kind == "block.Average":
            self._average(node)
        elif kind.startswith("synapse."):
            node.population = ""  # a neuron takes its currents
        elif kind in ("neuron", "dendrite.Sigma") or kind in TYPES:
            self._layer(node)
        else:
            raise UnsupportedError(
                f"{node.emitter.name}: SLAYER's {kind.split('.')[-1]!r} has no place on the chip "
                f"here; known are {', '.join(sorted({k.split('.')[-1] for k in TYPES}))}"
            )

    def _source_of(self, group: Group, node: Node) -> Population:
        """The population behind a group; the input becomes one when it is first taken."""
        source = self.nodes[group.emitter]
        if source.emitter.kind == "input":
            if self.populations and source.population != self.populations[0].name:
                raise UnsupportedError(
                    f"{node.emitter.name}: takes the module's input in another preparation than "
                    f"the first block does; a network has one input"
                )
            if not source.population:
                add_input_port(self, source, node)
        elif not source.population:
            raise UnsupportedError(
                f"{node.emitter.name}: takes currents of {source.emitter.name}, which no neuron "
                f"has turned into messages"
            )
        return self.named(source.population)

    def _average(self, node: Node) -> None:
        (group,) = node.groups if len(node.groups) == 1 else (None,)
        source = None if group is None else self._source_of(group, node)
        if group is None or source is None or not group.is_whole(source.size):
            raise UnsupportedError(f"{node.emitter.name}: averages a tensor of several blocks")
        outputs = node.emitter.module.num_outputs
        size = source.size // outputs
        name = self._name("average")
        self.put(Population(name, (outputs,), Average(size)))
        before = source.name
        self.links.append(lambda: self.link(before, name, Readout()))
        node.population, node.unit = name, self.nodes[group.emitter].unit * size
        self.neurons[name] = self.sender(source.name)
        self.note(name, Rating.FAITHFUL, f"{node.emitter.name}: group sums on the host; / {size}")
        self.remember(node, name)

    def _layer(self, node: Node) -> None:
        emitter, module = node.emitter, node.emitter.module
        neuron = getattr(module, "neuron", module)
        feeds = self._feeds(node)
        for feed in feeds:
            if self.nodes[feed.group.emitter].emitter.kind == "input":
                self._source_of(feed.group, node)
        shape = shape_of(emitter)
        node.unit = unit_of(emitter)
        exponent = self._exponent(node, feeds)
        if emitter.kind in ("block.Output", "dendrite.Sigma"):
            scale = int(getattr(neuron, "w_scale", 1 << ACTIVATION_SHIFT))
            node.unit = scale << (ACTIVATION_SHIFT - exponent)  # of a weight times a message
        made = self._convert(node, neuron, shape, exponent)
        unit = int(getattr(neuron, "w_scale", 1 << ACTIVATION_SHIFT))
        kind = TYPES[feeds[0].emitter.kind]
        name = self._name(kind, flatten=self._flattens(kind, feeds[0].group))
        starts = node.arrival if np.any(np.asarray(getattr(made.neuron, "bias", 0)) != 0) else 0
        delay = axon_delay(module, shape)
        loops = emitter.kind == "block.Recurrent"
        held = None if loops else delay
        self.put(Population(name, shape, made.neuron, held, starts=starts))
        node.population = name
        if loops and delay is not None:
            node.population = f"{name}_axon"
            self.put(Population(node.population, shape, Average(1), delay))
            self.neurons[node.population] = made.neuron
        per_current = unit << (ACTIVATION_SHIFT - exponent)
        self.links.append(lambda: self._connect(node, name, made, feeds, unit))
        self.links.append(lambda: add_biases(self, node, name, made, feeds, per_current))

    def _flattens(self, kind: str, group: Group) -> bool:
        """Whether NetX would have a flatten layer here, which counts in its names."""
        if not kind.startswith(("dense", "kwta")):
            return False
        source = self.nodes[group.emitter].population
        return any(p.name == source and len(p.shape) == 3 for p in self.populations)

    def _connect(
        self, node: Node, name: str, made: Converted, feeds: list[Feed], unit: int
    ) -> None:
        """Projections into a population, and what it is remembered by."""
        emitter = node.emitter
        shape = self.named(name).shape
        for feed in feeds:
            source = self._late(feed.group, node, feed.arrival)
            taken, how = feed.emitter.shape, (unit, made.weight_factor, self.trace.used)
            operator = convert_synapse(
                feed.synapse, taken, feed.group, source.shape, feed.where, self.note, *how
            )
            self.link(source.name, name, operator)
        self._drive(node, name, made)
        self._note_layer(node, name, made)
        if emitter.kind == "block.Affine":
            self.remember(node, name, "v", emitter.module.neuron.s_scale)
        if emitter.kind == "block.Recurrent":
            self._loop(node, name, unit)
        if emitter.kind == "block.KWTA":
            self._compete(node, name, shape)
        if made.neuron.kind not in ("leaky-integrator",):
            self.remember(node, node.population)

    def _feeds(self, node: Node) -> list[Feed]:
        emitter = node.emitter
        module = emitter.module
        own = getattr(module, "synapse", None)
        own = getattr(module, "input_synapse", None) if own is None else own
        if own is not None:
            return [Feed(emitter, own, group, node.arrival) for group in node.groups]
        feeds = []
        for group in node.groups:
            feeder = self.nodes[group.emitter]
            if not feeder.emitter.kind.startswith("synapse."):
                raise UnsupportedError(
                    f"{emitter.name}: a neuron takes the currents of synapses; it is given what "
                    f"{feeder.emitter.name} sends"
                )
            if not group.is_whole(math.prod(emitter.shape)):
                raise UnsupportedError(
                    f"{emitter.name}: takes a part of the currents of {feeder.emitter.name}"
                )
            for inner in feeder.groups:
                # The currents must arrive when the neuron counts them.
                arrival = node.arrival + group.delay
                feeds.append(Feed(feeder.emitter, feeder.emitter.module, inner, arrival))
        return feeds

    def _convert(self, node: Node, neuron: Any, shape: tuple[int, ...], exponent: int) -> Converted:
        emitter = node.emitter
        if emitter.kind == "block.Output" or emitter.kind == "dendrite.Sigma":
            return Converted(Sigma())
        if emitter.kind == "block.Affine":
            return convert_affine(neuron, has_dynamics(emitter.module), shape, exponent)
        where = emitter.name if emitter.kind == "neuron" else f"{emitter.name}.neuron"
        return convert_neuron(neuron, shape, where, self.note, exponent)

    def _exponent(self, node: Node, feeds: list[Feed]) -> int:
        """`input_exponent` by what feeds a layer: 6 for spikes, less for payloads."""
        sources = [self.nodes[feed.group.emitter] for feed in feeds]
        units = {unit_of(source.emitter, source.unit) for source in sources}
        neuron = getattr(node.emitter.module, "neuron", node.emitter.module)
        if node.emitter.kind == "block.Recurrent":
            units.add(message_unit(neuron))
        if len(units) > 1:
            raise UnsupportedError(
                f"{node.emitter.name}: what feeds it counts 1.0 as "
                f"{' and '.join(str(u) for u in sorted(units))} units of a message; they do not "
                f"add up in one current"
            )
        (unit,) = units
        power = unit.bit_length() - 1
        if unit != 1 << power:
            raise UnsupportedError(
                f"{node.emitter.name}: messages count 1/{unit}, no power of two, and a chip shifts "
                f"by whole bits; give the neurons a scale of 64"
            )
        return ACTIVATION_SHIFT - power

    def _late(self, group: Group, node: Node, arrival: int) -> Population:
        """The population that feeds: the source, or a relay where it would come too early."""
        source = self._source_of(group, node)
        wait = arrival - (self.nodes[group.emitter].lag - group.delay) - 1
        if not wait:
            return source
        name = f"{source.name}_late{wait}"
        found = next((p for p in self.populations if p.name == name), None)
        if found is not None:
            return found
        delay = np.full(source.size, wait, np.int32)
        late = Population(name, source.shape, Average(1), delay)
        place = next(i for i, p in enumerate(self.populations) if p.name == source.name)
        self.populations.insert(place + 1, late)
        self.link(source.name, name, Readout())
        reason = (
            f"holds what {source.name!r} sends for {wait} steps, so that it meets the longer "
            f"branch on the chip as in SLAYER"
        )
        self.note(name, Rating.FAITHFUL, reason)
        return late

    def _drive(self, node: Node, name: str, made: Converted) -> None:
        """Constant currents come from a neuron that spikes at every step."""
        if not made.drive:
            return
        clock = self.clock(node.arrival - 1)
        self.link_clock(clock, name, made.drive)
        reason = f"the norm's mean, a constant current from {clock!r}"
        self.note(f"{node.emitter.name}.neuron.norm", Rating.FAITHFUL, reason)

    def _loop(self, node: Node, name: str, unit: int) -> None:
        block = node.emitter.module
        where = f"{node.emitter.name}.recurrent_synapse"
        synapse = block.recurrent_synapse
        weight = integers(synapse, where, self.note, unit)
        if computing_hooks(synapse):
            reason = "computed from its parameters, which SLAYER's recurrent blocks leave to others"
            self.note(f"{where}.weight", Rating.FAITHFUL, reason)
        self.link(name, name, Dense(weight.reshape(weight.shape[:2])))
        if node.population == name:
            return
        self.link(name, node.population, Readout())
        reason = "delays what the block sends but not its loop, as in SLAYER"
        self.note(f"{node.emitter.name}.delay", Rating.FAITHFUL, reason)

    def _compete(self, node: Node, name: str, shape: tuple[int, ...]) -> None:
        block = node.emitter.module
        threshold = int(block.neuron.v_th_mant)
        drive = winners_drive(shape[0], block.num_winners, threshold)
        self.link(name, name, winners_loop(shape[0], float(block.self_excitation.detach())))
        if drive.weight.any():
            self.link(self.clock(node.arrival - 1), name, drive)

    def _note_layer(self, node: Node, name: str, made: Converted) -> None:
        emitter = node.emitter
        what = emitter.kind.split(".")[-1]
        reason = f"{emitter.name}: {family_of(emitter.module)}.{what} as {made.neuron.kind}"
        self.note(name, Rating.FAITHFUL, reason)
        if starts := self.named(name).starts:
            reason = (
                f"its bias acts from step {starts} on, when SLAYER's does; Lava's and the chip's "
                f"act from step 0 on"
            )
            self.note(f"{name}/bias", Rating.FAITHFUL, reason)

    def _name(self, kind: str, flatten: bool = False) -> str:
        self.layers += flatten
        name = f"{self.layers}_{kind}"
        self.layers += 1
        return name
