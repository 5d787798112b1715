"""A cell of the L2MU in plain torch, with the chip's hops in it: what it trains is what runs.

Parameters have the names of the published state dicts, so that `network.l2mu` builds the network.
"""

from __future__ import annotations

import torch

from examples.training import Spike

START = {"u": (0.9, 0.3), "m": (0.5, 0.4), "h": (0.7, 0.6), "output": (0.8, 0.5)}
"""Share of v that a step keeps, and threshold, before training; both are trained."""


def legendre(order: int, window: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A [order, order] and B [order, 1] of a Legendre memory of so many steps, held for a step.

    Voelker, Kajic and Eliasmith (NeurIPS 2019): ``A_ij = (2i + 1) / window (-1 if i < j else
    (-1)^(i - j + 1))``, ``B_i = (2i + 1) (-1)^i / window``, made discrete by a zero-order hold.

    Examples
    --------
    >>> a, b = legendre(3, 10.0)
    >>> a.shape, b.shape
    (torch.Size([3, 3]), torch.Size([3, 1]))
    """
    i = torch.arange(order, dtype=torch.float64)[:, None]
    j = i.T
    both = torch.zeros(order + 1, order + 1, dtype=torch.float64)
    both[:order, :order] = torch.where(i < j, -1.0, (-1.0) ** (i - j + 1)) * (2 * i + 1) / window
    both[:order, order:] = (2 * i + 1) * (-1.0) ** i / window
    held = torch.linalg.matrix_exp(both).float()
    return held[:order, :order], held[:order, order:]


class Leaky(torch.nn.Module):
    """Neurons that lose a threshold in the step after a spike, as snnTorch's ``Leaky``."""

    def __init__(self, beta: float, threshold: float) -> None:
        super().__init__()
        self.beta = torch.nn.Parameter(torch.tensor(beta))
        self.threshold = torch.nn.Parameter(torch.tensor(threshold))

    def forward(
        self, v: torch.Tensor, sent: torch.Tensor, current: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give v and spikes after a step, from those before it."""
        v = self.beta.clamp(0, 1) * v + current - sent.detach() * self.threshold
        return v, Spike.apply(v - self.threshold)


class Cell(torch.nn.Module):
    """Encoder u, memory m, hidden layer h and output; each hears the others a step later.

    Parameters
    ----------
    inputs, classes : int
    channels, order : int
        Of the memory: so many units, of that order each; all have the same A and B.
    hidden : int
    window : float
        Steps that the memory holds.
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        channels: int = 24,
        order: int = 6,
        hidden: int = 64,
        window: float = 20.0,
    ) -> None:
        super().__init__()
        linear = torch.nn.Linear
        self.e_x = linear(inputs, channels, bias=False)
        self.e_h = linear(hidden, channels, bias=False)
        self.e_m = linear(channels * order, channels, bias=False)
        self.A, self.B = linear(order, order, bias=False), linear(1, order, bias=False)
        with torch.no_grad():
            for layer, held in zip((self.A, self.B), legendre(order, window), strict=True):
                layer.weight.copy_(held)
        self.W_x = linear(inputs, hidden, bias=False)
        self.W_h = linear(hidden, hidden, bias=False)
        self.W_m = linear(channels * order, hidden, bias=False)
        self.output_transformation = linear(hidden, classes)
        for name, (beta, threshold) in START.items():
            self.add_module(f"spk_{name}", Leaky(beta, threshold))
        self.sizes = {"u": channels, "m": channels * order, "h": hidden, "output": classes}
        self.channels, self.order = channels, order

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes [samples, steps, inputs] to spike counts of the outputs and of u, m and h."""
        samples = len(x)
        v = {name: x.new_zeros(samples, size) for name, size in self.sizes.items()}
        sent = dict(v)
        counts = dict.fromkeys(self.sizes, 0.0)
        x = torch.nn.functional.pad(x, (0, 0, 0, 1))  # a step more: the output lags h by a hop
        for encoded, seen in zip(self.e_x(x).unbind(1), self.W_x(x).unbind(1), strict=True):
            memory = sent["m"].reshape(samples, self.channels, self.order)
            current = {
                "u": encoded + self.e_h(sent["h"]) + self.e_m(sent["m"]),
                "m": (self.A(memory) + self.B(sent["u"][..., None])).reshape(samples, -1),
                "h": seen + self.W_h(sent["h"]) + self.W_m(sent["m"]),
                "output": self.output_transformation(sent["h"]),
            }
            for name in self.sizes:
                layer = getattr(self, f"spk_{name}")
                v[name], sent[name] = layer(v[name], sent[name], current[name])
                counts[name] = counts[name] + sent[name]
        inside = torch.cat([counts[name] for name in ("u", "m", "h")], 1)
        return counts["output"], inside
