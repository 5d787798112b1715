"""Rounding and integer neurons in torch: exact forward, straight-through and surrogate backward.

Forward values are whole numbers in float64, which holds them exactly up to 2^53, so the forward
pass is the engine's arithmetic. Backward, rounding is the identity (straight-through; Bengio et
al. 2013, arXiv:1308.3432) and a spike's derivative a surrogate's of the membrane in thresholds.
"""

from __future__ import annotations

from typing import Any

import torch

from ..network.fixed_point import DECAY_UNITY, STATE_LIMIT
from .surrogates import DEFAULT, Surrogate

Tensor = torch.Tensor


class _Through(torch.autograd.Function):
    """The integers forward, the identity backward, nothing where a weight was clipped."""

    @staticmethod
    def forward(context: Any, x: Tensor, whole: Tensor, inside: Tensor) -> Tensor:
        context.save_for_backward(inside)
        return whole

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = context.saved_tensors
        return gradients[0] * inside, None, None


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, v: Tensor, threshold: Tensor, surrogate: Surrogate, noise: Tensor | None
    ) -> Tensor:
        context.save_for_backward(v, threshold)
        context.surrogate = surrogate
        return ((v if noise is None else v + noise) > threshold).to(v.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        v, threshold = context.saved_tensors
        by_v = gradients[0] * context.surrogate(v / threshold - 1) / threshold
        # A surrogate is a function of v / threshold, so it has a derivative by both.
        of_threshold = None
        if context.needs_input_grad[1]:
            of_threshold = (-by_v * v / threshold).sum_to_size(threshold.shape)
        return by_v, of_threshold, None, None


def rounded(weight: Tensor, unit: float, low: float, high: float, binary: bool = False) -> Tensor:
    """Round to multiples of `unit` within low..high times it.

    Parameters
    ----------
    weight : float64 tensor
        In integer weight units, not rounded.
    """
    scaled = weight.detach() / unit
    whole = torch.sign(scaled) if binary else torch.round(scaled).clamp(low, high)
    inside = ((scaled >= low - 1) & (scaled <= high + 1)).to(weight.dtype)
    result: Tensor = _Through.apply(weight, whole * unit, inside)  # type: ignore[no-untyped-call]
    return result


def replaced(soft: Tensor, hard: Tensor) -> Tensor:
    """`hard` forward, the gradient of `soft` backward."""
    result: Tensor = _Through.apply(soft, hard, torch.ones_like(hard))  # type: ignore[no-untyped-call]
    return result


def kept(state: Tensor, decay: Tensor) -> Tensor:
    """``rz(state * (4096 - decay))``, towards zero; backward without the rounding."""
    exact = state * ((DECAY_UNITY - decay) / DECAY_UNITY)
    result: Tensor = exact + (torch.trunc(exact) - exact).detach()
    return result


def spike(
    v: Tensor, threshold: Tensor, surrogate: Surrogate = DEFAULT, noise: Tensor | None = None
) -> Tensor:
    """1 above the threshold; backward the surrogate, at v without the noise."""
    result: Tensor = _Spike.apply(v, threshold, surrogate, noise)  # type: ignore[no-untyped-call]
    return result


def wrapped(u: Tensor) -> Tensor:
    """Bring back into 24 bits as `fixed_point.wrap_current`; backward without that."""
    over = (u.detach() > STATE_LIMIT).to(u.dtype) - (u.detach() <= -STATE_LIMIT).to(u.dtype)
    return u - 2 * STATE_LIMIT * over


def saturated(state: Tensor) -> Tensor:
    """Within 24 bits, as `fixed_point.saturate_voltage`."""
    return state.clamp(-STATE_LIMIT + 1, STATE_LIMIT - 1)
