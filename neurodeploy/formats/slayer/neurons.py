"""SLAYER's neurons as ours: the integers that its forward pass computes with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    CubaLIF,
    Delta,
    GeneralCubaLIF,
    LeakyIntegrator,
    Neuron,
    Rating,
    ResonateFire,
    ResonateFireIzhikevich,
    SigmaDelta,
)
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, SIGMA_DELTA_SHIFT
from ...network.neurons import Parameter

NEVER = (1 << 18) - 1
"""A threshold that no voltage reaches, see `netx_neuron_writer`."""

Note = Callable[[str, Rating, str], None]

RESONATORS = {
    "RF_PHASE": ResonateFire,
    "RF_IZHIKEVICH": ResonateFireIzhikevich,
    "ADRF_PHASE": AdaptiveResonateFire,
    "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich,
}


@dataclass(frozen=True, eq=False)
class Converted:
    """A neuron, and what must be added around it.

    Attributes
    ----------
    neuron : Neuron
    drive : tuple of int32 [neurons]
        Constant currents that enter at every step, one for each port; empty for none.
    weight_factor : int
        By which the weights into it are multiplied.
    """

    neuron: Neuron
    drive: tuple[NDArray[np.int32], ...] = field(default=())
    weight_factor: int = 1


def message_unit(module: Any) -> int:
    """What 1.0 in SLAYER is as the payload of our messages: 1 for spikes."""
    return int(module.s_scale) if getattr(module, "graded_spike", False) else 1


def convert_neuron(
    module: Any, shape: tuple[int, ...], where: str, note: Note, exponent: int = ACTIVATION_SHIFT
) -> Converted:
    """Give our neuron for a SLAYER neuron that has run once.

    Parameters
    ----------
    module : slayer.neuron.*.Neuron
    shape : tuple of int
        (neurons,) or (channels, height, width).
    where : str
        The module's path, for notes and errors.
    note : callable
        Adds to the audit.
    exponent : int
        `input_exponent`, by what feeds it.

    Raises
    ------
    UnsupportedError
        For a neuron that has no counterpart in integers.
    """
    if hasattr(module, "delta"):
        return _sigma_delta(module, shape, where, note)
    params = module.device_params
    kind = params["type"]
    more: dict[str, Any] = {"graded_spike": bool(module.graded_spike)}
    if "thDecay" in params:
        more["threshold_decay"] = _spread(params["thDecay"], shape)
        more["refractory_decay"] = _spread(params["refDecay"], shape)
        more["threshold_step"] = _spread(params["vThStep"], shape)
    threshold = _spread(params["vThMant"], shape)
    if kind == "CUBA":
        return _cuba(module, shape, threshold, exponent)
    if kind == "ALIF":
        leaks = _spread(params["iDecay"], shape), _spread(params["vDecay"], shape)
        bias, power = norm_of(getattr(module, "norm", None), shape)
        if power:  # the norm acts on what arrives, so its power of two is the input's
            more["input_exponent"] = exponent - power
            return Converted(ALIF(*leaks, threshold=threshold, **more), _currents(shape, bias))
        more |= {"bias": bias, "input_exponent": exponent}
        return Converted(ALIF(*leaks, threshold=threshold, **more))
    norms = [norm_of(getattr(module, f"{part}_norm", None), shape) for part in ("real", "imag")]
    powers = {power for _, power in norms}
    if len(powers) > 1:
        raise UnsupportedError(
            f"{where}: the norms of its real and imaginary currents divide by different powers of "
            f"two; the two enter one neuron, which has one exponent: give both the same"
        )
    model = RESONATORS[kind]
    neuron = model(
        sin_decay=_spread(params["sinDecay"], shape),
        cos_decay=_spread(params["cosDecay"], shape),
        threshold=threshold,
        input_exponent=exponent - powers.pop(),
        **more,
    )
    return Converted(neuron, _currents(shape, *(bias for bias, _ in norms)))


def _cuba(module: Any, shape: tuple[int, ...], threshold: Parameter, exponent: int) -> Converted:
    params = module.device_params
    leaks = _spread(params["iDecay"], shape), _spread(params["vDecay"], shape)
    graded = bool(module.graded_spike)
    bias, power = norm_of(getattr(module, "norm", None), shape)
    if not (graded or power or exponent != ACTIVATION_SHIFT):
        return Converted(CubaLIF(*leaks, threshold, bias))
    neuron = GeneralCubaLIF(
        *leaks,
        threshold,
        bias,
        graded_spike=graded,
        input_exponent=exponent,
        voltage_exponent=-power,
    )
    return Converted(neuron)


def convert_affine(module: Any, dynamics: bool, shape: tuple[int, ...], exponent: int) -> Converted:
    """Give the neuron of an Affine block: voltages without spikes, or the bare current."""
    if not dynamics:
        return Converted(LeakyIntegrator(DECAY_UNITY, DECAY_UNITY, input_exponent=exponent))
    leaks = _spread(module.cx_current_decay, shape), _spread(module.cx_voltage_decay, shape)
    bias, power = norm_of(getattr(module, "norm", None), shape)
    if power:
        return Converted(
            GeneralCubaLIF(*leaks, NEVER, bias, input_exponent=exponent, voltage_exponent=-power)
        )
    return Converted(LeakyIntegrator(*leaks, bias, input_exponent=exponent))


def norm_of(norm: Any, shape: tuple[int, ...]) -> tuple[Parameter, int]:
    """Bias mantissas of a norm, and the power of two that it divides by.

    SLAYER's file has ``ceil(log2(std))`` as ``weight_exp``; its forward pass
    clamps that to ``weight_exp_bits`` (``neuron/norm.py:152``), as we do.
    """
    if norm is None:
        return 0, 0
    bias = _spread(norm.bias.detach().cpu().numpy(), shape)
    if not hasattr(norm, "std"):
        return bias, 0
    return bias, round(math.log2(float(norm.std(norm.running_var))))


def input_delta(module: Any, shape: tuple[int, ...]) -> Delta:
    """Give the neuron of a sigma-delta Input block."""
    return Delta(*_threshold(module, shape))


def _sigma_delta(module: Any, shape: tuple[int, ...], where: str, note: Note) -> Converted:
    if module.w_scale != 1 << ACTIVATION_SHIFT:
        raise UnsupportedError(
            f"{where}: a sigma-delta neuron of scale {module.w_scale}; ours, as Lava's, has 64"
        )
    fixed, power = norm_of(module.norm, shape)
    if power > 0:
        raise UnsupportedError(
            f"{where}: its norm divides by 2^{power}, which leaves bits below a sigma-delta "
            f"state's last; use MeanOnlyBatchNorm"
        )
    threshold, fraction = _threshold(module, shape)
    bias = np.asarray(fixed, np.float64)
    if module.bias_is_set:
        own = module.bias.detach().cpu().numpy().astype(np.float64)
        bias = bias * 2.0**-power + np.broadcast_to(own, shape).reshape(-1) * 64
    else:
        if bool((module.bias != 0).any()):
            reason = "not set by set_bias, so SLAYER's forward pass ignores it; so do we"
            note(f"{where}.bias", Rating.FAITHFUL, reason)
        bias = bias * 2.0**-power
    bias, bits = _with_fraction(bias, fraction, where, note)
    neuron = SigmaDelta(
        threshold << (bits - fraction),
        _plain(bias),
        _rectifies(module.activation, where, note),
        bits,
    )
    return Converted(neuron, weight_factor=1 << -power)


def _with_fraction(
    bias: NDArray[np.float64], bits: int, where: str, note: Note
) -> tuple[NDArray[np.float64], int]:
    """Round a bias to as many bits below 1/64 as it needs, and at least `bits`."""
    while bits < SIGMA_DELTA_SHIFT and not _whole(bias * 2.0**bits):
        bits += 1
    exact = bias * 2.0**bits
    rounded = np.rint(exact)
    if not _whole(exact):
        worst = np.abs(rounded - exact).max() * 2.0**-bits / 64
        reason = f"rounded to 2^-18, by at most {worst:.2g}; SLAYER adds it as a float"
        note(f"{where}.bias", Rating.APPROXIMATE, reason)
    return rounded, bits


def _threshold(module: Any, shape: tuple[int, ...]) -> tuple[Parameter, int]:
    """Threshold and its bits below 1/64.

    SLAYER compares with the learnt float. Differences of activations are
    multiples of 2^-18, so the next such multiple above it says the same.
    """
    learnt = module.delta.threshold.detach().cpu().numpy().astype(np.float64).ravel()
    for bits in range(SIGMA_DELTA_SHIFT + 1):
        scaled = learnt * 64 * 2.0**bits
        if _whole(scaled) or bits == SIGMA_DELTA_SHIFT:
            break
    return _spread(np.ceil(scaled), shape), bits


def _rectifies(activation: Any, where: str, note: Note) -> bool:
    """Whether an activation is the rectifier or nothing; told by trying it."""
    import torch

    probe = torch.tensor([-31.0, -1.5, -0.25, 0.0, 0.125, 1.0, 7.5, 31.0])
    got = activation(probe)
    if torch.equal(got, probe.clamp(min=0)):
        return True
    if torch.equal(got, probe):
        return False
    name = getattr(activation, "__name__", type(activation).__name__)
    note(
        f"{where}.activation",
        Rating.UNSUPPORTED,
        f"activation {name!r}; the chip's sigma-delta neurons have relu and none, relu is taken",
    )
    return True


def _currents(shape: tuple[int, ...], *biases: Parameter) -> tuple[NDArray[np.int32], ...]:
    """Constant currents of each port, or nothing where all are 0."""
    if not any(np.any(np.asarray(bias) != 0) for bias in biases):
        return ()
    size = math.prod(shape)
    return tuple(np.broadcast_to(bias, size).astype(np.int32) for bias in biases)


def _spread(value: Any, shape: tuple[int, ...]) -> Parameter:
    """One number, or one for each channel, for all neurons."""
    values = np.asarray(value, np.float64).ravel().astype(np.int64)
    if values.size == 1:
        return int(values[0])
    return np.repeat(values, math.prod(shape) // values.size).astype(np.int32)


def _plain(values: NDArray[np.float64]) -> Parameter:
    return int(values) if values.ndim == 0 else values.astype(np.int32)


def _whole(values: Any) -> bool:
    return bool(np.array_equal(values, np.rint(values)))


__all__ = [
    "Converted",
    "convert_affine",
    "convert_neuron",
    "input_delta",
    "message_unit",
    "norm_of",
]
