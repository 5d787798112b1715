"""Builds a float network of a NIR graph: a population for each neuron node, with an audit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError, UnsupportedError
from ...network import (
    Audit,
    AuditEntry,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Population,
    Projection,
    Rating,
    Source,
    Synapse,
)
from .clock import time_step
from .composition import apply, compose
from .graph import NEURONS, Graph
from .late_spikes import delay_spikes, input_beside_loops, with_loop_biases
from .operators import Operator, image_shape, operator_of
from .population_order import check_ways, order_populations
from .presets import counts_from_reset, list_ignored, neuron_of, reads_plain
from .resets import Assumption, Resets
from .shapes import shapes_of

LONGEST_DELAY = 1 << 12
"""Steps."""


@dataclass(frozen=True)
class Way:
    """One way through linear nodes, from a neuron or the input to a neuron or the output."""

    source: str
    operators: tuple[Operator, ...]


class Reader:
    """Turns one graph into one network."""

    def __init__(
        self, graph: Graph, resets: Resets, dt: float | None, allow: frozenset[str]
    ) -> None:
        self.graph, self.resets, self.allow = graph, resets, allow
        self.preset = preset = resets.preset
        self.assumptions = list(resets.assumed())
        self.audit: list[AuditEntry] = []
        self.rewired = input_beside_loops(graph) if preset.loop_takes_input else []
        self.shapes, batch = shapes_of(graph)
        self.axons = _axons(graph)
        self.place: dict[str, int] = {}
        self.later: dict[str, NDArray[np.float64]] = {}
        self.dt, how = time_step(graph, dt, preset.time_step)
        if how is None:
            self.note("dt", Rating.FAITHFUL, f"{self.dt:g} s, as given")
        else:
            self.note("dt", Rating.FAITHFUL, f"{self.dt:g} s, inferred: {how}")
        self.note("time", Rating.FAITHFUL, preset.sentence())
        if batch is not None:
            reason = f"exported with a batch of {batch} in front of its shapes, which is left out"
            self.note(graph.only("Input"), Rating.FAITHFUL, reason)
        if preset.loses:
            reason = f"whatever the file says; {preset.framework.split()[0]}'s export leaves out "
            self.note("file", Rating.FAITHFUL, f"{reason}{preset.loses}")
        for assumption in self.assumptions:
            self.note(assumption.element, Rating.APPROXIMATE, assumption.reason)
        for name in self.rewired:
            reason = "the layer's input goes to its neurons, not through these weights, as in Spyx"
            self.note(name, Rating.FAITHFUL, reason)

    def note(self, element: str, rating: Rating, reason: str) -> None:
        """Add to the audit; an unsupported element stops unless it is allowed."""
        if rating is Rating.UNSUPPORTED and element not in self.allow:
            raise UnsupportedError(
                f"{self.graph.path}: {element}: {reason}; to go on, allow {element!r}"
            )
        self.audit.append(AuditEntry(element, rating, reason))

    def network(self) -> Network:
        """Build it."""
        graph = self.graph
        start, end = graph.only("Input"), graph.only("Output")
        targets = [name for name in graph.nodes if graph.kind(name) in NEURONS]
        if not targets:
            raise NetworkError(f"{graph.path}: no neuron node; there is nothing to run on a chip")
        paths = {name: self._paths(name) for name in (*targets, end)}
        edges = [(p.source, name) for name in targets for p in paths[name]]
        order, output = order_populations(start, targets, edges, self._direct(paths[end]))
        self.place = {name: i for i, name in enumerate((start, *order))}
        populations = [Population(start, self._shape(start), Source(signed=True))]
        projections: list[Projection] = []
        for name in order:
            populations.append(self._population(name, paths[name]))
        if output is None:  # the output is not one neuron node alone: a relay adds it up
            neuron = replace(FloatLIF.relay(), current_bias=self._drive(end, paths[end]))
            populations.append(Population(end, self._shape(end), neuron))
            self.note(end, Rating.FAITHFUL, "a relay that passes on what reaches the output")
        for population in populations[1:]:
            for path in paths[population.name]:
                projections += self._projections(path, population, populations)
        self._name_nodes()
        network = Network(
            tuple(populations), tuple(projections), Audit(tuple(self.audit)), self._facts()
        )
        network = with_loop_biases(network, self.later)
        return delay_spikes(network) if self.preset.sends_late else network

    def _population(self, name: str, paths: list[Way]) -> Population:
        delay = None
        if name in self.axons:
            node = self.axons[name]
            delay = self._steps(operator_of(self.graph, node, self.shapes[name])).astype(np.int32)
        return Population(name, self._shape(name), self._neuron(name, paths), axon_delay=delay)

    def _direct(self, paths: list[Way]) -> str | None:
        """The neuron node that is the output, where one leads straight to it."""
        if len(paths) != 1 or any(o.kind != "reshape" for o in paths[0].operators):
            return None
        return paths[0].source

    def _shape(self, name: str) -> tuple[int, ...]:
        shape = self.shapes[name]
        if len(shape) in (2, 3):
            return image_shape(shape)
        return (math.prod(shape),)

    def _paths(self, name: str) -> list[Way]:
        """All ways into a node through linear nodes, from neurons or the input."""
        check_ways(self.graph, name)
        found: list[Way] = []
        waiting: list[tuple[str, tuple[str, ...]]] = [(a, ()) for a in self.graph.before(name)]
        while waiting:
            node, behind = waiting.pop(0)
            if self.graph.kind(node) in (*NEURONS, "Input"):
                found.append(Way(node, self._operators(node, behind)))
                continue
            waiting += [(a, (node, *behind)) for a in self.graph.before(node)]
        return found

    def _operators(self, source: str, names: tuple[str, ...]) -> tuple[Operator, ...]:
        shape, operators = self.shapes[source], []
        for name in names:
            if name == self.axons.get(source):
                continue
            operators.append(operator_of(self.graph, name, shape))
            shape = operators[-1].output
        return tuple(operators)

    def _neuron(self, name: str, paths: list[Way]) -> FloatLIF:
        kind, node = self.graph.kind(name), self.graph.nodes[name]
        size = math.prod(self.shapes[name])
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray) and value.size not in (1, size):
                raise self.graph.fail(name, f"{key} holds {value.size} numbers, needs 1 or {size}")
        preset = self.resets.of(name)
        loops = any(path.source == name for path in paths)
        neuron = neuron_of(kind, node, self.dt, preset, size, loops)
        lost = list_ignored(kind, node, preset)
        if reads_plain(node, preset) and np.any(neuron.current_keep):
            self._assume_plain(name)
        if preset.reset_delay is False and loops and kind == "CubaLIF":
            reason = "its reset comes late all the same: RSynaptic does not act on reset_delay"
            self.note(f"{name}/reset", Rating.FAITHFUL, reason)
        if lost:
            reason = f"{kind}; {', '.join(lost)} ignored, as {self.preset.framework} does"
            self.note(name, Rating.APPROXIMATE, reason)
        else:
            states = " and ".join(neuron.states if neuron.has_current else ("v",))
            start = "; v counted from v_reset, where it starts"
            start = start if counts_from_reset(node, preset) else ""
            self.note(name, Rating.FAITHFUL, f"{kind}, {size} neurons, states {states}{start}")
        return replace(neuron, current_bias=self._drive(name, paths))

    def _assume_plain(self, name: str) -> None:
        reason = (
            "w_in is 1, which Norse's export leaves there for LIFCell: read as tau_syn / dt, the "
            "whole input, as it was trained; --preset norse-import takes the file's"
        )
        other = {"preset": "norse-import"}
        self.assumptions.append(Assumption(f"{name}/w_in", name, reason, other))
        self.note(f"{name}/w_in", Rating.APPROXIMATE, reason)

    def _drive(self, name: str, paths: list[Way]) -> float | NDArray[np.float32]:
        """What the biases of all linear nodes before a node bring to it in each step."""
        total = np.zeros(math.prod(self.shapes[name]))
        seen: set[tuple[str, ...]] = set()
        for path in paths:
            for i, operator in enumerate(path.operators):
                way = tuple(o.name for o in path.operators[i:])
                if operator.bias is None or way in seen:
                    continue
                seen.add(way)
                brought = apply(path.operators[i + 1 :], operator.bias[None])[0]
                if self._loops(path.source, name):
                    self.later[name] = self.later.get(name, 0) + brought
                    reason = "its bias counts from the second step on, as nirtorch runs loops"
                    self.note(f"{operator.name}/bias", Rating.FAITHFUL, reason)
                    continue
                total += brought
                if any(o.kind == "delay" and o.weight is not None and o.weight.any()
                       for o in path.operators[i + 1 :]):  # fmt: skip
                    reason = "its bias counts from the first step on, not after the delay behind it"
                    self.note(f"{operator.name}/bias", Rating.APPROXIMATE, reason)
        return total.astype(np.float32)

    def _loops(self, source: str, target: str) -> bool:
        """Whether a way closes a cycle whose bias the preset lets count a step late."""
        closes = target in self.place and self.place[source] >= self.place[target]
        return self.preset.late_loop_bias and closes

    def _projections(
        self, path: Way, target: Population, populations: list[Population]
    ) -> list[Projection]:
        source = next(p for p in populations if p.name == path.source)
        try:
            synapse = compose(path.operators, source.size)
        except NetworkError as error:
            where = f"{self.graph.path}: into {target.name!r}"
            raise NetworkError(f"{where}: {error}") from None
        synapse, at_source = self._delayed(path, synapse, source, target)
        if at_source is None:
            return [Projection(source.name, target.name, synapse)]
        # Convolutions have no delays of their own: a relay's axons do.
        relay = Population(
            f"{source.name}->{target.name} delay", source.shape, FloatLIF.relay(), at_source
        )
        populations.insert(populations.index(target), relay)
        return [
            Projection(source.name, relay.name, OneToOne(1.0)),
            Projection(relay.name, target.name, synapse),
        ]

    def _delayed(
        self, path: Way, synapse: Synapse, source: Population, target: Population
    ) -> tuple[Synapse, NDArray[np.int32] | None]:
        """Give a synapse the delays of its path; those it cannot hold are the source's."""
        before = np.zeros(source.size, np.int64)
        after = np.zeros(target.size, np.int64)
        mixed = False  # whether the signal was mixed already, so that delays are the targets'
        for operator in path.operators:
            if operator.kind == "delay":
                steps = self._steps(operator)
                if not mixed:
                    before += steps
                elif (steps == steps[0]).all():
                    before += steps[0]
                elif steps.size == target.size:
                    after += steps
                else:
                    raise self.graph.fail(
                        operator.name, "different delays between two linear nodes; make them equal"
                    )
            elif operator.kind in ("matrix", "conv", "pool"):
                mixed = True
                if after.any():
                    raise self.graph.fail(
                        operator.name, "after different delays of mixed signals; make them equal"
                    )
        if not before.any() and not after.any():
            return synapse, None
        if isinstance(synapse, OneToOne) and source.size <= 4096:
            factor = np.broadcast_to(np.asarray(synapse.weight, np.float32), source.size)
            synapse = Dense(np.diag(factor))
        if isinstance(synapse, Dense):
            delay: NDArray[np.int32] = (before[None, :] + after[:, None]).astype(np.int32)
            return DelayedDense(synapse.weight, delay, beyond_chip=bool(delay.max() > 62)), None
        if after.any():
            raise NetworkError(
                f"{self.graph.path}: into {target.name!r}: different delays behind a convolution; "
                f"put them before it"
            )
        return synapse, before.astype(np.int32)

    def _steps(self, operator: Operator) -> NDArray[np.int64]:
        assert operator.weight is not None
        seconds = operator.weight.astype(np.float64)
        exact = seconds / self.dt
        steps: NDArray[np.int64] = np.rint(exact).astype(np.int64)
        if steps.max() > LONGEST_DELAY:
            raise self.graph.fail(
                operator.name, f"{seconds.max():g} s are {steps.max():,} steps of {self.dt:g} s, "
                f"limit {LONGEST_DELAY:,}; give a larger --dt"
            )  # fmt: skip
        off = float(np.abs(exact - steps).max())
        if off > 1e-3:
            reason = f"rounded to whole steps of {self.dt:g} s, by up to {off:.3g} steps"
            self.note(operator.name, Rating.APPROXIMATE, reason)
        return steps

    def _name_nodes(self) -> None:
        noted = {entry.element for entry in self.audit}
        for name in self.graph.nodes:
            kind = self.graph.kind(name)
            if name in noted or kind in NEURONS:
                continue
            reason = {
                "Input": "the network's input port",
                "Output": "the network's output",
                "Identity": "port of a nested graph, passed through",
                "Flatten": "order of indices, kept",
                "Delay": "whole steps, in the synapses",
            }.get(kind, f"{kind}, in the weights of its projections")
            self.note(name, Rating.FAITHFUL, reason)
        for element in self.graph.unknown:
            self.note(element, Rating.APPROXIMATE, "not known to NIR; ignored")

    def _facts(self) -> dict[str, str | int | float]:
        facts: dict[str, str | int | float] = {
            "nir/version": self.graph.version,
            "nir/dt_seconds": self.dt,
            "nir/preset": self.preset.name,
        }
        if self.preset.reset_delay is not None:
            facts["nir/reset_delay"] = int(self.preset.reset_delay)
        return facts


def _axons(graph: Graph) -> dict[str, str]:
    """Neuron nodes with the delay that all they send passes first."""
    found = {}
    for name in graph.nodes:
        after = graph.after(name)
        alone = len(after) == 1 and graph.before(after[0]) == [name]
        if graph.kind(name) in NEURONS and alone and graph.kind(after[0]) == "Delay":
            found[name] = after[0]
    return found
