"""Network = populations + projections; immutable, checked when it is made."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Shown, columns, listed
from ..errors import NetworkError
from ..numbers import count
from .audit import Audit
from .canonical import fingerprint
from .fields import (
    DERIVED,
    Declared,
    choice,
    flag,
    indices,
    integers,
    one_float,
    one_integer,
    shape,
)
from .fixed_point import MAX_DELAY, STATE_LIMIT
from .learning import LearningRule
from .learning.matrix import CAN_LEARN, listed_twice
from .neurons import Neuron, Parameter, Source
from .synapses import Synapse

CLIPPED = "weights_clipped/"
"""Starts the name of a fact in `Network.metadata`; the projection's name follows."""


@dataclass(frozen=True, eq=False)
class InputTransform(Declared):
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

    weight: float = field(metadata=one_float())
    bias: float = field(metadata=one_float())
    rounds_first: bool = field(default=False, metadata=flag())

    def __call__(self, values: Any) -> NDArray[np.float64]:
        """Give whole numbers, as floats, for values of any shape."""
        if self.rounds_first:
            # SLAYER divides in float32; of two even multiples at the same distance, the even one.
            rounded = np.rint(np.asarray(values, np.float32) / np.float32(1 / 32)) / 32
            values = np.clip(rounded.astype(np.float64), -4, 127 / 32)
        whole: NDArray[np.float64] = np.rint(values * self.weight + self.bias)
        return whole


@dataclass(frozen=True, eq=False)
class Population(Declared):
    """Neurons of one model and shape.

    Attributes
    ----------
    name : str
        Words between single slashes, because files hold it as a path.
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
    initial_voltage : int or int32 [neurons]
        v at the start of each sample, before the first step, in v's own unit; a reset within a
        sample (`reset_interval`) brings v to 0 all the same, as the chip's does. Of neurons that
        `Neuron.has_initial_voltage`.
    """

    name: str
    shape: tuple[int, ...] = field(metadata=shape())
    neuron: Neuron
    axon_delay: NDArray[np.int32] | None = field(default=None, metadata=indices(optional=True))
    transform: InputTransform | None = None
    starts: int = field(default=0, metadata=one_integer(0))
    initial_voltage: Parameter = field(
        default=0, metadata=integers(1 - STATE_LIMIT, STATE_LIMIT - 1)
    )

    def __post_init__(self) -> None:
        check_name(self.name)
        super().__post_init__()
        if not isinstance(self.neuron, Neuron):
            raise NetworkError(f"{self.label}: {self.neuron!r} is no neuron model")
        if self.axon_delay is not None and self.axon_delay.shape != (self.size,):
            raise NetworkError(
                f"{self.label}: axon_delay has shape {self.axon_delay.shape}, needs one delay for "
                f"each of {self.size} neurons"
            )
        if np.any(self.initial_voltage) and not self.neuron.has_initial_voltage:
            raise NetworkError(
                f"{self.label}: {self.neuron.kind} neurons start at 0 alone; leave initial_voltage "
                f"out"
            )
        if np.ndim(self.initial_voltage) and np.shape(self.initial_voltage) != (self.size,):
            raise NetworkError(
                f"{self.label}: initial_voltage has shape {np.shape(self.initial_voltage)}, needs "
                f"one number, or one for each of {self.size} neurons"
            )
        try:
            self.neuron.check(self.size)
        except NetworkError as error:
            raise NetworkError(f"{self.label}: {self.neuron.kind} neurons: {error}") from None

    @property
    def label(self) -> str:
        """What an error calls it."""
        return f"population {self.name!r}"

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


def name_between(source: str, target: str, number: int) -> str:
    """Name of a projection; see `Projection.name`."""
    return f"{source}->{target}" + (f"#{number + 1}" if number else "")


