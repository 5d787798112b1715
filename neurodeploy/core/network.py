"""A network packed for the core, once for each network while it is in use."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Network, Population, Projection
from ..network.neurons.registry import has_step
from . import library as c
from .host_steps import host_step, prefers_numpy
from .learning import core_rule
from .library import HostStep, library, raise_error, unit_in_use
from .neurons import CORE_NEURONS, CoreNeuron, core_neuron
from .order import cycles
from .synapses import (
    SYNAPSES,
    CoreSynapses,
    DenseSynapses,
    KernelSynapses,
    ListedSynapses,
    core_synapses,
)

OVERFLOWS = ("u_overflows", "v_overflows", "input_overflows")

BY_NUMPY = CoreNeuron("host-step")
"""Neurons of whatever model that `host_steps` steps."""

_COUNTED: dict[str, tuple[str, ...]] = {"relay": (), BY_NUMPY.kind: OVERFLOWS[2:]}


class CoreNetwork:
    """Populations and projections inside the core.

    Attributes
    ----------
    names : tuple of str
        Populations in the order in which the core runs them.
    populations : tuple of Population
        As `names`.
    neurons : int
        Of all populations.
    overflows : tuple of tuple of str
        Of each population: what is counted of it. Those that only pass on what they get stand
        outside the chip, and of what a NumPy step does the core sees its input alone.
    at_zero : tuple of dict of str to int or int32 [neurons]
        Of each population: see `CoreNeuron.at_zero`.
    unit : str
        The instruction set that it is packed for.
    """

    def __init__(
        self,
        stretches: Iterable[list[Population]],
        projections: Iterable[Projection],
        cyclic: Iterable[bool],
        unit: str,
    ) -> None:
        self.unit = unit
        self._core = library()
        self.handle = self._core.nd_network_new(unit.encode())
        if not self.handle:
            raise_error("core")
        self._finalizer = finalize(self, self._core.nd_network_free, self.handle)
        populations: list[Population] = []
        stretches = list(stretches)
        described = {p.name: _neuron(p) for stretch in stretches for p in stretch}
        self._steps: list[Any] = []  # that the core calls
        for number, (stretch, cycle) in enumerate(zip(stretches, cyclic, strict=True)):
            for population in stretch:
                self._add(population, described[population.name], number if cycle else -1)
                populations.append(population)
        self.populations = tuple(populations)
        self.neurons = sum(p.size for p in populations)
        neurons = [described[p.name] for p in populations]
        self.overflows = tuple(_COUNTED.get(neuron.kind, OVERFLOWS) for neuron in neurons)
        self.at_zero = tuple(neuron.at_zero for neuron in neurons)
        self.names = tuple(p.name for p in populations)
        self.rooms: dict[Any, Any] = {}  # see `simulate`
        place = {name: k for k, name in enumerate(self.names)}
        for projection in projections:
            source, target = place[projection.source], place[projection.target]
            ends = populations[source], populations[target]
            for part in _synapses(projection, *ends):
                self._connect(source, target, part, projection)
        if self._core.nd_pack(self.handle) < 0:
            raise_error("core")

    def _add(self, population: Population, neuron: CoreNeuron, cycle: int) -> None:
        model = population.neuron
        step, names = HostStep(), ";;"
        if neuron is BY_NUMPY:
            step = host_step(population)
            self._steps.append(step)
        else:
            names = self._core.nd_describe_neuron(neuron.kind.encode()).decode()
        parameters, options, _ = (part.split() for part in names.split(";"))
        arrays = [_whole(neuron.parameters[name]) for name in parameters]
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        sizes = np.array([a.size for a in arrays], np.int64)
        values = np.array([neuron.options[name] for name in options], np.int32)
        delay = None if population.axon_delay is None else _whole(population.axon_delay)
        first = population.initial_voltage
        first_v = _whole(np.broadcast_to(first, population.size)) if np.any(first) else None
        shape = population.shape if len(population.shape) == 3 else (population.size, 1, 1)
        made = c.Population(
            *shape, model.graded, population.starts, cycle, neuron.kind.encode(),
            len(arrays), len(values), ctypes.addressof(pointers), sizes.ctypes.data,
            values.ctypes.data, None if delay is None else delay.ctypes.data,
            None if first_v is None else first_v.ctypes.data,
            step, len(model.states), model.currents, model.resettable,
        )  # fmt: skip
        if self._core.nd_add_population(self.handle, ctypes.byref(made)) < 0:
            raise_error(f"population {population.name!r}")

    def complete(self, place: int, kept: Mapping[str, NDArray[np.int32]]) -> None:
        """Make the states that the core kept of a population those of its neurons' model."""
        for name, rest in self.at_zero[place].items():
            if name in kept:
                kept[name][...] += rest

    def _connect(
        self, source: int, target: int, part: CoreSynapses, projection: Projection
    ) -> None:
        between = c.Projection(source, target, part.lag, part.delay, part.port, part.wraps)
        core, at = self._core, ctypes.byref(between)
        weight = _whole(part.weight)  # type: ignore[attr-defined]
        if projection.rule is not None:
            rule, weight, held = core_rule(projection)
            done = core.nd_add_learning(self.handle, at, weight.ctypes.data, ctypes.byref(rule))
            del held
        elif isinstance(part, DenseSynapses):
            done = core.nd_add_dense(self.handle, at, weight.ctypes.data)
        elif isinstance(part, KernelSynapses):
            kernel = c.Kernel(
                weight.shape[0], *weight.shape[1:], part.groups, part.transposed,
                tuple(part.stride), tuple(part.padding), tuple(part.dilation),
            )  # fmt: skip
            done = core.nd_add_conv(self.handle, at, ctypes.byref(kernel), weight.ctypes.data)
        else:
            assert isinstance(part, ListedSynapses)
            ends = part.source.ctypes.data, part.target.ctypes.data
            done = core.nd_add_list(
                self.handle, at, weight.size, *ends, part.delays.ctypes.data, weight.ctypes.data
            )
        if done < 0:
            raise_error(f"projection {projection.name}")


