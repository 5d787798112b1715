"""Print NeuroBench's metrics of two dense layers as JSON; stands alone in its environment.

``python neurobench_metrics.py case.json``, with lists `spikes` [steps, inputs] of 0 and 1,
`hidden`, `output` [targets, sources] and `threshold`. Neurons add up what arrives and go back
to 0 in the step in which they spike. `buffers` in the answer are the bytes of the neurons' own
constants, which NeuroBench counts in the footprint.
"""

from __future__ import annotations

import json
import sys

import snntorch as snn
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import SNNTorchModel


def layer(weight: list[list[int]], threshold: float, last: bool) -> list[torch.nn.Module]:
    """A dense layer and its neurons."""
    linear = torch.nn.Linear(len(weight[0]), len(weight), bias=False)
    linear.weight.data = torch.tensor(weight, dtype=torch.float32)
    neurons = snn.Leaky(
        beta=1.0,
        threshold=threshold,
        reset_mechanism="zero",
        reset_delay=False,
        init_hidden=True,
        output=last,
    )
    return [linear, neurons]


def main() -> None:
    """Run one sample through NeuroBench's own benchmark."""
    with open(sys.argv[1], encoding="utf-8") as file:
        case = json.load(file)
    layers = layer(case["hidden"], case["threshold"], last=False)
    layers += layer(case["output"], case["threshold"], last=True)
    model = SNNTorchModel(torch.nn.Sequential(*layers))
    spikes = torch.tensor(case["spikes"], dtype=torch.float32)[None]
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(spikes, torch.zeros(1)), batch_size=1
    )
    workload = [ActivationSparsity, SynapticOperations, MembraneUpdates]
    benchmark = Benchmark(model, data, [], [], [[Footprint, ConnectionSparsity], workload])
    buffers = sum(b.numel() * b.element_size() for b in model.net.buffers())
    print(json.dumps({**benchmark.run(), "buffers": buffers}, default=float))


if __name__ == "__main__":
    main()
