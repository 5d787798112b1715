"""Networks that Rockpool trains, runs and exports."""

from __future__ import annotations

import nir
import rockpool.nn.modules.torch.nir as rockpool_nir
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.parameters import Constant
from training import INPUTS, OUTPUTS, linear, run, train

STEP = 1e-3
TAUS = torch.linspace(1.5e-3, 4e-2, OUTPUTS)


def cases():
    """Its neurons subtract, several times in a step."""
    for name in ("LIFTorch", "LIFTorch(bias)", "LIFTorch(has_rec)", "LIFNeuronTorch"):
        yield {"name": name, "neuron": name, "reset": "subtract, several spikes a step",
               "options": {"dt": STEP},
               "lost": f"{name[9:-1]} not in the file" if "(" in name else ""}  # fmt: skip


def make(case, inputs, path):
    how = {"threshold": Constant(torch.full((OUTPUTS,), 2.0)), "dt": STEP}
    if case["neuron"] == "LIFNeuronTorch":
        cell = LIFNeuronTorch((OUTPUTS,), tau_mem=TAUS, **how)
    else:
        bias = torch.full((OUTPUTS,), 0.1) if "bias" in case["neuron"] else torch.zeros(OUTPUTS)
        cell = LIFTorch(
            (OUTPUTS, OUTPUTS), tau_mem=TAUS, tau_syn=torch.full((OUTPUTS, 1), 5e-3), bias=bias,
            has_rec="has_rec" in case["neuron"], **how,
        )  # fmt: skip
    made = linear(sum(map(ord, case["name"])), 0.6)
    weight, bias = made.weight.detach().T.clone(), made.bias.detach().clone()
    first = LinearTorch((INPUTS, OUTPUTS), weight=weight, bias=bias, has_bias=True)
    net = Sequential(first, cell)

    def forward(x):
        net.reset_state()
        return net(x)[0]

    train(forward, first.parameters().astorch(), inputs)
    spikes = run(forward, inputs)
    net.reset_state()
    nir.write(path, rockpool_nir.to_nir(net, torch.zeros(1, 1, INPUTS)))
    return spikes
