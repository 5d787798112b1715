"""SLAYER's synapses as ours, also where a tensor they take is put together from several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...network import (
    Complex,
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    Dense,
    Pool,
    Rating,
    Sparse,
    Synapse,
    Unpool,
)
from ..netx.synapse_reader import as_slayer_pools
from .converted import Note
from .moved_pixels import list_synapses
from .origins import Group
from .weights import Used, effective_weight

LARGEST = 255 << 7
"""What 8 bits and the largest weight exponent of the chip (7) hold."""

Shape = tuple[int, ...]


def convert_synapse(
    module: Any,
    taken: Shape,
    group: Group,
    source: Shape,
    where: str,
    note: Note,
    unit: int = 64,
    factor: int = 1,
    used: Mapping[int, Used] | None = None,
) -> Synapse:
    """Give the synapses from one population into a SLAYER synapse.

    Parameters
    ----------
    module : slayer.synapse.*
        Real or complex; what its ``pre_hook_fx`` makes of the weights counts.
    taken : tuple of int
        Shape of the tensor that the synapse takes.
    group : Group
        Which part of it is this population's.
    source : tuple of int
        The population's shape.
    where : str
    note : callable
    unit : int
        What a weight of 1.0 is in integers (``neuron.w_scale``).
    factor : int
        Multiplies the weights.
    used : mapping of int to Used, optional
        See `running.Trace`.

    Raises
    ------
    NetworkError
        If weights are NaN or beyond every exponent.
    UnsupportedError
        If a tensor put together so takes more single synapses than can be listed.
    """
    if getattr(module, "complex", False):
        parts = [
            convert_synapse(part, taken, group, source, f"{where}.{name}", note, unit, factor, used)
            for name, part in (("real", module.real), ("imag", module.imag))
        ]
        return _complex(parts[0], parts[1])
    weight = integers(module, where, note, unit, used) * factor
    kind = type(module).__name__
    for cls in type(module).__mro__:
        if cls.__name__ in ("Dense", "Conv", "ConvTranspose", "Pool", "Unpool"):
            kind = cls.__name__
            break
    stride, padding, dilation = (
        (int(getattr(module, key)[0]), int(getattr(module, key)[1]))
        for key in ("stride", "padding", "dilation")
    )
    if kind == "Dense":
        space = taken[1:] if len(taken) == 3 else (1, 1)
        if tuple(weight.shape[2:4]) == tuple(space) or len(taken) == 1:
            return _dense(weight.reshape(len(weight), -1), group, source)
        kind = "Conv"  # a matrix over channels that slides over the image
    if kind in ("Pool", "Unpool"):
        operator = Pool if kind == "Pool" else Unpool
        made, remark = as_slayer_pools(
            operator(weight[0, 0, ..., 0], stride, padding, dilation), taken
        )
        if remark:
            note(f"{where}.kernel_size", Rating.FAITHFUL, remark)
        assert isinstance(made, (Pool, Unpool))
        if group.is_whole(math.prod(taken)) and source == taken:
            return made
        return _listed(made, taken, group, source, where, note)
    weight, groups = weight[..., 0], int(module.groups)
    kernel = Conv if kind == "Conv" else ConvTranspose
    if len(source) == 3 and source == taken and group.is_whole(math.prod(taken)):
        return kernel(weight, stride, padding, dilation, groups)
    chosen = _channels(group, taken, source)
    if chosen is None:
        whole = kernel(weight, stride, padding, dilation, groups)
        return _listed(whole, taken, group, source, where, note)
    part = _channel_part(weight, groups, chosen, source[0], takes_axis=int(kernel is Conv))
    return kernel(part, stride, padding, dilation, 1)


def integers(
    module: Any, where: str, note: Note, unit: int = 64, used: Mapping[int, Used] | None = None
) -> NDArray[np.int32]:
    """Weights in 1 / `unit` as the forward pass uses them, of the shape that torch has.

    Raises
    ------
    NetworkError
        If they are NaN, infinite, or beyond what any exponent of the chip holds.
    """
    exact = effective_weight(module, (used or {}).get(id(module)), where) * unit
    if not np.isfinite(exact).all():
        bad = int(np.count_nonzero(~np.isfinite(exact)))
        raise NetworkError(
            f"{where}.weight: {bad} of {exact.size} weights are NaN or infinite; train again, or "
            f"load another checkpoint"
        )
    whole = np.rint(exact)
    largest = np.abs(whole).max(initial=0)
    if largest > LARGEST:
        raise NetworkError(
            f"{where}.weight: {largest / unit:g} is {largest:g} in units of 1/{unit}; the chip's 8 "
            f"bits hold at most {LARGEST} with the largest exponent, 7: scale the layer down"
        )
    change = np.abs(whole - exact)
    if change.any():
        reason = (
            f"{np.count_nonzero(change)} of {exact.size} weights are no multiples of 1/{unit} (no "
            f"quantizing pre_hook_fx); rounded, by at most {change.max() / unit:.2g}"
        )
        note(f"{where}.weight", Rating.APPROXIMATE, reason)
    if not whole.any():
        reason = "all weights are 0: lava-dl's netx cannot read the layer (log2 of 0), we can"
        note(f"{where}.weight", Rating.FAITHFUL, reason)
    weight: NDArray[np.int32] = whole.astype(np.int32)
    return weight


def _dense(weight: NDArray[np.int32], group: Group, source: Shape) -> Dense:
    size = math.prod(source)
    if weight.shape[1] == size and group.is_whole(size):
        return Dense(weight)
    part = np.zeros((size, len(weight)), np.int32)
    np.add.at(part, group.neurons, weight[:, group.positions].T)
    return Dense(np.ascontiguousarray(part.T))


def _listed(
    operator: Conv | ConvTranspose | Pool | Unpool,
    taken: Shape,
    group: Group,
    source: Shape,
    where: str,
    note: Note,
) -> Sparse:
    made = list_synapses(operator, taken, group, math.prod(source), where)
    reason = f"pixels come from several blocks or were moved: {len(made.weight):,} single synapses"
    note(where, Rating.FAITHFUL, reason)
    return made


def _channels(group: Group, taken: Shape, source: Shape) -> list[tuple[int, int]] | None:
    """Which channel of the tensor is which of the population; None for parts of channels."""
    plane = taken[1] * taken[2]
    place = np.arange(plane)
    rows = group.positions.reshape(-1, plane) if group.positions.size % plane == 0 else None
    if rows is None or len(source) != 3 or source[1:] != taken[1:]:
        return None
    neurons = group.neurons.reshape(-1, plane)
    if not (
        np.array_equal(rows, rows[:, :1] + place)
        and np.array_equal(neurons, neurons[:, :1] + place)
        and not (rows[:, 0] % plane).any()
        and not (neurons[:, 0] % plane).any()
    ):
        return None
    firsts = zip(rows[:, 0] // plane, neurons[:, 0] // plane, strict=True)
    return [(int(row), int(own)) for row, own in firsts]


def _channel_part(
    weight: NDArray[np.int32], groups: int, chosen: list[tuple[int, int]], own: int, takes_axis: int
) -> NDArray[np.int32]:
    """Kernel over a population's own channels, from one over a tensor's; those are on an axis."""
    rows, per = weight.shape[:2]
    full = np.zeros((rows, per * groups, *weight.shape[2:]), np.int32)
    for row in range(rows):
        first = row // (rows // groups) * per
        full[row, first : first + per] = weight[row]
    by_channel = np.moveaxis(full, takes_axis, 0)
    part = np.zeros((own, *by_channel.shape[1:]), np.int32)
    for channel, place in chosen:
        part[place] += by_channel[channel]
    return np.ascontiguousarray(np.moveaxis(part, 0, takes_axis))


def _complex(real: Synapse, imag: Synapse) -> Synapse:
    if isinstance(real, Dense) and isinstance(imag, Dense):
        return ComplexDense(real.weight, imag.weight)
    if isinstance(real, Conv) and isinstance(imag, Conv):
        how = (real.stride, real.padding, real.dilation, real.groups)
        return ComplexConv(real.weight, imag.weight, *how)
    return Complex(real, imag)