@dataclass(frozen=True, eq=False)
class Projection(Declared):
    """Synapses from one population to another, or to itself.

    Attributes
    ----------
    source, target : str
    synapse : Synapse
    number : int
        0; 1, 2, ... of further projections between the same two populations. `Network` sets it.
    rule : LearningRule or None
        How its synapses learn while the network runs: dense or listed ones, between populations
        without delays. Its weights are those with which each run begins.
    into : {"current", "third-factor"}
        What it adds to: the current of its target's neurons, or the third factor of those that
        have one (`Neuron.has_third_factor`).
    """

    source: str
    target: str
    synapse: Synapse
    number: int = field(default=0, metadata={DERIVED: True})
    rule: LearningRule | None = None
    into: str = field(default="current", metadata=choice("current", "third-factor"))

    @property
    def name(self) -> str:
        """``source->target``; ``source->target#2`` of the second between them, and so on."""
        return name_between(self.source, self.target, self.number)


@dataclass(frozen=True, eq=False)
class Network(Declared, Shown):
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

    Examples
    --------
    >>> net = nd.load("digits.net")
    >>> [(population.name, population.size) for population in net]
    [('input', 64), ('0_dense', 128), ('1_dense', 10)]
    >>> net.output.shape, net.hops("1_dense")
    ((10,), 2)
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    audit: Audit = field(default_factory=Audit)
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        if not self.populations:
            raise NetworkError("network: no populations; a network needs at least one layer")
        for part, kind in (("populations", Population), ("projections", Projection)):
            for item in getattr(self, part):
                if not isinstance(item, kind):
                    raise NetworkError(
                        f"network: {part}: holds {item!r:.40}, needs {kind.__name__}s"
                    )
        object.__setattr__(self, "projections", tuple(_numbered(self.projections)))
        _check_names([population.name for population in self.populations])
        for projection in self.projections:
            for end in (projection.source, projection.target):
                if end not in self._places:
                    raise NetworkError(
                        f"projection {projection.name}: no population {end!r}; "
                        f"there are {', '.join(self._places)}"
                    )
            _check_projection(self[projection.source], self[projection.target], projection)
        _check_worlds(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Network, (self.populations, self.projections, self.audit, dict(self.metadata))

    def __getitem__(self, name: str) -> Population:
        try:
            return self.populations[self._places[name]]
        except KeyError:
            raise NetworkError(
                f"no population {name!r}; there are {', '.join(self._places)}"
            ) from None

    def __len__(self) -> int:
        return len(self.populations)

    def __iter__(self) -> Iterator[Population]:
        return iter(self.populations)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __repr__(self) -> str:
        rows = [
            (
                population.name,
                population.neuron.kind,
                "x".join(map(str, population.shape)),
                ", ".join(
                    f"{p.synapse.kind} from {p.source if p.source != p.target else 'itself'}"
                    for p in self.into(population.name)
                ),
            )
            for population in self
        ]
        return listed(
            f"Network of {len(self)} populations, {count(sum(p.size for p in self))} neurons, "
            f"{len(self.projections)} projections, in "
            f"{'float32, not quantized' if self.is_float else 'integers'}",
            columns(rows),
            f"output after {self.hops(self.output.name)} hops; audit: {self.audit.counts}",
            f"fingerprint {self.fingerprint[:16]}",
            what="more populations",
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each population stands, by name."""
        return {population.name: place for place, population in enumerate(self.populations)}

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
        """Projections that end in a population.

        Parameters
        ----------
        name : str
            Of a population.

        Returns
        -------
        tuple of Projection
            Empty where nothing leads there.

        Examples
        --------
        >>> [projection.name for projection in net.into("1_dense")]
        ['0_dense->1_dense']
        """
        return self._into.get(name, ())

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Projections that start from a population.

        Parameters
        ----------
        name : str
            Of a population.

        Returns
        -------
        tuple of Projection
            Empty where nothing starts there.

        Examples
        --------
        >>> [projection.name for projection in net.out_of("input")]
        ['input->0_dense']
        """
        return self._out_of.get(name, ())

    @cached_property
    def _into(self) -> dict[str, tuple[Projection, ...]]:
        found: dict[str, tuple[Projection, ...]] = {}
        for p in self.projections:
            found[p.target] = (*found.get(p.target, ()), p)
        return found

    @cached_property
    def _out_of(self) -> dict[str, tuple[Projection, ...]]:
        found: dict[str, tuple[Projection, ...]] = {}
        for p in self.projections:
            found[p.source] = (*found.get(p.source, ()), p)
        return found

    def on_chip(self, population: Population) -> bool:
        """Whether a population has neurons of its own on the chip, see `Neuron.runs_on_host`.

        Parameters
        ----------
        population : Population
            Of this network.

        Returns
        -------
        bool

        Examples
        --------
        >>> [net.on_chip(population) for population in net]
        [False, True, True]
        """
        where = population.neuron.runs_on_host
        return where == "never" or (where == "first" and population.name != self.input.name)

    @cached_property
    def learning(self) -> tuple[Projection, ...]:
        """Projections whose synapses learn."""
        return tuple(p for p in self.projections if p.rule is not None)

    @cached_property
    def is_float(self) -> bool:
        """Whether its neurons compute in float32: trained, but not quantized yet."""
        return any(p.neuron.is_float for p in self.populations)

    def closes(self, projection: Projection) -> bool:
        """Whether a projection leads to its own source or to a population before it.

        It closes a cycle then. In a float network, which runs on the clock of the
        framework that trained it, such a projection delivers what was sent in the step
        before, and every other one what is sent in the same step.

        Parameters
        ----------
        projection : Projection
            Of this network.

        Returns
        -------
        bool

        Examples
        --------
        >>> [net.closes(projection) for projection in net.projections]
        [False, False]
        """
        return self._places[projection.target] <= self._places[projection.source]

    def hops(self, name: str) -> int:
        """Steps by which a population lags the input on the shortest path; 0 in a float network.

        Parameters
        ----------
        name : str
            Of a population.

        Returns
        -------
        int
            Steps of the chip clock.

        Raises
        ------
        NetworkError
            If there is no such population.

        Examples
        --------
        >>> {population.name: net.hops(population.name) for population in net}
        {'input': 0, '0_dense': 1, '1_dense': 2}
        """
        return self._hops[self[name].name]

    @cached_property
    def _hops(self) -> dict[str, int]:
        if self.is_float:
            return {p.name: 0 for p in self.populations}
        hops = {self.input.name: 0}
        ahead = deque(hops)
        while ahead:
            name = ahead.popleft()
            for projection in self.out_of(name):
                steps = hops[name] + projection.synapse.steps
                if steps < hops.get(projection.target, steps + 1):
                    hops[projection.target] = steps
                    ahead.append(projection.target)
        return {p.name: hops.get(p.name, 0) for p in self.populations}

    def weights_clipped(self, projection: Projection) -> int:
        """How many weights the conversion clipped to what the chip holds.

        Parameters
        ----------
        projection : Projection
            Of this network.

        Returns
        -------
        int

        Examples
        --------
        >>> sum(net.weights_clipped(projection) for projection in net.projections)
        0
        """
        return int(self.metadata.get(f"{CLIPPED}{projection.name}", 0))

    def fan_out(self, projection: Projection, dense: bool = False) -> NDArray[np.int64]:
        """Synapses that one message of each source neuron reaches; see `Synapse.fan_out`.

        Of synapses that learn each stored one counts: its weight may be 0 at first, not for long.

        Kept, because every recording needs it and it takes longer than a short run.

        Parameters
        ----------
        projection : Projection
            Of this network.
        dense : bool
            Count weights of 0, too.

        Returns
        -------
        int64 [neurons of the source]

        Examples
        --------
        >>> net.fan_out(net.projections[0], dense=True)[:3].tolist()
        [128, 128, 128]
        """
        dense = dense or projection.rule is not None
        key = (projection.name, dense)
        if key not in self._fan_outs:
            shape = self[projection.source].shape
            self._fan_outs[key] = projection.synapse.fan_out(shape, dense=dense)
        return self._fan_outs[key]

    @cached_property
    def _fan_outs(self) -> dict[tuple[str, bool], NDArray[np.int64]]:
        return {}

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What other rooms found out about it and keep for as long as it lives, by their names.

        As short a run as a network has takes less time than to find it out.
        """
        return {}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides how the network runs; see `canonical`."""
        return fingerprint((self.populations, self.projections))

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


def check_name(name: Any) -> None:
    """Refuse a name under which HDF5 would hold nothing or something else, or a terminal obeys."""
    if not isinstance(name, str) or {"", ".", ".."} & set(name.split("/")):
        raise NetworkError(
            f"population {name!r}: no name that a file can hold; give words, with single slashes "
            f"between them if need be"
        )
    if not name.isprintable():
        raise NetworkError(
            f"population {name!r}: its name holds a character that no terminal can show; rename it"
        )


def _check_names(names: list[str]) -> None:
    """Refuse names that are used twice, or that a file would hold one inside the other."""
    before: set[str] = set()
    for name in names:
        if name in before:
            raise NetworkError(f"population {name!r}: name used twice; rename one")
        before.add(name)
    for name in names:
        parts = name.split("/")
        for length in range(1, len(parts)):
            if (around := "/".join(parts[:length])) in before:
                raise NetworkError(
                    f"population {name!r}: its name lies within that of population {around!r}, and "
                    f"in files its data would; rename one"
                )


def _numbered(projections: tuple[Projection, ...]) -> Iterator[Projection]:
    """Projections with a name of their own each."""
    names: set[str] = set()
    for projection in projections:
        number = 0
        while (one := replace(projection, number=number)).name in names:
            number += 1
        names.add(one.name)
        yield projection if projection.number == number else one


def _check_projection(source: Population, target: Population, projection: Projection) -> None:
    synapse = projection.synapse
    if synapse.ports != target.neuron.ports:
        raise NetworkError(
            f"projection {projection.name}: {synapse.kind} synapses deliver {synapse.ports} "
            f"currents to each neuron, {target.neuron.kind} neurons take {target.neuron.ports}; "
            f"use {'complex' if target.neuron.ports == 2 else 'real'} weights"
        )
    if projection.into == "third-factor" and not target.neuron.has_third_factor:
        raise NetworkError(
            f"projection {projection.name}: leads into the third factor of {target.neuron.kind} "
            f"neurons, which have none; make them modulated-lif, or let it lead into the current"
        )
    try:
        synapse.check(source.shape, target.shape)
        if projection.rule is not None:
            _check_learning(source, target, projection)
    except NetworkError as error:
        raise NetworkError(f"projection {projection.name}: {error}") from None


def _check_learning(source: Population, target: Population, projection: Projection) -> None:
    """Refuse a learning rule where Lava's learning engine could not be followed."""
    rule, synapse = projection.rule, projection.synapse
    if not isinstance(rule, LearningRule):
        raise NetworkError(f"rule {rule!r:.40} is no LearningRule")
    if type(synapse) not in CAN_LEARN or listed_twice(synapse):
        raise NetworkError(
            f"{synapse.kind} synapses cannot learn, dense ones and lists can, of one synapse "
            f"between two neurons; make them dense"
        )
    if synapse.is_float:
        raise NetworkError(
            "float weights cannot learn; quantize the network, then give it the rule"
        )
    if projection.into != "current":
        raise NetworkError("synapses into a third factor cannot learn; leave their rule out")
    for end in (source, target):
        if end.axon_delay is not None or end.starts:
            raise NetworkError(
                f"its synapses learn, and {end.label} has delays on its axons or starts late; "
                f"leave these out"
            )
    low, high = rule.weight_range
    weight = synapse.only_array
    if weight.size and not low <= weight.min() <= weight.max() <= high:
        worst = weight.min() if weight.min() < low else weight.max()
        raise NetworkError(
            f"a weight is {worst}, {rule.sign} weights that learn are {low}..{high}; scale them"
        )
    if rule.factors == "three" and not target.neuron.has_third_factor:
        raise NetworkError(
            f"a three-factor rule, whose y1, y2 and y3 {target.neuron.kind} neurons do not write; "
            f"make the target's neurons modulated-lif, or the rule a two-factor one"
        )


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
        if projection.synapse.is_float:
            raise NetworkError(
                f"projection {projection.name}: weights are float32 between neurons that compute "
                f"in integers; round them, or quantize the network"
            )
