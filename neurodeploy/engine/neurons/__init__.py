"""Neuron models of the engine, one module a family; `STEPPERS` says which it has."""

from .adaptive import AdaptiveStepper
from .base import Stepper
from .cuba import CubaStepper
from .resonate import AdaptiveResonateStepper, ResonateStepper
from .sigma_delta import RelayStepper, SigmaDeltaStepper, SigmaStepper
from .threshold import ThresholdStepper
from .variants import TernaryStepper, VariantStepper

STEPPERS: dict[str, type[Stepper]] = {
    "source": RelayStepper,
    "average": RelayStepper,
    "cuba-lif": CubaStepper,
    "cuba-lif-general": VariantStepper,
    "leaky-integrator": VariantStepper,
    "ternary-lif": TernaryStepper,
    "alif": AdaptiveStepper,
    "rf": ResonateStepper,
    "rf-iz": ResonateStepper,
    "adrf": AdaptiveResonateStepper,
    "adrf-iz": AdaptiveResonateStepper,
    "threshold": ThresholdStepper,
    "graded-threshold": ThresholdStepper,
    "delta": SigmaDeltaStepper,
    "sigma-delta": SigmaDeltaStepper,
    "general-sigma-delta": SigmaDeltaStepper,
    "sigma": SigmaStepper,
}
"""By the model's ``kind``."""

__all__ = ["STEPPERS", "Stepper"]
