"""Neuron models as plain dataclasses, each with its integer update equations.

Notation: ``a`` is the sum of what the synapses deliver in this step (an
integer in weight units), ``rz(x) = sign(x) * (|x| >> 12)`` rounds towards zero,
``s`` is the message sent, ``[...]`` is 1 where true. Every model starts from
zero state. Models with ``is_float`` compute in float32 instead and belong to networks that
are not quantized yet. Source of each integer rule: Lava 0.10.0's CPU fixed-point models, see
`fixed_point`, and lava-dl 0.6.0's SLAYER where a model says so.
"""

from .adaptive import ALIF, AdaptiveCubaLIF
from .base import Average, Neuron, Parameter, Source
from .floating import FloatLIF, FloatParameter
from .lif import CubaLIF, GeneralCubaLIF, LeakyIntegrator, TernaryLIF
from .modulated import ModulatedLIF
from .registry import NEURONS, model_of
from .resonate import (
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
)
from .sigma_delta import Delta, GeneralSigmaDelta, Sigma, SigmaDelta
from .stochastic import StochasticLIF
from .threshold import GradedThreshold, Product, Threshold

__all__ = [
    "ALIF",
    "NEURONS",
    "AdaptiveCubaLIF",
    "AdaptiveResonateFire",
    "AdaptiveResonateFireIzhikevich",
    "Average",
    "CubaLIF",
    "Delta",
    "FloatLIF",
    "FloatParameter",
    "GeneralCubaLIF",
    "GeneralSigmaDelta",
    "GradedThreshold",
    "LeakyIntegrator",
    "ModulatedLIF",
    "Neuron",
    "Parameter",
    "Product",
    "ResonateFire",
    "ResonateFireIzhikevich",
    "ResonateFireZero",
    "Sigma",
    "SigmaDelta",
    "Source",
    "StochasticLIF",
    "TernaryLIF",
    "Threshold",
    "model_of",
]
