"""Synapses that are listed one by one, and those that lead straight across."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import indices, one_integer, weights
from ..fixed_point import MAX_DELAY
from .base import Incoming, Shape, Synapse, size_of


@dataclass(frozen=True, eq=False)
class Sparse(Synapse):
    """``a[i] = sum_k weight[k] * s[index[k]]``, k over target i's stretch of the list.

    Compressed sparse rows: target i has the synapses
    ``indptr[i] <= k < indptr[i + 1]``. The same as `Dense` with zeros
    elsewhere; source: ``lava.proc.sparse`` of lava-nc 0.10.0.

    Attributes
    ----------
    indptr : int64 [targets + 1]
    index : int32 [synapses]
        Source neuron of each synapse, flat in (C, H, W) order.
    weight : int32 or float32 [synapses]
    sources : int
        Neurons of the source.
    """

    indptr: NDArray[np.int64] = field(metadata=indices(np.int64))
    index: NDArray[np.int32] = field(metadata=indices())
    weight: NDArray[Any] = field(metadata=weights())
    sources: int = field(metadata=one_integer(1))
    kind: ClassVar[str] = "sparse"
    is_listed: ClassVar[bool] = True
    has_float_form: ClassVar[bool] = True

    @classmethod
    def from_dense(cls, weight: NDArray[Any]) -> Sparse:
        """Keep the synapses of a matrix [targets, sources] whose weight is not 0."""
        target, source = np.nonzero(weight)
        counts = np.bincount(target, minlength=weight.shape[0])
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        values = weight[target, source]
        if values.dtype.kind != "f":
            values = values.astype(np.int32)
        return cls(indptr, source.astype(np.int32), values, weight.shape[1])

    def to_dense(self) -> NDArray[Any]:
        """Give the matrix [targets, sources]; synapses listed twice add up."""
        matrix = np.zeros((len(self.indptr) - 1, self.sources), self.weight.dtype)
        np.add.at(matrix, (self.targets, self.index), self.weight)
        return matrix

    @property
    def targets(self) -> NDArray[np.int64]:
        """Target neuron of each synapse, int64 [synapses]."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        needed = (size_of(target_shape), size_of(source_shape))
        if not (self.indptr.ndim == self.index.ndim == self.weight.ndim == 1):
            raise NetworkError(
                f"indptr, index and weight of sparse synapses are lists; they have shapes "
                f"{self.indptr.shape}, {self.index.shape} and {self.weight.shape}"
            )
        if (len(self.indptr) - 1, self.sources) != needed:
            raise NetworkError(
                f"sparse weight is {len(self.indptr) - 1} x {self.sources}, needs {needed[0]} x "
                f"{needed[1]} (targets x sources)"
            )
        ends = (int(self.indptr[0]), int(self.indptr[-1]))
        if ends != (0, len(self.weight)) or (np.diff(self.indptr) < 0).any():
            raise NetworkError(
                f"indptr must rise from 0 to {len(self.weight)}, the number of weights; it goes "
                f"from {ends[0]} to {ends[1]}"
            )
        if len(self.index) != len(self.weight):
            raise NetworkError(f"{len(self.index)} indices for {len(self.weight)} weights")
        if self.index.max(initial=0) >= self.sources:
            raise NetworkError(f"index {self.index.max()} lies outside the {self.sources} sources")

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; `dense` counts listed synapses of weight zero."""
        listed = self.index if dense else self.index[self.weight != 0]
        return np.bincount(listed, minlength=self.sources).astype(np.int64)

    def weight_rows(self, targets: int) -> NDArray[np.int64]:
        """See `Synapse.weight_rows`."""
        return self.targets

    def stored_per_source(self, first: int, stop: int, sources: int) -> NDArray[np.int64]:
        """See `Synapse.stored_per_source`."""
        listed = self.index[self.indptr[first] : self.indptr[stop]]
        return np.bincount(listed, minlength=sources).astype(np.int64)

    def synops_per_target(
        self, counts: NDArray[np.float64], source_shape: Shape, targets: int, stored: bool = False
    ) -> NDArray[np.float64]:
        """See `Synapse.synops_per_target`."""
        arriving = np.where((self.weight != 0) | stored, counts[self.index], 0.0)
        return np.bincount(self.targets, arriving, minlength=targets).astype(np.float64)

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`; those that are listed."""
        listed = np.arange(self.indptr[neuron], self.indptr[neuron + 1])
        return Incoming(self.index[listed].astype(np.int64), listed, np.ones_like(listed))


