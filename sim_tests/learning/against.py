"""Holds what learned in one place against another."""

from __future__ import annotations

import numpy as np

from neurodeploy.core.simulate import simulate
from neurodeploy.inputs import present


def assert_same(one, other):
    """Equal in every entry of every array; else the first difference in time."""
    assert one.keys() == other.keys()
    for name in one:
        left, right = np.asarray(one[name]), np.asarray(other[name])
        assert left.shape == right.shape, (name, left.shape, right.shape)
        where = np.argwhere(left != right)
        if len(where):
            at = tuple(where[0])
            raise AssertionError(
                f"{name} differs in {len(where)} of {left.size}, first at {at}: "
                f"{left[at]} and {right[at]}"
            )


def learned_by_engine(network, inputs, **how):
    """What the engine learned of one sample, after each epoch, and who fired."""
    values = present(network, inputs)
    (block,) = simulate(network, values, trajectories=True, states=("v",), **how)
    (name,) = (p.name for p in network.learning)
    learned = block.learned[name]
    found = {**learned.epochs, **learned.traces}
    found = {key: value[0].astype(np.int64) for key, value in found.items()}
    neuron, _ = block.messages[network.learning[0].target]
    counts = block.step_counts(network.learning[0].target)[0]
    fired = np.zeros((len(counts), network[network.learning[0].target].size), bool)
    fired[np.repeat(np.arange(len(counts)), counts), neuron] = True
    return {**found, "s": fired.astype(np.int64)}
