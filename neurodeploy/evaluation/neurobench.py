"""Our networks in NeuroBench's own harness. Needs the package `neurobench` (extra of that name).

The harness counts with hooks on torch layers. So a network is laid out as torch layers, and what
the engine recorded is sent through them step by step: the harness sees the spikes of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import snntorch
import torch
from neurobench.metrics.abstract import StaticMetric
from neurobench.models import NeuroBenchModel
from numpy.typing import NDArray

from ..backends import run
from ..errors import UnsupportedError
from ..network import Network, Projection


class NeuroBenchNetwork(NeuroBenchModel):  # type: ignore[misc]
    """A network as a model that `neurobench.benchmarks.Benchmark` runs.

    Parameters
    ----------
    network : Network
        Of dense and conv synapses, the layers that NeuroBench counts.
    threads : int, optional
        Of the engine.

    Raises
    ------
    UnsupportedError
        If a projection has other synapses; names it.

    Examples
    --------
    >>> model = NeuroBenchNetwork(net)
    >>> metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    >>> Benchmark(model, loader, [], [ChooseMaxCount()], metrics).run()
    """

    def __init__(self, network: Network, threads: int | None = None) -> None:
        super().__init__()
        self.network = network
        self._threads = threads
        self._layers = _Layers(network)
        self.add_activation_module(_Sent)

    def __call__(self, batch: Any) -> Any:
        """Run a batch: float32 tensor [samples, steps, outputs] of what the output sent.

        Parameters
        ----------
        batch : tensor [samples, steps, *input shape]
        """
        inputs = batch.detach().cpu().numpy()
        recording = run(
            self.network, inputs, record=("counts", "spikes", "v"), threads=self._threads
        )
        sent = {name: recording[name].spikes for name in recording.names}
        volts = {n: recording[n].v for n in recording.names if recording[n].has("v")}
        with torch.no_grad():
            for step in range(recording.steps):
                self._layers(sent, volts, step)
        output = recording.output.reshape(recording.samples, recording.steps, -1)
        return torch.from_numpy(output.astype(np.float32))

    def __net__(self) -> Any:
        """Give the layers."""
        return self._layers


class StoredFootprint(StaticMetric):  # type: ignore[misc]
    """Bytes of weights and delays at the bits that the chip stores them with.

    NeuroBench's own `Footprint` counts 4 bytes for each weight, as torch stores them.
    """

    def __call__(self, model: NeuroBenchNetwork) -> float:
        """See `StaticMetric`."""
        return stored_bytes(model.network)


def stored_bytes(network: Network) -> float:
    """Bytes of all arrays of the synapses, each at the fewest bits that hold its numbers."""
    arrays = [array for p in network.projections for array in p.synapse.arrays()]
    return sum(array.size * _bits(array) for array in arrays) / 8


def _bits(array: NDArray[Any]) -> int:
    if array.dtype.kind == "f":
        return 8 * int(array.itemsize)
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return max(1, (low < 0) + max(high.bit_length(), (~low if low < 0 else 0).bit_length()))


class _Sent(snntorch.SpikingNeuron):  # type: ignore[misc]
    """A population: what it sent, and its v, as the harness reads them of a neuron of snnTorch."""

    def __init__(self) -> None:
        super().__init__(init_hidden=True)
        for name in [*self._buffers, *self._parameters]:  # of snnTorch's equations, not of ours
            delattr(self, name)
        self.mem = torch.zeros(0)

    def forward(self, sent: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Take both as the engine has them."""
        self.mem = v
        return sent


class _Layers(torch.nn.Module):
    """A network's projections and populations as torch layers."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for number, projection in enumerate(network.projections):
            make = _MAKERS.get(projection.synapse.kind)
            if make is None:
                raise UnsupportedError(
                    f"projection {projection.name!r}: {projection.synapse.kind} synapses are no "
                    f"layer that NeuroBench counts; use neurodeploy.profiling.benchmarks.neurobench"
                )
            self.add_module(f"projection{number}", make(projection))
        self.populations = [p for p in network.populations if p.neuron.runs_on_host != "always"]
        for number, _ in enumerate(self.populations):
            self.add_module(f"population{number}", _Sent())

    def forward(
        self, sent: dict[str, NDArray[Any]], volts: dict[str, NDArray[Any]], step: int
    ) -> None:
        """Send one step through all layers."""
        for number, projection in enumerate(self.network.projections):
            now = torch.from_numpy(sent[projection.source][:, step].astype(np.float32))
            flat = projection.synapse.kind == "dense"
            self.get_submodule(f"projection{number}")(now.flatten(1) if flat else now)
        for number, population in enumerate(self.populations):
            name = population.name
            now = torch.from_numpy(sent[name][:, step].astype(np.float32))
            v = volts.get(name)
            v_now = now if v is None else torch.from_numpy(v[:, step].astype(np.float64))
            self.get_submodule(f"population{number}")(now, v_now)


def _linear(projection: Projection) -> torch.nn.Module:
    weight = _weights(projection)
    targets, sources = weight.shape
    layer = torch.nn.Linear(sources, targets, bias=False)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    return layer


def _convolution(projection: Projection) -> torch.nn.Module:
    synapse: Any = projection.synapse
    weight = _weights(projection)
    layer = torch.nn.Conv2d(
        weight.shape[1] * synapse.groups,
        weight.shape[0],
        (weight.shape[2], weight.shape[3]),
        synapse.stride,
        synapse.padding,
        synapse.dilation,
        synapse.groups,
        bias=False,
    )
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    return layer


def _weights(projection: Projection) -> torch.Tensor:
    return torch.from_numpy(np.asarray(projection.synapse.arrays()[0]).astype(np.float32))


_MAKERS: dict[str, Callable[[Projection], torch.nn.Module]] = {
    "dense": _linear,
    "conv": _convolution,
}
