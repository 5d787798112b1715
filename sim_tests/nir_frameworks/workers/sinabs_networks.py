"""Networks that Sinabs trains, runs and exports."""

from __future__ import annotations

import nir
import sinabs.layers as sl
import sinabs.nir
import torch
from sinabs.activation import MembraneReset, MembraneSubtract, MultiSpike, SingleSpike
from training import INPUTS, OUTPUTS, linear, run, train

TAUS = torch.linspace(1.2, 40.0, OUTPUTS)


def level(value):
    return torch.full((OUTPUTS,), value)


NEURONS = {
    "IAF": lambda **how: sl.IAF(spike_threshold=torch.tensor(2.0), **how),
    "IAF(min_v_mem=-threshold)": lambda **how: sl.IAF(
        spike_threshold=torch.tensor(2.0), min_v_mem=-2.0, **how
    ),
    "LIF": lambda **how: sl.LIF(TAUS, spike_threshold=level(0.3), **how),
    "LIF(norm_input=False)": lambda **how: sl.LIF(
        TAUS, norm_input=False, spike_threshold=level(2.0), **how
    ),
    "LIF(tau_syn=5)": lambda **how: sl.LIF(TAUS, tau_syn=5.0, spike_threshold=level(0.8), **how),
}
RESETS = {"subtract": ("soft", MembraneSubtract()), "value": ("hard", MembraneReset())}
FIRING = {"several": MultiSpike, "one": SingleSpike}


def cases():
    """Each neuron with its default reset and the other, several spikes in a step or one."""
    for name in NEURONS:
        imported = name in ("IAF(min_v_mem=-threshold)", "LIF(norm_input=False)")
        for reset, (ours, _) in RESETS.items():
            for firing in FIRING:
                many = "several spikes" if firing == "several" else "one spike"
                yield {
                    "name": f"{name}-{reset}-{firing}",
                    "neuron": name,
                    "reset": f"{reset}, {many} a step",
                    "kinds": (reset, firing),
                    "preset": "sinabs-import" if imported else "sinabs",
                    "options": {"dt": 1.0, "reset": ours},
                    "lost": lost(name, firing),
                }


def lost(name, firing):
    """What its export leaves out."""
    found = ["tau_syn"] * ("tau_syn" in name) + ["SingleSpike"] * (firing == "one")
    return f"{' and '.join(found)} not in the file" if found else ""


def make(case, inputs, path):
    reset, firing = case["kinds"]
    cell = NEURONS[case["neuron"]](reset_fn=RESETS[reset][1], spike_fn=FIRING[firing])
    first = linear(sum(map(ord, case["name"])))

    def forward(x):
        cell.reset_states()
        cell.zero_grad()
        return cell(first(x))

    train(forward, first.parameters(), inputs)
    spikes = run(forward, inputs)
    net = torch.nn.Sequential(first, cell)
    graph = sinabs.nir.to_nir(net, torch.zeros(1, 1, INPUTS))
    nir.write(path, graph)
    return spikes
