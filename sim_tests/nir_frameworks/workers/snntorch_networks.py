"""Networks that snnTorch trains, runs and exports."""

from __future__ import annotations

import itertools

import nir
import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir
from training import INPUTS, OUTPUTS, decays, linear, recurrent, run, train

DT = 1e-4
NEURONS = ("Leaky", "RLeaky", "Synaptic", "RSynaptic")
RESETS = {"subtract": "soft", "zero": "hard", "none": "none"}
BETAS = (0.3, 0.5, 0.7, 0.9, 0.98)


def cases():
    """Every neuron, reset and delay: trained with a decay for each neuron, then built with one."""
    for neuron, reset, delay in itertools.product(NEURONS, RESETS, (True, False)):
        options = {"dt": DT, "reset": RESETS[reset], "reset_delay": delay}
        common = {"neuron": neuron, "reset": reset, "delay": delay, "options": options}
        yield {"name": f"{neuron}-{reset}-{delay}", **common, "beta": None}
        for beta in BETAS:
            yield {"name": f"{neuron}-{reset}-{delay}-{beta}", **common, "beta": beta}


def neuron_of(case, delay, init_hidden):
    one = case["beta"]
    # The export refuses one number for all neurons (1.0.0: it cannot infer their shape then).
    beta = decays() if one is None else torch.full((OUTPUTS,), one)
    how = {
        "beta": beta, "learn_beta": one is None, "learn_threshold": one is None,
        "threshold": torch.ones(OUTPUTS), "init_hidden": init_hidden,
        "reset_mechanism": case["reset"], "reset_delay": delay,
    }  # fmt: skip
    if case["neuron"].endswith("Synaptic"):
        how["alpha"] = decays(0.2, 0.8) if one is None else torch.full((OUTPUTS,), 0.6)
    if case["neuron"].startswith("R"):
        how["linear_features"] = OUTPUTS
    return getattr(snn, case["neuron"])(**how)


def graph_of(net):
    return export_to_nir(net, torch.zeros(1, INPUTS), ignore_dims=[0])


def make(case, inputs, path):
    seed = sum(map(ord, case["name"]))
    # RSynaptic with reset_delay=False fails with hidden states (1.0.0: `spk` is None there).
    hidden = not (case["neuron"] == "RSynaptic" and not case["delay"])
    cell = neuron_of(case, case["delay"], hidden)
    first = linear(seed, 1.5 if case["neuron"].endswith("Synaptic") else 3.0)
    if case["neuron"].startswith("R"):
        recurrent(cell.recurrent, seed)

    def forward(x):
        state = cell.reset_mem()
        state = state if isinstance(state, tuple) else (state,)
        sent = []
        for t in range(x.shape[1]):
            if hidden:
                out = cell(first(x[:, t]))
            else:
                if t == 0:
                    state = tuple(torch.zeros(len(x), OUTPUTS) for _ in state)
                out, *rest = cell(first(x[:, t]), *state)
                state = (out, *rest)
            sent.append(out)
        return torch.stack(sent, 1)

    if case["beta"] is None:
        train(forward, [*first.parameters(), *cell.parameters()], inputs)
    with torch.no_grad():  # as trained, but within what the export can say
        cell.beta.clamp_(0.05, 0.99)
        if hasattr(cell, "alpha"):
            cell.alpha.clamp_(0.05, 0.99)
    spikes = run(forward, inputs)
    exported = cell
    if not hidden:
        exported = neuron_of(case, True, True)
        exported.load_state_dict(cell.state_dict())
    exported.reset_mem()
    nir.write(path, graph_of(torch.nn.Sequential(first, exported)))
    return spikes
