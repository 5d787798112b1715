"""Our side of every comparison: the one place that follows changes of our interface."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.core.network import core_network
from neurodeploy.core.simulate import simulate
from neurodeploy.inputs import present
from neurodeploy.network import Network

THREADS_VARIABLE = "NEURODEPLOY_THREADS"


def threads() -> int:
    """How many threads the engine uses, as the command line set it."""
    return int(os.environ.get(THREADS_VARIABLE, "1"))


def as_user(network: Network, inputs: NDArray[Any], **options: Any) -> Callable[[], object]:
    """`nd.run` as a user calls it: checks, simulation and recording."""
    return lambda: nd.run(network, inputs, **options)


def engine_alone(
    network: Network, inputs: NDArray[Any], apply_transform: bool = True, **options: Any
) -> Callable[[], object]:
    """Run a network packed beforehand: the counterpart of a compiled function's call."""
    core_network(network)
    values = present(network, inputs, apply_transform=apply_transform)
    count = threads()
    return lambda: list(simulate(network, values, threads=count, **options))


def lava_seconds(network: Network, inputs: NDArray[Any], **options: Any) -> float:
    """Seconds that Lava's CPU simulator took by the worker's own clock, without start-up."""
    return nd.run(network, inputs, backend="lava", **options).header.seconds


def counts(network: Network, inputs: NDArray[Any], **options: Any) -> list[int]:
    """Messages of every population but the input, over all samples and steps."""
    recording = nd.run(network, inputs, **options)
    return [int(recording[p.name].counts.sum()) for p in network.populations[1:]]


def aligned_counts(network: Network, inputs: NDArray[Any]) -> list[int]:
    """As `counts`, each population's hops taken out: what a simulator without hops counts."""
    lags = [network.hops(p.name) for p in network.populations[1:]]
    steps = inputs.shape[1]
    recording = nd.run(network, inputs, steps=steps + max(lags), record=("spikes",))
    return [
        int(np.count_nonzero(recording[p.name].spikes[:, lag : lag + steps]))
        for p, lag in zip(network.populations[1:], lags, strict=True)
    ]


def work(network: Network, inputs: NDArray[Any], **options: Any) -> tuple[int, int]:
    """SynOps and neuron updates of a run, over all samples and steps."""
    recording = nd.run(network, inputs, **options)
    synops = 0
    for p in network.projections:
        fan_out = p.synapse.fan_out(network[p.source].shape)
        sent = recording[p.source].counts.reshape(len(inputs), -1).sum(axis=0)
        synops += int(sent @ fan_out)
    updates = sum(p.size for p in network.populations[1:]) * inputs.shape[0] * inputs.shape[1]
    return synops, updates
