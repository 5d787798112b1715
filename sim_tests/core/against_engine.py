"""Whole arrays of the core beside those of the engine's Numba kernels."""

from __future__ import annotations

import numpy as np

from neurodeploy.core.simulate import simulate as simulate_core
from neurodeploy.engine.plan import make_plan
from neurodeploy.engine.simulate import simulate as simulate_engine
from neurodeploy.signals import present

STATES = ("u", "v")


def joined(blocks):
    """Results of all blocks as arrays, messages as [samples, steps, neurons]."""
    found = {}
    blocks = list(blocks)
    for name in blocks[0]:
        parts = [block[name] for block in blocks]
        arrays = {
            "counts": np.concatenate([p.counts for p in parts]),
            "step_counts": np.concatenate([p.step_counts for p in parts]),
            "payloads": np.concatenate([_dense(p) for p in parts]),
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


def assert_core_equals_engine(network, inputs, steps=None, *, resets=None, **options):
    """Run both on inputs as `signals.present` gives them."""
    values = present(network, inputs, steps, apply_transform=False)
    interval, offset = resets or (None, 0)
    how = {"states": STATES, "reset_interval": interval, "reset_offset": offset}
    expected = joined(simulate_engine(make_plan(network), values, **how))
    found = joined(simulate_core(network, values, **how, **options))
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        assert found[name].keys() == arrays.keys(), name
        for what, array in arrays.items():
            np.testing.assert_array_equal(found[name][what], array, f"{name}, {what}")
    return found
