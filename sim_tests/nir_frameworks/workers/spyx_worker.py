"""Spyx through its own NIR import; its images have their channels last."""

import nir
import numpy as np
import spyx.nir


def run(path, inputs, dt):
    graph = nir.read(path)
    images = inputs.ndim == 5
    values = np.moveaxis(inputs, 1, 0)
    values = np.moveaxis(values, 2, -1) if images else values
    _, (out, states) = spyx.nir.from_nir(graph, values, dt=dt, return_all_states=True)
    out = np.asarray(out)
    state = np.asarray(list(states)[-1])
    voltage = state[..., : out.shape[-1]]  # of a neuron with a current, its voltage comes first
    traced = voltage if voltage.shape == out.shape and out.ndim == 3 else None
    out = np.moveaxis(out, -1, 2) if out.ndim == 5 else out
    return np.moveaxis(out, 0, 1), None if traced is None else np.moveaxis(traced, 0, 1)
