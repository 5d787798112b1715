"""Of networks that differ in one population's threshold: for each neuron the one that fits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..network import Network, Population
from ..targets.rewrite.for_target import changed_elements
from .measured_steps import Measured

Forms = Sequence[tuple[str, Network]]


def own_thresholds(
    network: Network, forms: Forms, measured: Callable[[Network, Network], Measured]
) -> tuple[str, Network] | None:
    """Give each neuron of a population, of an image each channel, the threshold that fits it.

    By how its spikes differ from those of the network before: their number in each sample, and
    the steps in which the two part.

    Parameters
    ----------
    network : Network
        Before any of the forms.
    forms : sequence of (str, Network)
        What each did, and its network.
    measured : callable
        From a network and another one, on whose clock it is looked at, to its run.

    Returns
    -------
    (str, Network) or None
        None where no two forms differ in a threshold alone, or one fits all neurons best.
    """
    alike: dict[str, list[tuple[str, Network]]] = {}
    for says, made in forms:
        population = made[changed_elements(network, made)[0]]
        if "threshold" in population.neuron.parameters:
            neuron: Any = population.neuron
            bare = replace(neuron, threshold=1)
            key = _with(made, replace(population, neuron=bare)).fingerprint
            group = alike.setdefault(key, [])
            if all(made.fingerprint != other.fingerprint for _, other in group):
                group.append((says, made))
    some = max(alike.values(), key=len, default=[])
    if len(some) < 2:
        return None
    (says, first), (_, second) = some[:2]
    population = first[changed_elements(first, second)[0]]
    name, channels = population.name, population.shape[0]
    old = measured(network, first).numbers(name)
    lost, thresholds = [], []
    for _, made in some:
        new = measured(made, network).numbers(name)
        counts = np.abs(new.sum(axis=1) - old.sum(axis=1)).sum(axis=0)
        apart = np.count_nonzero(new != old, axis=(0, 1)) / 2
        lost.append((counts + apart).reshape(channels, -1).sum(axis=1))
        threshold = made[name].neuron.parameters["threshold"]
        thresholds.append(np.broadcast_to(threshold, population.size))
    best = np.repeat(np.argmin(lost, axis=0), population.size // channels)
    chosen = np.stack(thresholds)[best, np.arange(population.size)].astype(np.int32)
    if np.all(best == best[0]):
        return None
    found: Any = population.neuron
    kind = "channel" if len(population.shape) == 3 else "neuron"
    own = _with(first, replace(population, neuron=replace(found, threshold=chosen)))
    return f"{says}, for each {kind} the threshold that fits it", own


def _with(network: Network, population: Population) -> Network:
    made = (population if p.name == population.name else p for p in network.populations)
    return replace(network, populations=tuple(made))
