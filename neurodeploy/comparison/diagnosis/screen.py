"""Many suppositions tried at once on the one neuron that diverged first.

Which weight, message or channel was hit is a question with thousands of
answers. Each is a current of its own into the same neuron, so all of them run
as one population of such neurons; what survives is tried on the whole one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed, replay
from ...network import Network, OneToOne, Population, Projection, Source
from ..messages import Observed, Side
from .afferents import Afferents, afferents_of
from .trial import one_of

AT_ONCE = 4096
"""Suppositions in one run."""

Currents = NDArray[np.int64]


@dataclass(frozen=True)
class Heard:
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


def heard_by(side: Side, population: str, neuron: int, sample: int) -> list[Heard]:
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
        found.append(Heard(kept, arrived(sent, kept.source, kept.lag)))
    return found


def dense_of(messages: Messages, side: Side, source: str) -> Currents:
    """Messages of one sample as int64 [steps, neurons]."""
    steps = messages.step_counts.shape[1]
    sent = np.zeros((steps, side.network[source].size), np.int64)
    where = np.repeat(np.arange(steps), messages.step_counts[0])
    sent[where, messages.neuron] = 1 if messages.payload is None else messages.payload
    return sent


def arrived(sent: Currents, source: NDArray[np.int64], lag: NDArray[np.int64]) -> Currents:
    """What each synapse delivers in each step before its weight, int64 [steps, synapses]."""
    step = np.arange(len(sent))[:, None] - lag[None]
    return np.where(step >= 0, sent[np.maximum(step, 0), source[None]], 0)


def run_alone(
    network: Network,
    population: str,
    neuron: int,
    currents: Currents,
    resets: NDArray[np.bool_] | None = None,
) -> Replayed:
    """Run one neuron under many currents, int64 [steps, suppositions], each from zero state.

    A current of the first step is not delivered: no synapse can.
    """
    steps, number = currents.shape
    model = one_of(network[population].neuron, neuron)
    delay = network[population].axon_delay
    alone = Network(
        (
            Population("source", (number,), Source(signed=True)),
            Population(
                "alone",
                (number,),
                model,
                None if delay is None else np.full(number, delay[neuron], np.int32),
                starts=network[population].starts,
            ),
        ),
        (Projection("source", "alone", OneToOne(1)),),
    )
    early = np.zeros((1, steps, number), np.int64)
    early[0, :-1] = currents[1:]
    return replay(alone, "alone", {"source": Messages.of(early)}, resets=resets)


def survivors(
    side: Side,
    population: str,
    neuron: int,
    currents: Currents,
    observed: Observed,
    masks_v: bool,
) -> NDArray[np.int64]:
    """Which of the currents [steps, suppositions] make the neuron do all that was observed."""
    alive = []
    span, resets = observed.steps, side.resets(population)
    for first in range(0, currents.shape[1], AT_ONCE):
        part = currents[:, first : first + AT_ONCE]
        found = run_alone(side.network, population, neuron, part, resets)
        wrong = np.zeros(found.spikes.shape[2], np.bool_)
        for name, values in observed.values.items():
            if name != "spikes" and name not in found.states:
                continue
            made = (found.spikes if name == "spikes" else found.states[name])[0]
            differs = made[span] != values[span, neuron][:, None]
            if name == "v" and masks_v:
                differs &= ~(found.fired[0][span] | observed.fired[span, neuron][:, None])
            wrong |= differs.any(axis=0)
        alive.append(first + np.flatnonzero(~wrong))
    return np.concatenate(alive) if alive else np.zeros(0, np.int64)
