"""When populations of a network can send for the first time, whatever is presented."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..network import Network, Neuron, Population

LOOKED_AT = 128
"""Steps in which a population that is not at rest is looked at; more than networks have hops."""


def first_messages(network: Network) -> dict[str, float]:
    """Step in which each population may send for the first time; infinity for never."""
    first = dict.fromkeys((p.name for p in network.populations), float("inf"))
    while True:
        before = dict(first)
        for p in network.populations:
            heard = [first[q.source] + q.synapse.steps for q in network.into(p.name)]
            if p is network.input:
                heard.append(p.starts)
            elif (
                np.any(p.neuron.constant_current)
                or np.any(p.initial_voltage)
                or not rests(p.neuron)
            ):
                heard.append(p.starts + silent_steps(p))
            first[p.name] = max(p.starts, min(heard, default=float("inf")))
        if first == before:
            return first


def first_arrival(network: Network, population: Population) -> float:
    """Step in which a message may reach a population for the first time."""
    sent = first_messages(network)
    return min((sent[p.source] + p.synapse.steps for p in network.into(population.name)), default=0)


def silent_steps(population: Population) -> int:
    """Steps in which neurons that nothing reaches send nothing for sure."""
    neuron: Any = population.neuron
    form = neuron.cuba_form()
    if form is None:
        below = np.max(population.initial_voltage) < np.min(getattr(neuron, neuron.fires_above, 0))
        return LOOKED_AT if below and not np.any(getattr(neuron, "bias", 0)) else 0
    u = np.zeros(population.size, np.int64)
    v = u + population.initial_voltage
    for step in range(LOOKED_AT):
        u = form.next_current(u, np.zeros_like(u))
        v = form.next_voltage(v, u)
        if form.fires(v).any():
            return step
    return LOOKED_AT


def rests(neuron: Neuron) -> bool:
    """Whether neurons at rest send nothing, and stay there, for want of an input."""
    above = neuron.is_readout or np.min(getattr(neuron, neuron.fires_above, 0)) > 0
    below = np.max(getattr(neuron, "lower", 0)) <= 0
    unbiased = not np.any(getattr(neuron, "bias", 0)) or np.any(neuron.constant_current)
    return bool(above and below and unbiased and not neuron.is_port)
