"""Norse: ``LIFCell``, its current-based neuron, step by step."""

from importlib.metadata import version as version_of

import norse.torch as norse
import numpy as np
import torch


def version() -> str:
    """Name and version."""
    return f"norse {version_of('norse')}, torch {torch.__version__}"


def prepare(arrays, options):
    """Build the network with dt = 1, so that time constants are decays."""
    torch.set_num_threads(options["threads"])
    inputs = torch.from_numpy(np.ascontiguousarray(arrays["inputs"].swapaxes(0, 1))).float()
    linears, cells = [], []
    for i in range(int(arrays["layers"])):
        keep_u, keep_v = float(arrays[f"{i}.keep_u"]), float(arrays[f"{i}.keep_v"])
        weight = torch.from_numpy(arrays[f"{i}.weight"])
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        # Norse multiplies the current by 1 - keep_v as it enters the voltage.
        linear.weight.data = weight / (1 - keep_v)
        parameters = norse.LIFParameters(
            tau_syn_inv=torch.as_tensor(1 - keep_u),
            tau_mem_inv=torch.as_tensor(1 - keep_v),
            v_th=torch.as_tensor(float(arrays[f"{i}.threshold"])),
        )
        linears.append(linear)
        cells.append(norse.LIFCell(parameters, dt=1.0))

    def run():
        states = [None] * len(cells)
        counts = [0.0] * len(cells)
        with torch.inference_mode():
            for x in inputs:
                for i, (linear, cell) in enumerate(zip(linears, cells, strict=True)):
                    x, states[i] = cell(linear(x), states[i])
                    counts[i] = counts[i] + x
        return counts

    return run, [int(c.sum()) for c in run()], ""
