"""Networks that SpikingJelly trains, runs and exports."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir
from training import INPUTS, linear, run, train

NEURONS = {
    "IFNode": lambda v: neuron.IFNode(v_threshold=2.0, v_reset=v),
    "LIFNode": lambda v: neuron.LIFNode(tau=4.0, v_threshold=0.7, v_reset=v),
    "LIFNode(decay_input=False)": lambda v: neuron.LIFNode(
        tau=3.0, decay_input=False, v_threshold=2.0, v_reset=v
    ),
    "ParametricLIFNode": lambda v: neuron.ParametricLIFNode(init_tau=3.0, v_reset=v),
    "CUBALIFNode": lambda v: neuron.CUBALIFNode(0.5, 0.75, 2.0, v_reset=v),
}


def cases():
    """Each neuron with its default reset, to another value, and the soft one."""
    for name in NEURONS:
        for reset in ("0", "-0.25", "None"):
            options = {"dt": 1e-4, "reset": "soft" if reset == "None" else "hard"}
            yield {"name": f"{name}-{reset}", "neuron": name, "reset": f"v_reset={reset}",
                   "options": options}  # fmt: skip


def make(case, inputs, path):
    value = case["reset"].split("=")[1]
    cell = NEURONS[case["neuron"]](None if value == "None" else float(value))
    first = linear(sum(map(ord, case["name"])))

    def forward(x):
        functional.reset_net(cell)
        return torch.stack([cell(first(x[:, t])) for t in range(x.shape[1])], 1)

    train(forward, [*first.parameters(), *cell.parameters()], inputs)
    spikes = run(forward, inputs)
    functional.reset_net(cell)
    export_to_nir(torch.nn.Sequential(first, cell), torch.zeros(1, INPUTS), save_path=path)
    return spikes
