"""Inputs, one hidden layer whose synapses may have delays, ten outputs; in plain torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.network import (
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Source,
    Synapse,
)
from neurodeploy.network.fixed_point import DECAY_UNITY
from neurodeploy.training import LearnedDelays
from neurodeploy.training.layers import LIF
from neurodeploy.training.torch_network import compute_in

from . import data

LONGEST = 12
"""Steps of 16 ms; the chip has up to 62."""

HIDDEN_KEEP, OUTPUT_KEEP = 0.7, 0.9
"""Of a membrane from step to step: 45 ms in the hidden layer, 152 ms in the outputs."""

SPREAD = 2.0
"""Of the first weights of the hidden layer, over the root of the number of inputs."""

LOGITS_PER_SPIKE = 0.5


class Digits(torch.nn.Module):
    """Reads digits from spikes.

    Parameters
    ----------
    hidden : int
    longest : int
        Longest delay of the synapses from the inputs; 0: a layer without delays.
    """

    def __init__(self, hidden: int, longest: int) -> None:
        super().__init__()
        feed: torch.nn.Module = (
            LearnedDelays(data.CHANNELS, hidden, longest)
            if longest
            else torch.nn.Linear(data.CHANNELS, hidden, bias=False)
        )
        torch.nn.init.normal_(feed.weight, std=SPREAD / data.CHANNELS**0.5)
        self.hidden = LIF(feed, voltage_keep=HIDDEN_KEEP)
        read = torch.nn.Linear(hidden, data.CLASSES, bias=False)
        self.read = LIF(read, voltage_keep=OUTPUT_KEEP)
        compute_in(self, whole=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Spikes [samples, steps, channels] to logits and to spike counts of hidden neurons."""
        spikes = self.hidden(x)
        return LOGITS_PER_SPIKE * self.read(spikes).sum(1), spikes.sum(1)

    def network(self) -> Network:
        """The same in neurodeploy's float neurons; every synapse at its rounded delay."""
        return network({name: value.numpy() for name, value in self.state_dict().items()})


def network(state: Mapping[str, NDArray[Any]]) -> Network:
    """The network of a trained module's state.

    Keeps are multiples of 1/4096 and thresholds whole at the layer's scale, as in training.
    """
    weight = state["hidden.synapse.weight"]
    feed: Synapse = Dense(weight)
    if "hidden.synapse.delay" in state:
        feed = DelayedDense(weight, np.rint(state["hidden.synapse.delay"]).astype(np.int32))
    neurons = {}
    for name, keep in (("hidden", HIDDEN_KEEP), ("read", OUTPUT_KEEP)):
        scale = float(state[f"{name}.scale"])
        neurons[name] = FloatLIF(
            current_keep=0.0,
            voltage_keep=1 - float(np.rint((1 - keep) * DECAY_UNITY)) / DECAY_UNITY,
            threshold=float(np.rint(scale)) / scale,
        )
    hidden, inputs = weight.shape
    return Network(
        (
            Population("input", (inputs,), Source()),
            Population("hidden", (hidden,), neurons["hidden"]),
            Population("digits", (data.CLASSES,), neurons["read"]),
        ),
        (
            Projection("input", "hidden", feed),
            Projection("hidden", "digits", Dense(state["read.synapse.weight"])),
        ),
    )
