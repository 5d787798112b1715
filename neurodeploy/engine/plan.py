"""A network made ready for the kernels: weights packed, parameters shifted, order fixed.

Neurons of a (C, H, W) population are kept channels last inside the engine, so
that one message of a convolution adds contiguous runs of channels. Everything
that enters or leaves the engine is in flat (C, H, W) order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import (
    Average,
    Conv,
    CubaLIF,
    Delta,
    Dense,
    Network,
    Population,
    Projection,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
)
from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_UNITY,
    SIGMA_DELTA_SHIFT,
    STATE_LIMIT,
)
from ..network.neurons import Parameter

NEURONS = (Source, CubaLIF, Delta, SigmaDelta, Sigma, Average)
SYNAPSES = (Dense, Conv, Readout)

Layout = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class ProjectionPlan:
    """A projection's packed weights.

    Attributes
    ----------
    projection : Projection
    source : int
        Index of the source population.
    graded : bool
        Whether messages carry payloads.
    weight : int8 or int16
        Dense [sources, targets]; conv [source channels, rows, columns, targets per group].
    rows, columns : int64
        Where a convolution's taps land, see `Conv.reach`.
    layout : (int, int, int, int)
        Source channels, source channels per group, target channels, target width.
    may_wrap : bool
        Whether a convolution's sum could leave 24 bits.
    """

    projection: Projection
    source: int
    graded: bool
    weight: NDArray[Any]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    layout: Layout
    may_wrap: bool


@dataclass(frozen=True, eq=False)
class PopulationPlan:
    """A population, its feeding projections and its parameters in the state's unit.

    Attributes
    ----------
    population : Population
    index : int
    hops : int
    forward, loops : tuple of ProjectionPlan
        Projections from earlier populations, and from itself.
    order : int32 [neurons], or empty
        Flat (C, H, W) index of each neuron as the engine numbers them.
    delay : int32 [neurons] or None
        Axonal delay, in the engine's order.
    parameters : dict
        Arguments of the neuron's kernel.
    """

    population: Population
    index: int
    hops: int
    forward: tuple[ProjectionPlan, ...]
    loops: tuple[ProjectionPlan, ...]
    order: NDArray[np.int32]
    delay: NDArray[np.int32] | None
    parameters: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.population.size


@dataclass(frozen=True, eq=False)
class Plan:
    """All populations in the order in which they run."""

    network: Network
    populations: tuple[PopulationPlan, ...]


def make_plan(network: Network) -> Plan:
    """Pack a network for the kernels.

    Raises
    ------
    UnsupportedError
        If the engine cannot run an element; it names it.
    """
    index_of = {p.name: i for i, p in enumerate(network.populations)}
    plans = []
    for index, population in enumerate(network.populations):
        if not isinstance(population.neuron, NEURONS):
            raise UnsupportedError(
                f"population {population.name!r}: the engine has no {population.neuron.kind} neuron"
            )
        into = network.into(population.name)
        for projection in into:
            _check(network, projection, index_of)
        loops = [p for p in into if p.source == p.target]
        if loops and population.axon_delay is not None:
            raise UnsupportedError(
                f"population {population.name!r}: the engine cannot delay a population that feeds "
                f"itself; remove the delay or the loop"
            )
        order = _order(population)
        delay = population.axon_delay
        plans.append(
            PopulationPlan(
                population=population,
                index=index,
                hops=network.hops(population.name),
                forward=tuple(_pack(network, p, index_of) for p in into if p not in loops),
                loops=tuple(_pack(network, p, index_of) for p in loops),
                order=order,
                delay=None if delay is None else _reorder(delay, order),
                parameters=_parameters(population, order),
            )
        )
    return Plan(network, tuple(plans))


def _check(network: Network, projection: Projection, index_of: dict[str, int]) -> None:
    if not isinstance(projection.synapse, SYNAPSES):
        raise UnsupportedError(
            f"projection {projection.name}: the engine has no {projection.synapse.kind} synapse"
        )
    if index_of[projection.source] > index_of[projection.target]:
        raise UnsupportedError(
            f"projection {projection.name}: leads back to an earlier population; the engine runs "
            f"loops within one population only"
        )
    if isinstance(projection.synapse, Readout) and not isinstance(
        network[projection.target].neuron, Average
    ):
        raise UnsupportedError(
            f"projection {projection.name}: only an average can read out a population on the host"
        )


def _order(population: Population) -> NDArray[np.int32]:
    if len(population.shape) != 3:
        return np.empty(0, np.int32)
    flat = np.arange(population.size, dtype=np.int32).reshape(population.shape)
    return np.ascontiguousarray(flat.transpose(1, 2, 0)).ravel()


def _reorder(values: NDArray[Any], order: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(values[order] if order.size else values, dtype=np.int32)


def _parameters(population: Population, order: NDArray[np.int32]) -> dict[str, Any]:
    def pack(value: Parameter, shift: int = 0) -> Any:
        if isinstance(value, np.ndarray):
            return _reorder(value.astype(np.int32) << shift, order)
        return np.int32(int(value) << shift)

    neuron = population.neuron
    if isinstance(neuron, CubaLIF):
        return {
            "keep_u": pack(DECAY_UNITY - neuron.current_decay),
            "keep_v": pack(DECAY_UNITY - neuron.voltage_decay),
            "threshold": pack(neuron.threshold, ACTIVATION_SHIFT),
            "bias": pack(neuron.bias, ACTIVATION_SHIFT),
        }
    if isinstance(neuron, Delta):
        return {"threshold": pack(neuron.threshold, SIGMA_DELTA_SHIFT), "bias": np.int32(0)}
    if isinstance(neuron, SigmaDelta):
        return {
            "threshold": pack(neuron.threshold, SIGMA_DELTA_SHIFT),
            "bias": pack(neuron.bias, SIGMA_DELTA_SHIFT),
        }
    return {}


def _pack(network: Network, projection: Projection, index_of: dict[str, int]) -> ProjectionPlan:
    source, target = network[projection.source], network[projection.target]
    synapse = projection.synapse
    nowhere = np.empty((0, 0), np.int64)
    rows = columns = nowhere
    layout = (1, 1, 1, 1)
    may_wrap = False
    weight: NDArray[Any] = np.empty((0, 0), np.int8)
    if isinstance(synapse, Dense):
        weight = synapse.weight
        if (order := _order(source)).size:
            weight = weight[:, order]
        if (order := _order(target)).size:
            weight = weight[order]
        weight = weight.T
    elif isinstance(synapse, Conv):
        out, per_group = synapse.weight.shape[:2]
        grouped = synapse.weight.reshape(synapse.groups, -1, *synapse.weight.shape[1:])
        # [groups, targets, sources, rows, columns] -> [all sources, rows, columns, targets]
        weight = grouped.transpose(0, 2, 3, 4, 1).reshape(
            synapse.groups * per_group, *synapse.weight.shape[2:], -1
        )
        rows, columns = synapse.reach(0, source.shape[1]), synapse.reach(1, source.shape[2])
        layout = (source.shape[0], per_group, out, target.shape[2])
        largest = np.abs(synapse.weight.astype(np.int64)).reshape(out, -1).sum(axis=1).max()
        may_wrap = bool(source.neuron.graded or largest >= STATE_LIMIT)
    return ProjectionPlan(
        projection=projection,
        source=index_of[source.name],
        graded=source.neuron.graded,
        weight=_narrow(weight),
        rows=rows,
        columns=columns,
        layout=layout,
        may_wrap=may_wrap,
    )


def _narrow(weight: NDArray[Any]) -> NDArray[Any]:
    """Copy to the narrowest integers that hold the weights; weight_limits bounds them to int16."""
    narrow = np.int8 if np.abs(weight).max(initial=0) < 128 else np.int16
    return np.ascontiguousarray(weight, dtype=narrow)
