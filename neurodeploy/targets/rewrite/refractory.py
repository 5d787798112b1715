"""Refractory steps kept on targets whose neurons have none: forced to fire, and not heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...network import (
    CubaLIF,
    DelayedSparse,
    GeneralCubaLIF,
    Network,
    Population,
    Projection,
    Sparse,
    Synapse,
)
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, WEIGHT_MAX_UNSIGNED
from ..registry import Refused

LATER = "deploy/later"
"""Fact in `Network.metadata`: steps by which the output comes later than it did when given."""

MOST_STEPS = 8
"""Refractory periods up to which it is done; each step costs six projections or so."""

LARGEST_PUSH = 1 << 15
"""What forces a neuron to fire at most: with it u is at 2^21, where inputs still have room."""

_FIRES = CubaLIF(DECAY_UNITY, DECAY_UNITY, 1)
"""Leaky neurons without memory: they send where the sum of what arrives is above 1."""

_COARSE = 7
"""Largest exponent of a weight."""

Ints = NDArray[np.int64]


def refractory_steps_forced(network: Network, refused: Refused | None = None) -> Network:
    r"""Hold v at 0 after a spike by forcing further spikes, which nobody hears.

    For R - 1 steps after a spike a refractory neuron keeps v = 0 and loses its input; a spike
    resets v to 0 and loses its input just so. A synapse onto itself therefore lets each neuron
    fire in those steps, too, whatever arrives, and is taken off u again afterwards. A second
    population of neurons without memory sends these forced spikes alone, at the same steps::

        w[t + 1] = (n[t] - w[t]) + ... + (n[t - R + 2] - w[t - R + 2])

    with n all spikes of the first. So n - w are the spikes that there were: whoever heard the
    neurons hears the second population, too, with weights of the opposite sign. A network's
    output is a third population, a step later (`LATER`).

    The same messages at the same steps where currents keep nothing (``current_decay`` 4096) and
    the push suffices; where they keep something a negative u is rounded otherwise in a forced
    step, by one unit. Each spike becomes 2 R - 1 messages. Left alone are soft resets, graded
    spikes, periods beyond `MOST_STEPS`, axons with delays, and thresholds that a push of
    `LARGEST_PUSH` may not reach.
    """
    for population in network.populations:
        neuron = population.neuron
        asked = refused is None or population.name in refused
        # What is derived from it may do anything.
        if asked and type(neuron) is GeneralCubaLIF and np.any(np.asarray(neuron.refractory) > 1):
            network = _forced(network, population, neuron)
    return network


def _forced(network: Network, population: Population, neuron: GeneralCubaLIF) -> Network:
    size = population.size
    period = np.broadcast_to(np.asarray(neuron.refractory, np.int64), size)
    push = _push(network, population, neuron)
    odd = neuron.reset != "zero" or neuron.graded_spike or neuron.voltage_exponent
    late = population.axon_delay is not None and population.axon_delay.any()
    if odd or late or neuron.input_exponent != ACTIVATION_SHIFT or push > LARGEST_PUSH:
        return network
    if period.max() > MOST_STEPS:
        return network
    is_output = population is network.output
    name = f"{population.name}_forced" if is_output else population.name
    forced = replace(population, name=name, neuron=replace(neuron, refractory=1))
    waits = Population(f"{population.name}_waits", population.shape, _FIRES)
    both = ((forced.name, 1), (waits.name, -1))
    to = {population.name: name}
    heard = [
        replace(p, source=to.get(p.source, p.source), target=to.get(p.target, p.target))
        for p in network.projections
    ]
    negative = [
        replace(p, source=waits.name, synapse=p.synapse.with_arrays(lambda weight: -weight))
        for p in heard
        if p.source == name
    ]
    # What each neuron gets `delay` steps after its own true spike, beside the step itself.
    keep = DECAY_UNITY - np.broadcast_to(np.asarray(neuron.current_decay, np.int64), size)
    kept = push * keep // DECAY_UNITY  # whole: the push is a multiple of 4096
    made: list[Projection] = []
    for delay in range(int(period.max())):
        forcing = delay < period - 1
        taken = kept if delay else 0
        gets = np.where((period > 1) & (delay < period), forcing * push - taken, 0)
        waiting = 2 * forcing
        for source, sign in both:
            made += _own(source, forced.name, sign * gets, delay)
            made += _own(source, waits.name, sign * waiting, delay)
    populations: list[Population] = []
    for p in network.populations:
        populations += [forced, waits] if p is population else [p]
    metadata = dict(network.metadata)
    if is_output:
        populations.append(Population(population.name, population.shape, _FIRES))
        for source, sign in both:
            made += _own(source, population.name, np.full(size, 2 * sign), 0)
        metadata[LATER] = int(metadata.get(LATER, 0)) + 1
    return replace(
        network, populations=tuple(populations), projections=(*heard, *negative, *made),
        metadata=metadata,
    )  # fmt: skip


def _push(network: Network, population: Population, neuron: GeneralCubaLIF) -> int:
    """Weight that lifts a neuron at v = 0 above its threshold whatever plain spikes arrive.

    A power of two, at least 4096, so that each 12-bit share of it is whole.
    """
    least = np.zeros(population.size, np.int64)
    for projection in network.into(population.name):
        least -= _inhibition(projection.synapse, network[projection.source], population)
    most_kept = DECAY_UNITY / np.maximum(np.asarray(neuron.current_decay), 1)
    constant = np.asarray(neuron.bias, np.int64)
    into_u = np.minimum(constant, 0) if neuron.bias_into == "current" else 0
    into_v = constant if neuron.bias_into == "voltage" else 0
    low = (least + into_u) * most_kept + into_v
    needed = int(np.ceil(np.max(np.asarray(neuron.threshold) - low))) + 1
    # What may arrive is seldom all of it: where that is too much, as much as there is room for.
    most = max(LARGEST_PUSH, 2 * int(np.max(neuron.threshold)))
    return int(1 << int(np.ceil(np.log2(min(max(needed, DECAY_UNITY), most)))))


def _inhibition(synapse: Synapse, source: Population, target: Population) -> Ints:
    """Sum of a neuron's negative weights, as a magnitude, of each or the largest of them."""
    found = 0
    for array in synapse.arrays():
        weight = np.minimum(np.asarray(array, np.int64), 0)
        if synapse.is_listed:
            sums = np.zeros(target.size, np.int64)
            np.add.at(sums, synapse.targets, -weight)  # type: ignore[attr-defined]
            return sums
        rows = weight.reshape(len(weight), -1) if weight.ndim > 1 else weight[None]
        found = max(found, int(-rows.sum(axis=1).min(initial=0)))
    return np.full(target.size, found)


def _own(source: str, target: str, weight: Ints, delay: int) -> Iterator[Projection]:
    """Synapses of each neuron onto its counterpart, in as many parts as 8 bits take."""
    left = weight.astype(np.int64)
    while left.any():
        widest = WEIGHT_MAX_UNSIGNED << _COARSE
        coarse = np.clip(np.sign(left) * (np.abs(left) >> _COARSE << _COARSE), -widest, widest)
        part = coarse if coarse.any() else left
        left = left - part
        yield Projection(source, target, _diagonal(part.astype(np.int32), delay))


def _diagonal(weight: NDArray[np.int32], delay: int) -> Synapse:
    own = np.flatnonzero(weight).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(weight != 0)]).astype(np.int64)
    if not delay:
        return Sparse(ends, own, weight[own], len(weight))
    late = np.full(len(own), delay, np.int32)
    return DelayedSparse(ends, own, weight[own], len(weight), late)
