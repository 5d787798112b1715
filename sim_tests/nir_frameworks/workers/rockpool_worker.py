"""Rockpool through its own NIR import, which takes its time step from tau / (1 + r)."""

import older
import rockpool.nn.modules.torch.nir as rockpool_nir
import torch


def run(path, inputs, dt):
    net = rockpool_nir.from_nir(older.read(path))
    with torch.no_grad():
        answer = net(torch.from_numpy(inputs))
    out = answer[0] if isinstance(answer, tuple) else answer
    return out.numpy(), None