@dataclass(frozen=True, eq=False)
class DelayedSparse(Sparse):
    r"""`Sparse` whose every synapse has a delay of its own.

    .. math::
        a_i[t] = \sum_k w_k\, s_{index[k]}[t - 1 - d_k]

    over the synapses of target i. Source: ``DelaySparse`` of ``lava.proc.sparse``, lava-nc 0.10.0.

    Attributes
    ----------
    indptr, index, weight, sources
        As in `Sparse`.
    delay : int32 [synapses]
        Steps, 0..62 (`fixed_point.MAX_DELAY`, the chip's limit).
    """

    delay: NDArray[np.int32] = field(metadata=indices())
    kind: ClassVar[str] = "delayed-sparse"
    has_delays: ClassVar[bool] = True
    has_float_form: ClassVar[bool] = False

    @classmethod
    def of(cls, weight: NDArray[Any], delay: NDArray[np.integer[Any]]) -> DelayedSparse:
        """Keep the synapses of a matrix [targets, sources] whose weight is not 0.

        Parameters
        ----------
        weight : int32 [targets, sources]
        delay : int32 [targets, sources], or [sources] for delays of axons
        """
        kept = Sparse.from_dense(weight)
        of_each = np.broadcast_to(delay, weight.shape)[kept.targets, kept.index]
        return cls(kept.indptr, kept.index, kept.weight, kept.sources, of_each.astype(np.int32))

    @classmethod
    def relay(cls, delay: NDArray[np.integer[Any]], weight: int) -> DelayedSparse:
        """One synapse from each neuron to its counterpart, with these delays."""
        own = np.arange(len(delay))
        return cls(
            np.arange(len(delay) + 1), own.astype(np.int32),
            np.full(len(delay), weight, np.int32), len(delay), delay.astype(np.int32),
        )  # fmt: skip

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        super().check(source_shape, target_shape)
        if self.delay.shape != self.weight.shape:
            raise NetworkError(f"{len(self.delay)} delays for {len(self.weight)} weights")
        if len(np.unique(self.targets * self.sources + self.index)) != len(self.index):
            raise NetworkError("two synapses between the same two neurons; give each its own list")
        if self.delay.max(initial=0) > MAX_DELAY:
            raise NetworkError(
                f"a delay of {self.delay.max()} steps, the chip's limit is {MAX_DELAY}; shorten it"
            )

    @property
    def longest_delay(self) -> int:  # type: ignore[override]
        """See `Synapse`."""
        return int(self.delay.max(initial=0))

    def delays_to_dense(self) -> NDArray[np.int32]:
        """Delays as a matrix [targets, sources], 0 where there is no synapse."""
        matrix = np.zeros((len(self.indptr) - 1, self.sources), np.int32)
        matrix[self.targets, self.index] = self.delay
        return matrix

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`; those that are listed."""
        listed = np.arange(self.indptr[neuron], self.indptr[neuron + 1])
        return Incoming(self.index[listed].astype(np.int64), listed, 1 + self.delay[listed])


@dataclass(frozen=True, eq=False)
class OneToOne(Synapse):
    """``a[i] = weight[i] * s[i]``, i in (C, H, W) order on both sides.

    Attributes
    ----------
    weight : int, float, or int32 or float32 [neurons]
        One for all neurons or one for each.
    """

    weight: int | float | NDArray[Any] = field(default=1, metadata=weights(one_for_all=True))
    kind: ClassVar[str] = "one-to-one"
    has_float_form: ClassVar[bool] = True

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        size = size_of(source_shape)
        if size != size_of(target_shape):
            raise NetworkError(
                f"one-to-one synapses need as many targets as sources; there are {size} sources "
                f"and {size_of(target_shape)} targets"
            )
        if np.ndim(self.weight) and np.shape(self.weight) != (size,):
            raise NetworkError(
                f"one-to-one weight has shape {np.shape(self.weight)}, needs one number or "
                f"({size},)"
            )

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`."""
        present = np.broadcast_to(np.asarray(self.weight) != 0, size_of(source_shape))
        return (present | dense).astype(np.int64)

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`."""
        at = np.array([neuron])
        return Incoming(at, at if np.ndim(self.weight) else np.zeros_like(at), np.ones_like(at))

    def weight_rows(self, targets: int) -> NDArray[np.int64]:
        """See `Synapse.weight_rows`."""
        return np.arange(targets)

    def with_arrays(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> OneToOne:
        """See `Synapse.with_arrays`; equal weights become one for all neurons."""
        weight = change(np.asarray(self.weight))
        if weight.size and (weight == weight.flat[0]).all():
            weight = weight.flat[0].item()
        return OneToOne(weight)

    def stored_per_source(self, first: int, stop: int, sources: int) -> NDArray[np.int64]:
        """See `Synapse.stored_per_source`."""
        return np.ones(stop - first, np.int64)

    def synops_per_target(
        self, counts: NDArray[np.float64], source_shape: Shape, targets: int, stored: bool = False
    ) -> NDArray[np.float64]:
        """See `Synapse.synops_per_target`."""
        return np.where((np.asarray(self.weight) != 0) | stored, counts, 0.0)
