"""How each neuron model is handed to the core: its kind there, its parameters in the state's unit.

A model's equations are in ``neurons/<model>.hpp``, which names the parameters and options that
the functions here give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import network
from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_UNITY,
    SIGMA_DELTA_SHIFT,
    STATE_EXPONENT,
)
from ..network.neurons import Parameter
from ..network.neurons.sigma_delta import HIGHEST, LOWEST


@dataclass(frozen=True)
class CoreNeuron:
    """A neuron model in the core's terms.

    Attributes
    ----------
    kind : str
    parameters : dict of str to int or int32 [neurons]
    options : dict of str to int
    at_zero : dict of str to int or int32 [neurons]
        What a state of the model is where the core's is 0.
    """

    kind: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    options: dict[str, int] = field(default_factory=dict)
    at_zero: dict[str, Parameter] = field(default_factory=dict)


def core_neuron(neuron: network.Neuron) -> CoreNeuron | None:
    """Describe a neuron to the core; None where the core has no such model."""
    describe = CORE_NEURONS.get(type(neuron))
    return None if describe is None else describe(neuron)


def _state(mantissa: Parameter) -> Parameter:
    """Bring a mantissa into the state's unit."""
    return np.asarray(mantissa, np.int32) << ACTIVATION_SHIFT


def _kept(decay: Parameter) -> Parameter:
    return DECAY_UNITY - np.asarray(decay, np.int32)


def _relay(neuron: Any) -> CoreNeuron:
    return CoreNeuron("relay")


def _cuba(neuron: Any) -> CoreNeuron:
    parameters = {
        "keep_u": _kept(neuron.current_decay),
        "keep_v": _kept(neuron.voltage_decay),
        "threshold": _state(neuron.threshold),
        "bias": _state(neuron.bias),
    }
    if np.any(parameters["keep_u"]):
        return CoreNeuron("cuba-lif", parameters)
    del parameters["keep_u"]
    return CoreNeuron("cuba-lif-of-input", parameters)


def _adaptive_cuba(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "cuba-lif-adaptive",
        {
            "keep_u": _kept(neuron.current_decay),
            "keep_v": _kept(neuron.voltage_decay),
            "keep_adaptation": _kept(neuron.adaptation_decay),
            "threshold": _state(neuron.threshold),
            "adaptation_step": neuron.adaptation_step,
            "bias": _state(neuron.bias),
        },
    )


def _modulated(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "modulated-lif",
        {
            "keep_u": _kept(neuron.current_decay),
            "keep_v": _kept(neuron.voltage_decay),
            "threshold": _state(neuron.threshold),
            "bias": _state(neuron.bias),
            "size": neuron.y1_size,
            "keep_y1": neuron.y1_keep,
            "keep_signal": neuron.signal_keep,
            "cost": neuron.message_cost,
        },
        {"surrogate": int(neuron.y1_is == "surrogate"), "width": neuron.y1_width},
    )


def _general(neuron: Any) -> CoreNeuron:
    bias, into_current = _state(neuron.bias), neuron.bias_into == "current"
    return CoreNeuron(
        "cuba-lif-general",
        {
            "keep_u": _kept(neuron.current_decay),
            "keep_v": _kept(neuron.voltage_decay),
            "threshold": _state(neuron.threshold),
            "taken_off": neuron.taken_off,
            "u_bias": bias if into_current else 0,
            "v_bias": 0 if into_current else bias,
            "refractory": neuron.refractory,
        },
        {
            "input_exponent": neuron.input_exponent,
            "voltage_exponent": neuron.voltage_exponent,
            "reset": ("zero", "subtract", "subtract-late").index(neuron.reset),
        },
    )


def _leaky(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "leaky-integrator",
        {
            "keep_u": _kept(neuron.current_decay),
            "keep_v": _kept(neuron.voltage_decay),
            "bias": _state(neuron.bias),
        },
        {"input_exponent": neuron.input_exponent},
    )


def _ternary(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "ternary-lif",
        {
            "keep_u": _kept(neuron.current_decay),
            "keep_v": _kept(neuron.voltage_decay),
            "upper": _state(neuron.upper),
            "lower": _state(neuron.lower),
            "bias": _state(neuron.bias),
        },
    )


def _adaptation(neuron: Any) -> dict[str, Parameter]:
    return {
        "keep_rise": _kept(neuron.threshold_decay),
        "keep_refractory": _kept(neuron.refractory_decay),
        "rest": _state(neuron.threshold),
        "rise_step": _state(neuron.threshold_step),
    }


