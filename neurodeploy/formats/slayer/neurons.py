"""SLAYER's neurons as ours: the integers that its forward pass computes with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    CubaLIF,
    GeneralCubaLIF,
    LeakyIntegrator,
    Rating,
    ResonateFire,
    ResonateFireIzhikevich,
)
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from ...network.neurons import Parameter
from .converted import Converted, Note, norm_of, per_neuron
from .sigma_delta import convert_sigma_delta

NEVER = (1 << 18) - 1
"""A threshold that no voltage reaches, see `netx.neuron_writer`."""

RESONATORS = {
    "RF_PHASE": ResonateFire,
    "RF_IZHIKEVICH": ResonateFireIzhikevich,
    "ADRF_PHASE": AdaptiveResonateFire,
    "ADRF_IZHIKEVICH": AdaptiveResonateFireIzhikevich,
}


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
        return convert_sigma_delta(module, shape, where, note, exponent)
    params = module.device_params
    kind = params["type"]
    more: dict[str, Any] = {"graded_spike": bool(module.graded_spike)}
    if "thDecay" in params:
        more["threshold_decay"] = per_neuron(params["thDecay"], shape)
        more["refractory_decay"] = per_neuron(params["refDecay"], shape)
        more["threshold_step"] = per_neuron(params["vThStep"], shape)
    threshold = per_neuron(params["vThMant"], shape)
    if kind == "CUBA":
        if not _fires_only_above(module):
            reason = (
                f"threshold {module.threshold:g} at scale {module.w_scale}: SLAYER spikes where v "
                f"equals the threshold, since float32 loses the 0.01 steps that it adds; the chip "
                f"only where v is above it"
            )
            note(f"{where}.threshold", Rating.APPROXIMATE, reason)
        return _cuba(module, shape, threshold, exponent)
    if kind == "ALIF":
        leaks = per_neuron(params["iDecay"], shape), per_neuron(params["vDecay"], shape)
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
        sin_decay=per_neuron(params["sinDecay"], shape),
        cos_decay=per_neuron(params["cosDecay"], shape),
        threshold=threshold,
        input_exponent=exponent - powers.pop(),
        **more,
    )
    return Converted(neuron, _currents(shape, *(bias for bias, _ in norms)))


def _fires_only_above(module: Any) -> bool:
    """Whether SLAYER's CUBA neurons are silent at v == threshold, as Lava's and the chip's are.

    It adds ``threshold_eps`` for that (``neuron/cuba.py:134``), in float32, both where a spike
    is told and where v is reset (``dynamics/leaky_integrator.py``).
    """
    raised = module.threshold + module.threshold_eps
    told = np.float32(raised) > np.float32(module.threshold)
    reset = np.float32(raised * module.s_scale) > np.float32(module.threshold * module.s_scale)
    return bool(told and reset)


def _cuba(module: Any, shape: tuple[int, ...], threshold: Parameter, exponent: int) -> Converted:
    params = module.device_params
    leaks = per_neuron(params["iDecay"], shape), per_neuron(params["vDecay"], shape)
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
    leaks = per_neuron(module.cx_current_decay, shape), per_neuron(module.cx_voltage_decay, shape)
    bias, power = norm_of(getattr(module, "norm", None), shape)
    if power:
        return Converted(
            GeneralCubaLIF(*leaks, NEVER, bias, input_exponent=exponent, voltage_exponent=-power)
        )
    return Converted(LeakyIntegrator(*leaks, bias, input_exponent=exponent))


def _currents(shape: tuple[int, ...], *biases: Parameter) -> tuple[NDArray[np.int32], ...]:
    """Constant currents of each port, or nothing where all are 0."""
    if not any(np.any(np.asarray(bias) != 0) for bias in biases):
        return ()
    size = math.prod(shape)
    return tuple(np.broadcast_to(bias, size).astype(np.int32) for bias in biases)
