"""Network = populations + projections; immutable, checked when it is made."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from .audit import Audit
from .fixed_point import MAX_DELAY
from .neurons import Neuron, Source
from .neurons.base import ADDED
from .synapses import Synapse

CLIPPED = "weights_clipped/"
"""Starts the name of a fact in `Network.metadata`; the projection's name follows."""


@dataclass(frozen=True, eq=False)
class InputTransform:
    """How values presented to an ``input`` layer become integers.

    ``a = round(value * weight + bias)``; weight and bias in 1/64 of SLAYER's
    unit, as NetX's ``layer/0/weight`` and ``bias`` hold them.

    Attributes
    ----------
    weight, bias : float
    rounds_first : bool
        Values are first rounded to multiples of 1/32 and clipped to
        -4..127/32, as SLAYER's Input blocks do (``quantize_8bit``,
        ``slayer/neuron/base.py:168``, lava-dl 0.6.0); netx and files say
        nothing of it.
    """

    weight: float
    bias: float
    rounds_first: bool = False

    def __call__(self, values: Any) -> NDArray[np.float64]:
        """Give whole numbers, as floats, for values of any shape."""
        if self.rounds_first:
            # SLAYER divides in float32; of two even multiples at the same distance, the even one.
            rounded = np.rint(np.asarray(values, np.float32) / np.float32(1 / 32)) / 32
            values = np.clip(rounded.astype(np.float64), -4, 127 / 32)
        whole: NDArray[np.float64] = np.rint(values * self.weight + self.bias)
        return whole


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one model and shape.

    Attributes
    ----------
    name : str
    shape : tuple of int
        (neurons,) or (channels, height, width).
    neuron : Neuron
    axon_delay : int32 [neurons] or None
        Steps by which each neuron's messages leave late. A recording's
        spikes are the messages as they leave, so after this delay; its u and
        v are the neuron's own, before it.
    transform : InputTransform or None
        For the input population only.
    starts : int
        Step of the chip clock at which its neurons begin. Before it they are
        at rest: no bias acts, nothing is sent, what arrives is lost. SLAYER's
        layers begin when their first input reaches them, a chip's all at step
        0; where a bias acts on them that is not the same.
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    axon_delay: NDArray[np.int32] | None = None
    transform: InputTransform | None = None
    starts: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to another, or to itself."""

    source: str
    target: str
    synapse: Synapse

    @property
    def name(self) -> str:
        """``source->target``."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True, eq=False)
class Network:
    """A spiking network in the chip's integers, or in float32 before it is quantized.

    Attributes
    ----------
    populations : tuple of Population
        The first is the input; the last is the output. Sources stand before
        their targets, recurrence apart; see `closes`.
    projections : tuple of Projection
    audit : Audit
        What the conversion that made this network did.
    metadata : mapping of str to str, int or float
        Facts about the network that change nothing in how it runs;
        ``weights_clipped/<source>-><target>`` how many weights of a projection
        the conversion clipped to what the chip holds.

    Raises
    ------
    NetworkError
        If names, shapes or weights contradict each other.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    audit: Audit = field(default_factory=Audit)
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Lists would make another fingerprint.
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        names = [population.name for population in self.populations]
        if not names:
            raise NetworkError("network: no populations; a network needs at least one layer")
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise NetworkError(f"population {min(twice)!r}: name used twice; rename one")
        for population in self.populations:
            _check_delay(population)
            _check_start(population)
        for projection in self.projections:
            for end in (projection.source, projection.target):
                if end not in names:
                    raise NetworkError(
                        f"projection {projection.name}: no population {end!r}; "
                        f"there are {', '.join(names)}"
                    )
            _check_projection(self[projection.source], self[projection.target], projection)
        _check_worlds(self)

    def __getitem__(self, name: str) -> Population:
        for population in self.populations:
            if population.name == name:
                return population
        raise NetworkError(
            f"no population {name!r}; there are {', '.join(p.name for p in self.populations)}"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def input(self) -> Population:
        """The population that takes the inputs."""
        return self.populations[0]

    @property
    def output(self) -> Population:
        """The population whose messages are the network's output."""
        return self.populations[-1]

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections that end in a population."""
        return tuple(p for p in self.projections if p.target == name)

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Projections that start from a population."""
        return tuple(p for p in self.projections if p.source == name)

    @cached_property
    def is_float(self) -> bool:
        """Whether its neurons compute in float32: trained, but not quantized yet."""
        return any(p.neuron.is_float for p in self.populations)

    def closes(self, projection: Projection) -> bool:
        """Whether a projection leads to its own source or to a population before it.

        It closes a cycle then. In a float network, which runs on the clock of the
        framework that trained it, such a projection delivers what was sent in the step
        before, and every other one what is sent in the same step.
        """
        order = [p.name for p in self.populations]
        return order.index(projection.target) <= order.index(projection.source)

    def hops(self, name: str) -> int:
        """Steps by which a population lags the input on the shortest path; 0 in a float network."""
        return self._hops[self[name].name]

    @cached_property
    def _hops(self) -> dict[str, int]:
        if self.is_float:
            return {p.name: 0 for p in self.populations}
        hops = {self.input.name: 0}
        changed = True
        while changed:
            changed = False
            for projection in self.projections:
                if projection.source in hops:
                    steps = hops[projection.source] + projection.synapse.steps
                    if steps < hops.get(projection.target, steps + 1):
                        hops[projection.target] = steps
                        changed = True
        return {p.name: hops.get(p.name, 0) for p in self.populations}

    def weights_clipped(self, projection: Projection) -> int:
        """How many weights the conversion clipped to what the chip holds."""
        return int(self.metadata.get(f"{CLIPPED}{projection.name}", 0))

    def fan_out(self, projection: Projection, dense: bool = False) -> NDArray[np.int64]:
        """Synapses that one message of each source neuron reaches; see `Synapse.fan_out`.

        Kept, because every recording needs it and it takes longer than a short run.
        """
        key = (id(projection), dense)  # of the same two populations there may be several
        if key not in self._fan_outs:
            shape = self[projection.source].shape
            self._fan_outs[key] = projection.synapse.fan_out(shape, dense=dense)
        return self._fan_outs[key]

    @cached_property
    def _fan_outs(self) -> dict[tuple[int, bool], NDArray[np.int64]]:
        return {}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides how the network runs."""
        digest = hashlib.sha256(b"neurodeploy.network.1")
        _feed(digest, (self.populations, self.projections))
        return digest.hexdigest()

    @cached_property
    def beyond_chip(self) -> tuple[str, ...]:
        """One line for each delay that is longer than any chip's: fit for a simulation only."""
        found = []
        for population in self.populations:
            found.append((f"population {population.name!r}", population.axon_delay))
        for projection in self.projections:
            delay = getattr(projection.synapse, "delay", None)
            found.append((f"projection {projection.name}", delay))
        return tuple(
            f"{where}: {np.count_nonzero(delay > MAX_DELAY)} delays exceed the chip's {MAX_DELAY} "
            f"steps (longest {delay.max()}); this runs as a simulation only, no chip runs it"
            for where, delay in found
            if isinstance(delay, np.ndarray) and delay.max(initial=0) > MAX_DELAY
        )


