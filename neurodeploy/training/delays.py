"""Delays that are trained, one for each synapse, as positions of Gaussian kernels in time.

The method is DCLS (Khalfaoui-Hassani et al. 2023; for spikes Hammouamri et al. 2024,
arXiv:2306.17670): while it trains, a synapse delivers through several delays at once, by a
Gaussian around its position; the Gaussian narrows until one delay is left, which the chip has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError, UnsupportedError
from ..network.fixed_point import MAX_DELAY
from .torch_rounding import replaced

Tensor = torch.Tensor

LEAST_WIDTH = 0.27
"""Added to every sigma, so that a kernel between two steps reaches both (dcls 0.1.1)."""

LAST_SIGMA = 0.23
"""At which annealing ends: 0.5 together with `LEAST_WIDTH` (dcls 0.1.1)."""


class LearnedDelays(torch.nn.Module):
    r"""A weight and a delay for each synapse from every source to every target; both are trained.

    .. math::
        a_i[t] = \sum_j \sum_{k=0}^{D} w_{ij}\, g_{ijk}\, s_j[t - k], \quad
        g_{ijk} = \frac{\exp(-\frac12 (k - d_{ij})^2 / (|\sigma| + 0.27)^2)}
        {\sum_l \exp(-\frac12 (l - d_{ij})^2 / (|\sigma| + 0.27)^2)}

    With `sigma` 0, and in a `LIF` that computes in integers, all of a weight stands at the
    nearest whole delay, as in `network.DelayedDense`; the gradient of the delays is then still
    that of the Gaussian, at `sigma` or at least `LAST_SIGMA`.

    Parameters
    ----------
    in_features, out_features : int
    max_delay : int
        D, 0..62 steps. The chip gives each neuron a power of two of accumulators, at least D + 2,
        so fewer neurons fit on a core: see ``neurodeploy fit``.
    bias : bool
        As of a Linear.

    Attributes
    ----------
    weight : float parameter [out_features, in_features]
    delay : float parameter [out_features, in_features]
        d in steps, held to 0..D whenever the layer runs. Uniform at first. Train it with about
        100 times the learning rate of the weights (Hammouamri et al. 2024).
    sigma : float64 tensor
        In the ``state_dict``; D / 2 at first. `Annealing` narrows it.

    Raises
    ------
    UnsupportedError
        If `max_delay` is beyond the chip's limit.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.delays import LearnedDelays
    >>> from neurodeploy.training.layers import LIF
    >>> layer = LIF(LearnedDelays(40, 16, max_delay=14), voltage_keep=0.9)
    >>> layer(torch.zeros(2, 100, 40)).shape
    torch.Size([2, 100, 16])
    """

    bias: Tensor | None
    sigma: Tensor

    def __init__(
        self, in_features: int, out_features: int, max_delay: int, *, bias: bool = False
    ) -> None:
        super().__init__()
        if not 0 <= max_delay <= MAX_DELAY:
            raise UnsupportedError(
                f"LearnedDelays: max_delay {max_delay}; the chip has 0..{MAX_DELAY} steps"
            )
        self.in_features, self.out_features, self.max_delay = in_features, out_features, max_delay
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features))
        self.delay = torch.nn.Parameter(torch.rand(out_features, in_features) * max_delay)
        torch.nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as of a Linear
        self.register_parameter(
            "bias", torch.nn.Parameter(torch.zeros(out_features)) if bias else None
        )
        self.register_buffer("sigma", torch.tensor(max_delay / 2, dtype=torch.float64))

    def whole_delays(self) -> NDArray[np.int32]:
        """Delays in steps, rounded: int32 [out_features, in_features]."""
        found: NDArray[np.int32] = (
            self.delay.detach().clamp(0, self.max_delay).round().cpu().numpy().astype(np.int32)
        )
        return found

    def kernels(self, rounded: bool = False) -> Tensor:
        """How a synapse's weight is spread over delays: float64 [out, in, max_delay + 1].

        Parameters
        ----------
        rounded : bool
            One delay for each synapse whatever `sigma` is.
        """
        with torch.no_grad():
            self.delay.clamp_(0, self.max_delay)
        steps = torch.arange(self.max_delay + 1, device=self.delay.device, dtype=torch.float64)
        delay = self.delay.double()[..., None]
        whole = rounded or not float(self.sigma)
        sigma = self.sigma.abs().clamp(min=LAST_SIGMA) if whole else self.sigma.abs()
        # Normalised Gaussians are a softmax: no sum of tails can vanish.
        spread = torch.softmax(-0.5 * ((steps - delay) / (sigma + LEAST_WIDTH)) ** 2, dim=-1)
        if not whole:
            return spread
        return replaced(spread, (steps == delay.detach().round()).to(spread.dtype))

    def spread(self, weight: Tensor, rounded: bool = False) -> Tensor:
        """Give a weight for each delay, float64 [max_delay + 1, out, in], of weights [out, in]."""
        return (weight[..., None] * self.kernels(rounded)).permute(2, 0, 1)

    def deliver(self, x: Tensor, spread: Tensor, cut: bool = False) -> Tensor:
        """Give currents [samples, steps, out] of messages [samples, steps, in], float64.

        Parameters
        ----------
        x : float64 tensor
        spread : float64 tensor [max_delay + 1, out, in]
            See `spread`.
        cut : bool
            Whether messages that wait are constants to the gradient.
        """
        steps, taps = x.shape[1], self.max_delay + 1
        # One product for all delays, then shifted sums: exact in whole numbers, as FFTs are not.
        each = (x.detach() if cut else x) @ spread.flatten(0, 1).T
        each = each.reshape(*x.shape[:2], taps, -1)
        total = x @ spread[0].T if cut else each[:, :, 0]
        for lag in range(1, min(taps, steps)):
            late = torch.nn.functional.pad(each[:, : steps - lag, lag], (0, 0, lag, 0))
            total = total + late
        return total

    def forward(self, x: Tensor) -> Tensor:
        """Currents of messages [samples, steps, in]: [samples, steps, out], in x's type."""
        current = self.deliver(x.double(), self.spread(self.weight.double()))
        if self.bias is not None:
            current = current + self.bias.double()
        return current.to(x.dtype)

    def extra_repr(self) -> str:
        """See `torch.nn.Module.extra_repr`."""
        return f"{self.in_features}, {self.out_features}, max_delay={self.max_delay}"


