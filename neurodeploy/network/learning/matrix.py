"""Synapses that learn as a matrix, whether they are dense or listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..synapses import Dense, Sparse, Synapse

CAN_LEARN = (Dense, Sparse)
"""Operators whose synapses can learn, by their exact class; listed ones stand once each."""


def learning_matrix(
    synapse: Synapse,
) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
    """Weights [targets, sources], and which of them are synapses; None where all are."""
    if type(synapse) is not Sparse:
        return np.ascontiguousarray(synapse.only_array, np.int32), None
    weight = np.ascontiguousarray(synapse.to_dense(), np.int32)
    exists = np.zeros(weight.shape, np.bool_)
    exists[synapse.targets, synapse.index] = True
    return weight, exists


def with_matrix(synapse: Synapse, weight: NDArray[Any]) -> Synapse:
    """Give the same synapses with the weights of a matrix [targets, sources]."""
    values = np.asarray(weight, np.int32)
    if type(synapse) is Sparse:
        return replace(synapse, weight=values[synapse.targets, synapse.index])
    return synapse.with_arrays(lambda _: values)


def listed_twice(synapse: Synapse) -> bool:
    """Whether two synapses of a list lead from the same source to the same target."""
    if type(synapse) is not Sparse:
        return False
    places = synapse.targets * synapse.sources + synapse.index
    return len(np.unique(places)) != len(places)
