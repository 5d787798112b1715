"""snnTorch: ``Synaptic`` neurons with reset to zero, step by step."""

from importlib.metadata import version as version_of

import numpy as np
import snntorch
import torch


def version() -> str:
    """Name and version."""
    return f"snntorch {version_of('snntorch')}, torch {torch.__version__}"


def prepare(arrays, options):
    """Build the network."""
    torch.set_num_threads(options["threads"])
    inputs = torch.from_numpy(np.ascontiguousarray(arrays["inputs"].swapaxes(0, 1))).float()
    linears, neurons = [], []
    for i in range(int(arrays["layers"])):
        weight = torch.from_numpy(arrays[f"{i}.weight"])
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight.data = weight
        linears.append(linear)
        neurons.append(
            snntorch.Synaptic(
                alpha=float(arrays[f"{i}.keep_u"]),
                beta=float(arrays[f"{i}.keep_v"]),
                threshold=float(arrays[f"{i}.threshold"]),
                reset_mechanism="zero",
                reset_delay=False,
            )
        )

    def run():
        with torch.inference_mode():
            states = [neuron.reset_mem() for neuron in neurons]
            counts = [0.0] * len(neurons)
            for x in inputs:
                for i, (linear, neuron) in enumerate(zip(linears, neurons, strict=True)):
                    x, *states[i] = neuron(linear(x), *states[i])
                    counts[i] = counts[i] + x
        return counts

    return run, [int(c.sum()) for c in run()], ""
