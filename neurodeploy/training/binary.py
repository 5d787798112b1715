"""Binary activation maps: a step forward, a surrogate's gradient backward; needs torch."""

from __future__ import annotations

from typing import Any

import torch

SLOPE = 10.0
"""Of the surrogate by default."""


class _Step(torch.autograd.Function):
    """Whether x > 0 (or >= 0); backward 1 / (1 + slope |x|)^2, SuperSpike's."""

    @staticmethod
    def forward(ctx: Any, x: Any, inclusive: bool, slope: float) -> Any:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x >= 0 if inclusive else x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradient / (1 + ctx.slope * x.abs()) ** 2, None, None


class BinaryActivation(torch.nn.Module):
    """Heaviside's function with a surrogate gradient.

    `neurodeploy.convert_ann` makes memoryless spiking neurons of it, and an OR of a max pool
    behind it.

    Parameters
    ----------
    low, high : float
        What it gives where x <= 0, and where x > 0: (0, 1) or (-1, 1), say.
    inclusive : bool
        Give `high` where x is 0, too.
    slope : float
        Of the surrogate ``1 / (1 + slope |x|)^2`` (SuperSpike: Zenke and Ganguli 2018), > 0.

    Examples
    --------
    >>> BinaryActivation()(torch.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """

    def __init__(
        self, low: float = 0.0, high: float = 1.0, inclusive: bool = False, slope: float = SLOPE
    ) -> None:
        super().__init__()
        self.binary_values = (float(low), float(high))
        self.inclusive, self.slope = inclusive, slope

    def forward(self, x: Any) -> Any:
        """Give a binary map of x's shape."""
        low, high = self.binary_values
        step = _Step.apply(x, self.inclusive, self.slope)  # type: ignore[no-untyped-call]
        return low + (high - low) * step
