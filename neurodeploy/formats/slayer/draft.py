"""A network that grows: what the builder of a trace and its helpers add to."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import (
    AuditEntry,
    ComplexDense,
    CubaLIF,
    Neuron,
    Population,
    Projection,
    Rating,
    Synapse,
)
from ...network.synapses.dense import Dense as DenseSynapse
from .dataflow import Node, Sent, numbers_sent

if TYPE_CHECKING:
    from .running import Trace


class Draft:
    """Populations, projections and audit so far, and what SLAYER did meanwhile.

    Attributes
    ----------
    trace : Trace
    allow : frozenset of str
        Unsupported elements to go on without.
    nodes : list of Node
        One for each emitter of the trace.
    populations, projections, audit : list
    sent : list of Sent
        What the blocks sent, beside their populations.
    layers : int
        Layers so far as NetX counts them, for names.
    neurons : dict of str to Neuron
        Of relays and averages: whose messages they send on.
    inputs : int32 [samples, steps, *shape] or None
        The example in the input population's integers.
    metadata : dict
    """

    def __init__(self, trace: Trace, allow: Collection[str]) -> None:
        self.trace = trace
        self.allow = frozenset(allow)
        self.nodes = [Node(emitter) for emitter in trace.emitters]
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.audit: list[AuditEntry] = []
        self.sent: list[Sent] = []
        self.layers = 0
        self.neurons: dict[str, Neuron] = {}
        self.inputs: NDArray[np.int32] | None = None
        self.metadata: dict[str, str | int | float] = {}

    def note(self, element: str, rating: Rating, reason: str) -> None:
        """Add to the audit; an unsupported element stops unless it is allowed."""
        if rating is Rating.UNSUPPORTED and element not in self.allow:
            raise UnsupportedError(f"{element}: {reason}; to go on, allow {element!r}")
        self.audit.append(AuditEntry(element, rating, reason))

    def put(self, population: Population) -> None:
        """Add a population."""
        self.populations.append(population)

    def named(self, name: str) -> Population:
        """A population that is there already."""
        return next(p for p in self.populations if p.name == name)

    def link(self, source: str, target: str, synapse: Synapse) -> None:
        """Add a projection."""
        self.projections.append(Projection(source, target, synapse))

    def sender(self, name: str) -> Neuron:
        """The neuron whose messages a population sends on; a relay's is that of its source."""
        return self.neurons.get(name) or self.named(name).neuron

    def link_clock(self, clock: str, name: str, drive: tuple[NDArray[np.int32], ...]) -> None:
        """Let a clock drive constant currents, [neurons] for each port."""
        columns = [current[:, None] for current in drive]
        synapse: Synapse = DenseSynapse(columns[0]) if len(columns) == 1 else ComplexDense(*columns)
        self.link(clock, name, synapse)

    def clock(self, starts: int) -> str:
        """Name a neuron that spikes at every step from one on."""
        name = f"clock{starts}"
        if all(p.name != name for p in self.populations):
            neuron = CubaLIF(4096, 4096, threshold=0, bias=1)
            self.populations.insert(1, Population(name, (1,), neuron, starts=starts))
        return name

    def remember(self, node: Node, name: str, what: str = "spikes", unit: int = 0) -> None:
        """Keep what a block sent beside its population, in the node's unit where none is given."""
        values = numbers_sent(node.emitter) * (unit or node.unit)
        values = values.reshape(*values.shape[:2], *self.named(name).shape)
        self.sent.append(Sent(name, what, node.lag, values))
