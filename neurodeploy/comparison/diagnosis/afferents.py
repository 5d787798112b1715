"""The synapses that lead into one neuron, whatever operator holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages
from ...network import Network, Projection, Synapse
from ..recorded_side import Side

Index = NDArray[np.int64]
Currents = NDArray[np.int64]


@dataclass(frozen=True)
class Afferents:
    """Synapses of one projection into one neuron, an entry for each.

    Attributes
    ----------
    projection : Projection
    source : int64 [synapses]
        Source neuron, flat in (C, H, W) order.
    weight : int64 [synapses]
    lag : int64 [synapses]
        Steps from the source's message to the neuron's input.
    index : int64 [synapses]
        Place in the operator's flattened weight; of a convolution several
        neurons share one.
    """

    projection: Projection
    source: Index
    weight: Index
    lag: Index
    index: Index


def afferents_of(network: Network, population: str, neuron: int) -> list[Afferents]:
    """Synapses into one neuron, for each projection whose operator is real-valued and listed here.

    Parameters
    ----------
    network : Network
    population : str
    neuron : int
        Flat in (C, H, W) order.
    """
    found = []
    target = network[population].shape
    for projection in network.into(population):
        synapse: Any = projection.synapse
        given = synapse.incoming(neuron, network[projection.source].shape, target)
        if given is not None:
            weight = np.asarray(synapse.weight, np.int64).ravel()[given.index]
            found.append(Afferents(projection, given.source, weight, given.lag, given.index))
    return found


def with_weight(synapse: Synapse, index: int, value: int) -> Synapse:
    """Give the same operator with one entry of its flattened weight changed."""
    weight = np.array(synapse.weight)  # type: ignore[attr-defined]
    weight.reshape(-1)[index] = value
    changed: Any = weight if weight.ndim else int(weight)
    return replace(synapse, weight=changed)  # type: ignore[call-arg]


@dataclass(frozen=True)
class Delivery:
    """What reached one neuron through one projection.

    Attributes
    ----------
    afferents : Afferents
        Of the sources that sent anything in time.
    arrived : int64 [steps, synapses]
        Payload that each synapse got in each step.
    """

    afferents: Afferents
    arrived: Currents


def deliveries_to(side: Side, population: str, neuron: int, sample: int) -> list[Delivery]:
    """What reached a neuron in one sample, for each projection."""
    messages = side.messages(population, sample)
    found = []
    for afferents in afferents_of(side.network, population, neuron):
        sent = dense_of(messages[afferents.projection.source], side, afferents.projection.source)
        active = np.flatnonzero(sent.any(axis=0)[afferents.source])
        kept = Afferents(
            afferents.projection,
            *(getattr(afferents, what)[active] for what in ("source", "weight", "lag", "index")),
        )
        found.append(Delivery(kept, payloads_at_synapses(sent, kept.source, kept.lag)))
    return found


def dense_of(messages: Messages, side: Side, source: str) -> Currents:
    """Messages of one sample as int64 [steps, neurons]."""
    steps = messages.step_counts.shape[1]
    sent = np.zeros((steps, side.network[source].size), np.int64)
    where = np.repeat(np.arange(steps), messages.step_counts[0])
    sent[where, messages.neuron] = 1 if messages.payload is None else messages.payload
    return sent


def payloads_at_synapses(
    sent: Currents, source: NDArray[np.int64], lag: NDArray[np.int64]
) -> Currents:
    """What each synapse delivers in each step before its weight, int64 [steps, synapses]."""
    step = np.arange(len(sent))[:, None] - lag[None]
    return np.where(step >= 0, sent[np.maximum(step, 0), source[None]], 0)
