"""What a recording says of its run beside the arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import printable
from ..network.graph import check_name, name_between

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
    unit : float or None
        What 1 of u and v is worth in the network that was trained, where it was quantized; see
        `PopulationRecord.in_trained_units`. Two headers that differ in it alone are equal: before
        version 0.2 no recording said it.
    """

    name: str
    shape: tuple[int, ...]
    hops: int
    neuron: str
    graded: bool
    on_chip: bool
    unit: float | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    def check(self) -> None:
        """See `Header.check`."""
        check_name(self.name)
        numbers = all(type(n) is int and n > 0 for n in self.shape) and 0 < len(self.shape) < 4
        _check_that(numbers and self.size < 1 << 31, f"population {self.name!r}: shape", "neurons")
        sound = type(self.hops) is int and 0 <= self.hops < 1 << 31 and isinstance(self.neuron, str)
        sound = sound and isinstance(self.graded, bool) and isinstance(self.on_chip, bool)
        _check_that(sound, f"population {self.name!r}", "hops, a neuron, graded and on_chip")
        unit = self.unit is None or (type(self.unit) is float and 0 < self.unit < math.inf)
        _check_that(unit, f"population {self.name!r}: unit", "a number above 0")


@dataclass(frozen=True)
class ProjectionHeader:
    """Source, target and operator of a projection.

    Attributes
    ----------
    epoch : int
        Steps of an epoch of learning; 0 where it does not learn.
    """

    source: str
    target: str
    synapse: str
    number: int = 0
    epoch: int = 0

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
    learn_across_samples : bool
        Whether each sample began with the weights that the one before had learned.
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
    learn_across_samples: bool = False

    def to_json(self) -> str:
        """The header as JSON text; older versions do not know what is left out at its default."""
        items = asdict(self)
        for name in ("reset_offset", "learn_across_samples"):
            if not getattr(self, name):
                del items[name]
        for population in items["populations"]:
            if population["unit"] is None:
                del population["unit"]
        for projection in items["projections"]:
            if not projection["epoch"]:
                del projection["epoch"]
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
        raw["warnings"] = tuple(printable(warning) for warning in raw["warnings"])
        header = cls(**raw)
        header.check()
        return header

    def check(self) -> None:
        """Refuse what no run gives; a file may say anything.

        Raises
        ------
        ValueError
            Naming the field.
        """
        texts = ("backend", "backend_version", "network", "inputs")
        for name in texts:
            _check_that(isinstance(getattr(self, name), str), name, "text")
        counts = {"steps": self.steps, "samples": self.samples, "reset_offset": self.reset_offset}
        if self.reset_interval is not None:
            counts["reset_interval"] = self.reset_interval
        for name, value in counts.items():
            least = int(name == "reset_interval")
            sound = type(value) is int and least <= value < 1 << 31
            _check_that(sound, name, f"a whole number from {least} on")
        seconds = type(self.seconds) in (int, float) and math.isfinite(self.seconds)
        _check_that(seconds, "seconds", "a number")
        _check_that(all(isinstance(word, str) for word in self.record), "record", "words")
        _check_that(isinstance(self.measured, dict), "measured", "figures by name")
        _check_that(type(self.learn_across_samples) is bool, "learn_across_samples", "a flag")
        lists = isinstance(self.counters, dict) and all(
            isinstance(values, list) and all(type(v) in (int, float) for v in values)
            for values in self.counters.values()
        )
        _check_that(lists, "counters", "lists of numbers by name")
        _check_that(bool(self.populations), "populations", "at least one")
        for population in self.populations:
            population.check()
        _check_that(len(self.by_name) == len(self.populations), "populations", "a name each")
        for projection in self.projections:
            ends = projection.source, projection.target
            known = all(isinstance(end, str) and end in self.by_name for end in ends)
            sound = type(projection.number) is int and isinstance(projection.synapse, str)
            sound = sound and type(projection.epoch) is int and projection.epoch >= 0
            _check_that(known and sound, "projections", "known populations, a synapse and a number")

    @cached_property
    def by_name(self) -> dict[str, PopulationHeader]:
        """The populations by their names."""
        return {population.name: population for population in self.populations}


def _check_that(sound: bool, field_name: str, needed: str) -> None:
    if not sound:
        raise ValueError(f"{field_name}: needs {needed}")
