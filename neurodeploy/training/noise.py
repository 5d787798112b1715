"""Noise of thresholds in torch: the numbers that `network.StochasticLIF` draws, to the bit."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..errors import InputError
from ..network.fixed_point import ACTIVATION_SHIFT
from ..network.neurons.stochastic import (
    QUANTILE_BITS,
    QUANTILE_SHIFT,
    SEED_OFFSET,
    logistic_quantiles,
)
from .surrogates import Surrogate

Tensor = torch.Tensor
MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Noise:
    """Noise of a `LIF` layer's threshold.

    The forward pass has sampled spikes; backward a spike's derivative is that of its probability,
    which is the exact gradient of the mean for a single layer (Gygax and Zenke 2024,
    arXiv:2404.14964).

    Attributes
    ----------
    kind : {"uniform", "logistic"}
    amplitude : float
        Half the width, or the scale, in the unit of `LIF.threshold`; above 0.
    seed : int
        0..2^32 - 1. Give layers different ones.

    Raises
    ------
    InputError
        If one is out of its range.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.layers import LIF
    >>> from neurodeploy.training.noise import Noise
    >>> layer = LIF(torch.nn.Linear(20, 10), noise=Noise("logistic", 0.1, seed=1))
    >>> x = (torch.rand(4, 50, 20) < 0.2).float()
    >>> bool((layer(x) == layer(x)).all())  # the same seed draws the same
    True
    """

    kind: str
    amplitude: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("uniform", "logistic") or self.amplitude <= 0:
            raise InputError(
                f"noise {self.kind!r} of amplitude {self.amplitude:g}; give uniform or logistic, "
                f"and more than 0"
            )
        if not 0 <= self.seed <= MASK:
            raise InputError(f"noise: seed {self.seed}; give 0..{MASK}")

    def surrogate(self, threshold: float) -> Surrogate:
        """Give the derivative of a spike's probability, for a threshold."""
        name = "box" if self.kind == "uniform" else "sigmoid"
        return Surrogate(name, threshold / self.amplitude)


class Generator(torch.nn.Module):
    """Draws the noise of a population, step by step, in v's unit.

    Parameters
    ----------
    kind : str
    amplitude : int
        As of `network.StochasticLIF`.
    seed : int, or integer tensor [samples]
        One for all samples, or one for each.
    size : int
        Neurons.
    """

    first: Tensor
    quantiles: Tensor

    def __init__(self, kind: str, amplitude: int, seed: int | Tensor, size: int) -> None:
        super().__init__()
        self.kind, self.width = kind, amplitude << ACTIVATION_SHIFT
        seeds = torch.as_tensor(seed, dtype=torch.int64).reshape(-1, 1)
        neurons = torch.arange(size, device=seeds.device)
        self.register_buffer("first", hash32(hash32(seeds + SEED_OFFSET) + neurons))
        # A copy: the table itself is read-only, which torch does not know.
        self.register_buffer("quantiles", torch.tensor(logistic_quantiles().copy()))

    def at(self, step: int) -> Tensor:
        """Give the noise of a step, float64 [1 or samples, neurons]."""
        drawn = hash32(self.first + step)
        if self.kind == "uniform":
            return ((drawn * (2 * self.width) >> 32) - self.width).double()
        exact = self.width * self.quantiles[drawn >> (32 - QUANTILE_BITS)]
        return (exact.sign() * (exact.abs() >> QUANTILE_SHIFT)).double()


def hash32(x: Tensor) -> Tensor:
    """See `network.neurons.stochastic.hash32`; int64, whose products wrap beyond 64 bits."""
    x = x & MASK
    x = (x ^ (x >> 16)) * 0x7FEB352D & MASK
    x = (x ^ (x >> 15)) * 0x846CA68B & MASK
    return x ^ (x >> 16)


__all__ = ["Generator", "Noise", "hash32"]
