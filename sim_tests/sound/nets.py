"""Denoising networks of our own, and sound to run through them."""

from __future__ import annotations

import numpy as np

from neurodeploy.audio.enhancement import MaskCodec
from neurodeploy.network import (
    ALIF,
    CubaLIF,
    Delta,
    Dense,
    GradedThreshold,
    Network,
    Population,
    Projection,
    Sigma,
    SigmaDelta,
    Source,
    TemporalFIR,
)


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


def small_separator(seed=0, channels=24, neurons=16):
    """A network built as DPSNN is, with random weights, and a codec for it."""
    rng = np.random.default_rng(seed)

    def whole(low, high, *shape):
        return rng.integers(low, high, shape).astype(np.int32)

    layers = (
        ("input", channels, Source(signed=True)),
        ("project", neurons, CubaLIF(4096, 4096, 300, whole(-200, 400, neurons))),
        ("temporal", neurons, CubaLIF(4096, 2700, 60, whole(-5, 20, neurons))),
        ("adaptive", neurons, ALIF(4096, whole(1000, 3000, neurons), 400, 2000, 90, 12, bias=9)),
        ("readout", neurons, ALIF(4096, 2000, 4096, 4096, 2, 0, bias=3, graded_spike=True)),
        ("mask", channels, GradedThreshold(0)),
    )
    synapses = (
        Dense(whole(-60, 60, neurons, channels)),
        TemporalFIR(whole(-60, 90, 5, neurons)),
        Dense(whole(-80, 120, neurons, neurons)),
        Dense(whole(-60, 100, neurons, neurons)),
        Dense(whole(-9, 9, channels, neurons)),
    )
    names = [name for name, _, _ in layers]
    chain = zip(names, names[1:], synapses, strict=False)
    network = Network(
        [Population(n, (size,), neuron, starts=k) for k, (n, size, neuron) in enumerate(layers)],
        [
            *(Projection(*link) for link in chain),
            Projection("adaptive", "adaptive", Dense(whole(-60, 60, neurons, neurons))),
        ],
    )
    codec = MaskCodec(
        encoder=rng.standard_normal((channels, 80)) / 9,
        bias=0.01 * rng.standard_normal(channels),
        decoder=rng.standard_normal((channels, 80)) / 9,
        mask_bias=rng.standard_normal(channels),
        mask_unit=4e4,
        gain=16,
        largest=255,
        epsilon=1e-5,
        hop=40,
    )
    return network, codec
