"""Networks that Norse trains, runs and exports."""

from __future__ import annotations

import nir
import norse.torch as norse
import torch
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.utils.export_nir import to_nir
from training import INPUTS, OUTPUTS, linear, run, train

STEP = 1e-3
RESETS = {"value": ("hard", reset_value), "subtract": ("soft", reset_subtract)}
TAUS = torch.linspace(1.5e-3, 4e-2, OUTPUTS)


def cases():
    """LIFBoxCell chooses its reset; LIFCell and IAFCell have one."""
    # Its export multiplies time constants by the time step.
    options = {"dt": STEP**2, "reset": "hard"}
    for reset, (ours, _) in RESETS.items():
        yield {"name": f"LIFBoxCell-{reset}", "neuron": "LIFBoxCell", "reset": reset,
               "options": {**options, "reset": ours}}  # fmt: skip
    for neuron in ("LIFCell", "IAFCell"):
        yield {"name": neuron, "neuron": neuron, "reset": "value", "options": options}


def make(case, inputs, path):
    if case["neuron"] == "LIFBoxCell":
        p = norse.LIFBoxParameters(
            tau_mem_inv=1 / TAUS, v_th=torch.full((OUTPUTS,), 0.2), v_leak=torch.zeros(OUTPUTS),
            reset_method=RESETS[case["reset"]][1],
        )  # fmt: skip
        cell = norse.LIFBoxCell(p, dt=STEP)
    elif case["neuron"] == "LIFCell":
        p = norse.LIFParameters(
            tau_mem_inv=1 / TAUS, tau_syn_inv=1 / TAUS.flip(0), v_leak=torch.zeros(OUTPUTS),
            v_th=torch.full((OUTPUTS,), 0.6),
        )  # fmt: skip
        cell = norse.LIFCell(p, dt=STEP)
    else:
        cell = norse.IAFCell(norse.IAFParameters(v_th=torch.full((OUTPUTS,), 2.0)), dt=STEP)
    first = linear(sum(map(ord, case["name"])))

    def forward(x):
        state, sent = None, []
        for t in range(x.shape[1]):
            out, state = cell(first(x[:, t]), state)
            sent.append(out)
        return torch.stack(sent, 1)

    train(forward, first.parameters(), inputs)
    spikes = run(forward, inputs)
    net = norse.SequentialState(first, cell)
    nir.write(path, to_nir(net, torch.zeros(INPUTS), dt=STEP))
    return spikes
