"""The letter reader in plain torch: 8 inputs, 128 recurrent neurons, 27 outputs."""

from __future__ import annotations

import math

import torch

from examples.training import Spike
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source

from .data import LETTERS, STEP_SECONDS

HIDDEN = 128
CURRENT_SECONDS, VOLTAGE_SECONDS = 0.02, 0.1
CURRENT_KEEP = math.exp(-STEP_SECONDS / CURRENT_SECONDS)
VOLTAGE_KEEP = math.exp(-STEP_SECONDS / VOLTAGE_SECONDS)


class Reader(torch.nn.Module):
    """Two layers of leaky integrate-and-fire neurons, the first recurrent.

    ``u <- k_u u + W x + R z``, ``v <- k_v v + u``, ``z = [v > 1]``, v to 0 at a spike.
    """

    def __init__(self, inputs: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.feed = torch.nn.Linear(inputs, hidden, bias=False)
        self.loop = torch.nn.Linear(hidden, hidden, bias=False)
        self.read = torch.nn.Linear(hidden, len(LETTERS), bias=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes [samples, steps, inputs] to spike counts of the outputs and of the hidden."""
        arrives = self.feed(x).unbind(1)
        u = v = sent = torch.zeros_like(arrives[0])
        hidden = []
        for now in arrives:
            u = CURRENT_KEEP * u + now + self.loop(sent)
            v = VOLTAGE_KEEP * v + u
            sent = Spike.apply(v - 1)
            v = v * (1 - sent.detach())
            hidden.append(sent)
        spikes = torch.stack(hidden, 1)
        counts = 0
        u = v = torch.zeros(len(x), len(LETTERS))
        for now in self.read(spikes).unbind(1):
            u = CURRENT_KEEP * u + now
            v = VOLTAGE_KEEP * v + u
            sent = Spike.apply(v - 1)
            v = v * (1 - sent.detach())
            counts = counts + sent
        return counts, spikes.sum(1)

    def network(self) -> Network:
        """The same in neurodeploy's float neurons."""
        lif = FloatLIF(current_keep=CURRENT_KEEP, voltage_keep=VOLTAGE_KEEP)
        weight = {n: p.detach().numpy() for n, p in self.named_parameters()}
        hidden, inputs = weight["feed.weight"].shape
        return Network(
            (
                Population("input", (inputs,), Source()),
                Population("hidden", (hidden,), lif),
                Population("letters", (len(LETTERS),), lif),
            ),
            (
                Projection("input", "hidden", Dense(weight["feed.weight"])),
                Projection("hidden", "hidden", Dense(weight["loop.weight"])),
                Projection("hidden", "letters", Dense(weight["read.weight"])),
            ),
        )
