"""Finite impulse responses: taps in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import weights
from ..fixed_point import MAX_DELAY
from .base import Incoming, Shape, Synapse, size_of


@dataclass(frozen=True, eq=False)
class TemporalFIR(Synapse):
    r"""Convolution in time: each message counts again for some steps.

    .. math::
        a_i[t] = \sum_k \sum_j w_{kij}\, s_j[t - 1 - k]
        \qquad\text{or}\qquad
        a_i[t] = \sum_k w_{ki}\, s_i[t - 1 - k]

    Source: ``lava.proc.conv_in_time`` of lava-nc 0.10.0 for the first form;
    its ``weights`` run the other way, ``weights[K - 1 - k]`` is tap k here. A
    message meets every tap: each is a synapse.

    Attributes
    ----------
    weight : int32 [taps, targets, sources] or int32 [taps, neurons]
        Tap 0 counts first. The second form leads from each neuron to its
        counterpart.
    """

    weight: NDArray[np.int32] = field(metadata=weights())
    kind: ClassVar[str] = "temporal-fir"
    has_delays: ClassVar[bool] = True

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        sources, targets = size_of(source_shape), size_of(target_shape)
        shape = self.weight.shape
        per_neuron = self.weight.ndim == 2 and sources == targets == shape[1]
        if not per_neuron and shape[1:] != (targets, sources):
            raise NetworkError(
                f"temporal weight has shape {shape}, needs (taps, {targets} targets, {sources} "
                f"sources)" + (f" or (taps, {sources})" if sources == targets else "")
            )
        if not 1 <= shape[0] <= MAX_DELAY + 1:
            raise NetworkError(
                f"{shape[0]} taps in time, needs 1..{MAX_DELAY + 1}: the chip delays by up to "
                f"{MAX_DELAY} steps"
            )

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; every tap counts."""
        axes = tuple(range(self.weight.ndim - 1))
        present = np.ones_like(self.weight) if dense else self.weight != 0
        counts: NDArray[np.int64] = present.sum(axis=axes).astype(np.int64)
        return counts

    @property
    def longest_delay(self) -> int:  # type: ignore[override]
        """See `Synapse`."""
        return len(self.weight) - 1

    def stored_per_source(self, first: int, stop: int, sources: int) -> NDArray[np.int64]:
        """See `Synapse.stored_per_source`."""
        taps = len(self.weight)
        if self.weight.ndim == 2:
            return np.full(stop - first, taps, np.int64)
        return np.full(sources, taps * (stop - first), np.int64)

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`; every tap is one."""
        taps, neurons = np.arange(self.weight.shape[0]), self.weight.shape[1]
        if self.weight.ndim == 2:
            return Incoming(np.full(len(taps), neuron), taps * neurons + neuron, 1 + taps)
        sources = np.arange(self.weight.shape[2])
        tap, source = (x.ravel() for x in np.meshgrid(taps, sources, indexing="ij"))
        return Incoming(source, (tap * neurons + neuron) * len(sources) + source, 1 + tap)
