"""Any operator twice, for neurons with a real and an imaginary current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from .base import Shape, Synapse


@dataclass(frozen=True, eq=False)
class RealAndImaginary(Synapse):
    """Base of operators whose two `parts` deliver a current each to neurons with two ports."""

    ports: ClassVar[int] = 2

    def check(self, source_shape: Shape, target_shape: Shape) -> None:
        """See `Synapse.check`."""
        for part in self.parts:
            part.check(source_shape, target_shape)

    def fan_out(self, source_shape: Shape, dense: bool = False) -> NDArray[np.int64]:
        """See `Synapse.fan_out`; each of the two weights is a synapse."""
        real, imag = (part.fan_out(source_shape, dense) for part in self.parts)
        return real + imag


@dataclass(frozen=True, eq=False)
class Complex(RealAndImaginary):
    """Two operators of a kind for neurons with ``ports == 2``.

    What `real` delivers is the real current, what `imag` delivers the
    imaginary one. Source: ``ComplexLayer`` in SLAYER's ``synapse/complex.py``,
    whose transposed convolutions and pools have no operator of their own here
    (`ComplexDense` and `ComplexConv` are for those that NetX can hold). Sums do
    not wrap to 24 bits.

    Attributes
    ----------
    real, imag : ConvTranspose, Pool, Unpool, Conv or Sparse
    """

    real: Synapse
    imag: Synapse
    kind: ClassVar[str] = "complex"

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in (self.real, self.imag):
            if not isinstance(part, Synapse) or part.ports != 1:
                raise NetworkError(f"{self.label}: {part!r} is no operator of real weights")

    @property
    def parts(self) -> tuple[Synapse, Synapse]:
        """The real and the imaginary operator."""
        return self.real, self.imag
