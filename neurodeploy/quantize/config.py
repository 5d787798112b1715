"""How a network is to be quantized."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NetworkError
from ..network.fixed_point import WEIGHT_BITS


@dataclass(frozen=True)
class QuantConfig:
    """How a network is to be quantized.

    Attributes
    ----------
    bits : int
        Of a weight, 2..8. Weights of mixed sign are multiples of 2^(9 - bits) in -256..254, of
        one sign multiples of 2^(8 - bits) up to 255.
    scale : {"free", "power-of-two"}
        What a population's weights, bias and threshold are multiplied by: whatever uses the range
        of the weights fully, or the next lower power of two.

    Raises
    ------
    NetworkError
        If a choice is impossible.
    """

    bits: int = WEIGHT_BITS
    scale: str = "free"

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= WEIGHT_BITS:
            raise NetworkError(
                f"bits: {self.bits}; the chip holds weights of 2 to {WEIGHT_BITS} bits"
            )
        if self.scale not in ("free", "power-of-two"):
            raise NetworkError(f"scale: {self.scale!r}; choose free or power-of-two")