def _whole(values: Any) -> NDArray[np.int32]:
    return np.ascontiguousarray(values, np.int32)


def _neuron(population: Population) -> CoreNeuron:
    by_numpy = has_step(population.neuron)
    neuron = None if by_numpy and prefers_numpy() else core_neuron(population.neuron)
    if neuron is None and by_numpy:
        return BY_NUMPY
    if neuron is None:
        hint = "; quantize the network first (nd.quantize)" if population.neuron.is_float else ""
        raise UnsupportedError(
            f"population {population.name!r}: the engine has no {population.neuron.kind} neuron "
            f"of class {type(population.neuron).__name__}; "
            f"it has {', '.join(model.kind for model in CORE_NEURONS)}, and what is registered "
            f"with a NumPy step{hint}"
        )
    return neuron


def _synapses(
    projection: Projection, source: Population, target: Population
) -> tuple[CoreSynapses, ...]:
    synapses = core_synapses(projection.synapse, source, target, projection.into)
    if synapses is None:
        raise UnsupportedError(
            f"projection {projection.name}: the engine has no {projection.synapse.kind} synapse "
            f"of class {type(projection.synapse).__name__}; "
            f"it has {', '.join(model.kind for model in SYNAPSES)}"
        )
    return synapses


def core_network(network: Network, gated: bool = False) -> CoreNetwork:
    """Pack a network for the instruction set in use; done once while the network lives.

    Parameters
    ----------
    network : Network
    gated : bool
        For a gated stream: populations start when the first message can be there.

    Raises
    ------
    UnsupportedError
        If the core cannot run an element; it names it.
    """
    key = "core", unit_in_use(), gated, prefers_numpy()
    if key not in network.kept:
        names = list(cycles(network))
        stretches = [[_early(network, n) if gated else network[n] for n in s] for s in names]
        loops = {p.source for p in network.projections if p.source == p.target}
        cyclic = [len(s) > 1 or s[0] in loops for s in names]
        network.kept[key] = CoreNetwork(stretches, network.projections, cyclic, key[1])
    packed: CoreNetwork = network.kept[key]
    return packed


def _early(network: Network, name: str) -> Population:
    population, lag = network[name], network.hops(name)
    first: Any = population.initial_voltage
    form = population.neuron.cuba_form()
    if np.any(first) and form is not None:  # where v would be when the first message arrives
        first = np.broadcast_to(np.asarray(first, np.int64), population.size)
        for _ in range(max(0, lag - population.starts)):
            first = form.next_voltage(first, np.zeros_like(first))
    starts = max(0, population.starts - lag)
    return replace(population, starts=starts, initial_voltage=first)