def _alif(neuron: Any) -> CoreNeuron:
    parameters = {
        "keep_u": _kept(neuron.current_decay),
        "keep_v": _kept(neuron.voltage_decay),
        **_adaptation(neuron),
        "bias": _state(neuron.bias),
    }
    options, rest = {"input_exponent": neuron.input_exponent}, _state(neuron.threshold)
    return CoreNeuron("alif", parameters, options, {"threshold": rest})


def _resonate(neuron: Any) -> CoreNeuron:
    parameters = {
        "sine": neuron.sin_decay,
        "cosine": neuron.cos_decay,
        "threshold": _state(neuron.threshold),
    }
    return CoreNeuron(neuron.kind, parameters, {"input_exponent": neuron.input_exponent})


def _resonate_zero(neuron: Any) -> CoreNeuron:
    parameters = {
        "sine": neuron.sin_decay,
        "cosine": neuron.cos_decay,
        "threshold": neuron.threshold,
    }
    return CoreNeuron("rf-zero", parameters)


def _adaptive_resonate(neuron: Any) -> CoreNeuron:
    parameters = {"sine": neuron.sin_decay, "cosine": neuron.cos_decay, **_adaptation(neuron)}
    options, rest = {"input_exponent": neuron.input_exponent}, _state(neuron.threshold)
    return CoreNeuron(neuron.kind, parameters, options, {"threshold": rest})


def _threshold(neuron: Any) -> CoreNeuron:
    difference = np.asarray(neuron.threshold, np.int32) - np.asarray(neuron.bias, np.int32)
    return CoreNeuron("threshold", {"threshold_less_bias": difference})


def _graded_threshold(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "graded-threshold", {"threshold": neuron.threshold}, {"rectify": int(neuron.rectify)}
    )


def _product(neuron: Any) -> CoreNeuron:
    return CoreNeuron("product", {"threshold": neuron.threshold}, {"shift": neuron.shift})


def _delta(neuron: Any) -> CoreNeuron:
    threshold = np.asarray(neuron.threshold, np.int32) << SIGMA_DELTA_SHIFT - neuron.fraction_bits
    return CoreNeuron("delta", {"threshold": threshold}, {"message_shift": STATE_EXPONENT})


def _sigma_delta(neuron: Any) -> CoreNeuron:
    bits = SIGMA_DELTA_SHIFT - neuron.fraction_bits
    return CoreNeuron(
        "sigma-delta",
        {
            "threshold": np.asarray(neuron.threshold, np.int32) << bits,
            "bias": np.asarray(neuron.bias, np.int32) << bits,
        },
        {
            "lowest": 0 if neuron.rectify else LOWEST,
            "highest": HIGHEST,
            "message_shift": STATE_EXPONENT,
        },
    )


def _general_sigma_delta(neuron: Any) -> CoreNeuron:
    return CoreNeuron(
        "sigma-delta",
        {"threshold": neuron.threshold, "bias": neuron.bias},
        {
            "lowest": neuron.lowest,
            "highest": neuron.highest,
            "message_shift": neuron.message_shift,
        },
    )


def _sigma(neuron: Any) -> CoreNeuron:
    return CoreNeuron("sigma")


CORE_NEURONS: dict[type[network.Neuron], Callable[[Any], CoreNeuron]] = {
    network.Source: _relay,
    network.Average: _relay,
    network.CubaLIF: _cuba,
    network.GeneralCubaLIF: _general,
    network.AdaptiveCubaLIF: _adaptive_cuba,
    network.ModulatedLIF: _modulated,
    network.LeakyIntegrator: _leaky,
    network.TernaryLIF: _ternary,
    network.ALIF: _alif,
    network.ResonateFire: _resonate,
    network.ResonateFireIzhikevich: _resonate,
    network.ResonateFireZero: _resonate_zero,
    network.AdaptiveResonateFire: _adaptive_resonate,
    network.AdaptiveResonateFireIzhikevich: _adaptive_resonate,
    network.Threshold: _threshold,
    network.GradedThreshold: _graded_threshold,
    network.Product: _product,
    network.Delta: _delta,
    network.SigmaDelta: _sigma_delta,
    network.GeneralSigmaDelta: _general_sigma_delta,
    network.Sigma: _sigma,
}
"""By the exact class: what derives from a model may compute something else."""
