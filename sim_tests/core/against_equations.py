"""Whole arrays of the core beside those of the NumPy equations."""

from __future__ import annotations

import numpy as np

from neurodeploy.core.simulate import simulate
from neurodeploy.inputs import present
from sim_tests import reference

STATES = ("u", "v", "wait", "threshold", "refractory", "residue", "adaptation")


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


def run_core(network, inputs, steps=None, *, resets=(None, 0), states=STATES, **options):
    """Run on inputs as `inputs.present` gives them; see `joined`."""
    values = present(network, inputs, steps, apply_transform=False)
    how = {"reset_interval": resets[0], "reset_offset": resets[1]}
    return joined(simulate(network, values, states=states, **how, **options))


def assert_core_equals_equations(network, inputs, *, resets=(None, 0), **options):
    """Compare with `sim_tests.reference`, which shares no code with the core."""
    found = run_core(network, inputs, resets=resets, **options)
    for index, sample in enumerate(inputs):
        overflows = {}
        truth = reference.simulate(network, sample, *resets, overflows)
        for population in network.populations:
            arrays = found[population.name]
            for what, expected in truth[population.name].items():
                where = f"sample {index}, {population.name}, {what}"
                array = arrays[what][index]
                np.testing.assert_array_equal(array, expected.reshape(array.shape), where)
            for what, count in overflows[population.name].items():
                if what in arrays:  # ports and readouts stand outside the chip
                    assert arrays[what][index] == count, f"{population.name}, {what}"
            sent = arrays["spikes"] != 0
            np.testing.assert_array_equal(arrays["counts"], sent.sum(1), population.name)
            np.testing.assert_array_equal(arrays["step_counts"], sent.sum(2), population.name)
    return found
