"""Why lava-dl read this network at 48.6 %: its recurrent blocks drop the recurrent bias.

``python examples/braille/lava_dl.py FOLDER`` (Python 3.10 with lava-dl) builds the hard-reset
graph out of SLAYER blocks the way NIR's published script does, once as it is and once
with the recurrent bias moved to the layer before, where SLAYER does apply it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lava.lib.dl.slayer as slayer
import nir
import numpy as np
import torch

DT = 1e-4


def synapse(node):
    dense = slayer.synapse.Dense(node.weight.shape[1], node.weight.shape[0])
    dense.weight = torch.nn.Parameter(torch.from_numpy(node.weight.reshape(dense.weight.shape)))
    dense.bias = torch.nn.Parameter(torch.from_numpy(node.bias))
    return dense


def neuron(node):
    return {
        "threshold": 1.0,
        "current_decay": float(np.unique(DT / node.tau_syn)[0]),
        "voltage_decay": float(np.unique(DT / node.tau_mem)[0]),
        "scale": 1 << 6,
    }


def accuracy(graph, inputs, labels) -> float:
    nodes = graph.nodes
    loop = nodes["lif1.w_rec"]
    hidden = slayer.block.cuba.Recurrent(neuron(nodes["lif1.lif"]), 38, 38, delay_shift=False)
    hidden.input_synapse.weight.data = torch.eye(38).reshape(hidden.input_synapse.weight.shape)
    shape = hidden.recurrent_synapse.weight.shape
    hidden.recurrent_synapse.weight.data = torch.from_numpy(loop.weight).reshape(shape)
    hidden.recurrent_synapse.bias = torch.nn.Parameter(torch.from_numpy(loop.bias))  # never read
    output = slayer.block.cuba.Dense(neuron(nodes["lif2"]), 7, 7, delay_shift=False)
    output.synapse.weight.data = torch.eye(7).reshape(output.synapse.weight.shape)
    with torch.no_grad():
        spikes = output(synapse(nodes["fc2"])(hidden(synapse(nodes["fc1"])(inputs))))
    return float((spikes.sum(-1).argmax(1) == labels).float().mean())


def main(folder: Path) -> None:
    graph = nir.read(folder / "braille_noDelay_bias_zero.nir")
    with np.load(folder / "val_0.npz") as data:
        inputs = torch.from_numpy(data["spikes"].astype(np.float32)).swapaxes(1, 2)
        labels = torch.from_numpy(data["labels"])
    print(f"lava-dl, as NIR's script builds it       {accuracy(graph, inputs, labels):.1%}")
    graph.nodes["fc1"].bias = graph.nodes["fc1"].bias + graph.nodes["lif1.w_rec"].bias
    print(f"the recurrent bias moved into fc1        {accuracy(graph, inputs, labels):.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
