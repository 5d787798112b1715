"""A rounded network as a torch module whose forward pass is that of the engine, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..core.order import cycles
from ..errors import UnsupportedError
from ..network import Network
from ..quantization.neurons import round_neurons
from ..quantization.rounding import depths, drive_of
from ..quantization.scale_choice import Choice, Choices, Site, Sites
from .cells import UNIT, Cells
from .operators import feeds_of, is_trained
from .surrogates import DEFAULT, Surrogate
from .torch_rounding import rounded

Tensor = torch.Tensor


class Layer(torch.nn.Module):
    """One population with the projections into it.

    Its weights are trained as floats in the float network's unit, with the neurons' gains
    folded in; every forward pass rounds them as `Choice` says. Weights of pools and of synapses
    one to one are rounded, too, but not trained.

    Attributes
    ----------
    weights : list of float64 parameters
        One for each projection, in the order of `Network.into`.
    keep : list of bool tensors
        Which synapses there are; the others were pruned, and stay 0.
    whole : bool
        Whether it computes in integers; else in floats, with weights that are not rounded.
    """

    drive: Tensor

    def __init__(
        self, network: Network, site: Site, choice: Choice, surrogate: Surrogate = DEFAULT
    ) -> None:
        super().__init__()
        population = site.population
        self.site, self.choice, self.name = site, choice, population.name
        self.weights = torch.nn.ParameterList()
        self.keep: list[Tensor] = []
        self.feeds = []
        for index, (projection, synapse) in enumerate(site.feeds):
            folded = replace(projection, synapse=synapse)
            self.feeds += feeds_of(folded, network[projection.source], index)
            weight = torch.from_numpy(site.weights[index].copy())
            trained = is_trained(synapse)
            self.weights.append(torch.nn.Parameter(weight, requires_grad=trained))
            self.keep.append(torch.ones(weight.shape, dtype=torch.bool))
        shape = choice.shaped(site.shape)
        neuron = round_neurons(population, shape, choice.factor)
        self.cells = Cells(neuron, population.size, self.name, surrogate)
        self.starts, self.driven_from = population.starts, depths(network)[self.name]
        _, drive = drive_of(shape, choice.factor)
        self.register_buffer("drive", torch.from_numpy(drive[:, 0].astype(np.float64)))

    @property
    def whole(self) -> bool:
        """See the class."""
        return self.cells.whole

    @whole.setter
    def whole(self, yes: bool) -> None:
        self.cells.whole = yes

    def integers(self) -> list[Tensor]:
        """Weights that the engine would run with, straight-through."""
        found = []
        for index, (weight, keep) in enumerate(zip(self.weights, self.keep, strict=True)):
            exact = weight * keep * self.choice.factor
            if self.whole:
                grid, step = self.site.grids[index], 2.0 ** self.choice.steps[index]
                low, high = grid.limits(self.site.splits[index])
                exact = rounded(exact, step, low, high, grid.binary)
            found.append(exact)
        return found

    def currents(
        self, sent: dict[str, Tensor], weights: list[Tensor], shape: tuple[int, int]
    ) -> Tensor:
        """What populations whose messages are all there deliver, [samples, steps, neurons]."""
        samples, steps = shape
        total = self.drive.new_zeros((samples, steps, self.drive.numel()))
        if self.drive.any():
            total[:, self.driven_from :] = self.drive
        for feed in self.feeds:
            if feed.source in sent and feed.lag < steps:
                messages = sent[feed.source][:, : steps - feed.lag]
                arrived = feed.deliver(messages.flatten(0, 1), weights[feed.index])
                arrived = arrived.reshape(samples, steps - feed.lag, -1)
                total = total + torch.nn.functional.pad(arrived, (0, 0, feed.lag, 0))
        return total


class IntegerNetwork(torch.nn.Module):
    """All populations of a float network in the integers that will run, on the chip's clock."""

    def __init__(
        self, network: Network, sites: Sites, choices: Choices, surrogate: Surrogate = DEFAULT
    ) -> None:
        super().__init__()
        self.source, self.output = network.input.name, network.output.name
        self.layers = torch.nn.ModuleList(
            Layer(network, sites[p.name], choices[p.name], surrogate)
            for p in network.populations
            if p.neuron.is_float
        )
        self.of: dict[str, Layer] = {layer.name: layer for layer in self.layers}
        self.delays = {p.name: p.axon_delay for p in network.populations}
        self.stretches = list(cycles(network))
        self.hops = _hops(network)
        if any(p.target == self.source for p in network.projections):
            raise UnsupportedError(
                f"population {self.source!r}: takes both inputs and messages of the network; "
                f"quantize without training"
            )

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Run what is presented to the input population.

        Parameters
        ----------
        inputs : float64 [samples, steps, neurons]
            Whole numbers.

        Returns
        -------
        dict of population name to float64 [samples, steps, neurons]
            What each sent, its hops taken off; a readout its v in the float network's unit.
        """
        samples, steps, _ = inputs.shape
        late = max(self.hops.values())
        shape = samples, steps + late
        sent = {self.source: torch.nn.functional.pad(inputs, (0, 0, 0, late))}
        for names in self.stretches:
            layers = [self.of[name] for name in names if name in self.of]
            weights = [layer.integers() for layer in layers]
            given = [
                layer.currents(sent, w, shape) for layer, w in zip(layers, weights, strict=True)
            ]
            if any(feed.source in names for layer in layers for feed in layer.feeds):
                sent |= _together(layers, weights, given)
            elif layers:
                sent[layers[0].name] = layers[0].cells.run(given[0], layers[0].starts)
        found = {}
        for layer in self.layers:
            messages = _delayed(sent[layer.name], self.delays[layer.name])
            hops = self.hops[layer.name]
            unit = UNIT * layer.choice.factor if layer.cells.readout else 1.0
            found[layer.name] = messages[:, hops : hops + steps] / unit
        return found


def _together(
    layers: list[Layer], weights: list[list[Tensor]], given: list[Tensor]
) -> dict[str, Tensor]:
    """Step populations of a cycle in turn; what they are given from outside is there already."""
    states = [layer.cells.rest(len(current)) for layer, current in zip(layers, given, strict=True)]
    sent: dict[str, list[Tensor]] = {layer.name: [] for layer in layers}
    for t in range(given[0].shape[1]):
        now = []
        for n, layer in enumerate(layers):
            current = given[n][:, t]
            for feed in layer.feeds:
                if feed.source in sent and t >= feed.lag:
                    message = sent[feed.source][t - feed.lag]
                    current = current + feed.deliver(message, weights[n][feed.index])
            if t < layer.starts:
                now.append(torch.zeros_like(current))
                continue
            message, states[n] = layer.cells.step(current, states[n])
            now.append(message)
        for layer, message in zip(layers, now, strict=True):
            sent[layer.name].append(message)
    return {name: torch.stack(messages, 1) for name, messages in sent.items()}


def _delayed(sent: Tensor, delay: np.ndarray[tuple[int, ...], np.dtype[np.int32]] | None) -> Tensor:
    """Messages as they leave axons."""
    if delay is None:
        return sent
    total = torch.zeros_like(sent)
    for steps in np.unique(delay):
        those = torch.from_numpy((delay == steps).astype(np.float64))
        shifted = torch.nn.functional.pad(sent, (0, 0, int(steps), 0))[:, : sent.shape[1]]
        total = total + shifted * those
    return total


def _hops(network: Network) -> dict[str, int]:
    """Steps by which each population will lag the input on the chip; see `Network.hops`."""
    hops = {network.input.name: 0}
    for _ in network.populations:
        for p in network.projections:
            if p.source in hops:
                steps = hops[p.source] + p.synapse.steps
                hops[p.target] = min(steps, hops.get(p.target, steps))
    return {p.name: hops.get(p.name, 0) for p in network.populations}