@dataclass(frozen=True)
class Annealing:
    r"""How sigma narrows: exponentially over the first epochs, then it stays.

    .. math::
        \sigma_e = \sigma_0\, (\sigma_1 / \sigma_0)^{\min(1,\; e / (share \cdot epochs))}

    Attributes
    ----------
    epochs : int
        Of the whole training.
    share : float
        Over which it narrows, above 0 up to 1: a quarter in Hammouamri et al. 2024.
    last : float
        :math:`\sigma_1`, above 0; :math:`\sigma_0` is `max_delay` / 2 of each layer.

    Raises
    ------
    InputError
        If one is out of its range.

    Examples
    --------
    >>> from neurodeploy.training.delays import Annealing
    >>> schedule = Annealing(epochs=40)
    >>> [round(schedule.sigma(epoch, max_delay=24), 2) for epoch in (0, 5, 10, 39)]
    [12.0, 1.66, 0.23, 0.23]
    """

    epochs: int
    share: float = 0.25
    last: float = LAST_SIGMA

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 < self.share <= 1 or self.last <= 0:
            raise InputError(
                f"Annealing: epochs {self.epochs}, share {self.share:g}, last {self.last:g}; give "
                f"epochs of at least 1, a share above 0 up to 1, a last sigma above 0"
            )

    def sigma(self, epoch: float, max_delay: int) -> float:
        """Give sigma for an epoch, from 0, of a layer with a largest delay, in steps."""
        first = max(max_delay / 2, self.last)
        gone = min(1.0, epoch / (self.share * self.epochs))
        return float(first * (self.last / first) ** gone)

    def apply(self, module: torch.nn.Module, epoch: float) -> None:
        """Set sigma of all `LearnedDelays` in a module for an epoch."""
        for layer in module.modules():
            if isinstance(layer, LearnedDelays):
                layer.sigma.fill_(self.sigma(epoch, layer.max_delay))


def from_dcls(
    state: Mapping[str, Tensor], kernel_size: int, *, prefix: str = "", max_delay: int | None = None
) -> LearnedDelays:
    """Take a layer of a checkpoint of DCLS with one weight and position for each synapse.

    Parameters
    ----------
    state : mapping of str to tensor
        The ``state_dict`` of a ``Dcls1d`` with ``kernel_count=1`` and ``groups=1``, which runs on
        inputs padded with kernel_size - 1 zeros on the left. Load files with
        ``torch.load(path, weights_only=True)``.
    kernel_size : int
        Its ``dilated_kernel_size``; not in the file.
    prefix : str
        Before the names of its tensors, such as ``"model.0."``.
    max_delay : int, optional
        kernel_size - 1 if not given.

    Returns
    -------
    LearnedDelays
        With `sigma` 0: every synapse at its rounded delay.

    Raises
    ------
    InputError
        If a tensor is missing or has another shape, or a delay is beyond `max_delay`.

    Notes
    -----
    Of dcls 0.1.1 (``DCLS/construct/modules.py``, MIT): ``weight`` [out, in, 1], ``P``
    [1, out, in, 1], ``SIG`` likewise, ``bias`` [out] or none. The kernel's tap stands at P +
    kernel_size // 2, and tap k of a convolution padded on the left is the delay kernel_size - 1
    - k. What lies between two steps is rounded there as a tap, half to even, and so it is here.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.delays import from_dcls
    >>> state = {"weight": torch.ones(1, 2, 1), "P": torch.tensor([[[[2.0], [-2.0]]]])}
    >>> from_dcls(state, kernel_size=5).whole_delays()
    array([[0, 4]], dtype=int32)
    """
    found = {name: state[prefix + name] for name in ("weight", "P") if prefix + name in state}
    if len(found) != 2:
        raise InputError(
            f"state: no tensors {prefix}weight and {prefix}P; a layer of Dcls1d has both"
        )
    weight, position = found["weight"], found["P"]
    if weight.ndim != 3 or weight.shape[2] != 1 or position.shape != (1, *weight.shape):
        raise InputError(
            f"{prefix}weight {list(weight.shape)}, {prefix}P {list(position.shape)}; needs "
            f"[out, in, 1] and [1, out, in, 1], one position for each synapse"
        )
    bias = state.get(prefix + "bias")
    tap = (position[0, :, :, 0].detach().double() + kernel_size // 2).round()
    delay = kernel_size - 1 - tap
    most = kernel_size - 1 if max_delay is None else max_delay
    if float(delay.min()) < 0 or float(delay.max()) > most:
        raise InputError(
            f"{prefix}P: delays of {int(delay.min())}..{int(delay.max())} steps at a kernel_size "
            f"of {kernel_size}; needs 0..{most}"
        )
    layer = LearnedDelays(weight.shape[1], weight.shape[0], most, bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight[:, :, 0])
        layer.delay.copy_(delay)
        layer.sigma.zero_()
        if bias is not None:
            layer.bias.copy_(bias)  # type: ignore[union-attr]
    return layer


__all__ = ["Annealing", "LearnedDelays", "from_dcls"]
