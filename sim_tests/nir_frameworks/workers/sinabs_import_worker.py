"""Sinabs through its own NIR import; its time constants are in steps."""

import older
import sinabs.nir
import torch


def run(path, inputs, dt):
    if dt != 1:
        raise ValueError("Sinabs takes time constants in steps: a time step of 1")
    graph = older.read(path)
    for node in graph.nodes.values():  # what Sinabs' own files hold: torch's numbers
        for key in ("v_threshold", "tau", "r", "v_leak", "scale"):
            if hasattr(node, key):
                setattr(node, key, torch.from_numpy(getattr(node, key)))
    samples, steps = inputs.shape[:2]
    net = sinabs.nir.from_nir(graph, batch_size=samples)
    with torch.no_grad():
        flat = torch.from_numpy(inputs.reshape(samples * steps, *inputs.shape[2:]))
        answer = net(flat)
    out = answer[0] if isinstance(answer, tuple) else answer
    return out.numpy().reshape(samples, steps, *out.shape[1:]), None
