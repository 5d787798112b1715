"""How each synapse operator is handed to the core, which has three: dense, kernels and lists.

Everything is in (C, H, W) order; the core lays it out for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import network
from ..errors import UnsupportedError
from ..network import Population, Synapse
from ..network.fixed_point import STATE_LIMIT


@dataclass(frozen=True)
class CoreSynapses:
    """A part of a projection.

    Attributes
    ----------
    lag : int
        Steps from message to current.
    delay : int
        Steps in addition, of this part alone.
    port : int
        0, or 1 for the imaginary current.
    wraps : bool
        Whether its sum wraps to 24 bits and could reach that.
    """

    lag: int
    delay: int
    port: int
    wraps: bool


@dataclass(frozen=True)
class DenseSynapses(CoreSynapses):
    """`weight` [targets, sources]."""

    weight: NDArray[np.int32]


@dataclass(frozen=True)
class KernelSynapses(CoreSynapses):
    """`weight` [out channels, in channels / groups, height, width]."""

    weight: NDArray[np.int32]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    transposed: bool = False


@dataclass(frozen=True)
class ListedSynapses(CoreSynapses):
    """One entry for each synapse; `delays` come in addition."""

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.int32]
    delays: NDArray[np.int32]


def core_synapses(
    synapse: Synapse, source: Population, target: Population, into: str = "current"
) -> tuple[CoreSynapses, ...] | None:
    """Describe an operator to the core, in parts; None where the core has no such operator."""
    describe = SYNAPSES.get(type(synapse))
    if describe is None:
        return None
    parts = tuple(describe(synapse, source, target))
    if into == "third-factor":  # the second current of neurons that have one
        return tuple(replace(part, port=target.neuron.ports) for part in parts)
    return parts


Parts = Iterator[CoreSynapses]


def _dense(synapse: Any, source: Population, target: Population) -> Parts:
    yield DenseSynapses(synapse.steps, 0, 0, False, synapse.weight)


def _complex_dense(synapse: Any, source: Population, target: Population) -> Parts:
    yield DenseSynapses(synapse.steps, 0, 0, False, synapse.real)
    yield DenseSynapses(synapse.steps, 0, 1, False, synapse.imag)


def _conv(synapse: Any, source: Population, target: Population, port: int = 0) -> Parts:
    weight = synapse.weight
    largest = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1).max()
    wraps = synapse.sums_wrap and bool(source.neuron.graded or largest >= STATE_LIMIT)
    yield KernelSynapses(
        synapse.steps, 0, port, wraps, weight,
        synapse.stride, synapse.padding, synapse.dilation, synapse.groups,
    )  # fmt: skip


def _conv_transpose(synapse: Any, source: Population, target: Population, port: int = 0) -> Parts:
    groups = synapse.groups
    grouped = synapse.weight.reshape(groups, -1, *synapse.weight.shape[1:])
    # [groups, sources, targets, ...] -> [all targets, sources of a group, ...]
    turned = grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *grouped.shape[3:])
    yield KernelSynapses(
        synapse.steps, 0, port, False, turned,
        synapse.stride, synapse.padding, synapse.dilation, groups, transposed=True,
    )  # fmt: skip


def _pool(synapse: Any, source: Population, target: Population, port: int = 0) -> Parts:
    if synapse.across_channels:
        yield _across_channels(synapse, source, target, port)
        return
    # The same kernel for every channel: a convolution with a group for each.
    weight = np.broadcast_to(synapse.weight, (source.shape[0], 1, *synapse.weight.shape))
    yield KernelSynapses(
        synapse.steps, 0, port, False, weight,
        synapse.stride, synapse.padding, synapse.dilation, source.shape[0],
        transposed=synapse.kind == "unpool",
    )  # fmt: skip


def _across_channels(
    synapse: Any, source: Population, target: Population, port: int
) -> ListedSynapses:
    """Windows that reach into the next channel, synapse by synapse."""
    width = target.shape[2]
    rows, columns = synapse.rows(source.shape), synapse.columns(source.shape)
    own = np.arange(source.size).reshape(source.shape)
    found = []
    for ky, kx in np.ndindex(synapse.weight.shape):
        row, column = rows[:, :, ky, None], columns[None, None, :, kx]
        lands = (row >= 0) & (column >= 0)
        place = np.broadcast_to(row * width + column, source.shape)
        found.append((own[lands], place[lands], np.full(lands.sum(), synapse.weight[ky, kx])))
    out_of, into, weight = (np.concatenate(part) for part in zip(*found, strict=True))
    return _listed(synapse, out_of, into, weight, port=port)


def _listed(
    synapse: Synapse,
    source: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any],
    delay: NDArray[Any] | None = None,
    port: int = 0,
) -> ListedSynapses:
    weight = np.broadcast_to(weight, source.shape)
    delay = np.zeros(source.shape, np.int32) if delay is None else delay
    listed = weight != 0
    parts = (np.ascontiguousarray(a[listed], np.int32) for a in (source, target, weight, delay))
    return ListedSynapses(synapse.steps, 0, port, False, *parts)


def _sparse(synapse: Any, source: Population, target: Population, port: int = 0) -> Parts:
    yield _listed(synapse, synapse.index, synapse.targets, synapse.weight, port=port)


def _delayed_sparse(synapse: Any, source: Population, target: Population) -> Parts:
    yield _listed(synapse, synapse.index, synapse.targets, synapse.weight, synapse.delay)


def _one_to_one(synapse: Any, source: Population, target: Population) -> Parts:
    own = np.arange(source.size)
    yield _listed(synapse, own, own, synapse.weight)


def _delayed_dense(synapse: Any, source: Population, target: Population) -> Parts:
    into, out_of = np.nonzero(synapse.weight)
    yield _listed(synapse, out_of, into, synapse.weight[into, out_of], synapse.delay[into, out_of])


def _temporal(synapse: Any, source: Population, target: Population) -> Parts:
    if synapse.weight.ndim == 2:
        delay, neuron = np.nonzero(synapse.weight)
        yield _listed(synapse, neuron, neuron, synapse.weight[delay, neuron], delay)
        return
    for tap, weight in enumerate(synapse.weight):
        yield DenseSynapses(synapse.steps, tap, 0, False, weight)


def _complex_parts(synapse: Any, source: Population, target: Population) -> Parts:
    for port, part in enumerate(synapse.parts):
        describe = _PARTS.get(type(part))
        if describe is None:
            raise UnsupportedError(
                f"projection {source.name}->{target.name}: the engine has no complex {part.kind} "
                f"synapse; it has complex-dense and {', '.join(model.kind for model in _PARTS)}"
            )
        for made in describe(part, source, target, port):
            # Sums of complex synapses do not wrap, those of a convolution by itself do.
            yield made if not made.wraps else _without_wrap(made)


def _without_wrap(made: Any) -> Any:
    return type(made)(**{**vars(made), "wraps": False})


def _readout(synapse: Any, source: Population, target: Population) -> Parts:
    neuron: Any = target.neuron
    if not neuron.sums_on_host:
        raise UnsupportedError(
            f"projection {source.name}->{target.name}: only an average can read out a population "
            f"on the host"
        )
    own = np.arange(source.size)
    yield _listed(synapse, own, own // neuron.group_size, np.ones(1, np.int32))


_PARTS: dict[type[network.Synapse], Callable[..., Parts]] = {
    network.Conv: _conv,
    network.ConvTranspose: _conv_transpose,
    network.Pool: _pool,
    network.Unpool: _pool,
    network.Sparse: _sparse,
}
"""Operators that a complex one can be made of."""

SYNAPSES: dict[type[network.Synapse], Callable[[Any, Population, Population], Parts]] = {
    **_PARTS,
    network.Dense: _dense,
    network.ComplexDense: _complex_dense,
    network.Complex: _complex_parts,
    network.ComplexConv: _complex_parts,
    network.DelayedDense: _delayed_dense,
    network.DelayedSparse: _delayed_sparse,
    network.OneToOne: _one_to_one,
    network.TemporalFIR: _temporal,
    network.Readout: _readout,
}
"""By the exact class."""
