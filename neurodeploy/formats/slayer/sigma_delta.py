"""SLAYER's sigma-delta neurons as ours.

SLAYER computes in floats that are multiples of the state's unit: weights count
1/w_scale, messages 1/s_scale, a norm divides by a power of two. So one integer
says the same, and what the norm or the scale changes is by how many bits a
message is shorter than the state.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import Delta, GeneralSigmaDelta, Rating, SigmaDelta
from ...network.fixed_point import ACTIVATION_SHIFT, SIGMA_DELTA_SHIFT, STATE_EXPONENT
from ...network.neurons import Parameter
from .converted import Converted, Note, norm_of, per_neuron

STATE = ACTIVATION_SHIFT + SIGMA_DELTA_SHIFT
"""A state of Lava's sigma-delta neurons counts 2^-18."""

FURTHEST = 2.0**20
"""No activation that matters is as large; where the bounds of an activation are looked for."""

PROBES = 20_000


def input_delta(module: Any, shape: tuple[int, ...]) -> Delta:
    """Give the neuron of a sigma-delta Input block."""
    threshold, bits = _threshold(module)
    return Delta(per_neuron(threshold, shape), bits)


def convert_sigma_delta(
    module: Any, shape: tuple[int, ...], where: str, note: Note, exponent: int
) -> Converted:
    """Give our neuron for a SLAYER sigma-delta neuron that has run once.

    Parameters are as those of `neurons.convert_neuron`.

    Raises
    ------
    UnsupportedError
        For a scale that is no power of two, or a threshold beyond the state.
    """
    scale = _power_of_two(module.w_scale, where)
    fixed, power = norm_of(module.norm, shape)
    divides, factor = max(power, 0), 1 << max(-power, 0)
    # Bits of the state below 1: those of weights and messages, and what a norm adds.
    below = scale + (ACTIVATION_SHIFT - exponent) + divides
    shift = below - scale - STATE_EXPONENT
    if shift < 0:
        raise UnsupportedError(
            f"{where}: what feeds it counts in steps of 2^-{ACTIVATION_SHIFT - exponent}, coarser "
            f"than its own messages; feed it from an Input block or another sigma-delta neuron"
        )
    bias = np.asarray(fixed, np.float64) * factor * 2.0 ** (below - divides - scale)
    if module.bias_is_set:
        own = module.bias.detach().cpu().numpy().astype(np.float64)
        bias = bias + np.broadcast_to(own, shape).reshape(-1) * 2.0**below
    elif bool((module.bias != 0).any()):
        reason = "not set by set_bias, so SLAYER's forward pass ignores it; so do we"
        note(f"{where}.bias", Rating.FAITHFUL, reason)
    bias = _rounded(bias, below, f"{where}.bias", note)
    bounds = _bounds(module.activation, where, note)
    if below == STATE and bounds in ((-math.inf, math.inf), (0, math.inf)):
        made = _as_lava_has_it(module, shape, bias, rectify=bounds[0] == 0)
        return Converted(made, weight_factor=factor)
    low, high = (
        _limited(_rounded(np.asarray(bound) * 2.0**below, below, f"{where}.activation", note))
        if math.isfinite(bound)
        else None
        for bound in bounds
    )
    threshold = np.ceil(_learnt(module) * 2.0**below)
    if np.abs(threshold).max() >= 1 << 31:
        raise UnsupportedError(
            f"{where}: a threshold of {threshold.max() / 2.0**below:g} is beyond its state's 32 "
            f"bits, of which {below} lie below 1; scale the layer down"
        )
    more = {key: value for key, value in (("lowest", low), ("highest", high)) if value is not None}
    neuron = GeneralSigmaDelta(
        per_neuron(threshold, shape), _plain(bias), message_shift=shift, **more
    )
    return Converted(neuron, weight_factor=factor)


def _as_lava_has_it(
    module: Any, shape: tuple[int, ...], bias: NDArray[np.float64], rectify: bool
) -> SigmaDelta:
    """Threshold and bias in 1/64, with as few bits below it as they need."""
    _, bits = _threshold(module)
    unit = 2.0**SIGMA_DELTA_SHIFT  # of the state, below 1/64
    while bits < SIGMA_DELTA_SHIFT and not _whole(bias / unit * 2.0**bits):
        bits += 1
    scaled = np.ceil(_learnt(module) * 64 * 2.0**bits)
    return SigmaDelta(per_neuron(scaled, shape), _plain(bias / unit * 2.0**bits), rectify, bits)


def _threshold(module: Any) -> tuple[NDArray[np.float64], int]:
    """Threshold and its bits below 1 / w_scale.

    SLAYER compares with the learnt float. Differences of activations are
    multiples of the state's unit, so the next such multiple above it says the same.
    """
    learnt = _learnt(module)
    for bits in range(SIGMA_DELTA_SHIFT + 1):
        scaled = learnt * float(module.w_scale) * 2.0**bits
        if _whole(scaled) or bits == SIGMA_DELTA_SHIFT:
            break
    return np.ceil(scaled), bits


def _learnt(module: Any) -> NDArray[np.float64]:
    learnt: NDArray[np.float64] = module.delta.threshold.detach().cpu().numpy().astype(np.float64)
    return learnt.ravel()


def _power_of_two(scale: int, where: str) -> int:
    power = int(scale).bit_length() - 1
    if scale != 1 << power:
        raise UnsupportedError(
            f"{where}: a scale of {scale}; messages are shifted by whole bits, so a power of two "
            f"is needed, Lava's being 64"
        )
    return power


def _rounded(exact: NDArray[np.float64], below: int, where: str, note: Note) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.rint(exact)
    if not _whole(exact):
        worst = np.abs(rounded - exact).max() * 2.0**-below
        reason = f"rounded to 2^-{below}, by at most {worst:.2g}; SLAYER adds it as a float"
        note(where, Rating.APPROXIMATE, reason)
    return rounded


def _bounds(activation: Any, where: str, note: Note) -> tuple[float, float]:
    """Lower and upper bound of an activation that only clips; told by trying it."""
    import torch

    drawn = torch.empty(PROBES).normal_(0, 8, generator=torch.Generator().manual_seed(0))
    fixed = torch.tensor([-FURTHEST, FURTHEST, -31.0, -1.5, -0.25, 0.0, 0.125, 1.0, 7.5, 31.0])
    probe = torch.cat([fixed, torch.round(drawn * 2**14) / 2**14])
    with torch.no_grad():
        got = activation(probe)
    low, high = float(got[0]), float(got[1])
    if low < high and torch.equal(got, probe.clamp(low, high)):
        return (
            -math.inf if low == -FURTHEST else low,
            math.inf if high == FURTHEST else high,
        )
    name = getattr(activation, "__name__", type(activation).__name__)
    note(
        f"{where}.activation",
        Rating.UNSUPPORTED,
        f"activation {name!r} is neither relu nor nothing nor a clipping at bounds; its floats "
        f"have no form in a chip's integers; relu is taken",
    )
    return 0, math.inf


def _limited(value: NDArray[np.float64]) -> int:
    return int(np.clip(value, -(2.0**31), 2.0**31 - 1))


def _plain(values: NDArray[np.float64]) -> Parameter:
    return int(values) if values.ndim == 0 else values.astype(np.int32)


def _whole(values: Any) -> bool:
    return bool(np.array_equal(values, np.rint(values)))
