"""Whole arrays of the core beside those of the NumPy equations and of the engine's kernels."""

from __future__ import annotations

import numpy as np

from neurodeploy.core.simulate import simulate as simulate_core
from neurodeploy.engine.plan import make_plan
from neurodeploy.engine.simulate import simulate as simulate_engine
from neurodeploy.inputs import present
from sim_tests import reference

STATES = ("u", "v")


def joined(blocks):
    """Results of all blocks as arrays; messages as `spikes` [samples, steps, neurons]."""
    found = {}
    blocks = list(blocks)
    for name in blocks[0]:
        parts = [block[name] for block in blocks]
        arrays = {
            "counts": np.concatenate([p.counts for p in parts]),
            "step_counts": np.concatenate([p.step_counts for p in parts]),
            "spikes": np.concatenate([_dense(p) for p in parts]),
        }
        for kind in ("states", "overflows"):
            for key in getattr(parts[0], kind):
                arrays[key] = np.concatenate([getattr(p, kind)[key] for p in parts])
        found[name] = arrays
    return found


def _dense(part):
    samples, steps = part.step_counts.shape
    dense = np.zeros((samples * steps, part.counts.shape[1]), np.int32)
    where = np.repeat(np.arange(samples * steps), part.step_counts.ravel())
    assert part.neuron is not None
    assert len(where) == len(part.neuron)
    dense[where, part.neuron] = 1 if part.payload is None else part.payload
    return dense.reshape(samples, steps, -1)


def run_core(network, inputs, steps=None, *, resets=(None, 0), **options):
    """Run on inputs as `inputs.present` gives them; see `joined`."""
    values = present(network, inputs, steps, apply_transform=False)
    how = {"reset_interval": resets[0], "reset_offset": resets[1]}
    return joined(simulate_core(network, values, states=STATES, **how, **options))


def assert_core_equals_equations(network, inputs, *, resets=(None, 0), **options):
    """Compare with `sim_tests.reference`, which shares no code with the core."""
    found = run_core(network, inputs, resets=resets, **options)
    for index, sample in enumerate(inputs):
        truth = reference.simulate(network, sample, *resets)
        for population in network.populations:
            arrays = found[population.name]
            for what, expected in truth[population.name].items():
                where = f"sample {index}, {population.name}, {what}"
                array = arrays[what][index]
                np.testing.assert_array_equal(array, expected.reshape(array.shape), where)
            sent = arrays["spikes"] != 0
            np.testing.assert_array_equal(arrays["counts"], sent.sum(1), population.name)
            np.testing.assert_array_equal(arrays["step_counts"], sent.sum(2), population.name)
    return found


def assert_core_equals_engine(network, inputs, steps=None, *, resets=(None, 0), **options):
    """Compare with the Numba kernels, counts of overflows too."""
    values = present(network, inputs, steps, apply_transform=False)
    how = {"states": STATES, "reset_interval": resets[0], "reset_offset": resets[1]}
    expected = joined(simulate_engine(make_plan(network), values, **how))
    found = run_core(network, inputs, steps, resets=resets, **options)
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        assert found[name].keys() == arrays.keys(), name
        for what, array in arrays.items():
            np.testing.assert_array_equal(found[name][what], array, f"{name}, {what}")
    return found
