"""SLAYER's loops over time steps, compiled: the same numbers, several times as fast on a CPU.

lava-dl 0.6.0 walks through the steps of a leaky integrator, and through the neurons of a delay, in
Python. Here Numba does, in the same integers. `compiled` puts these functions in their place while
its block runs; ``sim_tests/test_spoken_digits.py`` holds outputs and gradients against SLAYER's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numba import njit

UNITY = 4096
"""A decay of 1."""


@njit(cache=True)
def _integrate(inputs, decay, state, threshold, scale, out):
    """States in 1/scale, products cut towards zero, reset to 0 where one reaches the threshold."""
    keep = np.int64(UNITY) - decay
    for row in range(inputs.shape[0]):
        held = np.int64(state[row] * scale)
        for t in range(inputs.shape[1]):
            product = held * keep
            kept = product >> 12 if product >= 0 else -((-product) >> 12)
            held = kept + np.int64(scale * inputs[row, t])
            out[row, t] = np.float32(held) / scale
            if 0 < threshold <= held:
                held = np.int64(0)


@njit(cache=True)
def _integrate_back(gradient, keep, out):
    for row in range(gradient.shape[0]):
        held = np.float32(0)
        for t in range(gradient.shape[1] - 1, -1, -1):
            held = keep * held + gradient[row, t]
            out[row, t] = held


@njit(cache=True)
def _shift(values, steps, out):
    for sample in range(values.shape[0]):
        for row in range(values.shape[1]):
            late = int(steps[row])
            for t in range(values.shape[2]):
                source = t - late
                out[sample, row, t] = values[sample, row, source] if (
                    0 <= source < values.shape[2]
                ) else 0.0  # fmt: skip


class _Integrator(torch.autograd.Function):
    """In place of ``leaky_integrator._LIDynamics``; decays are not learned here."""

    DEBUG = False

    @staticmethod
    def forward(context, inputs, decay, state, threshold, scale):
        flat = inputs.detach().contiguous().reshape(-1, inputs.shape[-1]).numpy()
        out = np.empty_like(flat)
        held = state.detach().contiguous().reshape(-1).numpy()
        _integrate(flat, int(decay.item()), held, float(threshold * scale), np.float32(scale), out)
        context.save_for_backward(decay)
        return torch.from_numpy(out).reshape(inputs.shape)

    @staticmethod
    def backward(context, gradient):
        (decay,) = context.saved_tensors
        flat = gradient.contiguous().reshape(-1, gradient.shape[-1]).numpy()
        out = np.empty_like(flat)
        _integrate_back(flat, np.float32(1 - decay.item() / UNITY), out)
        return torch.from_numpy(out).reshape(gradient.shape), None, None, None, None


def _shift_for(theirs: Any) -> Any:
    def shift(values: Any, steps: Any, sampling_time: int = 1) -> Any:
        if not torch.is_tensor(steps) or steps.numel() == 1 or sampling_time != 1:
            return theirs(values, steps, sampling_time)
        flat = values.detach().contiguous().reshape(len(values), -1, values.shape[-1])
        out = torch.empty_like(flat)
        _shift(flat.numpy(), steps.detach().flatten().numpy(), out.numpy())
        return out.reshape(values.shape)

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
def compiled() -> Iterator[None]:
    """Run SLAYER's CUBA blocks and delays through the compiled loops while the block lasts."""
    integrator = importlib.import_module("lava.lib.dl.slayer.neuron.dynamics.leaky_integrator")
    delay = importlib.import_module("lava.lib.dl.slayer.axon.delay")
    was = integrator._LIDynamics, delay.shift, delay.conv
    integrator._LIDynamics = _Integrator
    delay.shift, delay.conv = _shift_for(delay.shift), _filter_for(delay.conv)
    try:
        yield
    finally:
        integrator._LIDynamics, delay.shift, delay.conv = was
