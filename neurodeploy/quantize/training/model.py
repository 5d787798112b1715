"""A rounded network as a torch module whose forward pass is that of the engine, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...errors import UnsupportedError
from ...network import DelayedDense, Dense, FloatLIF, Network
from ..choice import Choice, Site
from ..neurons import made
from .integers import kept, rounded, saturated, spike

Tensor = torch.Tensor


class Layer(torch.nn.Module):
    """One population with the projections into it.

    Its weights are trained as floats in the float network's unit, with the neurons' gains
    folded in; every forward pass rounds them as `Choice` says.
    """

    def __init__(self, network: Network, site: Site, choice: Choice) -> None:
        super().__init__()
        self.site, self.choice, self.name = site, choice, site.population.name
        self.weights = torch.nn.ParameterList()
        self.feeds: list[tuple[str, int, Any]] = []
        for (projection, synapse), weight in zip(site.feeds, site.weights, strict=True):
            if not isinstance(synapse, (Dense, DelayedDense)):
                raise UnsupportedError(
                    f"projection {projection.name}: fine-tuning takes dense synapses, these are "
                    f"{synapse.kind}; quantize without it"
                )
            delay = np.asarray(getattr(synapse, "delay", np.zeros(1, int)))
            if not (delay == delay.flat[0]).all():
                raise UnsupportedError(
                    f"projection {projection.name}: fine-tuning takes one delay for all synapses "
                    f"of a projection, these have {delay.min()}..{delay.max()}"
                )
            lag = int(network.closes(projection)) + int(delay.flat[0])
            self.feeds.append((projection.source, lag, None))
            self.weights.append(torch.nn.Parameter(torch.from_numpy(weight.copy())))
        shape = site.shape
        if choice.bias:
            shape = replace(shape, bias=shape.bias + np.asarray(choice.bias))
        neuron: Any = made(site.population, shape, choice.factor)
        size = site.population.size
        self.readout = not hasattr(neuron, "threshold")
        if getattr(neuron, "refractory", 1) != 1 or getattr(neuron, "reset", "zero") != "zero":
            raise UnsupportedError(
                f"population {self.name!r}: fine-tuning takes neurons with a hard reset in the "
                f"step of the spike"
            )
        for what in ("current_decay", "voltage_decay", "threshold", "bias"):
            value = np.broadcast_to(np.asarray(getattr(neuron, what, 0), np.float64), size)
            self.register_buffer(what, torch.from_numpy(value.copy()))
        drive = np.rint(site.shape.drive * choice.factor)
        self.register_buffer("drive", torch.from_numpy(np.broadcast_to(drive, size).copy()))

    def integers(self) -> list[Tensor]:
        """Weights that the engine would run with, straight-through."""
        whole = []
        for index, weight in enumerate(self.weights):
            grid, step = self.site.grids[index], 2.0 ** self.choice.steps[index]
            low, high = grid.limits(self.site.splits[index])
            whole.append(rounded(weight * self.choice.factor, step, low, high, grid.binary))
        return whole

    def step(self, current: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Advance one step; what is sent, u and v."""
        u = saturated(kept(u, self.current_decay) + 64 * (current + self.drive))
        v = saturated(kept(v, self.voltage_decay) + u + 64 * self.bias)
        if self.readout:
            return v, u, v
        sent = spike(v, 64 * self.threshold)
        return sent, u, v * (1 - sent.detach())


class IntegerNetwork(torch.nn.Module):
    """All populations of a float network in the integers that will run, on the float clock."""

    def __init__(
        self, network: Network, sites: dict[str, Site], choices: dict[str, Choice]
    ) -> None:
        super().__init__()
        if any(p.axon_delay is not None for p in network.populations):
            raise UnsupportedError("fine-tuning: axonal delays are not trained; use DelayedDense")
        self.source, self.output = network.input.name, network.output.name
        self.layers = torch.nn.ModuleList(
            Layer(network, sites[p.name], choices[p.name])
            for p in network.populations
            if isinstance(p.neuron, FloatLIF)
        )

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Run float64 [samples, steps, neurons]; give what every population sent."""
        samples, steps, _ = inputs.shape
        weights = {layer.name: layer.integers() for layer in self.layers}
        sent: dict[str, list[Tensor]] = {self.source: list(inputs.unbind(1))}
        state = {}
        for layer in self.layers:
            sent[layer.name] = []
            zeros = inputs.new_zeros((samples, layer.threshold.numel()))
            state[layer.name] = (zeros, zeros)
        for t in range(steps):
            for layer in self.layers:
                current = torch.zeros_like(state[layer.name][0])
                for (source, lag, _), weight in zip(layer.feeds, weights[layer.name], strict=True):
                    if t >= lag:
                        current = current + sent[source][t - lag] @ weight.T
                message, u, v = layer.step(current, *state[layer.name])
                sent[layer.name].append(message)
                state[layer.name] = (u, v)
        return {layer.name: torch.stack(sent[layer.name], 1) for layer in self.layers}
