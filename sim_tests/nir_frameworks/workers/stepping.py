"""Runs a torch module that nirtorch built, step by step."""

from __future__ import annotations

import torch


def run_steps(net, inputs, voltage_of=None):
    """Output [samples, steps, *shape], and voltages where the state holds some."""
    state, sent, voltages = None, [], []
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            answer = net(torch.from_numpy(inputs[:, t].copy()), state)
            out, state = answer if isinstance(answer, tuple) else (answer, None)
            sent.append(out)
            voltage = voltage_of(state) if voltage_of else None
            if voltage is not None:
                voltages.append(voltage.clone())
    traced = torch.stack(voltages, 1).numpy() if voltages else None
    return torch.stack(sent, 1).numpy(), traced


def last_node(graph):
    """The node before the output, as nirtorch names it."""
    (name,) = [a for a, b in graph.edges if b == "output"]
    return name.replace(".", "_")
