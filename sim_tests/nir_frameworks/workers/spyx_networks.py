"""Networks that Spyx builds, runs and exports."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import nir
import numpy as np
import spyx.nir
import spyx.nn as snn
from flax import nnx

INPUTS, OUTPUTS, STEPS = 20, 12, 8
NEURONS = ("IF", "LIF", "CuBaLIF", "RIF", "RLIF", "RCuBaLIF", "PSU_LIF")


def cases():
    """Its neurons subtract; PSU_LIF has no reset."""
    for name in NEURONS:
        reset = "none" if name == "PSU_LIF" else "subtract"
        yield {"name": name, "neuron": name, "reset": reset, "options": {"dt": 1.0}}


def make(case, inputs, path):
    rngs = nnx.Rngs(sum(map(ord, case["name"])))
    first = nnx.Linear(INPUTS, OUTPUTS, rngs=rngs)
    first.kernel[...] = first.kernel[...] * 2 + 0.05
    cell = getattr(snn, case["neuron"])((OUTPUTS,), threshold=1.5, rngs=rngs)
    if hasattr(cell, "beta"):  # a decay of 1 exports as infinity
        cell.beta[...] = jnp.linspace(0.3, 0.95, OUTPUTS)
    if hasattr(cell, "recurrent_w"):
        cell.recurrent_w[...] = cell.recurrent_w[...] * 0.3
    net = snn.Sequential(first, cell)
    x = jnp.asarray(np.moveaxis(inputs, 1, 0))
    target = jnp.linspace(0.1, 0.5, OUTPUTS)

    def forward(net):
        def step(state, values):
            out, after = net(values, state)
            return after, out

        return jax.lax.scan(step, net.initial_state(x.shape[1]), x)[1]

    def loss(net):
        return ((forward(net).mean((0, 1)) - target) ** 2).sum()

    for _ in range(STEPS):
        gradient = nnx.grad(loss)(net)
        before = nnx.state(net, nnx.Param)
        nnx.update(net, jax.tree.map(lambda p, g: p - 0.02 * g, before, gradient))
    spikes = np.moveaxis(np.asarray(forward(net)), 0, 1)
    assert (spikes == np.rint(spikes)).all()
    shapes = ({"input": np.array([INPUTS])}, {"output": np.array([OUTPUTS])})
    nir.write(path, spyx.nir.to_nir(net, *shapes))
    return spikes.astype(np.uint8)
