"""What a recording says of its run beside the arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..network.graph import name_between

SCHEMA = "neurodeploy.recording"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PopulationHeader:
    """What a recording must know of a population to be read without its network.

    Attributes
    ----------
    name : str
    shape : tuple of int
    hops : int
        Steps by which the population lags the input.
    neuron : str
        The neuron model's ``kind``.
    graded : bool
        Whether messages carry payloads.
    on_chip : bool
        False for inputs that are merely sent in and for readouts of the host.
    """

    name: str
    shape: tuple[int, ...]
    hops: int
    neuron: str
    graded: bool
    on_chip: bool

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class ProjectionHeader:
    """Source, target and operator of a projection."""

    source: str
    target: str
    synapse: str
    number: int = 0

    @property
    def name(self) -> str:
        """``source->target``, see `Projection.name`; parallel ones share it in files of 0.1."""
        return name_between(self.source, self.target, self.number)


@dataclass(frozen=True)
class Header:
    """Everything about a run that is not an array.

    Attributes
    ----------
    backend, backend_version : str
    network, inputs : str
        SHA-256 of the network (`Network.fingerprint`) and of the inputs.
    steps : int
        Chip time steps that each sample ran for.
    record : tuple of str
        What was asked for: counts, spikes, states.
    populations, projections : tuple
    samples : int
    seconds : float
        Wall-clock time of the run.
    reset_interval : int or None
        Set if states were set to zero at intervals within each sample.
    reset_offset : int
        With `reset_interval`: the population at hop h was reset where ``t % interval ==
        (reset_offset + 1 + h) % interval``, t counted from 1. 0 in a recording that does not
        say: versions before this field existed did not keep it.
    measured : mapping
        Figures read from meters, by name with unit; empty where there is no meter.
    warnings : tuple of str
        What the user should know of this run.
    counters : mapping of str to list of float
        What a chip's cores counted per step, by name, one number for each core; ``core``
        names them.
    """

    backend: str
    backend_version: str
    network: str
    inputs: str
    steps: int
    record: tuple[str, ...]
    populations: tuple[PopulationHeader, ...]
    projections: tuple[ProjectionHeader, ...] = ()
    samples: int = 0
    seconds: float = 0.0
    reset_interval: int | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    counters: Mapping[str, list[float]] = field(default_factory=dict)
    reset_offset: int = 0

    def to_json(self) -> str:
        """The header as JSON text; an offset of 0 is left out, as older versions know none."""
        items = asdict(self)
        if not self.reset_offset:
            del items["reset_offset"]
        return json.dumps(items)

    def resets(self, hops: int) -> NDArray[np.bool_]:
        """Steps before which the states of a population at hop `hops` became zero, bool [steps]."""
        if self.reset_interval is None:
            return np.zeros(self.steps, np.bool_)
        clock = np.arange(1, self.steps + 1)
        found: NDArray[np.bool_] = (
            clock % self.reset_interval == (self.reset_offset + 1 + hops) % self.reset_interval
        )
        return found

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read a header that `to_json` wrote; unknown fields are an error."""
        raw = json.loads(text)
        raw["populations"] = tuple(
            PopulationHeader(**{**p, "shape": tuple(p["shape"])}) for p in raw["populations"]
        )
        raw["projections"] = tuple(ProjectionHeader(**p) for p in raw["projections"])
        raw["record"] = tuple(raw["record"])
        raw["warnings"] = tuple(raw["warnings"])
        return cls(**raw)
