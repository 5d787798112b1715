"""JAX: the float network as one jitted function; the fastest of several ways to write it."""

import time
from functools import partial
from importlib.metadata import version as version_of

import jax
import jax.numpy as jnp
import numpy as np

REPEATS = 7


def version() -> str:
    """Name and version."""
    return f"jax {version_of('jax')}"


def prepare(arrays, options):
    """Compile every variant, time each, keep the fastest."""
    inputs = jnp.asarray(arrays["inputs"].swapaxes(0, 1), jnp.float32)  # [steps, samples, n]
    layers = [
        {
            "weight": jnp.asarray(arrays[f"{i}.weight"].T),
            "keep_u": float(arrays[f"{i}.keep_u"]),
            "keep_v": float(arrays[f"{i}.keep_v"]),
            "threshold": float(arrays[f"{i}.threshold"]),
        }
        for i in range(int(arrays["layers"]))
    ]
    weights = [layer.pop("weight") for layer in layers]
    variants = {
        "one scan over all layers": partial(_step_by_step, layers=layers, unroll=1),
        "one scan, unrolled 5 times": partial(_step_by_step, layers=layers, unroll=5),
        "a scan per layer": partial(_layer_by_layer, layers=layers, unroll=1),
        "a scan per layer, unrolled 5 times": partial(_layer_by_layer, layers=layers, unroll=5),
        "a scan per layer, unrolled 20 times": partial(_layer_by_layer, layers=layers, unroll=20),
    }
    best, best_seconds, best_name = None, float("inf"), ""
    for name, function in variants.items():
        compiled = jax.jit(function)

        def run(compiled=compiled):
            return jax.block_until_ready(compiled(weights, inputs))

        run()
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
        if np.median(seconds) < best_seconds:
            best, best_seconds, best_name = run, np.median(seconds), name
    counts, _ = best()
    return best, [int(np.asarray(c).sum()) for c in counts], best_name


def _cuba(layer, state, a):
    u, v = state
    u = layer["keep_u"] * u + a
    v = layer["keep_v"] * v + u
    spike = v > layer["threshold"]
    return (u, jnp.where(spike, 0.0, v)), spike.astype(jnp.float32)


def _start(inputs, weight):
    zeros = jnp.zeros((inputs.shape[1], weight.shape[1]), jnp.float32)
    return zeros, zeros


def _step_by_step(weights, inputs, layers, unroll):
    """Carry all layers through one scan, with a matrix product per layer and step."""

    def step(carry, x):
        states, counts = carry
        after, counted = [], []
        for weight, layer, state, count in zip(weights, layers, states, counts, strict=True):
            state, x = _cuba(layer, state, x @ weight)
            after.append(state)
            counted.append(count + x)
        return (after, counted), x

    states = [_start(inputs, weight) for weight in weights]
    counts = [state[0] for state in states]
    (_, counts), output = jax.lax.scan(step, (states, counts), inputs, unroll=unroll)
    return counts, output


def _layer_by_layer(weights, inputs, layers, unroll):
    """One matrix product for all steps of a layer, then a scan over its neurons."""
    counts = []
    for weight, layer in zip(weights, layers, strict=True):
        currents = (inputs.reshape(-1, inputs.shape[2]) @ weight).reshape(
            *inputs.shape[:2], weight.shape[1]
        )
        _, inputs = jax.lax.scan(
            partial(_cuba, layer), _start(inputs, weight), currents, unroll=unroll
        )
        counts.append(inputs.sum(axis=0))
    return counts, inputs
