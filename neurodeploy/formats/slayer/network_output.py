"""Where a network ends, and what its elements belong to."""

from __future__ import annotations

from collections.abc import Iterable

from ...network import Rating
from .dataflow import Node
from .draft import Draft
from .origins import group_by_emitter


def place_output_last(draft: Draft) -> None:
    """Make what the module returns the output, if nothing else is fed with it."""
    feeding = {p.source for p in draft.projections if p.source != p.target}
    ends = [p.name for p in draft.populations if p.name not in feeding]
    for wire in draft.trace.returned:
        for term in wire.terms[:1]:
            groups, why = group_by_emitter(term[0].numpy())
            if why or len(groups) != 1:
                continue
            name = draft.nodes[groups[0].emitter].population
            if name in ends:
                place = next(i for i, p in enumerate(draft.populations) if p.name == name)
                draft.populations.append(draft.populations.pop(place))
                break
    for end in ends:
        if end != draft.populations[-1].name and not end.startswith("clock"):
            reason = f"an output beside {draft.populations[-1].name!r}; record it by name"
            draft.note(end, Rating.FAITHFUL, reason)
    for wire in draft.trace.returned:
        if wire.spoilt:
            reason = f"what follows the last block ({wire.spoilt}, ...) is left to the host"
            draft.note("output", Rating.FAITHFUL, reason)
    for node in draft.nodes:
        if node.emitter.kind == "block.TimeDecimation":
            factor = node.emitter.module.factor
            reason = f"{node.emitter.name}: the host takes means of {factor} steps"
            draft.note("output", Rating.FAITHFUL, reason)
            draft.metadata["readout/time_decimation"] = factor


def places_of(elements: Iterable[str], nodes: list[Node], populations: set[str]) -> dict[str, str]:
    """The population that each element of an audit is part of; none for those of the whole."""
    found = {}
    for element in elements:
        own, longest = element.split("/")[0], ""
        for node in nodes:
            name = node.emitter.name
            if f"{element}.".startswith(f"{name}.") and len(name) > len(longest):
                longest, own = name, _fed_by(node, nodes)
        if own in populations:
            found[element] = own
    return found


def _fed_by(node: Node, nodes: list[Node]) -> str:
    """A node's population; of bare synapses that of the neuron which takes their currents."""
    if node.population:
        return node.population
    index = nodes.index(node)
    takers = [n for n in nodes if any(g.emitter == index for g in n.groups)]
    return next((n.population for n in takers), "")
