"""A few steps of training, so that what is exported is no untouched initialisation."""

from __future__ import annotations

import numpy as np
import torch

INPUTS, OUTPUTS = 20, 12
STEPS = 8


def decays(low=0.3, high=0.98):
    """One decay for each neuron, over the whole range that networks use."""
    return torch.linspace(low, high, OUTPUTS)


def linear(seed, gain=3.0):
    """Synapses that make every neuron spike on the inputs."""
    torch.manual_seed(seed)
    layer = torch.nn.Linear(INPUTS, OUTPUTS)
    with torch.no_grad():
        layer.weight.mul_(gain).add_(0.05)
    return layer


def recurrent(layer, seed, gain=1.0):
    """Weights back of a recurrent layer."""
    torch.manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3 * gain - 0.05)


def train(forward, parameters, inputs):
    """Move the rate of every neuron towards its own target; `forward` gives [samples, steps, n]."""
    parameters = [p for p in parameters if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=0.02)
    target = torch.linspace(0.1, 0.5, OUTPUTS)
    values = torch.from_numpy(inputs)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = ((forward(values).mean((0, 1)) - target) ** 2).sum()
        loss.backward()
        optimiser.step()


def run(forward, inputs):
    """The spikes of a trained network, uint8 [samples, steps, neurons]."""
    with torch.no_grad():
        out = forward(torch.from_numpy(inputs)).numpy()
    assert (out == np.rint(out)).all()
    return out.astype(np.uint8)
