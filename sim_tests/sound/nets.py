"""A denoising network of our own, for where Intel's is not at hand, and sound to run through it."""

from __future__ import annotations

import numpy as np

from neurodeploy.network import Delta, Dense, Network, Population, Projection, Sigma, SigmaDelta


def small_network(seed=0, hidden=24):
    """257-24-24-257 sigma-delta neurons with axonal delays, as the N-DNS baseline is built."""
    rng = np.random.default_rng(seed)

    def dense(source, target, size):
        weight = 2 * rng.integers(-size, size + 1, (target, source))
        return Dense(weight.astype(np.int32))

    def delays(largest):
        return rng.integers(0, largest, hidden).astype(np.int32)

    return Network(
        (
            Population("input", (257,), Delta(6)),
            Population("first", (hidden,), SigmaDelta(6), delays(5)),
            Population("second", (hidden,), SigmaDelta(6), delays(9)),
            Population("mask", (257,), Sigma()),
        ),
        (
            Projection("input", "first", dense(257, hidden, 4)),
            Projection("first", "second", dense(hidden, hidden, 8)),
            Projection("second", "mask", dense(hidden, 257, 2)),
        ),
    )


def speechlike(samples, seed=0, level=0.2):
    """Tones that come and go, in noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / 16000
    tones = sum(np.sin(2 * np.pi * f * t) for f in (180, 360, 720, 1900))
    envelope = np.clip(np.sin(2 * np.pi * 2.3 * t), 0, 1)
    sound = level * (tones / 4 * envelope + 0.1 * rng.standard_normal(samples))
    return sound.astype(np.float32)
