"""SLAYER's loops over time steps in NumPy: the same numbers, several times as fast on a CPU.

lava-dl 0.6.0 walks through the steps of a leaky integrator with a dozen calls of torch, and through
the neurons of a delay one by one. Here a step is a few calls of NumPy on all rows, and a delay one
for each length. `quick` puts these functions in their place while its block runs;
``sim_tests/test_spoken_digits.py`` holds outputs and gradients against SLAYER's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

UNITY = 4096
"""A decay of 1."""


def _integrate(inputs, decay, state, threshold, scale):
    """States in 1/scale, products cut towards zero, reset to 0 where one reaches the threshold."""
    keep = 1 - decay / UNITY  # exact, as are integers times it: states are far below 2^41
    states = np.trunc(inputs.T * scale).astype(np.float64)
    held = np.trunc(state * scale).astype(np.float64)
    for row in states:
        held *= keep
        np.trunc(held, out=held)
        held += row
        row[:] = held
        if threshold > 0:
            held *= held < threshold
    out = np.empty_like(inputs)
    out.T[:] = states
    out /= scale
    return out


def _integrate_back(gradient, keep):
    out = np.ascontiguousarray(gradient.T)
    for step in range(len(out) - 2, -1, -1):
        out[step] += keep * out[step + 1]
    return np.ascontiguousarray(out.T)


def _shift(values, steps):
    """Shift rows of [samples, rows, time] by as many steps each; 0 comes in."""
    out, length = np.zeros_like(values), values.shape[2]
    for late in np.unique(steps):
        rows = np.flatnonzero(steps == late)
        ahead, behind = max(late, 0), max(-late, 0)
        shifted = values[:, rows, behind : max(length - ahead, 0)]
        out[:, rows, ahead : ahead + shifted.shape[2]] = shifted
    return out


class _Integrator(torch.autograd.Function):
    """In place of ``leaky_integrator._LIDynamics``; decays are not learned here."""

    DEBUG = False

    @staticmethod
    def forward(context, inputs, decay, state, threshold, scale):
        flat = inputs.detach().contiguous().reshape(-1, inputs.shape[-1]).numpy()
        held = state.detach().contiguous().reshape(-1).numpy()
        least = float(threshold * scale)
        out = _integrate(flat, int(decay.item()), held, least, np.float32(scale))
        context.save_for_backward(decay)
        return torch.from_numpy(out).reshape(inputs.shape)

    @staticmethod
    def backward(context, gradient):
        (decay,) = context.saved_tensors
        flat = gradient.contiguous().reshape(-1, gradient.shape[-1]).numpy()
        out = _integrate_back(flat, np.float32(1 - decay.item() / UNITY))
        return torch.from_numpy(out).reshape(gradient.shape), None, None, None, None


def _shift_for(theirs: Any) -> Any:
    def shift(values: Any, steps: Any, sampling_time: int = 1) -> Any:
        if not torch.is_tensor(steps) or steps.numel() == 1 or sampling_time != 1:
            return theirs(values, steps, sampling_time)
        flat = values.detach().contiguous().reshape(len(values), -1, values.shape[-1])
        whole = steps.detach().flatten().numpy().astype(int)
        return torch.from_numpy(_shift(flat.numpy(), whole)).reshape(values.shape)

    return shift


def _filter_for(theirs: Any) -> Any:
    def conv(values: Any, taps: Any, sampling_time: int = 1) -> Any:
        if taps.numel() != 2 or sampling_time != 1:
            return theirs(values, taps, sampling_time)
        out = taps[0] * values
        out[..., 1:] += taps[1] * values[..., :-1]
        return out

    return conv


@contextmanager
def quick() -> Iterator[None]:
    """Run SLAYER's CUBA blocks and delays through these loops while the block lasts."""
    integrator = importlib.import_module("lava.lib.dl.slayer.neuron.dynamics.leaky_integrator")
    delay = importlib.import_module("lava.lib.dl.slayer.axon.delay")
    was = integrator._LIDynamics, delay.shift, delay.conv
    integrator._LIDynamics = _Integrator
    delay.shift, delay.conv = _shift_for(delay.shift), _filter_for(delay.conv)
    try:
        yield
    finally:
        integrator._LIDynamics, delay.shift, delay.conv = was
