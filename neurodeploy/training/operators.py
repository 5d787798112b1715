"""What synapse operators deliver, in torch: whole numbers in float64, exact below 2^53."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import UnsupportedError
from ..network import (
    Conv,
    DelayedDense,
    Dense,
    OneToOne,
    Pool,
    Population,
    Projection,
    Sparse,
    Synapse,
)

Tensor = torch.Tensor
Deliver = Callable[[Tensor, Tensor], Tensor]
"""From messages [rows, sources] and the operator's weights to currents [rows, targets]."""


@dataclass(frozen=True)
class Feed:
    """A part of a projection whose messages all take the same time.

    Attributes
    ----------
    source : str
    lag : int
        Steps from a spike to its current, of the chip's clock.
    deliver : Deliver
    index : int
        Of the projection among those into the population.
    """

    source: str
    lag: int
    deliver: Deliver
    index: int


def feeds_of(projection: Projection, source: Population, index: int) -> list[Feed]:
    """Give the parts of a projection, one for each delay of axons and synapses.

    Raises
    ------
    UnsupportedError
        If torch is not told here how its synapses work.
    """
    lag = projection.synapse.steps
    parts = [(lag + delay, deliver) for delay, deliver in _deliveries(projection, source.shape)]
    if source.axon_delay is None:
        return [Feed(source.name, steps, deliver, index) for steps, deliver in parts]
    found = []
    for delay in np.unique(source.axon_delay):
        those = torch.from_numpy((source.axon_delay == delay).astype(np.float64))
        for steps, deliver in parts:
            found.append(Feed(source.name, steps + int(delay), _masked(those, deliver), index))
    return found


def _masked(those: Tensor, deliver: Deliver) -> Deliver:
    return lambda x, weight: deliver(x * those, weight)


def is_trained(synapse: Synapse) -> bool:
    """Whether an operator's weights are trained; a pool's and those straight across are given."""
    return synapse.kind not in (Pool.kind, OneToOne.kind)


def _deliveries(projection: Projection, shape: tuple[int, ...]) -> list[tuple[int, Deliver]]:
    synapse = projection.synapse
    known = _OF_KIND.get(type(synapse))
    if known is None or not synapse.has_float_form:
        raise UnsupportedError(
            f"projection {projection.name}: {synapse.kind} synapses are not trained here; there "
            f"are {', '.join(sorted(kind.kind for kind in _OF_KIND))}: quantize without training"
        )
    return known(synapse, shape)


def _delayed(synapse: DelayedDense, shape: tuple[int, ...]) -> list[tuple[int, Deliver]]:
    delays = (int(d) for d in np.unique(synapse.delay))
    masks = ((d, torch.from_numpy((synapse.delay == d).astype(np.float64))) for d in delays)
    return [(delay, lambda x, weight, m=mask: x @ (weight * m).T) for delay, mask in masks]  # type: ignore[misc]


def _conv(synapse: Conv, shape: tuple[int, ...]) -> Deliver:
    how = (None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)

    def deliver(x: Tensor, weight: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(x.reshape(-1, *shape), weight, *how).flatten(1)

    return deliver


def _pool(synapse: Pool, shape: tuple[int, ...]) -> Deliver:
    """The same kernel for every channel: a convolution with a group for each."""
    how = (None, synapse.stride, 0, synapse.dilation, shape[0])
    (top, left), (bottom, right) = synapse.padding, synapse.end_padding
    around = (left, left + right, top, top + bottom)

    def deliver(x: Tensor, weight: Tensor) -> Tensor:
        image = torch.nn.functional.pad(x.reshape(-1, *shape), around)
        kernel = weight.expand(shape[0], 1, *weight.shape)
        return torch.nn.functional.conv2d(image, kernel, *how).flatten(1)

    return deliver


def _sparse(synapse: Sparse) -> Deliver:
    where = (
        torch.from_numpy(synapse.targets),
        torch.from_numpy(synapse.index.astype(np.int64)),
    )
    size = (len(synapse.indptr) - 1, synapse.sources)

    def deliver(x: Tensor, weight: Tensor) -> Tensor:
        matrix = weight.new_zeros(size).index_put(where, weight, accumulate=True)
        return x @ matrix.T

    return deliver


_OF_KIND: dict[type[Synapse], Callable[[Any, tuple[int, ...]], list[tuple[int, Deliver]]]] = {
    Dense: lambda synapse, shape: [(0, lambda x, weight: x @ weight.T)],
    DelayedDense: _delayed,
    Conv: lambda synapse, shape: [(0, _conv(synapse, shape))],
    Pool: lambda synapse, shape: [(0, _pool(synapse, shape))],
    OneToOne: lambda synapse, shape: [(0, lambda x, weight: x * weight)],
    Sparse: lambda synapse, shape: [(0, _sparse(synapse))],
}
"""By the exact class: what is derived from one may deliver anything."""
