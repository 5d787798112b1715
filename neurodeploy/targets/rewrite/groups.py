"""Populations whose neurons differ, as populations of neurons that are alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import (
    Conv,
    DelayedDense,
    DelayedSparse,
    Dense,
    Network,
    Neuron,
    Population,
    Projection,
    Sparse,
    Synapse,
)
from ..registry import Refused

MOST_GROUPS = 16
"""Kinds of neurons in a population up to which it is split; each is a population of its own."""

Chosen = NDArray[np.intp]


def neurons_alike_in_groups(network: Network, refused: Refused | None = None) -> Network:
    """Split populations by the values of parameters that a process of Lava has one of.

    Bias and initial voltage may differ within a group. Each group hears and is heard as its
    neurons were: rows and columns of a matrix, channels of a convolution where each channel is
    of one kind. The network's input and output stay whole, and so does what has more than
    `MOST_GROUPS` kinds, another operator beside it, or a loop over itself that is no matrix.
    """
    for population in network.populations:
        asked = refused is None or population.name in refused
        if not asked or population in (network.input, network.output):
            continue
        groups = _groups(population)
        if not 1 < len(groups) <= MOST_GROUPS:
            continue
        if made := _split(network, population, groups):
            network = made
    return network


def _groups(population: Population) -> list[Chosen]:
    """Neurons of each kind."""
    arrays = [v for n, v in _each(population.neuron).items() if n != "bias"]
    if not arrays:
        return []
    _, kind = np.unique(np.stack(arrays), axis=1, return_inverse=True)
    kind = np.ravel(kind)
    return [np.flatnonzero(kind == k) for k in range(int(kind.max()) + 1)]


def _each(neuron: Neuron) -> dict[str, NDArray[Any]]:
    return {n: v for n, v in neuron.parameters.items() if isinstance(v, np.ndarray)}


def _split(network: Network, whole: Population, groups: list[Chosen]) -> Network | None:
    channels = whole.shape[0] if len(whole.shape) == 3 else 0
    by_channel = channels and all(_is_channels(g, whole.size // channels) for g in groups)
    ends = {whole.name: groups}
    projections: list[Projection] = []
    for projection in network.projections:
        if whole.name not in (projection.source, projection.target):
            projections.append(projection)
            continue
        for out in ends.get(projection.source, [None]):
            for into in ends.get(projection.target, [None]):
                part = _part(projection.synapse, out, into, bool(by_channel), whole, channels)
                if part is None:
                    return None
                source = _name(whole, groups, out) if out is not None else projection.source
                target = _name(whole, groups, into) if into is not None else projection.target
                projections.append(Projection(source, target, part))
    made = [_group(whole, groups, g, bool(by_channel)) for g in groups]
    place = network.populations.index(whole)
    populations = (*network.populations[:place], *made, *network.populations[place + 1 :])
    return replace(network, populations=populations, projections=tuple(projections))


def _is_channels(chosen: Chosen, pixels: int) -> bool:
    return len(chosen) % pixels == 0 and all(
        np.array_equal(part, np.arange(part[0], part[0] + pixels)) and part[0] % pixels == 0
        for part in chosen.reshape(-1, pixels)
    )


def _name(whole: Population, groups: list[Chosen], chosen: Any) -> str:
    number = next(k for k, group in enumerate(groups) if group is chosen)
    return f"{whole.name}_group{number + 1}"


def _group(whole: Population, groups: list[Chosen], chosen: Chosen, by_channel: bool) -> Population:
    one = {n: v[chosen] for n, v in _each(whole.neuron).items()}
    first: Any = whole.initial_voltage
    shape = (len(chosen),)
    if by_channel:
        shape = (len(chosen) // (whole.shape[1] * whole.shape[2]), *whole.shape[1:])  # type: ignore[assignment]
    return replace(
        whole, name=_name(whole, groups, chosen), shape=shape,
        neuron=replace(whole.neuron, **one),
        axon_delay=None if whole.axon_delay is None else whole.axon_delay[chosen],
        initial_voltage=first[chosen] if np.ndim(first) else first,
    )  # fmt: skip


def _part(
    synapse: Any, out: Chosen | None, into: Chosen | None, by_channel: bool,
    whole: Population, channels: int,
) -> Synapse | None:  # fmt: skip
    """An operator from some neurons of its source to some of its target; None where it has none."""
    kind = type(synapse)
    rows: Any = slice(None) if into is None else into
    columns: Any = slice(None) if out is None else out
    if kind is Dense:
        return Dense(synapse.weight[rows][:, columns])
    if kind is DelayedDense:
        late = synapse.delay[rows][:, columns]
        return DelayedDense(synapse.weight[rows][:, columns], late, synapse.beyond_chip)
    if kind is Sparse:
        return Sparse.from_dense(synapse.to_dense()[rows][:, columns])
    if kind is DelayedSparse:
        late = synapse.delays_to_dense()[rows][:, columns]
        return DelayedSparse.of(synapse.to_dense()[rows][:, columns], late)
    if kind is not Conv or synapse.groups != 1 or not by_channel:
        return None
    pixels = whole.size // channels
    weight = synapse.weight
    if into is not None:
        weight = weight[into[::pixels] // pixels]
    if out is not None:
        weight = weight[:, out[::pixels] // pixels]
    part: Synapse = replace(synapse, weight=np.ascontiguousarray(weight))
    return part
