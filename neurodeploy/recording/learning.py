"""What a recording holds of synapses that learned, and the network that they make.

Arrays of one projection, below ``projections/<name>/``: ``learned/w`` (and ``d``, ``t`` where the
rule changes them) after each sample, and with ``record="weights"`` ``epochs/w``... and the traces
``epochs/x1`` to ``epochs/y3`` after each epoch; ``weight_updates`` and ``trace_updates`` of each
sample, where the backend counts them. ``network/`` holds the network that began, so that
the learned one can be made of a recording alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import RecordingError
from ..network import Network
from ..network.canonical import flatten, unflatten
from ..network.learning.matrix import with_matrix
from .header import ProjectionHeader
from .population import Arrays

WEIGHTS = "weights"
"""What a run is asked to record to keep trajectories."""

VARIABLES = ("w", "d", "t")
TRACES = ("x1", "x2", "y1", "y2", "y3")

LearnedArrays: TypeAlias = "dict[str, dict[str, NDArray[np.integer[Any]]]]"
"""Of each projection that learns: arrays by their names, ``learned/w``, ``epochs/x1``..."""


@dataclass(frozen=True)
class LearningRecord:
    """What was recorded of one projection that learned.

    Attributes
    ----------
    header : ProjectionHeader
    """

    header: ProjectionHeader
    _arrays: Arrays

    @property
    def variables(self) -> tuple[str, ...]:
        """Synaptic variables that were recorded: w, and d and t where the rule changes them."""
        return tuple(name for name in VARIABLES if self._key(f"learned/{name}") in self._arrays)

    @property
    def has_trajectory(self) -> bool:
        """Whether every epoch was recorded, or the end of each sample alone."""
        return self._key("epochs/w") in self._arrays

    def after(self, variable: str = "w") -> NDArray[np.int16]:
        """int16 [samples, targets, sources]: a variable after each sample.

        Of samples that learned one after the other there is one entry, after the last.
        """
        return self._get(f"learned/{variable}", "changes no such variable")

    def trajectory(self, name: str = "w") -> NDArray[np.int16]:
        """After each epoch: int16 [samples, epochs, targets, sources] of w, d and t.

        Of the traces x1 and x2 [samples, epochs, sources], of y1, y2 and y3 [..., targets].
        """
        return self._get(f"epochs/{name}", 'was not recorded; run again with record="weights"')

    def _key(self, what: str) -> str:
        return f"projections/{self.header.name}/{what}"

    def _get(self, what: str, problem: str) -> NDArray[np.int16]:
        if (key := self._key(what)) not in self._arrays:
            raise RecordingError(f"projection {self.header.name}: {what} {problem}")
        return np.asarray(self._arrays[key][:])


def shapes_of(
    header: ProjectionHeader, samples: int, steps: int, sources: int, targets: int
) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of a projection that learned."""
    times = (samples, steps // max(1, header.epoch))
    return {
        **{f"learned/{name}": (samples, targets, sources) for name in VARIABLES},
        **{f"epochs/{name}": (*times, targets, sources) for name in VARIABLES},
        **{f"epochs/{n}": (*times, sources if n[0] == "x" else targets) for n in TRACES},
    }


def as_arrays(learned: LearnedArrays) -> dict[str, NDArray[Any]]:
    """What is learned as a recording's arrays."""
    return {
        f"projections/{name}/{what}": array
        for name, arrays in learned.items()
        for what, array in arrays.items()
    }


def network_arrays(network: Network) -> dict[str, NDArray[Any]]:
    """Describe the network that learned as a recording's arrays."""
    held: dict[str, NDArray[Any]] = {}
    tree = flatten((network.populations, network.projections), held)
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    return {"network/tree": text, **{f"network/{key}": array for key, array in held.items()}}


def network_of(arrays: Arrays, fingerprint: str) -> Network:
    """Read the network that learned.

    Raises
    ------
    RecordingError
        If there is none, or it is another than the header says.
    """
    if "network/tree" not in arrays:
        raise RecordingError(
            "nothing learns in this recording; give the network's projections rules"
        )
    keys = [key for key in arrays if key.startswith("network/")]
    held = {key[len("network/") :]: np.array(arrays[key][:]) for key in keys}
    try:
        populations, projections = unflatten(json.loads(held["tree"].tobytes()), held)
        network = Network(populations, projections)
    except Exception as error:
        raise RecordingError(f"the network in this recording is damaged ({error})") from error
    if network.fingerprint != fingerprint:
        raise RecordingError("the network in this recording is not the one that its header names")
    return network


def with_weights(network: Network, weights: Mapping[str, NDArray[Any]]) -> Network:
    """Give the same network with other weights of some projections, by their names."""
    projections = [
        replace(p, synapse=with_matrix(p.synapse, weights[p.name])) if p.name in weights else p
        for p in network.projections
    ]
    return replace(network, projections=tuple(projections))
