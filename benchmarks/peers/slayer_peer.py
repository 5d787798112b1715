"""SLAYER of lava-dl: its forward pass on the CPU, quantized as it exports to NetX."""

from importlib.metadata import version as version_of

import numpy as np
import torch
from lava.lib.dl import slayer

SCALE = 64
"""SLAYER's weights and thresholds are in units of 64 of the chip's."""


def version() -> str:
    """Name and version."""
    return f"lava-dl {version_of('lava-dl')}, torch {torch.__version__}"


def prepare(arrays, options):
    """Build CUBA dense blocks."""
    torch.set_num_threads(options["threads"])
    inputs = torch.from_numpy(np.ascontiguousarray(arrays["inputs"].transpose(0, 2, 1))).float()
    blocks = []
    for i in range(int(arrays["layers"])):
        weight = torch.from_numpy(arrays[f"{i}.weight"])
        parameters = {
            "threshold": float(arrays[f"{i}.threshold"]) / SCALE,
            "current_decay": 1 - float(arrays[f"{i}.keep_u"]),
            "voltage_decay": 1 - float(arrays[f"{i}.keep_v"]),
        }
        block = slayer.block.cuba.Dense(parameters, weight.shape[1], weight.shape[0])
        block.synapse.weight.data = weight.reshape(block.synapse.weight.shape) / SCALE
        blocks.append(block.eval())

    def run():
        counts = []
        with torch.no_grad():
            x = inputs
            for block in blocks:
                x = block(x)
                counts.append(x)
        return counts

    return run, [int(c.sum()) for c in run()], ""
