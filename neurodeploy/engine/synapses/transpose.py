"""Transposed convolutions: a convolution whose taps land elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...network import Conv, ConvTranspose, Population
from .conv import ConvDelivery


class ConvTransposeDelivery(ConvDelivery):
    """Delivers `network.ConvTranspose` with the kernels of `ConvDelivery`."""

    def __init__(self, synapse: ConvTranspose, source: Population, target: Population) -> None:
        groups = synapse.groups
        grouped = synapse.weight.reshape(groups, -1, *synapse.weight.shape[1:])
        # [groups, sources, targets, ...] -> [all targets, sources of a group, ...]
        turned = grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *grouped.shape[3:])
        super().__init__(_Turned(turned, groups=groups, origin=synapse), source, target)
        self.may_wrap = False


@dataclass(frozen=True, eq=False)
class _Turned(Conv):
    """A transposed convolution as `ConvDelivery` looks at a convolution."""

    origin: ConvTranspose | None = None

    def reach(self, axis: int, source_size: int) -> NDArray[np.int64]:
        assert self.origin is not None
        return self.origin.reach(axis, source_size)