def _check_delay(population: Population) -> None:
    delay = population.axon_delay
    if delay is None:
        return
    if delay.shape != (population.size,) or delay.min(initial=0) < 0:
        raise NetworkError(
            f"population {population.name!r}: axon_delay has shape {delay.shape} and holds "
            f"{delay.min(initial=0)}; needs one delay of 0 or more steps for each of "
            f"{population.size} neurons"
        )


def _check_start(population: Population) -> None:
    if population.starts < 0:
        raise NetworkError(
            f"population {population.name!r}: starts at step {population.starts}; steps count from "
            f"0"
        )


def _check_projection(source: Population, target: Population, projection: Projection) -> None:
    synapse = projection.synapse
    if synapse.ports != target.neuron.ports:
        raise NetworkError(
            f"projection {projection.name}: {synapse.kind} synapses deliver {synapse.ports} "
            f"currents to each neuron, {target.neuron.kind} neurons take {target.neuron.ports}; "
            f"use {'complex' if target.neuron.ports == 2 else 'real'} weights"
        )
    try:
        synapse.check(source.shape, target.shape)
    except NetworkError as error:
        raise NetworkError(f"projection {projection.name}: {error}") from None


def _check_worlds(network: Network) -> None:
    """Refuse a network that is partly in float32 and partly in integers."""
    for population in network.populations:
        port = isinstance(population.neuron, Source)
        if network.is_float and not (population.neuron.is_float or port):
            raise NetworkError(
                f"population {population.name!r}: {population.neuron.kind} neurons compute in "
                f"integers, others of this network in float32; quantize it as a whole"
            )
    if network.is_float:
        return
    for projection in network.projections:
        weight = getattr(projection.synapse, "weight", None)
        if isinstance(weight, float) or getattr(weight, "dtype", np.dtype(int)).kind == "f":
            raise NetworkError(
                f"projection {projection.name}: weights are {np.asarray(weight).dtype} between "
                f"neurons that compute in integers; round them, or quantize the network"
            )


def _feed(digest: Any, value: Any) -> None:
    """Feed a value into a hash so that equal networks give equal hashes."""
    if isinstance(value, (np.ndarray, np.generic)) or (
        isinstance(value, (int, float)) and not isinstance(value, bool)
    ):
        array = np.asarray(value)
        # One integer and an array full of it run alike but are written
        # differently; the width an array happens to have is no difference.
        array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
        digest.update(f"a{array.shape}{array.dtype.kind}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        digest.update(type(value).__name__.encode())
        for item in fields(value):
            if ADDED in item.metadata and getattr(value, item.name) is item.default:
                continue
            digest.update(item.name.encode())
            _feed(digest, getattr(value, item.name))
    elif isinstance(value, (tuple, list)):
        digest.update(f"t{len(value)}".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(repr(value).encode())
