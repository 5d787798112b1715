"""Synapses from every neuron to every neuron: plain, delayed and complex."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import flag, indices, weights
from ..fixed_point import MAX_DELAY
from .base import Incoming, Shape, Synapse, size_of
from .complex import RealAndImaginary


@dataclass(frozen=True, eq=False)
class Matrix(Synapse):
    """Base of operators with a weight from every source to every target.

    Attributes
    ----------
    weight : int32 or float32 [targets, sources]
    """

    weight: NDArray[Any] = field(metadata=weights())
    has_float_form: ClassVar[bool] = True
    reads_all: ClassVar[bool] = True
    rows_are: ClassVar[str] = "targets"

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        _check_matrix("dense weight", self.weight, source_shape, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`."""
        if dense:
            return np.full(self.weight.shape[1], len(self.weight), np.int64)
        counts: NDArray[np.int64] = np.count_nonzero(self.weight, axis=0).astype(np.int64)
        return counts

    def synops_per_target(
        self, counts: NDArray[np.float64], source_shape: Shape, targets: int, stored: bool = False
    ) -> NDArray[np.float64]:
        """See `Synapse.synops_per_target`."""
        if stored:
            return np.full(len(self.weight), counts.sum())
        return np.asarray((self.weight != 0) @ counts, np.float64)

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`."""
        return _row(self.weight, neuron, 0)


@dataclass(frozen=True, eq=False)
class Dense(Matrix):
    """``a[i] = sum_j weight[i, j] * s[j]``, j over the source in (C, H, W) order.

    Attributes
    ----------
    weight : int32 or float32 [targets, sources]
    """

    kind: ClassVar[str] = "dense"


@dataclass(frozen=True, eq=False)
class DelayedDense(Matrix):
    r"""A dense matrix whose every synapse has a delay of its own.

    .. math::
        a_i[t] = \sum_j w_{ij}\, s_j[t - 1 - d_{ij}]

    A delay of 0 is `Dense`. Source: ``lava.proc.dense`` ``DelayDense``,
    ``AbstractPyDelayDenseModel`` of lava-nc 0.10.0, without its weight
    exponent. Equal delays of all synapses of a source are a delay of its axon
    at this projection alone, see `from_axons`.

    Attributes
    ----------
    weight : int32 [targets, sources]
    delay : int32 [targets, sources]
        Steps, 0..62 (`fixed_point.MAX_DELAY`, the chip's limit).
    beyond_chip : bool
        Allow delays longer than that: a network that no chip can run.
    """

    delay: NDArray[np.int32] = field(metadata=indices())
    beyond_chip: bool = field(default=False, metadata=flag())
    kind: ClassVar[str] = "delayed-dense"
    has_delays: ClassVar[bool] = True

    @classmethod
    def from_axons(cls, weight: NDArray[Any], delay: NDArray[np.int32]) -> DelayedDense:
        """Delay everything that a source sends through this projection.

        Parameters
        ----------
        weight : int32 [targets, sources]
        delay : int32 [sources]
            Steps.
        """
        return cls(weight, np.broadcast_to(delay, weight.shape).astype(np.int32))

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        super().check(source_shape, target_shape)
        _check_matrix("delay", self.delay, source_shape, target_shape)
        if self.delay.max(initial=0) > MAX_DELAY and not self.beyond_chip:
            raise NetworkError(
                f"a delay of {self.delay.max()} steps, the chip's limit is {MAX_DELAY}; shorten "
                f"it, or set beyond_chip for a simulation only"
            )

    @property
    def longest_delay(self) -> int:  # type: ignore[override]
        """See `Synapse`."""
        return int(self.delay.max(initial=0))

    def incoming(self, neuron: int, source_shape: Shape, target_shape: Shape) -> Incoming:
        """See `Synapse.incoming`."""
        return _row(self.weight, neuron, self.delay[neuron])


@dataclass(frozen=True, eq=False)
class ComplexDense(RealAndImaginary):
    """Two dense matrices for neurons with a real and an imaginary current.

    ``a_re = real @ s`` and ``a_im = imag @ s``, for neurons with ``ports == 2``.
    Source: ``ComplexLayer`` in SLAYER's ``synapse/complex.py``. Each of the
    two weights is a synapse.

    Attributes
    ----------
    real, imag : int32 [targets, sources]
    """

    real: NDArray[np.int32] = field(metadata=weights())
    imag: NDArray[np.int32] = field(metadata=weights())
    kind: ClassVar[str] = "complex-dense"

    @property
    def parts(self) -> tuple[Dense, Dense]:
        """The real and the imaginary matrix."""
        return Dense(self.real), Dense(self.imag)

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        _check_matrix("real weight", self.real, source_shape, target_shape)
        _check_matrix("imag weight", self.imag, source_shape, target_shape)


def _check_matrix(
    what: str, matrix: NDArray[Any], source_shape: Shape, target_shape: Shape
) -> None:
    needed = (size_of(target_shape), size_of(source_shape))
    if matrix.shape != needed:
        raise NetworkError(
            f"{what} has shape {matrix.shape}, needs {needed} (targets, sources); check the "
            f"layer shapes in the file"
        )


def _row(weight: NDArray[Any], neuron: int, delay: int | NDArray[np.int32]) -> Incoming:
    """Synapses of one row of a matrix."""
    sources = np.arange(weight.shape[1])
    return Incoming(sources, neuron * len(sources) + sources, delay + np.ones_like(sources))
